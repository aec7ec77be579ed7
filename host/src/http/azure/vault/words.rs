//! Refusals in Key Vault's own words. Clients match on some of them.

use http::StatusCode;

use crate::error::{Code, Refusal};
use crate::http::azure::error::{Fault, Said};

/// What a request is about.
#[derive(Clone, Copy)]
pub(super) enum About<'a> {
    Key(&'a str),
    Secret(&'a str),
    Vault,
}

impl About<'_> {
    /// The refusal, as Key Vault says it.
    pub(super) fn fault(self, refusal: Refusal) -> Fault {
        match self.said(&refusal) {
            Some(said) => Fault::new(refusal, said),
            None => refusal.into(),
        }
    }

    fn said(self, refusal: &Refusal) -> Option<Said> {
        let said = |status, code, inner, message: String| {
            let message = message.to_owned();
            Some(Said { status, code, inner, message })
        };
        let forbidden = |inner, message: &str| {
            said(StatusCode::FORBIDDEN, "Forbidden", Some(inner), message.to_owned())
        };
        match (refusal.code, self) {
            (Code::KeyNotFound, Self::Key(name)) => {
                said(StatusCode::NOT_FOUND, "KeyNotFound", None, missing("key", name))
            }
            (Code::SecretNotFound, Self::Secret(name)) => {
                said(StatusCode::NOT_FOUND, "SecretNotFound", None, missing("secret", name))
            }
            (Code::KeyDisabled, _) => {
                forbidden("KeyDisabled", "Operation is not allowed on a disabled key or secret.")
            }
            (Code::KeyExpired, _) => {
                forbidden("KeyExpired", "Operation is not allowed on an expired key or secret.")
            }
            (Code::KeyNotYetValid, _) => forbidden(
                "KeyNotYetValid",
                "Operation is not allowed on a key or secret that is not yet valid.",
            ),
            (Code::KeyNotExportable, _) => {
                forbidden("KeyNotExportable", "The key is not exportable.")
            }
            (Code::OperationNotAllowed, _) => forbidden(
                "KeyOperationForbidden",
                "Operation is not permitted with this key: it is not among its key_ops.",
            ),
            (Code::KeyDeleted, _) => said(
                StatusCode::CONFLICT,
                "Conflict",
                Some("ObjectIsDeletedButRecoverable"),
                "An object of that name is currently in a deleted but recoverable state, and its \
                 name cannot be reused; in this state, the object can only be recovered or purged."
                    .to_owned(),
            ),
            (Code::PolicyInvalid, _) => said(
                StatusCode::BAD_REQUEST,
                "BadParameter",
                None,
                format!("Key Release Policy: {}", refusal.reason),
            ),
            (Code::PolicyImmutable, _) => {
                bad_parameter("AKV.SKR.1020: Immutable Key Release Policy cannot be modified.")
            }
            (Code::TokenInvalid | Code::TokenExpired, _) => forbidden(
                "AttestationInvalid",
                "Target environment attestation statement cannot be verified.",
            ),
            (Code::RecipientKeyInvalid, _) => forbidden(
                "AttestationInvalid",
                "Target environment attestation statement has no usable key encryption key.",
            ),
            (Code::ReleaseDenied | Code::NotAffirming, _) => forbidden(
                "ForbiddenByPolicy",
                "Target environment attestation does not meet key release policy requirements.",
            ),
            (Code::AuthorityUnavailable, _) => bad_parameter(
                "AKV.SKR.1012: The attestation service of the statement cannot be reached.",
            ),
            (Code::RequestMalformed, _) => said(
                StatusCode::BAD_REQUEST,
                "BadParameter",
                None,
                crate::http::problem::Reason(&refusal.reason).to_string(),
            ),
            _ => None,
        }
    }
}

/// 400 with a message of the service.
pub(super) fn bad_parameter(message: &str) -> Option<Said> {
    Some(Said {
        status: StatusCode::BAD_REQUEST,
        code: "BadParameter",
        inner: None,
        message: message.to_owned(),
    })
}

/// The same as a refusal.
pub(super) fn refuse(message: &str) -> Fault {
    let refusal = Refusal::new(Code::RequestMalformed, message);
    match bad_parameter(message) {
        Some(said) => Fault::new(refusal, said),
        None => refusal.into(),
    }
}

fn missing(what: &str, name: &str) -> String {
    let name = crate::escape::Escaped(name);
    format!(
        "A {what} with (name/id) {name} was not found in this key vault. If you recently deleted \
         this {what} you may be able to recover it using the correct recovery command. For help \
         resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
    )
}
