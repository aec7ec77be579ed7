//! A key that the host keeps for a plugin: generated or proved to be of its kind, and as it lies in
//! the sealed store.
//!
//! ```text
//! offset  length  what
//!      0       1  version of this layout: 1
//!      1       1  kind: 0 oct, 1 rsa, 2 ec-p256, 3 ec-p384, 4 ec-p521, 5 ed25519
//!      2       4  bits, big-endian
//!      6       -  oct: the bytes; otherwise PKCS#8 version 1 (RFC 5208), DER
//! ```

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair};
use zeroize::Zeroizing;

use super::wit::{Error, Kind};
use crate::keys::{PrivateKeyError, PrivateKind};
use crate::random::Random;
use crate::secret::Secret;

const VERSION: u8 = 1;

/// Bits of a symmetric key.
const OCT: std::ops::RangeInclusive<u32> = 128..=65_536;

/// A key and its kind.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) kind: Kind,
    /// As the plugin's handle holds it: raw for oct, else PKCS#8.
    pub(super) material: Secret,
}

impl Key {
    /// A new key. An RSA key takes seconds.
    pub(super) fn generate(kind: Kind, random: &dyn Random) -> Result<Self, Error> {
        check(kind)?;
        let material = match kind {
            Kind::Oct(bits) => oct(bits, random)?,
            Kind::Rsa(bits) => {
                let pair = RsaKeyPair::generate(rsa_size(bits)?).map_err(failed)?;
                Secret::new(pair.as_der().map_err(failed)?.as_ref().to_vec())
            }
            Kind::EcP256 | Kind::EcP384 | Kind::EcP521 => {
                let pair = EcdsaKeyPair::generate(curve(kind)?).map_err(failed)?;
                Secret::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                Secret::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
        };
        Ok(Self { kind, material })
    }

    /// Given material, proved to be a whole key of this kind. What is kept is the canonical
    /// encoding, without anything that came beside the key.
    pub(super) fn import(kind: Kind, material: &Secret) -> Result<Self, Error> {
        check(kind)?;
        let given = material.expose();
        let material = match kind {
            Kind::Oct(bits) => {
                let right = u32::try_from(given.len()).is_ok_and(|bytes| bytes == bits / 8);
                if !right {
                    return Err(invalid("the material has another length than the kind says"));
                }
                material.clone()
            }
            Kind::Rsa(bits) => {
                let pair = RsaKeyPair::from_pkcs8(given).map_err(rejected)?;
                let right = u32::try_from(pair.public_modulus_len()).is_ok_and(|n| n == bits / 8);
                if !right {
                    return Err(invalid("the RSA key has another size than the kind says"));
                }
                Secret::new(pair.as_der().map_err(failed)?.as_ref().to_vec())
            }
            Kind::EcP256 | Kind::EcP384 | Kind::EcP521 => {
                let pair = EcdsaKeyPair::from_pkcs8(curve(kind)?, given).map_err(rejected)?;
                Secret::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(given).map_err(rejected)?;
                Secret::new(pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())
            }
        };
        Ok(Self { kind, material })
    }

    /// The public part as a JWK (RFC 7517); none for oct.
    pub(super) fn public(&self) -> Result<Option<String>, Error> {
        let private = private(self.kind).map(|kind| kind.public_jwk(self.material.expose()));
        Ok(private.transpose()?.map(|jwk| jwk.to_string()))
    }

    /// As it lies in the sealed store.
    pub(super) fn encode(&self) -> Secret {
        let (tag, bits): (u8, u32) = match self.kind {
            Kind::Oct(bits) => (0, bits),
            Kind::Rsa(bits) => (1, bits),
            Kind::EcP256 => (2, 256),
            Kind::EcP384 => (3, 384),
            Kind::EcP521 => (4, 521),
            Kind::Ed25519 => (5, 255),
        };
        let mut record = Vec::with_capacity(6 + self.material.len());
        record.extend([VERSION, tag]);
        record.extend(bits.to_be_bytes());
        record.extend(self.material.expose());
        Secret::new(record)
    }

    /// Reads what [`Key::encode`] wrote.
    pub(super) fn decode(record: &Secret) -> Result<Self, Error> {
        let kind = |tag, bits| match (tag, bits) {
            (0, bits) => Some(Kind::Oct(bits)),
            (1, bits) => Some(Kind::Rsa(bits)),
            (2, 256) => Some(Kind::EcP256),
            (3, 384) => Some(Kind::EcP384),
            (4, 521) => Some(Kind::EcP521),
            (5, 255) => Some(Kind::Ed25519),
            _ => None,
        };
        let unknown = || failed("the sealed key has a layout that this version does not know");
        let [VERSION, tag, rest @ ..] = record.expose() else {
            return Err(unknown());
        };
        let (bits, material) = rest.split_first_chunk().ok_or_else(unknown)?;
        Ok(Self {
            kind: kind(*tag, u32::from_be_bytes(*bits)).ok_or_else(unknown)?,
            material: Secret::new(material.to_vec()),
        })
    }
}

fn check(kind: Kind) -> Result<(), Error> {
    match kind {
        Kind::Oct(bits) if bits % 8 != 0 || !OCT.contains(&bits) => {
            Err(unsupported("a symmetric key has 128 to 65536 bits, in whole bytes"))
        }
        Kind::Rsa(bits) => rsa_size(bits).map(drop),
        _ => Ok(()),
    }
}

fn oct(bits: u32, random: &dyn Random) -> Result<Secret, Error> {
    let length = usize::try_from(bits / 8).map_err(failed)?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    random.fill(&mut bytes).map_err(failed)?;
    Ok(Secret::new(std::mem::take(&mut *bytes)))
}

fn rsa_size(bits: u32) -> Result<KeySize, Error> {
    match bits {
        2048 => Ok(KeySize::Rsa2048),
        3072 => Ok(KeySize::Rsa3072),
        4096 => Ok(KeySize::Rsa4096),
        _ => Err(unsupported("an RSA key has 2048, 3072 or 4096 bits")),
    }
}

/// The kind of private key; none for oct.
pub(super) fn private(kind: Kind) -> Option<PrivateKind> {
    match kind {
        Kind::EcP256 => Some(PrivateKind::EcP256),
        Kind::EcP384 => Some(PrivateKind::EcP384),
        Kind::EcP521 => Some(PrivateKind::EcP521),
        Kind::Ed25519 => Some(PrivateKind::Ed25519),
        Kind::Oct(_) => None,
        Kind::Rsa(_) => Some(PrivateKind::Rsa),
    }
}

fn curve(kind: Kind) -> Result<&'static EcdsaSigningAlgorithm, Error> {
    private(kind).and_then(PrivateKind::curve).ok_or_else(|| unsupported("not an EC key"))
}

