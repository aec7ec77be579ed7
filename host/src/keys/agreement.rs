//! Key agreement with one fresh key pair a message: the elliptic curves P-256, P-384 and P-521
//! (RFC 7518, section 6.2) and X25519 (RFC 7748, RFC 8037).

use aws_lc_rs::agreement::{
    self, ECDH_P256, ECDH_P384, ECDH_P521, EphemeralPrivateKey, ParsedPublicKey, PrivateKey,
    UnparsedPublicKey, X25519,
};
use aws_lc_rs::rand::SystemRandom;
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::jwk::{Canonical, Members};
use super::recipient::{RecipientKeyError, WrapError};

/// `alg` of a JWE whose content key is agreed on directly.
pub(super) const ALGORITHM: &str = "ECDH-ES";

/// One group to agree in.
pub(super) struct Curve {
    /// `crv` of the JWK.
    pub(super) name: &'static str,
    /// `kty` of the JWK.
    kty: &'static str,
    /// Bytes of one coordinate.
    coordinate: usize,
    pub(super) algorithm: &'static agreement::Algorithm,
}

pub(super) static CURVE_P256: Curve =
    Curve { name: "P-256", kty: "EC", coordinate: 32, algorithm: &ECDH_P256 };
pub(super) static CURVE_P384: Curve =
    Curve { name: "P-384", kty: "EC", coordinate: 48, algorithm: &ECDH_P384 };
pub(super) static CURVE_P521: Curve =
    Curve { name: "P-521", kty: "EC", coordinate: 66, algorithm: &ECDH_P521 };
pub(super) static CURVE_X25519: Curve =
    Curve { name: "X25519", kty: "OKP", coordinate: 32, algorithm: &X25519 };

/// A peer's public key, validated: on its curve, in its one spelling, of no small order.
pub(super) struct Point {
    curve: &'static Curve,
    key: ParsedPublicKey,
}

impl Point {
    /// From `kty`, `crv`, `x` and, for `EC`, `y`.
    pub(super) fn from_members(kty: &str, members: Members<'_>) -> Result<Self, RecipientKeyError> {
        let crv = members.text("crv")?;
        let curve = [&CURVE_P256, &CURVE_P384, &CURVE_P521, &CURVE_X25519]
            .into_iter()
            .find(|curve| curve.kty == kty && curve.name == crv)
            .ok_or(RecipientKeyError::Unsupported("crv"))?;
        let coordinate = |name| {
            let octets = members.octets(name)?;
            if octets.len() == curve.coordinate {
                Ok(octets)
            } else {
                Err(RecipientKeyError::Malformed(name))
            }
        };
        if curve.kty == "OKP" {
            Self::from_octets(curve, &coordinate("x")?)
        } else {
            let uncompressed = [vec![4], coordinate("x")?, coordinate("y")?].concat();
            Self::from_octets(curve, &uncompressed)
        }
    }

    /// From 32 bytes of a u-coordinate (X25519), or an uncompressed point (SEC 1, section 2.3.3).
    pub(super) fn from_octets(
        curve: &'static Curve,
        octets: &[u8],
    ) -> Result<Self, RecipientKeyError> {
        if curve.kty == "OKP" {
            refuse_small_order(octets)?;
        }
        let key = ParsedPublicKey::try_from(UnparsedPublicKey::new(curve.algorithm, octets))
            .map_err(|_| RecipientKeyError::InvalidPoint)?;
        Ok(Self { curve, key })
    }

    /// The key in its canonical spelling.
    pub(super) fn canonical(&self) -> Result<Canonical, RecipientKeyError> {
        let spelling =
            PublicJwk::new(self.curve, self.key.as_ref()).ok_or(RecipientKeyError::InvalidPoint)?;
        let mut members = vec![
            ("crv", spelling.crv.as_str()),
            ("kty", spelling.kty.as_str()),
            ("x", spelling.x.as_str()),
        ];
        members.extend(spelling.y.as_deref().map(|y| ("y", y)));
        Ok(Canonical::new(&members))
    }

    /// Makes a fresh key pair and agrees with it: its public octets and the shared secret.
    pub(super) fn agree_fresh(&self) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), WrapError> {
        let ours = EphemeralPrivateKey::generate(self.curve.algorithm, &SystemRandom::new())
            .map_err(|_| WrapError::Provider)?;
        let public = ours.compute_public_key().map_err(|_| WrapError::Provider)?;
        let z =
            agreement::agree_ephemeral(ours, self.key.clone(), WrapError::Agreement, refuse_zero)?;
        Ok((public.as_ref().to_vec(), z))
    }

    /// Agrees with a key pair that stays.
    pub(super) fn agree(&self, ours: &PrivateKey) -> Result<Zeroizing<Vec<u8>>, WrapError> {
        agreement::agree(ours, self.key.clone(), WrapError::Agreement, refuse_zero)
    }

    /// The curve that the key is on.
    pub(super) fn curve(&self) -> &'static Curve {
        self.curve
    }
}

