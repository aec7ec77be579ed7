//! RSA recipient keys: OAEP with SHA-256 for hash and mask (RFC 7518, section 4.3).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use data_encoding::BASE64URL_NOPAD;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;
use zeroize::Zeroizing;

use super::UnwrapError;
use super::jwe::ContentKey;
use super::jwk::Canonical;

/// `alg` of a JWE whose content key is encrypted to an RSA key.
pub(super) const ALGORITHM: &str = "RSA-OAEP-256";

/// The public half in its canonical spelling.
pub(super) fn canonical(private: &PrivateDecryptingKey) -> Option<Canonical> {
    let spki: PublicKeyX509Der<'_> = private.public_key().as_der().ok()?;
    let (_, spki) = SubjectPublicKeyInfo::from_der(spki.as_ref()).ok()?;
    let PublicKey::RSA(key) = spki.parsed().ok()? else {
        return None;
    };
    let unsigned =
        |integer: &[u8]| BASE64URL_NOPAD.encode(integer.strip_prefix(&[0]).unwrap_or(integer));
    let (n, e) = (unsigned(key.modulus), unsigned(key.exponent));
    Some(Canonical::new(&[("e", &e), ("kty", "RSA"), ("n", &n)]))
}

/// Decrypts a content key of 32 bytes.
pub(super) fn decrypt(
    private: &PrivateDecryptingKey,
    encrypted: &[u8],
) -> Result<ContentKey, UnwrapError> {
    let failed = |_| UnwrapError::Failed;
    let key = OaepPrivateDecryptingKey::new(private.clone()).map_err(failed)?;
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let content =
        key.decrypt(&OAEP_SHA256_MGF1SHA256, encrypted, &mut buffer, None).map_err(failed)?;
    <[u8; 32]>::try_from(&*content).map(ContentKey::new).map_err(|_| UnwrapError::Failed)
}
