//! `/v1/references`: reference values are added, listed, shown and taken back.

use std::collections::BTreeMap;

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::clock::Timestamp;
use crate::error::Code;
use crate::http::auth::Principal;
use crate::http::body::Document;
use crate::http::caller::{Asks, Identifier};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::http::wire::Base64Url;
use crate::permission::Permission;
use crate::reference::{Change, Event, Origin, Reference};

/// A reference document.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferenceDocument {
    /// SHA-256 of what is signed, in hexadecimal.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// `corim`, `json` or `provenance`.
    pub form: String,
    /// `good`, or why its values do not count: `expired`, `not-yet`, `replaced`, `revoked`,
    /// `unlisted` (today's configuration would not let it in).
    pub state: String,
    /// Who signed it, as the configuration calls them; absent where nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// From when it is good (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_before: Option<String>,
    /// Until when it is good (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub not_after: Option<String>,
    /// When it was added (RFC 3339).
    #[schema(format = DateTime)]
    pub added: String,
    /// Which administrator added it.
    pub added_by: String,
    /// What it says.
    pub groups: Vec<ReferenceGroup>,
}

/// Values that belong together.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferenceGroup {
    /// `snp`.
    pub tee: String,
    /// Claims, without the TEE's name before them, and their values.
    #[schema(value_type = Object)]
    pub values: BTreeMap<String, Json>,
}

/// A reference document with the bytes that it came as.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferenceWithBytes {
    /// What is known of it.
    pub reference: ReferenceDocument,
    /// What it came as.
    pub media_type: String,
    /// The very bytes, signature and all.
    pub bytes: Base64Url,
}

/// One page of reference documents.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferencePage {
    /// By identifier.
    pub references: Vec<ReferenceDocument>,
    /// Where the next page begins; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// What happened.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferenceChange {
    /// When (RFC 3339).
    #[schema(format = DateTime)]
    pub at: String,
    /// Which administrator.
    pub by: String,
    /// In which request.
    pub request: String,
    /// `added`, `replaced` or `revoked`.
    pub event: String,
    /// To which document.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// The document that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// Everything that happened.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct ReferenceHistory {
    /// The latest first.
    pub changes: Vec<ReferenceChange>,
}

impl From<Reference> for ReferenceDocument {
    fn from(reference: Reference) -> Self {
        let Reference { id, document, origin, added, state, .. } = reference;
        let moment = |moment: Option<Timestamp>| moment.map(|moment| moment.to_string());
        let groups = document.groups.into_iter();
        Self {
            id: id.to_string(),
            name: document.name,
            form: document.form.name().to_owned(),
            state: state.name().to_owned(),
            signer: match origin {
                Origin::Signed { signer, .. } => Some(signer),
                Origin::Unsigned => None,
            },
            not_before: moment(document.window.not_before),
            not_after: moment(document.window.not_after),
            added: added.at.to_string(),
            added_by: added.by,
            groups: groups
                .map(|group| ReferenceGroup { tee: group.tee, values: group.values })
                .collect(),
        }
    }
}

impl From<Change> for ReferenceChange {
    fn from(change: Change) -> Self {
        let (event, replaced_by) = match change.event {
            Event::Added => ("added", None),
            Event::Replaced(by) => ("replaced", Some(by.to_string())),
            Event::Revoked => ("revoked", None),
        };
        Self {
            at: change.act.at.to_string(),
            by: change.act.by,
            request: change.act.request,
            event: event.to_owned(),
            id: change.id.to_string(),
            name: change.name,
            replaced_by,
        }
    }
}

/// List reference documents.
#[utoipa::path(
    get, path = "/v1/references", tag = "administration", operation_id = "listReferences",
    params(("cursor" = Option<String>, Query, description = "The `next` of the page before.")),
    responses((status = 200, description = "One page.", body = ReferencePage)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
) -> Result<JsonAnswer<ReferencePage>, Refused> {
    let by = by.may(Permission::ReferencesList)?;
    let cursor = only(query.as_deref(), "cursor")?;
    let (references, next) = door.api.list_references(&caller, by, cursor).await?;
    let references = references.into_iter().map(ReferenceDocument::from).collect();
    Ok(JsonAnswer(ReferencePage { references, next }))
}

