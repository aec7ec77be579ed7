//! Refusals: a stable code for the caller, the full reason for the operator.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::explanation::Explanation;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $status:literal, $title:literal;)*) => {
        /// Why a request was refused. The text form is stable: clients and dashboards match on it.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, for the documentation and the OpenAPI document.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text form, in kebab case.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status (RFC 9110) that goes with it.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// One line for a person; holds nothing of the request.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}

codes! {
    /// A handler took longer than a request may.
    AnswerTimeout = "answer-timeout", 503, "The host did not answer in time; it may have done what was asked";
    /// The appraisal policy gave no answer that counts: undefined, failed, too long, or more than it
    /// may say.
    AppraisalFailed = "appraisal-failed", 500, "The appraisal policy gave no usable answer, so nothing was affirmed";
    /// The audit record could not be made durable.
    AuditUnavailable = "audit-unavailable", 503, "The decision could not be recorded, so nothing was released";
    /// The keys of another attestation service cannot be had.
    AuthorityUnavailable = "authority-unavailable", 503, "The keys of the token's authority are not available";
    /// The challenge's time is over.
    ChallengeExpired = "challenge-expired", 403, "The challenge has expired; ask for a new one";
    /// The challenge is not one of this host, tenant or purpose, or was altered.
    ChallengeInvalid = "challenge-invalid", 403, "The challenge was not issued by this host for this use";
    /// The challenge was used before.
    ChallengeSpent = "challenge-spent", 403, "The challenge has been used already; ask for a new one";
    /// Something of that name is there already.
    Conflict = "conflict", 409, "The resource exists already or was changed meanwhile";
    /// Certificates or revocation data that the evidence needs could not be had.
    EndorsementsUnavailable = "endorsements-unavailable", 503, "Certificates or revocation data needed to check the evidence are not available";
    /// A certificate or revocation list is outside its time.
    EvidenceExpired = "evidence-expired", 403, "A certificate or revocation list behind the evidence is outside its validity";
    /// The evidence could not be parsed.
    EvidenceMalformed = "evidence-malformed", 400, "The evidence is malformed";
    /// The evidence does not carry this challenge, recipient key and purpose.
    EvidenceNotBound = "evidence-not-bound", 403, "The evidence is not bound to this challenge, recipient key and purpose";
    /// The platform's firmware is older than is accepted.
    EvidenceOutdated = "evidence-outdated", 403, "The platform's trusted computing base is older than is accepted";
    /// A certificate behind the evidence is revoked.
    EvidenceRevoked = "evidence-revoked", 403, "A certificate behind the evidence is revoked";
    /// A signature does not hold.
    EvidenceSignature = "evidence-signature", 403, "A signature in the evidence does not hold";
    /// No verifier reads this kind of evidence.
    EvidenceUnsupported = "evidence-unsupported", 422, "No verifier here reads this kind of evidence";
    /// The evidence does not lead back to a configured trust anchor.
    EvidenceUntrusted = "evidence-untrusted", 403, "The evidence does not lead back to a trust anchor";
    /// The principal may not do this.
    Forbidden = "forbidden", 403, "This principal is not permitted to do that";
    /// A fault of the host itself.
    Internal = "internal", 500, "The host failed; the operator finds the reason by the request id";
    /// A deleted key or secret of that name is there, and can be recovered.
    KeyDeleted = "key-deleted", 409, "Something of that name was deleted and can be recovered";
    /// The key is disabled.
    KeyDisabled = "key-disabled", 403, "The key is disabled";
    /// The key's time is over.
    KeyExpired = "key-expired", 403, "The key or secret has expired";
    /// The key is never released.
    KeyNotExportable = "key-not-exportable", 403, "The key is never released";
    /// The key's time has not come.
    KeyNotYetValid = "key-not-yet-valid", 403, "The key or secret is not valid yet";
    /// There is no such key (or it may not be known).
    KeyNotFound = "key-not-found", 404, "There is no such key";
    /// The key management service refused.
    KmsDenied = "kms-denied", 502, "The key management service refused";
    /// The connector or its service is configured wrongly.
    KmsMisconfigured = "kms-misconfigured", 502, "The key management service is not configured rightly";
    /// The key management service cannot be reached.
    KmsUnavailable = "kms-unavailable", 503, "The key management service is not available";
    /// The connector cannot do what was asked.
    KmsUnsupported = "kms-unsupported", 501, "The key management service cannot do that";
    /// The request's method is not known here.
    MethodNotAllowed = "method-not-allowed", 405, "The resource does not know this method";
    /// There is no such resource.
    NotFound = "not-found", 404, "There is no such resource";
    /// None of the media types that the request accepts can be answered.
    NotAcceptable = "not-acceptable", 406, "None of the accepted media types can be answered";
    /// The appraisal's status is not what the release policy wants.
    NotAffirming = "not-affirming", 403, "The appraisal of the evidence is not affirming";
    /// The key is not for that.
    OperationNotAllowed = "operation-not-allowed", 403, "The key does not allow that operation";
    /// More requests at once than the host takes.
    Overloaded = "overloaded", 503, "The host is busy; try again later";
    /// A plugin trapped, or answered with something that it may not answer.
    PluginFailed = "plugin-failed", 502, "A plugin failed; the operator finds the reason by the request id";
    /// A plugin is not signed as it must be, is older than it may be, wants more than it is granted, or
    /// does not load.
    PluginRefused = "plugin-refused", 422, "The plugin is not let in";
    /// A plugin took longer than it may.
    PluginTimeout = "plugin-timeout", 504, "A plugin took longer than it may";
    /// The policy may not be changed any more.
    PolicyImmutable = "policy-immutable", 409, "The policy was made immutable";
    /// The policy cannot be compiled.
    PolicyInvalid = "policy-invalid", 400, "The policy cannot be compiled";
    /// More requests than this client may send.
    RateLimited = "rate-limited", 429, "Too many requests; slow down";
    /// The recipient key is invalid, weak or of an unknown kind.
    RecipientKeyInvalid = "recipient-key-invalid", 400, "The recipient key is invalid or too weak";
    /// Reference values are not signed by a listed signer, or by one that may not sign them.
    ReferenceRefused = "reference-refused", 403, "The reference values are not signed by somebody who may sign them";
    /// The release policy of the key says no, or cannot say yes.
    ReleaseDenied = "release-denied", 403, "The release policy of the key does not allow this release";
    /// The request cannot be parsed, or has members that are unknown.
    RequestMalformed = "request-malformed", 400, "The request is malformed";
    /// The body did not arrive in time.
    RequestTimeout = "request-timeout", 408, "The request did not arrive in time";
    /// The request is larger than is read.
    RequestTooLarge = "request-too-large", 413, "The request is larger than is accepted";
    /// There is no such secret (or it may not be known).
    SecretNotFound = "secret-not-found", 404, "There is no such secret";
    /// The secret has a release policy, and who asked showed no attestation.
    SecretNotReadable = "secret-not-readable", 403, "The secret leaves only by release to an attested recipient";
    /// The store cannot be read or written.
    StoreUnavailable = "store-unavailable", 503, "The store is not available";
    /// The attestation token's time is over.
    TokenExpired = "token-expired", 401, "The attestation token has expired";
    /// The attestation token is not one of this host, or was altered.
    TokenInvalid = "token-invalid", 401, "The attestation token is not valid here";
    /// No, or no valid, credential.
    Unauthenticated = "unauthenticated", 401, "A valid credential is needed";
    /// The body's media type is not one that is read here.
    UnsupportedMediaType = "unsupported-media-type", 415, "The body's media type is not accepted";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A refused request. The caller learns [`Refusal::code`]; [`Refusal::reason`] is for the log.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{code}: {reason}")]
pub struct Refusal {
    /// What the caller learns.
    pub code: Code,
    /// What the operator learns: which check failed, on which value. Holds no secret.
    pub reason: String,
    /// After what time it may be worth trying again.
    pub retry_after: Option<Duration>,
    /// The reason taken apart, for the audit record: which check, what was seen, what was wanted.
    pub explanation: Option<Box<Explanation>>,
}

impl Refusal {
    /// A refusal with its reason for the operator.
    #[must_use]
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), retry_after: None, explanation: None }
    }

    /// The same, explained.
    #[must_use]
    pub fn explain(mut self, explanation: Explanation) -> Self {
        self.explanation = Some(Box::new(explanation));
        self
    }

    /// The same, worth trying again after `delay`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_is_spelled_once_and_has_an_error_status() {
        let texts: HashSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(texts.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
