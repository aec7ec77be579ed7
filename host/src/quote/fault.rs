//! Why a link in the chain of custody does not hold.

/// Why a link does not hold. The text names what was looked at; it holds no secret, but it may hold
/// words of the evidence, so whoever logs it escapes it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// A signature does not hold: the bytes were altered, or another key signed them.
    #[error("a signature does not hold")]
    BadSignature,
    /// A certificate or a revocation list is outside its time.
    #[error("outside its validity: {0}")]
    Expired(String),
    /// Bytes do not follow their format.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A certificate is revoked.
    #[error("revoked: {0}")]
    Revoked(String),
    /// The platform's firmware is older than anything that its vendor still speaks of.
    #[error("out of date: {0}")]
    Outdated(String),
    /// Something that the check needs is not there: a certificate or a revocation list.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Well formed, but of a kind that this host does not check.
    #[error("not supported: {0}")]
    Unsupported(String),
    /// Does not lead to a configured trust anchor, or contradicts what is certified.
    #[error("not trusted: {0}")]
    Untrusted(String),
}

impl Fault {
    pub(crate) fn malformed(what: impl Into<String>) -> Self {
        Self::Malformed(what.into())
    }

    pub(crate) fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }

    pub(crate) fn untrusted(what: impl Into<String>) -> Self {
        Self::Untrusted(what.into())
    }
}
