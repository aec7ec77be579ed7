//! The algorithms and key encodings that custody operations name.

use aws_lc_rs::digest::{self, Digest};

use super::key::{Kind, Scheme};

/// A hash function (FIPS 180-4).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum DigestAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

impl DigestAlgorithm {
    /// The digest of `bytes`.
    #[must_use]
    pub fn digest(self, bytes: &[u8]) -> Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

/// How a message was signed. ECDSA signatures are r then s, big-endian, each of the curve's length.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum SignatureAlgorithm {
    /// ECDSA on P-256 over SHA-256; 64 bytes.
    EcdsaP256Sha256,
    /// ECDSA on P-384 over SHA-384; 96 bytes.
    EcdsaP384Sha384,
    /// ECDSA on P-521 over SHA-512; 132 bytes.
    EcdsaP521Sha512,
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 over SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 over SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS over SHA-256, MGF1 of the same, salt of 32 bytes.
    RsaPssSha256,
    /// RSASSA-PSS over SHA-384, MGF1 of the same, salt of 48 bytes.
    RsaPssSha384,
    /// RSASSA-PSS over SHA-512, MGF1 of the same, salt of 64 bytes.
    RsaPssSha512,
    /// Ed25519 (RFC 8032), the pure form.
    Ed25519,
    /// ML-DSA-65 (FIPS 204), the pure form, empty context.
    MlDsa65,
    /// ML-DSA-87 (FIPS 204), the pure form, empty context.
    MlDsa87,
}

impl SignatureAlgorithm {
    /// The kind of key that makes such signatures, and how they are checked.
    pub(crate) fn parts(self) -> (Kind, Scheme) {
        use DigestAlgorithm::{Sha256, Sha384, Sha512};
        match self {
            Self::EcdsaP256Sha256 => (Kind::P256, Scheme::EcdsaFixed),
            Self::EcdsaP384Sha384 => (Kind::P384, Scheme::EcdsaFixed),
            Self::EcdsaP521Sha512 => (Kind::P521, Scheme::EcdsaFixed),
            Self::RsaPkcs1Sha256 => (Kind::Rsa, Scheme::RsaPkcs1(Sha256)),
            Self::RsaPkcs1Sha384 => (Kind::Rsa, Scheme::RsaPkcs1(Sha384)),
            Self::RsaPkcs1Sha512 => (Kind::Rsa, Scheme::RsaPkcs1(Sha512)),
            Self::RsaPssSha256 => (Kind::Rsa, Scheme::RsaPss(Sha256)),
            Self::RsaPssSha384 => (Kind::Rsa, Scheme::RsaPss(Sha384)),
            Self::RsaPssSha512 => (Kind::Rsa, Scheme::RsaPss(Sha512)),
            Self::Ed25519 => (Kind::Ed25519, Scheme::Ed25519),
            Self::MlDsa65 => (Kind::MlDsa65, Scheme::MlDsa),
            Self::MlDsa87 => (Kind::MlDsa87, Scheme::MlDsa),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ECDSA P-256 with SHA-256",
            Self::EcdsaP384Sha384 => "ECDSA P-384 with SHA-384",
            Self::EcdsaP521Sha512 => "ECDSA P-521 with SHA-512",
            Self::RsaPkcs1Sha256 => "RSA PKCS#1 v1.5 with SHA-256",
            Self::RsaPkcs1Sha384 => "RSA PKCS#1 v1.5 with SHA-384",
            Self::RsaPkcs1Sha512 => "RSA PKCS#1 v1.5 with SHA-512",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
            Self::RsaPssSha384 => "RSA-PSS with SHA-384",
            Self::RsaPssSha512 => "RSA-PSS with SHA-512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }
}

/// How a public key is written inside a statement.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum KeyEncoding {
    /// DER SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    SpkiDer,
    /// SEC 1 point, compressed or not; the curve (P-256, P-384, P-521) follows from the length.
    Sec1,
    /// x then y, big-endian: 64 bytes P-256, 96 P-384, 132 P-521.
    RawXy,
    /// TPMT_PUBLIC (TPM 2.0 Library part 2, section 12.2.4).
    TpmPublic,
    /// A JWK object (RFC 7517, RFC 7518, RFC 8037) in JSON, alone in its span.
    Jwk,
    /// A COSE_Key map (RFC 9052 section 7), alone in its span.
    CoseKey,
}

impl KeyEncoding {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::SpkiDer => "SubjectPublicKeyInfo",
            Self::Sec1 => "SEC 1 point",
            Self::RawXy => "x and y",
            Self::TpmPublic => "TPMT_PUBLIC",
            Self::Jwk => "JWK",
            Self::CoseKey => "COSE_Key",
        }
    }
}
