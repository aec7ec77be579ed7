//! Why the token of another service is refused.

use std::time::Duration;

use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::json::JsonError;
use crate::keys::RecipientKeyError;

/// Why a token was refused, or could not be checked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForeignError {
    /// `alg` is none of RS256, PS256, ES256 and ES384, or is not one of the key that is named.
    #[error("the token's algorithm is not accepted, or not that of its key")]
    Algorithm,
    /// A claim is missing, malformed, or not the one expected.
    #[error("the claim `{0}` is missing, malformed or not the one expected")]
    Claim(&'static str),
    /// The claims are not an object, or are one that is not read.
    #[error("the token's claims cannot be read: {0}")]
    Claims(JsonError),
    /// The header has `crit`: something must be understood that is not understood here.
    #[error("the token's header has a member that must be understood")]
    Critical,
    /// `exp` is reached.
    #[error("the token has expired")]
    Expired,
    /// The header is not an object, or is one that is not read.
    #[error("the token's header cannot be read: {0}")]
    Header(JsonError),
    /// Not three parts of base64url, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// More than one key is meant for release.
    #[error("the token names more than one recipient key")]
    ManyRecipients,
    /// No key is meant for release.
    #[error("the token names no recipient key")]
    NoRecipient,
    /// `iat` or `nbf` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The recipient key is none that is wrapped to.
    #[error("the token's recipient key: {0}")]
    Recipient(RecipientKeyError),
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// `iat` is longer ago than the operator takes.
    #[error("the token is older than is accepted")]
    TooOld,
    /// `typ` is another one.
    #[error("the token is of another type")]
    Type,
    /// The keys of the service cannot be had.
    #[error("the authority's keys are not available: {0}")]
    Unavailable(String),
    /// `kid` is missing, or names no key of this service.
    #[error("the token names no key of its authority")]
    UnknownKey,
}

impl ForeignError {
    /// The refusal of a request that came with such a token.
    pub(crate) fn refusal(self, issuer: &str) -> Refusal {
        let code = match &self {
            Self::Expired | Self::TooOld => Code::TokenExpired,
            Self::Recipient(_) => Code::RecipientKeyInvalid,
            Self::Unavailable(_) => Code::AuthorityUnavailable,
            _ => Code::TokenInvalid,
        };
        let check = match &self {
            Self::Claim("iss") => "authority.iss",
            Self::Claim("aud") => "authority.aud",
            Self::Claim(_) | Self::Claims(_) => "authority.claims",
            Self::Expired => "authority.exp",
            Self::NotYetValid | Self::TooOld => "authority.iat",
            Self::ManyRecipients | Self::NoRecipient | Self::Recipient(_) => "authority.recipient",
            Self::Signature => "authority.signature",
            Self::UnknownKey => "authority.kid",
            Self::Unavailable(_) => "authority.keys",
            Self::Algorithm | Self::Critical | Self::Header(_) | Self::Malformed | Self::Type => {
                "authority.header"
            }
        };
        let explanation = Explanation::of(check)
            .seen(self.to_string())
            .wanted(format!("a token as {issuer} writes it, for one recipient key"));
        let refusal = Refusal::new(code, format!("token of {issuer}: {self}")).explain(explanation);
        match self {
            Self::Unavailable(_) => refusal.retry_after(Duration::from_secs(60)),
            _ => refusal,
        }
    }
}