/// A public key as a JWK with its required members: `epk` of a JWE, and what clients send.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicJwk {
    pub(super) kty: String,
    pub(super) crv: String,
    pub(super) x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) y: Option<String>,
}

impl PublicJwk {
    /// Spells the octets of a public key that is known to be valid.
    pub(super) fn new(curve: &Curve, octets: &[u8]) -> Option<Self> {
        let (x, y) = if curve.kty == "OKP" {
            (octets, None)
        } else {
            let (x, y) = octets.get(1..)?.split_at_checked(curve.coordinate)?;
            (x, Some(BASE64URL_NOPAD.encode(y)))
        };
        Some(Self {
            kty: curve.kty.to_owned(),
            crv: curve.name.to_owned(),
            x: BASE64URL_NOPAD.encode(x),
            y,
        })
    }

    /// Reads and validates it.
    pub(super) fn point(&self) -> Result<Point, RecipientKeyError> {
        let value = serde_json::to_value(self).unwrap_or(Value::Null);
        Point::from_members(&self.kty, Members::of(&value)?)
    }
}

/// The prime of Curve25519, 2^255 - 19, little-endian.
const P: [u8; 32] = field_element(0xed, 0xff, 0x7f);

/// The u-coordinates of small order below the prime, little-endian: 0, 1, -1 and the two of order
/// 8. What is agreed with such a key does not depend on the secret key (RFC 7748, section 6.1).
const SMALL_ORDER: [[u8; 32]; 5] = [
    field_element(0, 0, 0),
    field_element(1, 0, 0),
    field_element(0xec, 0xff, 0x7f),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

/// A number of 32 bytes, little-endian: its first byte, the 30 in the middle, its last.
const fn field_element(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let [_, rest @ .., _] = [middle; 32];
    let mut bytes = [last; 32];
    let [low, space @ .., _] = &mut bytes;
    *low = first;
    *space = rest;
    bytes
}

/// Refuses u-coordinates of small order, and those not below the prime: RFC 7748 would have them
/// reduced, which gives one key several spellings.
fn refuse_small_order(u: &[u8]) -> Result<(), RecipientKeyError> {
    let reduced = u.iter().rev().lt(P.iter().rev());
    if !reduced || SMALL_ORDER.iter().any(|point| point == u) {
        return Err(RecipientKeyError::InvalidPoint);
    }
    Ok(())
}

/// Takes over a shared secret unless it is all zero (RFC 7748, section 6.1; RFC 8037, section 5).
fn refuse_zero(z: &[u8]) -> Result<Zeroizing<Vec<u8>>, WrapError> {
    if z.iter().fold(0, |bits, byte| bits | byte) == 0 {
        return Err(WrapError::Agreement);
    }
    Ok(Zeroizing::new(z.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 53
    #[test]
    fn an_agreement_that_came_out_all_zero_is_refused() {
        assert!(matches!(refuse_zero(&[0; 32]), Err(WrapError::Agreement)));
        assert!(refuse_zero(&[0, 0, 1]).is_ok());
    }

    /// RFC 7518, appendix C: both sides agree on the `Z` given there.
    #[test]
    fn the_agreement_of_rfc_7518_appendix_c_comes_out() {
        let epk = PublicJwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: "gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0".to_owned(),
            y: Some("SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps".to_owned()),
        };
        let d = BASE64URL_NOPAD.decode(b"VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw").unwrap();
        let bob = PrivateKey::from_private_key(&ECDH_P256, &d).unwrap();
        let z = epk.point().unwrap().agree(&bob).unwrap();
        assert_eq!(z[..4], [158, 86, 217, 29]);
        let key = super::super::concat_kdf::derive::<16>(&z, "A128GCM", b"Alice", b"Bob").unwrap();
        assert_eq!(BASE64URL_NOPAD.encode(&*key), "VqqN6vgjbSBcIijNcacQGg");
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn the_agreement_of_rfc_7748_comes_out() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let bob = hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
        let alice_public = hex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        let point = Point::from_octets(&CURVE_X25519, &alice_public).unwrap();
        let bob = PrivateKey::from_private_key(&X25519, &bob).unwrap();
        assert_eq!(*point.agree(&bob).unwrap(), shared);
    }
}
