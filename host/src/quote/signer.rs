//! A public key that leads back to a trust anchor.

use std::fmt;
use std::sync::Arc;

use super::der;
use super::key::PublicKey;
use super::statement::Format;
use super::trail::Trail;
use super::x509::Certificate;
use crate::clock::Timestamp;

/// A public key that leads back to a trust anchor. Only this module's operations make one. Clone is
/// cheap.
#[derive(Clone)]
pub struct Signer(Arc<Parts>);

/// What a signer is made of.
pub(super) struct Parts {
    pub(super) key: PublicKey,
    pub(super) certificate: Option<Arc<Certificate>>,
    pub(super) expires: Timestamp,
    pub(super) simulated: bool,
    pub(super) trail: Trail,
    /// What messages of this key are, where that is known.
    pub(super) speaks: Format,
    /// Whether what this key signs may carry a challenge.
    pub(super) bindable: bool,
}

impl Signer {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.0
    }

    /// The end-entity certificate (DER), where the key came from one.
    #[must_use]
    pub fn certificate(&self) -> Option<&[u8]> {
        self.0.certificate.as_ref().map(|certificate| certificate.der())
    }

    /// The value of a certificate extension (the octets inside its OCTET STRING), by dotted object
    /// identifier.
    #[must_use]
    pub fn extension(&self, oid: &str) -> Option<Vec<u8>> {
        let oid = der::oid(oid)?;
        self.0.certificate.as_ref()?.extensions.get(&oid).map(<[u8]>::to_vec)
    }

    /// The last moment at which the signer's chain and revocation data hold.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.0.expires
    }

    /// Whether a simulated root stands behind it.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.0.simulated
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.0.key.describe())
    }
}
