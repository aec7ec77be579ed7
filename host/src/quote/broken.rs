//! Where a chain of custody broke: the operation, the fault, and the links that held before it.

use super::fault::Fault;
use super::trail::{Step, Trail};

/// Where a link did not hold.
#[derive(Clone)]
pub struct Broken {
    /// The operation that failed: `chain`, `pinned`, `check`, `vouch`, `adopt`, `snp` or `dcap`.
    pub operation: &'static str,
    /// Why.
    pub fault: Fault,
    reached: Option<Trail>,
}

impl Broken {
    pub(crate) fn new(operation: &'static str, fault: Fault, reached: Option<Trail>) -> Self {
        Self { operation, fault, reached }
    }

    /// The links that held, anchor first.
    #[must_use]
    pub fn path(&self) -> Vec<Step> {
        self.reached.as_ref().map(Trail::steps).unwrap_or_default()
    }

    /// What would have held.
    #[must_use]
    pub fn wanted(&self) -> &'static str {
        match self.fault {
            Fault::BadSignature => "a signature by this key over these bytes",
            Fault::Expired(_) => "certificates and revocation lists within their time",
            Fault::Malformed(_) => "bytes that follow their format",
            Fault::Outdated(_) => "firmware of a level that the vendor knows",
            Fault::Revoked(_) => "certificates that nobody revoked",
            Fault::Unavailable(_) => "every certificate and revocation list that the check needs",
            Fault::Unsupported(_) => "a kind that this host checks",
            Fault::Untrusted(_) => "a chain to a configured anchor that certifies what is claimed",
        }
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        Self::new("examination", fault, None)
    }
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Broken({}: {})", self.operation, self.fault)
    }
}

/// What leads back to an anchor.
pub(crate) trait Trailed {
    fn trail(&self) -> &Trail;
}

impl Trailed for super::Signer {
    fn trail(&self) -> &Trail {
        &self.parts().trail
    }
}

impl Trailed for super::Statement {
    fn trail(&self) -> &Trail {
        Self::trail(self)
    }
}
