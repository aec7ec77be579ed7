//! TPM2_Certify (part 3, section 18.2): a TPM says that it has a key of this name.

use super::attest::{MAGIC, MAX_DATA, head, malformed, sized};
use super::public::RsaPublic;
use super::quote::Quoted;
use super::signature::Signature;
use crate::bytes::Bytes;
use crate::verifier::Rejection;
use crate::verifier::custody::{self, Digest, Signer, Statement};
use crate::verifier::types::Span;

/// TPM_ST_ATTEST_CERTIFY (part 2, section 6.9).
const CERTIFY: u16 = 0x8017;

/// A name's algorithm, which is SHA-256, and its digest (section 10.5.3).
const NAME: u32 = 2 + 32;
const SHA256: [u8; 2] = [0x00, 0x0b];

/// A key that a TPM keeps for decryption, while its PCRs are the quoted ones.
#[derive(Debug)]
pub struct Sealed {
    /// The signed TPMS_ATTEST.
    pub statement: Statement,
    /// Where the digest in the key's name stands.
    pub name: Span,
    /// The key's public area.
    pub key: Statement,
}

/// Checks that the TPM whose key `signer` is keeps this key, and for whom: it must be of the TPM's own
/// making, decrypt and do nothing else, and open only while the PCRs are as they were quoted. Without that a
/// quote of yesterday could stand beside a key of today's machine: neither has a date.
///
/// # Errors
/// The host's own findings; [`Rejection::Malformed`] where it is no certificate of a key;
/// [`Rejection::Untrusted`] for a key of another kind.
pub fn certified(
    signer: &Signer,
    quoted: &Quoted,
    message: &[u8],
    signature: &Signature,
    public: &[u8],
) -> Result<Sealed, Rejection> {
    let read = RsaPublic::read(public)?;
    let name = name(message)?;
    let statement = custody::check(signer, signature.algorithm, message, &signature.bytes)?;
    let key = custody::vouch(&statement, name, Digest::Sha256, read.area)?;
    if !read.only_decrypts_by_policy() {
        return Err(untrusted(
            "the certified key is not one that only decrypts, by its policy alone",
        ));
    }
    if !read.is_bound_to(&quoted.attest.selections, &quoted.values) {
        return Err(untrusted("the certified key is not bound to the quoted PCRs"));
    }
    Ok(Sealed { statement, name, key })
}

/// Where the digest in the name stands, in a TPMS_ATTEST of type certify that fills `message`.
fn name(message: &[u8]) -> Result<Span, Rejection> {
    let mut bytes = Bytes(message);
    if bytes.u32_be() != Some(MAGIC) {
        return Err(malformed("no TPM made it"));
    }
    if bytes.u16_be() != Some(CERTIFY) {
        return Err(malformed("not a certificate of a key"));
    }
    let mut read = || {
        head(&mut bytes, message.len())?;
        let name = sized(&mut bytes, message.len(), MAX_DATA)?;
        let _qualified_name = sized(&mut bytes, message.len(), MAX_DATA)?;
        bytes.is_empty().then_some(name)
    };
    let name = read().ok_or_else(|| malformed("not whole, or something stands behind it"))?;
    let start = usize::try_from(name.start).unwrap_or(usize::MAX);
    let algorithm = message.get(start..).and_then(|rest| rest.first_chunk());
    match name.length == NAME && algorithm == Some(&SHA256) {
        true => Ok(Span { start: name.start + 2, length: NAME - 2 }),
        false => Err(Rejection::Unsupported("a key that is not named by SHA-256".into())),
    }
}

fn untrusted(why: &str) -> Rejection {
    Rejection::Untrusted(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(named: &[u8]) -> Vec<u8> {
        let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        let mut message = vec![0xff, b'T', b'C', b'G', 0x80, 0x17];
        message.extend(sized(&[1; 34]));
        message.extend(sized(b""));
        message.extend([0; 16]);
        message.push(1);
        message.extend([0; 8]);
        message.extend(sized(named));
        message.extend(sized(&[2; 34]));
        message
    }

    #[test]
    fn the_name_is_found_where_it_stands() {
        let named = [&SHA256[..], &[9; 32]].concat();
        let message = certificate(&named);
        let Span { start, length } = name(&message).unwrap();
        assert_eq!(&message[start as usize..][..length as usize], [9; 32]);
        for cut in 0..message.len() {
            assert!(matches!(name(&message[..cut]), Err(Rejection::Malformed(_))), "{cut}");
        }
        assert!(name(&[&message[..], &[0]].concat()).is_err());
        // Magic; TPM_ST_ATTEST_QUOTE.
        for (at, byte) in [(0, 0xfe), (5, 0x18)] {
            let mut other = message.clone();
            other[at] = byte;
            assert!(matches!(name(&other), Err(Rejection::Malformed(_))), "{at}");
        }
    }

    #[test]
    fn a_name_by_another_algorithm_is_unsupported() {
        for named in
            [[&[0, 0x0c][..], &[9; 48]].concat(), [&[0, 4][..], &[9; 32]].concat(), vec![0, 0x0b]]
        {
            let read = name(&certificate(&named));
            assert!(matches!(read, Err(Rejection::Unsupported(_))), "{named:?}");
        }
        assert!(name(&certificate(b"")).is_err());
    }
}
