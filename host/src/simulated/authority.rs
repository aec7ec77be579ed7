//! The three keys behind a product: ARK, the root; ASK, which signs chips' keys; ASVK, which
//! signs providers' keys. What AMD puts into their certificates.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::KeyPair;

use super::SimulationError;
use super::algorithm::Algorithm;
use super::certificate::CertificateTemplate;
use super::extension::Extension;
use super::name::Name;
use crate::clock::Timestamp;
use crate::quote::snp::product::Product;
use crate::secret::Secret;

const DAY: u64 = 86_400;
const YEAR: u64 = 365 * DAY;

/// How much older than its family's minting moment a simulated authority is.
const AUTHORITY_AGE: u64 = YEAR;

/// Which of a product's authorities.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// AMD root key, self-signed.
    Ark,
    /// AMD SEV key: signs VCEKs.
    Ask,
    /// AMD SEV VLEK key: signs VLEKs.
    Asvk,
}

impl Role {
    /// Every role, in the order in which a family is written.
    pub const ALL: [Self; 3] = [Self::Ark, Self::Ask, Self::Asvk];

    /// The common name: `ARK-Milan`, `SEV-Milan`, `SEV-VLEK-Milan`.
    #[must_use]
    pub fn common_name(self, product: Product) -> String {
        match self {
            Self::Ark => format!("ARK-{product}"),
            Self::Ask => format!("SEV-{product}"),
            Self::Asvk => format!("SEV-VLEK-{product}"),
        }
    }

    /// The serial number that AMD's own has.
    #[must_use]
    pub fn serial(self, product: Product) -> u64 {
        match (product, self) {
            (Product::Milan, Self::Ark) => 0x01_0000,
            (Product::Milan, Self::Ask) => 0x01_0001,
            (Product::Milan, Self::Asvk) => 0x01_0101,
            (Product::Genoa, Self::Ark) => 0x02_0000,
            (Product::Genoa, Self::Ask) => 0x02_0002,
            (Product::Genoa, Self::Asvk) => 0x02_0101,
            (Product::Turin, Self::Ark) => 0x03_0000,
            (Product::Turin, Self::Ask) => 0x03_0001,
            (Product::Turin, Self::Asvk) => 0x03_0101,
        }
    }

    /// The certificate as AMD would issue it, 25 years long. `own` and `root` are this
    /// authority's key and the ARK's.
    pub(super) fn template(
        self,
        product: Product,
        minted: Timestamp,
        own: &AuthorityKey,
        root: &AuthorityKey,
    ) -> CertificateTemplate {
        let not_before = Timestamp(minted.0.saturating_sub(AUTHORITY_AGE));
        // AMD's address must not stand here: nothing simulated is ever asked of AMD.
        let endpoint = if self == Self::Asvk { "vlek" } else { "vcek" };
        let uri = format!("https://kds.simulated.invalid/{endpoint}/v1/{product}/crl");
        let identity = Extension::subject_key_identifier(&own.id());
        let mut extensions = match self {
            Self::Ark => vec![
                Extension::key_usage(&[5, 6]),
                identity,
                Extension::basic_constraints(true, None),
            ],
            Self::Ask | Self::Asvk => vec![
                identity,
                Extension::authority_key_identifier(&root.id()),
                Extension::basic_constraints(true, Some(0)),
                Extension::key_usage(&[5]),
            ],
        };
        extensions.push(Extension::crl_distribution_point(&uri));
        CertificateTemplate {
            version: 2,
            serial: self.serial(product),
            issuer: Name::simulated(Self::Ark.common_name(product)),
            subject: Name::simulated(self.common_name(product)),
            not_before,
            not_after: not_before.plus(25 * YEAR),
            public_key: own.public_key().to_vec(),
            extensions,
            algorithm: Algorithm::AMD_WITH_TRAILER,
            declared_inside: None,
            declared_outside: None,
        }
    }
}

/// An RSA-4096 key of an authority.
pub struct AuthorityKey {
    pair: RsaKeyPair,
    public_key: Vec<u8>,
}

impl AuthorityKey {
    /// Makes a new key. Slow: primes of 2,048 bits.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn generate() -> Result<Self, SimulationError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa4096).map_err(|_| SimulationError::Provider)?;
        Self::new(pair)
    }

    /// Reads a key from PKCS #8 in DER.
    ///
    /// # Errors
    /// Where that is no RSA key.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, SimulationError> {
        let pair = RsaKeyPair::from_pkcs8(der)
            .map_err(|error| SimulationError::Malformed(format!("private key: {error}")))?;
        Self::new(pair)
    }

    /// The private key, PKCS #8 in DER.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn to_pkcs8(&self) -> Result<Secret, SimulationError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| SimulationError::Provider)?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// The public key: SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The key identifier: the leftmost 160 bits of the SHA-256 of the RSAPublicKey (RFC 7093 §2).
    #[must_use]
    pub fn id(&self) -> Vec<u8> {
        let hash = digest(&SHA256, self.pair.public_key().as_ref());
        hash.as_ref().iter().copied().take(20).collect()
    }

    /// Signs `message`.
    #[expect(
        clippy::expect_used,
        reason = "a whole key and a buffer of its length: only a broken provider refuses"
    )]
    pub(super) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(algorithm.encoding(), &SystemRandom::new(), message, &mut signature)
            .expect("an RSA key signs into a buffer as long as its modulus");
        signature
    }

    fn new(pair: RsaKeyPair) -> Result<Self, SimulationError> {
        let der: PublicKeyX509Der<'_> =
            pair.public_key().as_der().map_err(|_| SimulationError::Provider)?;
        let public_key = der.as_ref().to_vec();
        Ok(Self { pair, public_key })
    }
}

impl fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorityKey(RSA-4096)")
    }
}
