//! Key agreement: P-256, P-384 and P-521 (RFC 7518, section 6.2) and X25519 (RFC 7748, RFC 8037), and the Concat key
//! derivation of `ECDH-ES` (RFC 7518, section 4.6.2).

use aws_lc_rs::agreement::{
    self, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, PrivateKey, UnparsedPublicKey, X25519,
};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::UnwrapError;
use super::jwe::{ContentKey, ENCRYPTION};
use super::jwk::Canonical;

/// `alg` of a JWE whose content key is agreed on directly.
pub(super) const ALGORITHM: &str = "ECDH-ES";

/// One group to agree in.
pub(super) struct Curve {
    /// `crv` of the JWK.
    pub(super) name: &'static str,
    /// `kty` of the JWK.
    pub(super) kty: &'static str,
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

/// A public key as a JWK with its required members: `epk` of a JWE.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublicJwk {
    kty: String,
    crv: String,
    x: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

impl PublicJwk {
    /// Its octets, where it is of this curve and each coordinate has its length.
    fn octets(&self, curve: &Curve) -> Option<Vec<u8>> {
        if self.kty != curve.kty || self.crv != curve.name {
            return None;
        }
        let coordinate = |text: &str| {
            let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
            bytes.filter(|bytes| bytes.len() == curve.coordinate)
        };
        match (curve.kty, &self.y) {
            ("OKP", None) => coordinate(&self.x),
            ("EC", Some(y)) => Some([vec![4], coordinate(&self.x)?, coordinate(y)?].concat()),
            _ => None,
        }
    }
}

/// The public half in its canonical spelling.
pub(super) fn canonical(curve: &Curve, octets: &[u8]) -> Option<Canonical> {
    if curve.kty == "OKP" {
        let x = BASE64URL_NOPAD.encode(octets);
        return Some(Canonical::new(&[("crv", curve.name), ("kty", curve.kty), ("x", &x)]));
    }
    let (x, y) = octets.get(1..)?.split_at_checked(curve.coordinate)?;
    let (x, y) = (BASE64URL_NOPAD.encode(x), BASE64URL_NOPAD.encode(y));
    Some(Canonical::new(&[("crv", curve.name), ("kty", curve.kty), ("x", &x), ("y", &y)]))
}

/// The secret shared with the sender's ephemeral key.
pub(super) fn agree_jwk(
    curve: &Curve,
    ours: &PrivateKey,
    epk: &PublicJwk,
) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
    agree(curve, ours, &epk.octets(curve).ok_or(UnwrapError::Failed)?)
}

/// The same of a public key's octets. An all-zero secret, which a point of small order gives, is
/// refused (RFC 7748, section 6.1).
pub(super) fn agree(
    curve: &Curve,
    ours: &PrivateKey,
    theirs: &[u8],
) -> Result<Zeroizing<Vec<u8>>, UnwrapError> {
    let theirs = ParsedPublicKey::try_from(UnparsedPublicKey::new(curve.algorithm, theirs))
        .map_err(|_| UnwrapError::Failed)?;
    agreement::agree(ours, theirs, UnwrapError::Failed, |z| {
        match z.iter().fold(0, |bits, byte| bits | byte) {
            0 => Err(UnwrapError::Failed),
            _ => Ok(Zeroizing::new(z.to_vec())),
        }
    })
}

/// The content key from a shared secret and what the two parties are called. The provider's one-step
/// KDF (NIST SP 800-56C, option 1) is the Concat KDF with these fields.
pub(super) fn derive(z: &[u8], apu: &[u8], apv: &[u8]) -> Result<ContentKey, UnwrapError> {
    let mut info = Vec::new();
    for field in [ENCRYPTION.as_bytes(), apu, apv] {
        let length = u32::try_from(field.len()).map_err(|_| UnwrapError::Malformed)?;
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(field);
    }
    info.extend_from_slice(&256_u32.to_be_bytes());
    let algorithm =
        get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(UnwrapError::Failed)?;
    let mut key = ContentKey::new([0; 32]);
    sskdf_digest(algorithm, z, &info, key.as_mut_slice()).map_err(|_| UnwrapError::Failed)?;
    Ok(key)
}
