//! COSE_Sign1 (RFC 9052, section 4.2): the parts, and the bytes that were signed.

use crate::cbor::{self, Item, Value};
use crate::verifier::custody::Algorithm;

/// The tag of a COSE_Sign1 (RFC 9052, table 1), which may be left out.
const SIGN1: u64 = 18;

/// The label of the algorithm, and of what must be understood (RFC 9052, section 3.1).
const ALG: i64 = 1;
const CRIT: i64 = 2;

/// The host takes no larger message (1 MiB).
const MAX_PART: usize = 1 << 20;

/// One signature over one payload. Nothing is checked yet: that takes a signer.
#[derive(Clone, Debug, PartialEq)]
pub struct Sign1<'a> {
    /// The protected header's algorithm.
    pub algorithm: Algorithm,
    /// The protected header: a map, empty or in its encoding.
    pub protected: &'a [u8],
    /// The unprotected header, a map: nobody signed it.
    pub unprotected: Item<'a>,
    /// What was signed.
    pub payload: &'a [u8],
    /// For ECDSA r then s.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Takes the parts of a COSE_Sign1 with its payload inside.
    ///
    /// # Errors
    /// What is wrong, in a few words for a person.
    pub fn read(item: &Item<'a>) -> Result<Self, &'static str> {
        let Some([protected, unprotected, payload, signature]) =
            item.tagged(SIGN1).unwrap_or(item).list()
        else {
            return Err("a COSE_Sign1 has four parts");
        };
        if unprotected.map().is_none() {
            return Err("the unprotected header is no map");
        }
        let protected = protected.bytes().ok_or("the protected header is no byte string")?;
        let payload = payload.bytes().ok_or("there is no payload")?;
        if protected.len() > MAX_PART || payload.len() > MAX_PART {
            return Err("a payload of this size");
        }
        Ok(Self {
            algorithm: algorithm(protected)?,
            protected,
            unprotected: unprotected.clone(),
            payload,
            signature: signature.bytes().ok_or("there is no signature")?,
        })
    }

    /// The bytes that were signed, without external data (`Sig_structure`, RFC 9052, section 4.4), and
    /// where the payload begins in them.
    #[must_use]
    pub fn message(&self) -> (Vec<u8>, usize) {
        let mut message = b"\x84\x6aSignature1".to_vec();
        for part in [self.protected, &[], self.payload] {
            head(&mut message, part.len());
            message.extend_from_slice(part);
        }
        let payload = message.len() - self.payload.len();
        (message, payload)
    }
}

fn algorithm(protected: &[u8]) -> Result<Algorithm, &'static str> {
    let header = cbor::parse(protected).map_err(|_| "the protected header is not CBOR")?;
    if header.map().is_none() {
        return Err("the protected header is no map");
    }
    if header.numbered(CRIT).is_some() {
        return Err("the protected header has something critical");
    }
    // RFC 9053, section 2.1, and RFC 9864.
    match header.numbered(ALG).map(|item| &item.value) {
        Some(Value::Negative(6 | 8)) => Ok(Algorithm::EcdsaP256Sha256),
        Some(Value::Negative(34 | 50)) => Ok(Algorithm::EcdsaP384Sha384),
        Some(Value::Negative(35 | 51)) => Ok(Algorithm::EcdsaP521Sha512),
        Some(_) => Err("a signature algorithm that is not known here"),
        None => Err("the protected header names no algorithm"),
    }
}

