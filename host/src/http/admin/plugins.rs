//! `/v1/plugins`: what verifies and what keeps keys, and exactly which bytes; installed, swapped,
//! rolled back, disabled. Plugins are the host's, no tenant's.

use axum::Json as JsonAnswer;
use axum::extract::{RawQuery, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error::Code;
use crate::flow::{PluginChange, PluginSummary};
use crate::http::auth::{Operator, Principal};
use crate::http::body::{OptionalJson, Upload};
use crate::http::caller::{Asks, PluginName};
use crate::http::door::Door;
use crate::http::problem::Refused;
use crate::permission::Permission;

/// The plugins of this host.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PluginList {
    /// By name; of one name first what serves, then what served before, then what was refused.
    pub plugins: Vec<Plugin>,
}

/// One version of a plugin.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// `verifier` or `kms`.
    pub kind: String,
    /// Its version, as its manifest says.
    pub version: String,
    /// SHA-256 of the component, lower-case hexadecimal.
    pub digest: String,
    /// Where it came from: `bundled`, `file` (the configuration), `directory` (dropped in) or
    /// `installed` (over this API).
    pub source: String,
    /// Who signed it, as the verification file calls them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signers: Vec<String>,
    /// What it imports from the host.
    pub imports: Vec<String>,
    /// Whether the operator let it read the bytes of key material; left out where not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reads_key_material: bool,
    /// `serving`; `checked`: loaded, and no request is handed to it (a connector that does not hold
    /// the keys, a version that a rollback would bring back); `draining`: the same, and requests that
    /// began with it are in flight; `refused`: offered last under this name, and not let in.
    pub state: String,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What goes with a rollback; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBackRequest {
    /// Refuse tokens that rest on verdicts of the version that goes, at once; otherwise they are
    /// believed until they are over.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub revoke: bool,
}

/// Nothing goes with it; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChooseConnectorRequest {}

/// Nothing goes with it; the body may be left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DisablePluginRequest {}

impl From<PluginSummary> for Plugin {
    fn from(summary: PluginSummary) -> Self {
        Self {
            name: summary.name,
            kind: summary.kind.to_owned(),
            version: summary.version,
            digest: summary.digest,
            source: summary.source.to_owned(),
            signers: summary.signers,
            imports: summary.imports,
            reads_key_material: summary.reads_key_material,
            state: summary.state.to_owned(),
            reason: summary.reason,
        }
    }
}

/// List plugins.
#[utoipa::path(
    get, path = "/v1/plugins", tag = "administration", operation_id = "listPlugins",
    responses((status = 200, description = "All of them.", body = PluginList)),
)]
pub(crate) async fn list(
    State(door): State<Door>,
    by: Principal,
) -> Result<JsonAnswer<PluginList>, Refused> {
    by.may(Permission::PluginsList)?;
    let plugins = door.api.plugins().into_iter().map(Plugin::from).collect();
    Ok(JsonAnswer(PluginList { plugins }))
}

/// Install a plugin under a name that nothing serves under. It is let in by the operator's
/// verification file, loaded and tried before it serves.
#[utoipa::path(
    post, path = "/v1/plugins", tag = "administration", operation_id = "installPlugin",
    request_body(
        description = "A tar archive of an OCI image layout with the component and its signatures (`claviger plugin save`), or a bare component.",
        content((Vec<u8> = "application/x-tar"), (Vec<u8> = "application/wasm")),
    ),
    responses((status = 201, description = "It serves (a verifier), or could (a connector).", body = Plugin)),
)]
pub(crate) async fn install(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    Upload(package): Upload,
) -> Result<(StatusCode, JsonAnswer<Plugin>), Refused> {
    let by = by.may(Permission::PluginsChange)?;
    let plugin = door.api.change_plugin(&caller, by, PluginChange::Install(package)).await?;
    Ok((StatusCode::CREATED, JsonAnswer(plugin.into())))
}

