//! Why reference values are not taken.

use crate::cbor::CborError;
use crate::error::{Code, Refusal};
use crate::json::JsonError;

/// Why a reference document is not taken.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReferenceError {
    /// Its content is not what its signature speaks of.
    #[error("its content is not what its signature speaks of")]
    Altered,
    /// Its signer may not sign this.
    #[error("{signer} may not sign {what}")]
    BeyondScope {
        /// The signer, as the configuration calls it.
        signer: String,
        /// What it may not sign.
        what: String,
    },
    /// Not CBOR as it is read here.
    #[error("CBOR: {0}")]
    Cbor(#[from] CborError),
    /// Not JSON as it is read here.
    #[error("JSON: {0}")]
    Json(#[from] JsonError),
    /// It does not follow its format.
    #[error("{0}")]
    Malformed(String),
    /// No signature on it holds under the key of a signer that the configuration lists.
    #[error("no signature on it holds under the key of a listed signer")]
    NotSigned,
    /// It is not signed, and the configuration demands that.
    #[error("it is not signed, and `reference.allow_unsigned` is off")]
    Unsigned,
    /// It says something that this host does not understand, and that may be a condition.
    #[error("{0} is not understood here")]
    Unsupported(String),
}

impl From<ReferenceError> for Refusal {
    fn from(error: ReferenceError) -> Self {
        let code = match &error {
            ReferenceError::Altered
            | ReferenceError::BeyondScope { .. }
            | ReferenceError::NotSigned
            | ReferenceError::Unsigned => Code::ReferenceRefused,
            ReferenceError::Cbor(_)
            | ReferenceError::Json(_)
            | ReferenceError::Malformed(_)
            | ReferenceError::Unsupported(_) => Code::RequestMalformed,
        };
        Self::new(code, error.to_string())
    }
}
