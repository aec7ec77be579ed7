//! COSE_Key (RFC 9052 section 7, RFC 9053 section 7) with the small part of CBOR that it needs.
//!
//! Strict on purpose: definite lengths, shortest forms, no duplicate labels, nothing left over,
//! bounded nesting. Labels that are not needed are stepped over.

use super::super::fault::Fault;
use super::{Kind, PublicKey};

const MAX_MEMBERS: u64 = 24;
const MAX_DEPTH: u8 = 4;

/// Reads a COSE_Key map that fills `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<PublicKey, Fault> {
    let key = Members::read(bytes).ok_or_else(|| Fault::malformed("a COSE_Key"))?;
    let missing = || Fault::malformed("a COSE_Key without a parameter of its type");
    if key.has_private {
        return Err(Fault::malformed("a COSE_Key with a private part"));
    }
    match (key.kty, key.curve) {
        (Some(OKP), Some(6)) => PublicKey::of_kind(Kind::Ed25519, key.x.ok_or_else(missing)?),
        (Some(EC2), Some(curve @ 1..=3)) => {
            let kind = match curve {
                1 => Kind::P256,
                2 => Kind::P384,
                _ => Kind::P521,
            };
            let x = key.x.ok_or_else(missing)?;
            match (key.y, key.y_sign) {
                (Some(y), None) => PublicKey::from_x_y(kind, x, y),
                (None, Some(odd)) => PublicKey::of_kind(kind, &[&[2 + u8::from(odd)], x].concat()),
                _ => Err(missing()),
            }
        }
        (Some(RSA), _) => {
            PublicKey::from_rsa(key.modulus.ok_or_else(missing)?, key.x.ok_or_else(missing)?)
        }
        (Some(AKP), _) => {
            let kind = match key.algorithm {
                Some(-49) => Kind::MlDsa65,
                Some(-50) => Kind::MlDsa87,
                _ => return Err(Fault::unsupported("a COSE_Key of this algorithm")),
            };
            PublicKey::of_kind(kind, key.modulus.ok_or_else(missing)?)
        }
        _ => Err(Fault::unsupported("a COSE_Key of this type or curve")),
    }
}

const OKP: i64 = 1;
const EC2: i64 = 2;
const RSA: i64 = 3;
const AKP: i64 = 7;

/// The members that matter. Labels below zero mean something else for each key type.
#[derive(Default)]
struct Members<'a> {
    kty: Option<i64>,
    algorithm: Option<i64>,
    /// Label -1 as a number: the curve.
    curve: Option<i64>,
    /// Label -1 as bytes: RSA's modulus, AKP's public key.
    modulus: Option<&'a [u8]>,
    /// Label -2 as bytes: x, RSA's exponent.
    x: Option<&'a [u8]>,
    /// Label -3 as bytes.
    y: Option<&'a [u8]>,
    /// Label -3 as a truth value: the sign of y.
    y_sign: Option<bool>,
    has_private: bool,
}

impl<'a> Members<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cbor = Cbor(bytes);
        let (5, count @ 1..=MAX_MEMBERS) = cbor.head()? else {
            return None;
        };
        let mut members = Self::default();
        let mut seen: Vec<i64> = Vec::new();
        let mut negative: Vec<i64> = Vec::new();
        for _ in 0..count {
            let label = cbor.integer()?;
            if seen.contains(&label) {
                return None;
            }
            seen.push(label);
            match label {
                1 => members.kty = Some(cbor.integer()?),
                3 => members.algorithm = Some(cbor.integer()?),
                -1 => match cbor.peek()? {
                    2 => members.modulus = Some(cbor.byte_string()?),
                    _ => members.curve = Some(cbor.integer()?),
                },
                -2 => members.x = Some(cbor.byte_string()?),
                -3 => match cbor.peek()? {
                    2 => members.y = Some(cbor.byte_string()?),
                    _ => members.y_sign = Some(cbor.truth()?),
                },
                _ => cbor.skip(MAX_DEPTH)?,
            }
            if label < 0 {
                negative.push(label);
            }
        }
        members.has_private = match members.kty? {
            OKP | EC2 => negative.contains(&-4),
            RSA => negative.iter().any(|label| *label <= -3),
            AKP => negative.contains(&-2),
            _ => false,
        };
        cbor.0.is_empty().then_some(members)
    }
}

/// The rest of the input.
struct Cbor<'a>(&'a [u8]);