/// Swap a plugin. The new version is loaded and tried beside the old one, which serves on where it
/// fails; requests in flight finish on what they began with.
#[utoipa::path(
    put, path = "/v1/plugins/{name}", tag = "administration", operation_id = "swapPlugin",
    params(
        ("name" = String, Path, description = "The plugin's name, which is also that in the new version's manifest."),
        ("revoke" = Option<bool>, Query, description = "Refuse tokens that rest on verdicts of the old version, at once; otherwise they are believed until they are over."),
    ),
    request_body(
        description = "As for `installPlugin`.",
        content((Vec<u8> = "application/x-tar"), (Vec<u8> = "application/wasm")),
    ),
    responses((status = 200, description = "The new version serves.", body = Plugin)),
)]
pub(crate) async fn swap(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    PluginName(name): PluginName,
    RawQuery(query): RawQuery,
    Upload(package): Upload,
) -> Result<JsonAnswer<Plugin>, Refused> {
    let by = by.may(Permission::PluginsChange)?;
    let revoke = match query.as_deref() {
        None | Some("" | "revoke=false") => false,
        Some("revoke=true") => true,
        Some(other) => {
            return Err(Refused::new(Code::RequestMalformed, format!("the query {other:?}")));
        }
    };
    let change = PluginChange::Swap { name, package, revoke };
    Ok(JsonAnswer(door.api.change_plugin(&caller, by, change).await?.into()))
}

/// Go back to the version that served before, which is loaded still. Once more undoes it.
#[utoipa::path(
    post, path = "/v1/plugins/{name}/rollback", tag = "administration", operation_id = "rollBackPlugin",
    params(("name" = String, Path, description = "The plugin's name.")),
    request_body = Option<RollBackRequest>,
    responses((status = 200, description = "The version before serves.", body = Plugin)),
)]
pub(crate) async fn roll_back(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    PluginName(name): PluginName,
    OptionalJson(RollBackRequest { revoke }): OptionalJson<RollBackRequest>,
) -> Result<JsonAnswer<Plugin>, Refused> {
    let by = by.may(Permission::PluginsChange)?;
    let change = PluginChange::RollBack { name, revoke };
    Ok(JsonAnswer(door.api.change_plugin(&caller, by, change).await?.into()))
}

/// Have the keys held by another connector, which is loaded already. Its service is asked first; where it
/// does not answer, nothing changes. Requests in flight finish with the connector that they began with.
#[utoipa::path(
    post, path = "/v1/plugins/{name}/choose", tag = "administration", operation_id = "chooseConnector",
    params(("name" = String, Path, description = "The connector's name.")),
    request_body = Option<ChooseConnectorRequest>,
    responses((status = 200, description = "It holds the keys.", body = Plugin)),
)]
pub(crate) async fn choose(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    PluginName(name): PluginName,
    OptionalJson(ChooseConnectorRequest {}): OptionalJson<ChooseConnectorRequest>,
) -> Result<JsonAnswer<Plugin>, Refused> {
    let by = by.may(Permission::PluginsChange)?;
    let change = PluginChange::Choose { name };
    Ok(JsonAnswer(door.api.change_plugin(&caller, by, change).await?.into()))
}

/// Have nothing serve under a name, and refuse tokens that rest on its verdicts. A rollback undoes
/// it.
#[utoipa::path(
    post, path = "/v1/plugins/{name}/disable", tag = "administration", operation_id = "disablePlugin",
    params(("name" = String, Path, description = "The plugin's name.")),
    request_body = Option<DisablePluginRequest>,
    responses((status = 200, description = "It serves no more.", body = Plugin)),
)]
pub(crate) async fn disable(
    State(door): State<Door>,
    by: Operator,
    Asks(caller): Asks,
    PluginName(name): PluginName,
    OptionalJson(DisablePluginRequest {}): OptionalJson<DisablePluginRequest>,
) -> Result<JsonAnswer<Plugin>, Refused> {
    let by = by.may(Permission::PluginsChange)?;
    let change = PluginChange::Disable { name };
    Ok(JsonAnswer(door.api.change_plugin(&caller, by, change).await?.into()))
}
