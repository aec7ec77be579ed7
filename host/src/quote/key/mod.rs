//! A public key: validated when it comes in, parsed once, and used by many checks.

mod cose;
mod import;
mod jwk;
mod tpm;

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{self as sig, ParsedPublicKey, VerificationAlgorithm};
use data_encoding::HEXLOWER;

use super::algorithm::DigestAlgorithm;
use super::fault::Fault;

/// A validated public key. Clone is cheap.
#[derive(Clone)]
pub(crate) struct PublicKey(Arc<Parsed>);

struct Parsed {
    kind: Kind,
    /// For the scheme that such keys are mostly used with.
    first: (Scheme, ParsedPublicKey),
    /// Once somebody asked for it.
    fingerprint: OnceLock<[u8; 32]>,
    /// For another scheme, where one was asked for: an RSA key serves several.
    second: OnceLock<(Scheme, ParsedPublicKey)>,
}

/// What kind of key it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Ed25519,
    MlDsa65,
    MlDsa87,
    P256,
    P384,
    P521,
    Rsa,
}

/// How a signature is made and written. With the key's [`Kind`] it names one algorithm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scheme {
    Ed25519,
    /// `SEQUENCE { r, s }`, as in certificates.
    EcdsaDer(DigestAlgorithm),
    /// r then s, of the curve's length, over the hash of the curve's strength.
    EcdsaFixed,
    MlDsa,
    RsaPkcs1(DigestAlgorithm),
    /// MGF1 of the same hash, salt as long as the hash.
    RsaPss(DigestAlgorithm),
}

impl PublicKey {
    /// Checks a signature.
    pub(crate) fn verify(
        &self,
        scheme: Scheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Fault> {
        let Parsed { kind, first, second, .. } = &*self.0;
        let check = |key: &ParsedPublicKey| {
            key.verify_sig(message, signature).map_err(|_| Fault::BadSignature)
        };
        if first.0 == scheme {
            return check(&first.1);
        }
        if let Some((_, key)) = second.get().filter(|(known, _)| *known == scheme) {
            return check(key);
        }
        let algorithm = algorithm(*kind, scheme)?;
        let key = ParsedPublicKey::new(algorithm, first.1.as_ref())
            .map_err(|_| Fault::malformed("a public key"))?;
        let outcome = check(&key);
        // Where another scheme is there already, this one is parsed anew each time.
        let _ = second.set((scheme, key));
        outcome
    }

    /// What kind of key it is.
    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    /// SHA-256 over the DER SubjectPublicKeyInfo: the key's name, whatever it was written in.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], Fault> {
        if let Some(known) = self.0.fingerprint.get() {
            return Ok(*known);
        }
        let spki: PublicKeyX509Der<'_> =
            self.0.first.1.as_der().map_err(|_| Fault::malformed("a public key"))?;
        let digest = DigestAlgorithm::Sha256.digest(spki.as_ref());
        let digest = digest.as_ref().try_into().map_err(|_| Fault::malformed("a public key"))?;
        Ok(*self.0.fingerprint.get_or_init(|| digest))
    }

    /// For a person: the kind and the first bytes of the fingerprint.
    pub(crate) fn describe(&self) -> String {
        let print = self.fingerprint().unwrap_or_default();
        let print = HEXLOWER.encode(print.get(..8).unwrap_or_default());
        format!("{} key {print}…", self.kind().name())
    }
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Rsa => "RSA",
        }
    }

    /// Bytes of a coordinate, where the key is a point of a curve.
    fn coordinate(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            Self::Ed25519 | Self::MlDsa65 | Self::MlDsa87 | Self::Rsa => None,
        }
    }

    /// The scheme a key of this kind is parsed for when it comes in.
    fn usual_scheme(self) -> Scheme {
        match self {
            Self::Ed25519 => Scheme::Ed25519,
            Self::MlDsa65 | Self::MlDsa87 => Scheme::MlDsa,
            Self::P256 | Self::P384 | Self::P521 => Scheme::EcdsaFixed,
            Self::Rsa => Scheme::RsaPkcs1(DigestAlgorithm::Sha256),
        }
    }
}

/// The provider's name for a scheme under a kind of key.
fn algorithm(kind: Kind, scheme: Scheme) -> Result<&'static dyn VerificationAlgorithm, Fault> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    Ok(match (kind, scheme) {
        (Kind::Ed25519, Scheme::Ed25519) => &sig::ED25519,
        (Kind::MlDsa65, Scheme::MlDsa) => &sig::ML_DSA_65,
        (Kind::MlDsa87, Scheme::MlDsa) => &sig::ML_DSA_87,
        (Kind::P256, Scheme::EcdsaFixed) => &sig::ECDSA_P256_SHA256_FIXED,
        (Kind::P256, Scheme::EcdsaDer(Sha256)) => &sig::ECDSA_P256_SHA256_ASN1,
        (Kind::P256, Scheme::EcdsaDer(Sha384)) => &sig::ECDSA_P256_SHA384_ASN1,
        (Kind::P256, Scheme::EcdsaDer(Sha512)) => &sig::ECDSA_P256_SHA512_ASN1,
        (Kind::P384, Scheme::EcdsaFixed) => &sig::ECDSA_P384_SHA384_FIXED,
        (Kind::P384, Scheme::EcdsaDer(Sha256)) => &sig::ECDSA_P384_SHA256_ASN1,
        (Kind::P384, Scheme::EcdsaDer(Sha384)) => &sig::ECDSA_P384_SHA384_ASN1,
        (Kind::P384, Scheme::EcdsaDer(Sha512)) => &sig::ECDSA_P384_SHA512_ASN1,
        (Kind::P521, Scheme::EcdsaFixed) => &sig::ECDSA_P521_SHA512_FIXED,
        (Kind::P521, Scheme::EcdsaDer(Sha256)) => &sig::ECDSA_P521_SHA256_ASN1,
        (Kind::P521, Scheme::EcdsaDer(Sha384)) => &sig::ECDSA_P521_SHA384_ASN1,
        (Kind::P521, Scheme::EcdsaDer(Sha512)) => &sig::ECDSA_P521_SHA512_ASN1,
        (Kind::Rsa, Scheme::RsaPkcs1(Sha256)) => &sig::RSA_PKCS1_2048_8192_SHA256,
        (Kind::Rsa, Scheme::RsaPkcs1(Sha384)) => &sig::RSA_PKCS1_2048_8192_SHA384,
        (Kind::Rsa, Scheme::RsaPkcs1(Sha512)) => &sig::RSA_PKCS1_2048_8192_SHA512,
        (Kind::Rsa, Scheme::RsaPss(Sha256)) => &sig::RSA_PSS_2048_8192_SHA256,
        (Kind::Rsa, Scheme::RsaPss(Sha384)) => &sig::RSA_PSS_2048_8192_SHA384,
        (Kind::Rsa, Scheme::RsaPss(Sha512)) => &sig::RSA_PSS_2048_8192_SHA512,
        (kind, scheme) => {
            return Err(Fault::Unsupported(format!(
                "a signature by {scheme:?} under a key of kind {}",
                kind.name()
            )));
        }
    })
}
