//! TPMT_PUBLIC (TPM 2.0 Library part 2, section 12.2.4): a TPM's description of a public key.
//!
//! Only keys that sign are taken. Whether a key is *restricted*, so that it signs nothing that looks
//! like the TPM's own statements, is the verifier plugin's to require: it has the bytes.

use super::super::fault::Fault;
use super::{Kind, PublicKey};

const ALG_RSA: u16 = 0x0001;
const ALG_NULL: u16 = 0x0010;
const ALG_ECDAA: u16 = 0x001a;
const ALG_ECC: u16 = 0x0023;
const ALG_RSAES: u16 = 0x0015;
/// TPMA_OBJECT.sign_encrypt (part 2, section 8.3).
const SIGN: u32 = 1 << 18;

/// Reads a TPMT_PUBLIC that fills `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<PublicKey, Fault> {
    let public = Public::read(bytes).ok_or_else(|| Fault::malformed("a TPMT_PUBLIC"))?;
    if public.attributes & SIGN == 0 {
        return Err(Fault::untrusted("a TPM key that is not for signatures"));
    }
    match public.key {
        Key::Ecc { curve, x, y } => {
            let kind = match curve {
                0x0003 => Kind::P256,
                0x0004 => Kind::P384,
                0x0005 => Kind::P521,
                _ => return Err(Fault::unsupported("a TPM key on this curve")),
            };
            PublicKey::from_x_y(kind, &padded(kind, x), &padded(kind, y))
        }
        Key::Rsa { exponent, modulus } => {
            let exponent = if exponent == 0 { 65_537 } else { exponent };
            let bytes = exponent.to_be_bytes();
            let start = (exponent.leading_zeros() / 8) as usize;
            PublicKey::from_rsa(modulus, bytes.get(start..).unwrap_or_default())
        }
    }
}

/// A coordinate in the curve's length: TPMs may leave out its leading zeros.
fn padded(kind: Kind, coordinate: &[u8]) -> Vec<u8> {
    let missing = kind.coordinate().unwrap_or_default().saturating_sub(coordinate.len());
    [&vec![0; missing], coordinate].concat()
}

struct Public<'a> {
    attributes: u32,
    key: Key<'a>,
}

enum Key<'a> {
    Ecc { curve: u16, x: &'a [u8], y: &'a [u8] },
    Rsa { exponent: u32, modulus: &'a [u8] },
}

impl<'a> Public<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        let algorithm = fields.u16()?;
        let _name_algorithm = fields.u16()?;
        let attributes = fields.u32()?;
        let _policy = fields.sized()?;
        let symmetric = fields.u16()?;
        if symmetric != ALG_NULL {
            let _key_bits_and_mode = fields.u32()?;
        }
        let scheme = fields.u16()?;
        if scheme != ALG_NULL && scheme != ALG_RSAES {
            let _hash = fields.u16()?;
        }
        let key = match algorithm {
            ALG_RSA => {
                let bits = fields.u16()?;
                let exponent = fields.u32()?;
                let modulus = fields.sized()?;
                if modulus.len().checked_mul(8)? != usize::from(bits) {
                    return None;
                }
                Key::Rsa { exponent, modulus }
            }
            ALG_ECC => {
                if scheme == ALG_ECDAA {
                    let _count = fields.u16()?;
                }
                let curve = fields.u16()?;
                if fields.u16()? != ALG_NULL {
                    let _kdf_hash = fields.u16()?;
                }
                Key::Ecc { curve, x: fields.sized()?, y: fields.sized()? }
            }
            _ => return None,
        };
        fields.0.is_empty().then_some(Self { attributes, key })
    }
}

/// The rest of the input; numbers are big-endian.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn u16(&mut self) -> Option<u16> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u16::from_be_bytes(*bytes))
    }

    fn u32(&mut self) -> Option<u32> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*bytes))
    }

    /// A TPM2B: its length, then its bytes.
    fn sized(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use proptest::prelude::*;

    use super::*;

    fn ecc(attributes: u32) -> Vec<u8> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap();
        let point = pair.public_key().as_ref();
        public(attributes, &point[1..33], &point[33..])
    }

    fn public(attributes: u32, x: &[u8], y: &[u8]) -> Vec<u8> {
        let mut public = vec![0x00, 0x23, 0x00, 0x0b];
        public.extend_from_slice(&attributes.to_be_bytes());
        // No policy; no symmetric algorithm; ECDSA with SHA-256; P-256; no KDF.
        public.extend_from_slice(&[0, 0, 0, 0x10, 0, 0x18, 0, 0x0b, 0, 3, 0, 0x10]);
        for coordinate in [x, y] {
            public.extend_from_slice(&[0, coordinate.len() as u8]);
            public.extend_from_slice(coordinate);
        }
        public
    }

    #[test]
    fn a_signing_key_is_read_and_an_encryption_key_is_not() {
        assert_eq!(decode(&ecc(0x0005_0072)).unwrap().kind(), Kind::P256);
        assert!(matches!(decode(&ecc(0x0003_0072)), Err(Fault::Untrusted(_))));
    }

    #[test]
    fn leading_zeros_of_a_coordinate_may_be_left_out() {
        let pairs = std::iter::repeat_with(|| {
            EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
        });
        let short = pairs.take(1 << 16).find(|pair| pair.public_key().as_ref()[1] == 0).unwrap();
        let point = short.public_key().as_ref();
        let (x, y) = (&point[1..33], &point[33..]);
        let whole = decode(&public(SIGN, x, y)).unwrap().fingerprint();
        assert_eq!(decode(&public(SIGN, &x[1..], y)).unwrap().fingerprint(), whole);
        assert!(decode(&public(SIGN, &[&[0], x].concat(), y)).is_err());
    }

    #[test]
    fn no_byte_may_be_left_over_or_missing() {
        let public = ecc(0x0005_0072);
        let longer = [public.as_slice(), &[0]].concat();
        assert!(matches!(decode(&longer), Err(Fault::Malformed(_))));
        for length in 0..public.len() {
            assert!(decode(&public[..length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let _ = decode(&bytes);
        }
    }
}
