//! Signatures by a key: Ed25519 over the component, ECDSA P-256 with SHA-256 and P-384 with SHA-384,
//! DER, as `cosign sign-blob` makes them.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use super::bundle::{Bundle, Material};
use crate::plugin::package::sha256;
use crate::quote::{DigestAlgorithm, PublicKey, SignatureKind, SignatureScheme};
use crate::secret::Secret;

/// The public key of somebody who signs plugins.
#[derive(Clone)]
pub struct VerifyingKey(PublicKey);

/// A private key that signs plugins.
pub struct SigningKey {
    pair: Pair,
    spki: Vec<u8>,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// A key cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the key: {0}")]
pub struct KeyError(String);

impl VerifyingKey {
    /// Reads a key: PEM (`PUBLIC KEY`), DER or JWK; P-256, P-384 or Ed25519.
    pub fn read(bytes: &[u8]) -> Result<Self, KeyError> {
        let key = PublicKey::supplied(bytes).map_err(|fault| KeyError(fault.to_string()))?;
        match key.kind() {
            SignatureKind::P256 | SignatureKind::P384 | SignatureKind::Ed25519 => Ok(Self(key)),
            other => Err(KeyError(format!("{}; wanted is P-256, P-384 or Ed25519", other.name()))),
        }
    }

    /// SHA-256 over its SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> Result<[u8; 32], KeyError> {
        self.0.fingerprint().map_err(|fault| KeyError(fault.to_string()))
    }

    /// Whether a bundle is this key's signature over the component with this digest.
    #[must_use]
    pub fn signed(&self, bundle: &Bundle, component: &[u8], digest: &[u8; 32]) -> bool {
        matches!(bundle.material, Material::Key)
            && bundle.digest == *digest
            && verify(&self.0, component, &bundle.signature)
    }
}

/// Checks a signature in the way that goes with the key.
pub(super) fn verify(key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    let scheme = match key.kind() {
        SignatureKind::Ed25519 => SignatureScheme::Ed25519,
        SignatureKind::P256 => SignatureScheme::EcdsaDer(DigestAlgorithm::Sha256),
        SignatureKind::P384 => SignatureScheme::EcdsaDer(DigestAlgorithm::Sha384),
        _ => return false,
    };
    key.verify(scheme, message, signature).is_ok()
}

impl SigningKey {
    /// A new Ed25519 key: PKCS#8 in PEM.
    pub fn generate() -> Result<Secret, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError("no randomness".into()))?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError("it cannot be written".into()))?;
        Ok(Secret::new(pem("PRIVATE KEY", der.as_ref()).into_bytes()))
    }

    /// Reads a key: PKCS#8 in PEM; Ed25519, P-256 or P-384.
    pub fn read(pkcs8: &Secret) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pkcs8.expose())
            .map_err(|error| KeyError(format!("no PRIVATE KEY in PEM: {error}")))?;
        let der = der.secret_pkcs8_der();
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            let spki: PublicKeyX509Der<'_> =
                pair.public_key().as_der().map_err(|_| KeyError("its public half".into()))?;
            let spki = spki.as_ref().to_vec();
            return Ok(Self { pair: Pair::Ed25519(pair), spki });
        }
        let ecdsa = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING]
            .into_iter()
            .find_map(|algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der).ok())
            .ok_or_else(|| KeyError("it is not Ed25519, P-256 or P-384".into()))?;
        let spki: PublicKeyX509Der<'_> =
            ecdsa.public_key().as_der().map_err(|_| KeyError("its public half".into()))?;
        let spki = spki.as_ref().to_vec();
        Ok(Self { pair: Pair::Ecdsa(ecdsa), spki })
    }

    /// The public key in PEM.
    #[must_use]
    pub fn public_pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }

    /// Signs a component; the answer is a Sigstore bundle.
    pub fn sign(&self, component: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.signature(component)?;
        Ok(Bundle::by_key(&sha256(&self.spki), &sha256(component), &signature))
    }

    pub(super) fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(pair) => {
                let signed = pair.sign(&SystemRandom::new(), message);
                let signed = signed.map_err(|_| KeyError("it does not sign".into()))?;
                Ok(signed.as_ref().to_vec())
            }
        }
    }
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let lines: Vec<_> =
        text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("VerifyingKey").field(&self.0.describe()).finish()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ecdsa(algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm) -> Secret {
        let pair = EcdsaKeyPair::generate(algorithm).unwrap();
        let der = pair.to_pkcs8v1().unwrap();
        Secret::new(pem("PRIVATE KEY", der.as_ref()).into_bytes())
    }

    // attack 48
    #[test]
    fn what_a_key_signed_is_its_own_and_of_this_component_only() {
        let keys = [
            SigningKey::generate().unwrap(),
            ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
        ];
        let keys: Vec<_> = keys.iter().map(|key| SigningKey::read(key).unwrap()).collect();
        let component = b"\0asm component";
        let digest = sha256(component);
        for key in &keys {
            let bytes = key.sign(component).unwrap();
            let bundle = Bundle::parse(&bytes).unwrap();
            for other in &keys {
                let verifying = VerifyingKey::read(other.public_pem().as_bytes()).unwrap();
                let own = std::ptr::eq(key, other);
                assert_eq!(verifying.signed(&bundle, component, &digest), own);
                assert!(!verifying.signed(&bundle, b"\0asm another", &sha256(b"\0asm another")));
                // The digest that stands in the bundle counts too: a tool may look at it alone.
                let mut lying = bundle.clone();
                lying.digest[0] ^= 1;
                assert!(!verifying.signed(&lying, component, &digest));
            }
        }
    }
}
