//! Which key signs: one that a certificate leads from an anchor to, or one that the operator enrolled.

use claviger_plugin_sdk::bytes::Bytes;
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::custody::{self, Signer};
use claviger_plugin_sdk::{certificates, sha256};

use crate::evidence::Evidence;
use crate::x509::{self, Certificate};

/// The operator's set of TPM makers, clouds' authorities and enrolled keys.
const ANCHORS: &str = "tpm";

/// A chain has no more certificates; the host sets the limit.
const MAX_CHAIN: usize = 8;

/// Certificates that are looked at.
const MAX_CERTIFICATES: usize = 32;

/// Extended key usage (RFC 5280, section 4.2.1.12).
const USAGE: &str = "2.5.29.37";

/// Why a key may sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    Certified,
    Enrolled,
}

impl Found {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certified => "certified",
            Self::Enrolled => "enrolled",
        }
    }
}

pub(crate) struct Attester {
    pub(crate) signer: Signer,
    pub(crate) found: Found,
    /// SHA-256 of the key's SubjectPublicKeyInfo.
    pub(crate) fingerprint: [u8; 32],
}

impl Attester {
    /// The AK of the evidence, if anybody but itself vouches for it.
    pub(crate) fn find(evidence: &Evidence, attachments: &[Vec<u8>]) -> Result<Self, Rejection> {
        let brought = evidence.certificates.iter().chain(attachments);
        let unpacked: Vec<Vec<u8>> = brought.flat_map(|blob| certificates::read(blob)).collect();
        let certificates: Vec<Certificate<'_>> = unpacked
            .iter()
            .filter_map(|der| Certificate::read(der))
            .take(MAX_CERTIFICATES)
            .collect();
        let public = evidence.ak_public.as_deref().and_then(subject_public_key_info);
        let chain = order(&certificates, public.as_deref());
        // The first certificate of a chain is the one with that key.
        let key = public.as_deref().or_else(|| chain.first().map(|leaf| leaf.key));
        let fingerprint = key.map(sha256::digest).ok_or_else(no_certificate)?;
        let fault = match certified(&chain) {
            Ok(signer) => return Ok(Self { signer, found: Found::Certified, fingerprint }),
            Err(fault) => fault,
        };
        match custody::pinned(ANCHORS, &fingerprint) {
            Ok(signer) => Ok(Self { signer, found: Found::Enrolled, fingerprint }),
            Err(_) if !chain.is_empty() => Err(fault),
            Err(fault) => Err(fault.into()),
        }
    }
}

fn certified(chain: &[Certificate<'_>]) -> Result<Signer, Rejection> {
    let mut fault = no_certificate();
    // The chain may go on beyond the operator's anchor.
    for length in 1..=chain.len() {
        let part: Vec<Vec<u8>> = chain.iter().take(length).map(|one| one.der.to_vec()).collect();
        match custody::chain(&part, ANCHORS) {
            Ok(signer) => {
                // An authority may certify servers too, whose keys sign whatever they are asked to.
                return match signer.extension(USAGE) {
                    Some(usage) if x509::is_for_tpms(&usage) => Ok(signer),
                    _ => {
                        Err(Rejection::Untrusted("a certificate that is not of a TPM's key".into()))
                    }
                };
            }
            Err(reason) => fault = reason.into(),
        }
    }
    Err(fault)
}

fn no_certificate() -> Rejection {
    Rejection::Untrusted("no certificate of the attestation key".into())
}

/// The chain from the AK's certificate up: its own is the one with that key, or the first.
fn order<'a>(certificates: &[Certificate<'a>], key: Option<&[u8]>) -> Vec<Certificate<'a>> {
    let of_key = certificates.iter().find(|one| Some(one.key) == key);
    let leaf = if key.is_some() { of_key } else { certificates.first() };
    let mut chain: Vec<Certificate<'a>> = leaf.copied().into_iter().collect();
    while let Some(last) = chain.last().copied()
        && last.issuer != last.subject
        && chain.len() < MAX_CHAIN
    {
        let issuer =
            certificates.iter().find(|one| one.subject == last.issuer && !chain.contains(one));
        let Some(issuer) = issuer else { break };
        chain.push(*issuer);
    }
    chain
}

