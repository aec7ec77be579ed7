//! `POST /attest/{type}`: evidence in, a token out. No bearer token is asked for: evidence is shown, and
//! what comes out is of use to the holder of the recipient key alone.

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use serde_json::{Value, json};

use super::service;
use super::wire::AttestBody;
use crate::error::{Code, Refusal};
use crate::flow::{AttestationKind, MaaFailure};
use crate::http::azure::body::Json;
use crate::http::azure::error::{Fault, Said};
use crate::http::azure::visit::Visitor;
use crate::http::door::Door;
use crate::json::Limits;
use crate::policy::maa::MaaFault;

pub(super) async fn attest(
    State(door): State<Door>,
    Path(kind): Path<String>,
    Visitor { caller, url }: Visitor,
    Json(body): Json<AttestBody>,
) -> Result<Answer<Value>, Fault> {
    let (host, rules) = service(&door)?;
    let kind = named(&kind)?;
    if kind == AttestationKind::Tpm {
        return Err(unsupported(kind));
    }
    let limits = Limits { nulls: true, ..Limits::REQUEST.with_bytes(door.settings.body_bytes) };
    let request = body.request(kind, limits).map_err(unread)?;
    let attested = host.maa_attest(&caller, &url, request, rules).await.map_err(failed)?;
    Ok(Answer(json!({"token": attested.token})))
}

/// `GET /tcbbaselines/{type}`: which levels of Intel's TCB a policy may pin; none are offered here.
pub(super) async fn baselines(Path(kind): Path<String>) -> Result<Answer<Value>, Fault> {
    named(&kind)?;
    let refusal = Refusal::new(Code::EvidenceUnsupported, "no TCB baselines are offered");
    Err(said(refusal, "InvalidOperation", "No TCB baselines are offered here."))
}

/// The type that a path names.
pub(super) fn named(kind: &str) -> Result<AttestationKind, Fault> {
    AttestationKind::named(kind).ok_or_else(|| {
        Refusal::new(Code::NotFound, format!("there is no attestation type {kind:?}")).into()
    })
}

fn unsupported(kind: AttestationKind) -> Fault {
    let reason = format!("{} is not attested by this protocol here", kind.name());
    let message = format!("Attestation of {} is not offered here.", kind.name());
    said(Refusal::new(Code::EvidenceUnsupported, reason), "InvalidOperation", message)
}

/// A request that nothing was made of yet: what is not offered here is told with its reason.
fn unread(refusal: Refusal) -> Fault {
    match refusal.code {
        Code::EvidenceUnsupported => {
            let message = format!("Not offered here: {}.", refusal.reason);
            said(refusal, "InvalidOperation", message)
        }
        _ => refused(refusal),
    }
}

/// In the service's words. Of a policy it is said what is wrong and where: whoever attests may be who
/// wrote it.
pub(super) fn failed(failure: MaaFailure) -> Fault {
    let refusal = failure.refusal();
    match failure {
        MaaFailure::Denied => {
            said(refusal, "PolicyEvaluationError", "The attestation policy does not permit this.")
        }
        MaaFailure::Policy(fault @ MaaFault::Evaluation { .. }) => {
            said(refusal, "PolicyEvaluationError", fault.to_string())
        }
        MaaFailure::Policy(fault @ MaaFault::Parsing { .. }) => {
            said(refusal, "PolicyParsingError", fault.to_string())
        }
        MaaFailure::Refused(refusal) => refused(*refusal),
    }
}

/// Evidence that does not hold is a parameter that is wrong, whatever is wrong with it; the log and the
/// audit record say what.
fn refused(refusal: Refusal) -> Fault {
    let message = refusal.code.title();
    match refusal.code {
        Code::NotAffirming => said(refusal, "InvalidOperation", message),
        Code::EvidenceExpired
        | Code::EvidenceMalformed
        | Code::EvidenceNotBound
        | Code::EvidenceOutdated
        | Code::EvidenceRevoked
        | Code::EvidenceSignature
        | Code::EvidenceUnsupported
        | Code::EvidenceUntrusted
        | Code::RecipientKeyInvalid
        | Code::RequestMalformed => said(refusal, "InvalidParameter", message),
        _ => refusal.into(),
    }
}

fn said(refusal: Refusal, code: &'static str, message: impl Into<String>) -> Fault {
    let said = Said { status: StatusCode::BAD_REQUEST, code, inner: None, message: message.into() };
    Fault::new(refusal, said)
}