/// Add a reference document. Its media type says what it is.
#[utoipa::path(
    post, path = "/v1/references", tag = "administration", operation_id = "addReference",
    params(("replaces" = Option<String>, Query, description = "The document whose place it takes.")),
    request_body(
        description = "A signed CoRIM, a DSSE envelope, or the plain form unsigned.",
        content(
            (Vec<u8> = "application/rim+cose"),
            (Object = "application/vnd.dsse.envelope.v1+json"),
            (Object = "application/vnd.claviger.reference+json"),
        ),
    ),
    responses((status = 201, description = "Its values count.", body = ReferenceDocument)),
)]
pub(crate) async fn add(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    RawQuery(query): RawQuery,
    Document { container, bytes }: Document,
) -> Result<(StatusCode, JsonAnswer<ReferenceDocument>), Refused> {
    let by = by.may(Permission::ReferencesChange)?;
    let replaces = only(query.as_deref(), "replaces")?;
    let added = door.api.add_reference(&caller, by, container, bytes, replaces).await?;
    Ok((StatusCode::CREATED, JsonAnswer(added.into())))
}

/// Show a reference document, as it is known and as it came.
#[utoipa::path(
    get, path = "/v1/references/{id}", tag = "administration", operation_id = "readReference",
    params(("id" = String, Path, description = "The document's identifier.")),
    responses((status = 200, description = "The document.", body = ReferenceWithBytes)),
)]
pub(crate) async fn read(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    Identifier(id): Identifier,
) -> Result<JsonAnswer<ReferenceWithBytes>, Refused> {
    let by = by.may(Permission::ReferencesList)?;
    let (reference, bytes) = door.api.get_reference(&caller, by, &id).await?;
    let (media_type, bytes) = (reference.media_type.clone(), Base64Url(bytes));
    Ok(JsonAnswer(ReferenceWithBytes { reference: reference.into(), media_type, bytes }))
}

/// Take a reference document back. It stays in the history, and cannot be added again.
#[utoipa::path(
    delete, path = "/v1/references/{id}", tag = "administration", operation_id = "revokeReference",
    params(("id" = String, Path, description = "The document's identifier.")),
    responses((status = 204, description = "Its values count no more.")),
)]
pub(crate) async fn revoke(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
    Identifier(id): Identifier,
) -> Result<StatusCode, Refused> {
    let by = by.may(Permission::ReferencesChange)?;
    door.api.revoke_reference(&caller, by, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show what happened to reference documents.
#[utoipa::path(
    get, path = "/v1/references/history", tag = "administration", operation_id = "referenceHistory",
    responses((status = 200, description = "The latest first.", body = ReferenceHistory)),
)]
pub(crate) async fn history(
    State(door): State<Door>,
    by: Principal,
    Asks(caller): Asks,
) -> Result<JsonAnswer<ReferenceHistory>, Refused> {
    let by = by.may(Permission::ReferencesList)?;
    let changes = door.api.reference_history(&caller, by).await?;
    let changes = changes.into_iter().map(ReferenceChange::from).collect();
    Ok(JsonAnswer(ReferenceHistory { changes }))
}

/// The one parameter that a call knows: an identifier, which needs no percent encoding.
fn only(query: Option<&str>, name: &str) -> Result<Option<String>, Refused> {
    let Some(query) = query.filter(|query| !query.is_empty()) else { return Ok(None) };
    let value = query.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
    let plain = |value: &&str| !value.is_empty() && value.bytes().all(|b| b.is_ascii_hexdigit());
    let value = value.filter(plain).ok_or_else(|| {
        Refused::new(Code::RequestMalformed, format!("the query {query:?} is no {name}"))
    })?;
    Ok(Some(value.to_owned()))
}
