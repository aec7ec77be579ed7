//! Signature algorithms of certificates and revocation lists: what is used, and what is declared.

use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaSignatureEncoding,
};

use super::der::{self, Oid};
use super::oid;

/// A digest of the SHA-2 family.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    fn identifier(self) -> Vec<u8> {
        let oid: Oid = match self {
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        };
        der::sequence([der::oid(oid), der::null()])
    }
}

/// A signature algorithm with RSA keys.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5; AMD never uses it.
    Pkcs1(Hash),
    /// RSASSA-PSS (RFC 4055 §3.1) with every parameter written out, as AMD does.
    Pss {
        /// Digest of the message.
        hash: Hash,
        /// Digest inside MGF1.
        mask_hash: Hash,
        /// Length of the salt in bytes.
        salt_length: u8,
        /// The trailer field, where it is written out.
        trailer: Option<u8>,
    },
}

impl Algorithm {
    /// What AMD declares in ARK, ASK, ASVK and in VCEKs until 2023: the trailer field, a default
    /// value, is written out.
    pub const AMD_WITH_TRAILER: Self = Self::Pss {
        hash: Hash::Sha384,
        mask_hash: Hash::Sha384,
        salt_length: 48,
        trailer: Some(1),
    };

    /// What AMD declares in endorsement keys' certificates today.
    pub const AMD: Self =
        Self::Pss { hash: Hash::Sha384, mask_hash: Hash::Sha384, salt_length: 48, trailer: None };

    /// The AlgorithmIdentifier in DER.
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        let (hash, mask_hash, salt_length, trailer) = match self {
            Self::Pkcs1(Hash::Sha256) => return with_null(oid::SHA256_WITH_RSA),
            Self::Pkcs1(Hash::Sha384) => return with_null(oid::SHA384_WITH_RSA),
            Self::Pkcs1(Hash::Sha512) => return with_null(oid::SHA512_WITH_RSA),
            Self::Pss { hash, mask_hash, salt_length, trailer } => {
                (hash, mask_hash, salt_length, trailer)
            }
        };
        let mask = der::sequence([der::oid(oid::MGF1), mask_hash.identifier()]);
        let mut parameters = vec![
            der::explicit(0, &hash.identifier()),
            der::explicit(1, &mask),
            der::explicit(2, &der::number(salt_length.into())),
        ];
        parameters.extend(trailer.map(|field| der::explicit(3, &der::number(field.into()))));
        der::sequence([der::oid(oid::RSASSA_PSS), der::sequence(parameters)])
    }

    /// How the provider signs under this name. Its salt is always as long as the digest and MGF1
    /// always takes the message's digest: other parameters are declared, never done.
    pub(super) fn encoding(self) -> &'static RsaSignatureEncoding {
        match self {
            Self::Pkcs1(Hash::Sha256) => &RSA_PKCS1_SHA256,
            Self::Pkcs1(Hash::Sha384) => &RSA_PKCS1_SHA384,
            Self::Pkcs1(Hash::Sha512) => &RSA_PKCS1_SHA512,
            Self::Pss { hash: Hash::Sha256, .. } => &RSA_PSS_SHA256,
            Self::Pss { hash: Hash::Sha384, .. } => &RSA_PSS_SHA384,
            Self::Pss { hash: Hash::Sha512, .. } => &RSA_PSS_SHA512,
        }
    }
}

fn with_null(oid: Oid) -> Vec<u8> {
    der::sequence([der::oid(oid), der::null()])
}