impl From<PrivateKeyError> for Error {
    fn from(error: PrivateKeyError) -> Self {
        let words = error.to_string();
        match error {
            PrivateKeyError::Algorithm(_) => Self::Unsupported(words),
            PrivateKeyError::Provider => Self::Unavailable(words),
            PrivateKeyError::Closed | PrivateKeyError::Length(_) | PrivateKeyError::Rejected(_) => {
                Self::Invalid(words)
            }
        }
    }
}

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}

fn unsupported(what: &str) -> Error {
    Error::Unsupported(what.to_owned())
}

/// Ours to mend: randomness, memory, or a record that does not read.
fn failed(error: impl ToString) -> Error {
    Error::Unavailable(error.to_string())
}

fn rejected(error: aws_lc_rs::error::KeyRejected) -> Error {
    PrivateKeyError::from(error).into()
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;
    use serde_json::Value;

    use super::*;
    use crate::random::SystemRandomness;

    const ASYMMETRIC: [Kind; 5] =
        [Kind::Rsa(2048), Kind::EcP256, Kind::EcP384, Kind::EcP521, Kind::Ed25519];

    fn generate(kind: Kind) -> Key {
        Key::generate(kind, &SystemRandomness::default()).unwrap()
    }

    #[test]
    fn a_generated_key_imports_again_and_survives_its_record() {
        for kind in ASYMMETRIC.into_iter().chain([Kind::Oct(128), Kind::Oct(512)]) {
            let key = generate(kind);
            let imported = Key::import(kind, &key.material).unwrap();
            assert!(imported.material.matches(key.material.expose()), "{kind:?}");
            let read = Key::decode(&key.encode()).unwrap();
            assert_eq!(format!("{:?}", read.kind), format!("{kind:?}"));
            assert_eq!(read.public().unwrap(), key.public().unwrap());
        }
        assert!(
            !generate(Kind::Oct(256)).material.matches(generate(Kind::Oct(256)).material.expose())
        );
    }

    #[test]
    fn the_public_part_holds_nothing_private() {
        for kind in ASYMMETRIC {
            let jwk: Value =
                serde_json::from_str(&generate(kind).public().unwrap().unwrap()).unwrap();
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(jwk.get(private).is_none(), "{kind:?} {private}");
            }
            let length = |member: &str| {
                BASE64URL_NOPAD.decode(jwk[member].as_str().unwrap().as_bytes()).unwrap().len()
            };
            match kind {
                Kind::Rsa(_) => assert_eq!((length("n"), length("e")), (256, 3)),
                Kind::EcP256 => assert_eq!((length("x"), length("y")), (32, 32)),
                Kind::EcP384 => assert_eq!((length("x"), length("y")), (48, 48)),
                Kind::EcP521 => assert_eq!((length("x"), length("y")), (66, 66)),
                _ => assert_eq!(length("x"), 32),
            }
        }
        assert_eq!(generate(Kind::Oct(256)).public().unwrap(), None);
    }

    #[test]
    fn a_key_of_another_kind_size_or_shape_is_refused() {
        for made in ASYMMETRIC {
            let key = generate(made);
            for asked in ASYMMETRIC.into_iter().chain([Kind::Rsa(3072)]) {
                let same = format!("{made:?}") == format!("{asked:?}");
                assert_eq!(Key::import(asked, &key.material).is_ok(), same, "{made:?} {asked:?}");
            }
            let cut = Secret::new(key.material.expose()[..key.material.len() - 1].to_vec());
            assert!(Key::import(made, &cut).is_err());
        }
        let random = SystemRandomness::default();
        for kind in [
            Kind::Oct(0),
            Kind::Oct(120),
            Kind::Oct(129),
            Kind::Oct(u32::MAX),
            Kind::Rsa(1024),
            Kind::Rsa(2049),
            Kind::Rsa(u32::MAX),
        ] {
            assert!(matches!(Key::generate(kind, &random), Err(Error::Unsupported(_))), "{kind:?}");
            assert!(Key::import(kind, &Secret::new(vec![1; 16])).is_err());
        }
        assert!(Key::import(Kind::Oct(256), &Secret::new(vec![1; 31])).is_err());
    }

    #[test]
    fn a_record_of_another_layout_is_not_read() {
        let record = generate(Kind::EcP256).encode();
        for (at, value) in [(0, 2), (1, 6), (5, 7)] {
            let mut changed = record.expose().to_vec();
            changed[at] = value;
            assert!(Key::decode(&Secret::new(changed)).is_err(), "{at}");
        }
        for length in 0..6 {
            assert!(Key::decode(&Secret::new(record.expose()[..length].to_vec())).is_err());
        }
    }
}
