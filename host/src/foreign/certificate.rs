//! A key that a JWK Set gives as a certificate (`x5c`, RFC 7517, section 4.7), as Microsoft Azure
//! Attestation does. The set is what is trusted, so that the certificate is taken for its public
//! key alone: no chain is built, and its validity says nothing.

use data_encoding::BASE64;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::jwks::{Material, number};

/// `prime256v1` and `secp384r1` (RFC 5480, section 2.1.1.1).
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";

/// The public key of a certificate: DER in base64, with padding.
pub(super) fn key(base64: &str) -> Option<Material> {
    let der = BASE64.decode(base64.as_bytes()).ok()?;
    let (rest, certificate) = X509Certificate::from_der(&der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let info = certificate.public_key();
    match info.parsed().ok()? {
        PublicKey::RSA(key) => Some(Material::Rsa {
            n: number(key.modulus.to_vec()),
            e: number(key.exponent.to_vec()),
        }),
        PublicKey::EC(point) => {
            let curve = info.algorithm.parameters.as_ref()?.as_oid().ok()?.to_id_string();
            match (curve.as_str(), point.data()) {
                (P256, point @ [4, ..]) if point.len() == 65 => Some(Material::P256(point.into())),
                (P384, point @ [4, ..]) if point.len() == 97 => Some(Material::P384(point.into())),
                _ => None,
            }
        }
        _ => None,
    }
}