impl<'a> Cbor<'a> {
    /// Major type and argument, which must be definite and in its shortest form.
    fn head(&mut self) -> Option<(u8, u64)> {
        let (&first, rest) = self.0.split_first()?;
        let (length, least) = match first & 0x1f {
            value @ 0..=23 => {
                self.0 = rest;
                return Some((first >> 5, u64::from(value)));
            }
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return None,
        };
        let (bytes, rest) = rest.split_at_checked(length)?;
        let value = bytes.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        self.0 = rest;
        (value >= least).then_some((first >> 5, value))
    }

    /// The next value's major type.
    fn peek(&self) -> Option<u8> {
        self.0.first().map(|first| first >> 5)
    }

    fn integer(&mut self) -> Option<i64> {
        match self.head()? {
            (0, value) => i64::try_from(value).ok(),
            (1, value) => i64::try_from(value).ok().map(|value| -1 - value),
            _ => None,
        }
    }

    fn truth(&mut self) -> Option<bool> {
        match self.head()? {
            (7, 20) => Some(false),
            (7, 21) => Some(true),
            _ => None,
        }
    }

    fn byte_string(&mut self) -> Option<&'a [u8]> {
        match self.head()? {
            (2, length) => self.take(length),
            _ => None,
        }
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Steps over one value.
    fn skip(&mut self, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.head()? {
            (0 | 1, _) => Some(()),
            (2 | 3, length) => self.take(length).map(|_| ()),
            (4, count @ 0..=MAX_MEMBERS) => (0..count).try_for_each(|_| self.skip(depth)),
            (5, count @ 0..=MAX_MEMBERS) => (0..count * 2).try_for_each(|_| self.skip(depth)),
            // Simple values; 24 and above are not among the shortest forms of anything needed here.
            (7, 20..=22) => Some(()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use proptest::prelude::*;

    use super::*;

    fn ec2() -> (EcdsaKeyPair, Vec<u8>) {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        let point = pair.public_key().as_ref().to_vec();
        // {1: 2, -1: 1, -2: x, -3: y}
        let mut map = vec![0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20];
        map.extend_from_slice(&point[1..33]);
        map.extend_from_slice(&[0x22, 0x58, 0x20]);
        map.extend_from_slice(&point[33..]);
        (pair, map)
    }

    #[test]
    fn an_ec2_key_is_read() {
        let (pair, map) = ec2();
        let key = decode(&map).unwrap();
        assert_eq!(key.kind(), Kind::P256);
        let signature = pair.sign(&SystemRandom::new(), b"message").unwrap();
        let scheme = super::super::Scheme::EcdsaFixed;
        assert_eq!(key.verify(scheme, b"message", signature.as_ref()), Ok(()));
        assert_eq!(key.verify(scheme, b"massage", signature.as_ref()), Err(Fault::BadSignature));
    }

    // attack 36
    #[test]
    fn a_cose_key_has_one_spelling() {
        let (_, map) = ec2();
        let edit = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut map = map.clone();
            change(&mut map);
            decode(&map).err()
        };
        let long = edit(&|map| {
            map.splice(1..2, [0x18, 0x01]);
        });
        assert!(matches!(long, Some(Fault::Malformed(_))), "a label in two bytes");
        let twice = edit(&|map| {
            map[0] = 0xa5;
            map.extend_from_slice(&[0x20, 0x01]);
        });
        assert!(matches!(twice, Some(Fault::Malformed(_))), "a label twice");
        let rest = edit(&|map| map.push(0));
        assert!(matches!(rest, Some(Fault::Malformed(_))), "a byte left over");
        let endless = edit(&|map| map[0] = 0xbf);
        assert!(matches!(endless, Some(Fault::Malformed(_))), "an indefinite map");
        let huge = edit(&|map| {
            map.splice(6..8, [0x5a, 0xff, 0xff, 0xff, 0xff]);
        });
        assert!(matches!(huge, Some(Fault::Malformed(_))), "a huge length");
        let private = edit(&|map| {
            map[0] = 0xa5;
            map.extend_from_slice(&[0x23, 0x41, 0x01]);
        });
        assert!(matches!(private, Some(Fault::Malformed(_))), "a private part");
        let deep = edit(&|map| {
            map[0] = 0xa5;
            map.extend_from_slice(&[0x04, 0x81, 0x81, 0x81, 0x81, 0x81, 0x01]);
        });
        assert!(matches!(deep, Some(Fault::Malformed(_))), "deep nesting");
        let off = edit(&|map| map[8] ^= 1);
        assert!(matches!(off, Some(Fault::Malformed(_))), "a point off the curve");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = decode(&bytes);
        }
    }
}