/// The head of a byte string of at most [`MAX_PART`] bytes, in its shortest form.
fn head(message: &mut Vec<u8>, length: usize) {
    let [.., fourth, third, second, first] = (length as u64).to_be_bytes();
    match length {
        0..=23 => message.push(0x40 | first),
        24..=0xff => message.extend([0x58, first]),
        0x100..=0xffff => message.extend([0x59, second, first]),
        _ => message.extend([0x5a, fourth, third, second, first]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A COSE_Sign1 with this protected header and payload.
    fn sign1(protected: &[u8], payload: &[u8]) -> Vec<u8> {
        let mut text = vec![0x84];
        head(&mut text, protected.len());
        text.extend(protected);
        text.push(0xa0);
        head(&mut text, payload.len());
        text.extend(payload);
        text.extend([0x42, 1, 2]);
        text
    }

    fn algorithm_of(protected: &[u8]) -> Result<Algorithm, &'static str> {
        let text = sign1(protected, b"payload");
        Sign1::read(&cbor::parse(&text)?).map(|signed| signed.algorithm)
    }

    // RFC 9052 section 4.4
    #[test]
    fn the_message_is_the_signature_structure() {
        for length in [1, 23, 24, 255, 256, 65_535, 65_536] {
            let payload = vec![7; length];
            let text = sign1(&[0xa1, 0x01, 0x38, 0x22], &payload);
            let signed = Sign1::read(&cbor::parse(&text).unwrap()).unwrap();
            let (message, at) = signed.message();
            assert_eq!(&message[at..], payload);
            let parsed = cbor::parse(&message).unwrap();
            let parts = parsed.list().unwrap();
            assert_eq!(parts[0].text(), Some("Signature1"));
            assert_eq!(parts[1].bytes(), Some(&[0xa1, 0x01, 0x38, 0x22][..]));
            assert_eq!(parts[2].bytes(), Some(&[][..]));
            assert_eq!(parts[3].bytes(), Some(&*payload));
        }
    }

    #[test]
    fn a_tag_may_stand_before_it() {
        let text = sign1(&[0xa1, 0x01, 0x26], b"payload");
        let bare = cbor::parse(&text).unwrap();
        let tagged = [&[0xd2], &*text].concat();
        let tagged = cbor::parse(&tagged).unwrap();
        let signed = Sign1::read(&tagged).unwrap();
        assert_eq!(signed.message(), Sign1::read(&bare).unwrap().message());
        assert_eq!(signed.signature, [1, 2]);
        let other = [&[0xd1], &*text].concat();
        assert!(Sign1::read(&cbor::parse(&other).unwrap()).is_err(), "COSE_Mac0");
    }

    #[test]
    fn the_algorithm_stands_in_the_protected_header() {
        let known = [
            (&[0xa1, 0x01, 0x26][..], Algorithm::EcdsaP256Sha256),
            (&[0xa1, 0x01, 0x38, 0x22], Algorithm::EcdsaP384Sha384),
            (&[0xa1, 0x01, 0x38, 0x23], Algorithm::EcdsaP521Sha512),
        ];
        for (protected, algorithm) in known {
            assert_eq!(algorithm_of(protected), Ok(algorithm));
        }
        // None, an empty one, HMAC, ES256 in text, and ES256 that wants something understood.
        for other in [
            &[][..],
            &[0xa0],
            &[0xa1, 0x01, 0x05],
            b"\xa1\x01\x65ES256",
            &[0x26],
            &[0xa2, 0x01, 0x26, 0x02, 0x81, 0x18, 0x63],
        ] {
            assert!(algorithm_of(other).is_err(), "{other:x?}");
        }
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        for text in [
            &b"\x83\x43\xa1\x01\x26\xa0\x41\x07"[..],
            b"\x84\x43\xa1\x01\x26\xa0\xf6\x41\x07",
            b"\x84\x43\xa1\x01\x26\x40\x41\x07\x41\x07",
            b"\x84\x43\xa1\x01\x26\xa0\x41\x07\xf6",
            b"\x84\xa1\x01\x26\xa0\x41\x07\x41\x07",
        ] {
            assert!(Sign1::read(&cbor::parse(text).unwrap()).is_err(), "{text:x?}");
        }
        let large = sign1(&[0xa1, 0x01, 0x26], &vec![0; MAX_PART + 1]);
        assert!(Sign1::read(&cbor::parse(&large).unwrap()).is_err());
    }
}
