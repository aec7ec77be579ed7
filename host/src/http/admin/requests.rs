//! `GET /v1/requests/{id}`: what became of a request, and why.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::flow::RequestReport;
use crate::http::auth::Principal;
use crate::http::caller::{Asks, RequestName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// What is known of a request.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Explained {
    /// Its audit records, newest first. A refusal has `code`, `reason`, and `explanation`: the check
    /// that failed, what was seen and wanted, the rules that did not hold, and the trust path up to
    /// the break.
    #[schema(value_type = Vec<Object>)]
    pub records: Vec<Value>,
    /// The record of the attestation behind its token, where it was judged by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub attested: Option<Value>,
    /// Whether older records were left unread.
    pub more: bool,
}

impl From<RequestReport> for Explained {
    fn from(report: RequestReport) -> Self {
        Self { records: report.records, attested: report.attested, more: report.more }
    }
}

/// Read what became of a request of this tenant.
#[utoipa::path(
    get, path = "/v1/requests/{id}", tag = "administration", operation_id = "explainRequest",
    params(("id" = String, Path, description = "The request's identifier, as its caller was told it.")),
    responses((status = 200, description = "What is known of it.", body = Explained)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RequestName(id): RequestName,
) -> Result<JsonAnswer<Explained>, Refused> {
    by.may(Permission::AuditRead)?;
    let report = door.api.explain(&caller, &id).await?;
    Ok(JsonAnswer(report.into()))
}
