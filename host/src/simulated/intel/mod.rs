//! Simulated Intel hardware: root, authorities, one platform with its quoting enclave, and the service that
//! signs collateral. A host takes it for genuine only where its root is trusted as simulated.

pub mod collateral;
mod issue;
pub mod quote;

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
};

use super::SimulationError;
use crate::clock::Timestamp;

pub use collateral::{QeTemplate, TcbTemplate};
pub use issue::{PckTemplate, Revocations};
pub use quote::{QuoteBody, QuoteTemplate};

/// A P-256 key that signs as certificates and as quotes want it.
pub struct Key {
    der: EcdsaKeyPair,
    fixed: EcdsaKeyPair,
}

impl Key {
    /// Makes a key.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn generate() -> Result<Self, SimulationError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| SimulationError::Provider)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| SimulationError::Provider)?;
        let again = |algorithm| {
            EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref())
                .map_err(|_| SimulationError::Provider)
        };
        Ok(Self { der: again(&ECDSA_P256_SHA256_ASN1_SIGNING)?, fixed: pair })
    }

    /// x then y, big-endian.
    fn point(&self) -> Vec<u8> {
        self.fixed.public_key().as_ref().iter().skip(1).copied().collect()
    }

    fn spki(&self) -> Result<Vec<u8>, SimulationError> {
        let der: PublicKeyX509Der<'_> =
            self.fixed.public_key().as_der().map_err(|_| SimulationError::Provider)?;
        Ok(der.as_ref().to_vec())
    }

    fn sign_der(&self, message: &[u8]) -> Result<Vec<u8>, SimulationError> {
        let signature = self.der.sign(&SystemRandom::new(), message);
        signature.map(|one| one.as_ref().to_vec()).map_err(|_| SimulationError::Provider)
    }

    /// r then s.
    fn sign_fixed(&self, message: &[u8]) -> Result<Vec<u8>, SimulationError> {
        let signature = self.fixed.sign(&SystemRandom::new(), message);
        signature.map(|one| one.as_ref().to_vec()).map_err(|_| SimulationError::Provider)
    }
}

/// Intel, simulated, with one platform.
pub struct Intel {
    minted: Timestamp,
    root: Key,
    authority: Key,
    tcb_signer: Key,
    pck: Key,
    attestation: Key,
    /// Of root, authority and signer of collateral, DER; each is issued once, as every signature differs.
    certificates: [Vec<u8>; 3],
}

impl Intel {
    /// Makes the keys. Whatever is issued by default is valid at `at`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn mint(at: Timestamp) -> Result<Self, SimulationError> {
        let mut intel = Self {
            minted: at,
            root: Key::generate()?,
            authority: Key::generate()?,
            tcb_signer: Key::generate()?,
            pck: Key::generate()?,
            attestation: Key::generate()?,
            certificates: Default::default(),
        };
        intel.certificates = intel.authorities()?;
        Ok(intel)
    }
}

impl fmt::Debug for Intel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Intel(simulated)")
    }
}
