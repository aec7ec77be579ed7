//! `GET /v1/plugins`: what verifies and what keeps keys, and exactly which bytes.

use axum::Json as JsonAnswer;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::flow::PluginSummary;
use crate::http::auth::Principal;
use crate::http::door::Door;

/// The plugins of this host.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct PluginList {
    /// By name.
    pub plugins: Vec<Plugin>,
}

/// One plugin.
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
    /// Where it came from: `bundled` or a path.
    pub source: String,
    /// What it imports from the host.
    pub imports: Vec<String>,
    /// `serving`, or why not.
    pub state: String,
}

impl From<PluginSummary> for Plugin {
    fn from(summary: PluginSummary) -> Self {
        Self {
            name: summary.name,
            kind: summary.kind.to_owned(),
            version: summary.version,
            digest: summary.digest,
            source: summary.source,
            imports: summary.imports,
            state: summary.state,
        }
    }
}

/// List plugins.
#[utoipa::path(
    get, path = "/v1/plugins", tag = "administration", operation_id = "listPlugins",
    responses((status = 200, description = "All of them.", body = PluginList)),
)]
pub(crate) async fn list(State(door): State<Door>, _: Principal) -> JsonAnswer<PluginList> {
    let plugins = door.api.plugins().into_iter().map(Plugin::from).collect();
    JsonAnswer(PluginList { plugins })
}