/// A key as its certificate would have it; of a TPMT_PUBLIC, RSA and the curves P-256 and P-384.
fn subject_public_key_info(key: &[u8]) -> Option<Vec<u8>> {
    if key.first() == Some(&0x30) {
        return Some(key.to_vec());
    }
    let mut bytes = Bytes(key);
    let kind = bytes.u16_be()?;
    let _name_algorithm_and_attributes = bytes.take(2 + 4)?;
    let _policy = bytes.sized()?;
    // A signing key has no symmetric algorithm (TPM_ALG_NULL), and its scheme has a hash.
    (bytes.u16_be()? == 0x10).then_some(())?;
    if bytes.u16_be()? != 0x10 {
        let _hash = bytes.u16_be()?;
    }
    match kind {
        0x0001 => {
            let _bits = bytes.u16_be()?;
            let exponent = match bytes.u32_be()? {
                0 => 65_537,
                exponent => exponent,
            };
            rsa(bytes.sized()?, exponent)
        }
        0x0023 => {
            let (object, size): (&[u8], usize) = match bytes.u16_be()? {
                0x0003 => (&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07], 32),
                0x0004 => (&[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22], 48),
                _ => return None,
            };
            (bytes.u16_be()? == 0x10).then_some(())?;
            elliptic(object, size, bytes.sized()?, bytes.sized()?)
        }
        _ => None,
    }
}

/// RFC 3279, section 2.3.1.
fn rsa(modulus: &[u8], exponent: u32) -> Option<Vec<u8>> {
    const ALGORITHM: &[u8] =
        &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    let numbers = [integer(modulus)?, integer(&exponent.to_be_bytes())?].concat();
    let key = [&[0][..], &der(0x30, &numbers)?].concat();
    der(0x30, &[ALGORITHM, &der(0x03, &key)?].concat())
}

/// RFC 5480, section 2.
fn elliptic(curve: &[u8], size: usize, x: &[u8], y: &[u8]) -> Option<Vec<u8>> {
    const EC: &[u8] = &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    let padded = |number: &[u8]| Some([&vec![0; size.checked_sub(number.len())?], number].concat());
    let point = [&[0, 4][..], &padded(x)?, &padded(y)?].concat();
    let algorithm = der(0x30, &[EC, curve].concat())?;
    der(0x30, &[algorithm, der(0x03, &point)?].concat())
}

fn integer(number: &[u8]) -> Option<Vec<u8>> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..)?;
    let positive = digits.first().is_none_or(|first| *first >= 0x80);
    der(0x02, &[if positive { &[0][..] } else { &[] }, digits].concat())
}

fn der(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let header = match content.len() {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    Some([&header, content].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate<'a>(subject: &'a [u8], issuer: &'a [u8], key: &'a [u8]) -> Certificate<'a> {
        Certificate { der: subject, issuer, subject, key }
    }

    #[test]
    fn a_chain_is_put_in_order_from_the_keys_own_certificate() {
        let root = certificate(b"root", b"root", b"3");
        let middle = certificate(b"middle", b"root", b"2");
        let leaf = certificate(b"leaf", b"middle", b"1");
        let all = [root, middle, leaf];
        assert_eq!(order(&all, Some(b"1")), [leaf, middle, root]);
        assert_eq!(order(&[leaf, root], None), [leaf]);
        assert_eq!(order(&all, Some(b"9")), []);
        // Two that issued each other.
        let loops = [certificate(b"a", b"b", b"1"), certificate(b"b", b"a", b"2")];
        assert_eq!(order(&loops, None).len(), 2);
    }

    #[test]
    fn a_tpms_key_becomes_a_subject_public_key_info() {
        let mut public = vec![0, 1, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x14, 0, 0x0b, 8, 0];
        public.extend([0, 0, 0, 0, 1, 0]);
        public.extend([0x80; 256]);
        let key = subject_public_key_info(&public).unwrap();
        assert_eq!(key[..4], [0x30, 0x82, 1, 0x22]);
        assert_eq!(key[key.len() - 5..], [0x02, 0x03, 1, 0, 1]);
        assert_eq!(subject_public_key_info(&key).as_ref(), Some(&key));
        for length in 0..public.len() {
            assert_eq!(subject_public_key_info(&public[..length]), None, "{length}");
        }
        let mut point =
            vec![0, 0x23, 0, 0x0b, 0, 5, 0, 0x72, 0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10];
        point.extend([0, 1, 7, 0, 32]);
        point.extend([9; 32]);
        let key = subject_public_key_info(&point).unwrap();
        assert_eq!((key.len(), key[26], key[58]), (91, 4, 7));
    }
}
