//! `GET /v1/audit/checkpoint`: the audit log's newest signed tree head.

use axum::extract::State;

use crate::http::auth::Principal;
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// Read the newest checkpoint.
#[utoipa::path(
    get, path = "/v1/audit/checkpoint", tag = "administration", operation_id = "auditCheckpoint",
    responses((status = 200, description = "A checkpoint (C2SP tlog-checkpoint).", body = String, content_type = "text/plain")),
)]
pub(crate) async fn checkpoint(State(door): State<Door>, by: Principal) -> Result<String, Refused> {
    by.may(Permission::AuditRead)?;
    Ok(door.api.audit_checkpoint())
}
