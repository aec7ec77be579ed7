//! What a connector may reach, by its grants: interfaces, secrets, targets. What is granted and not
//! wanted is told; what is wanted and not granted is refused where the component is admitted.

use std::sync::Arc;

use super::admission::Grants;
use super::kms::WORLD;
use super::loader::NotLoaded;
use super::{KmsServices, Manifest};
use crate::assemble::PluginPlan;
use crate::egress::{Gate, Resolver};

/// The services of a connector: what every connector has, and what this one was granted.
pub(super) fn services(
    name: &str,
    given: Option<&PluginPlan>,
    manifest: &Manifest,
    embedded: KmsServices,
    resolver: &Arc<dyn Resolver>,
) -> Result<KmsServices, NotLoaded> {
    let refuse = |why: String| Err(NotLoaded::Grant(why));
    let Some(given) = given else { return Ok(embedded) };
    let mut wanted: Vec<&str> = Vec::new();
    if !given.targets.is_empty() {
        wanted.push("http");
    }
    if !given.secrets.is_empty() {
        wanted.push("secrets");
    }
    let grants = match &given.imports {
        Some(imports) => {
            if let Some(unknown) = imports.iter().find(|import| !exists(import)) {
                return refuse(format!("there is no interface {unknown:?} to grant"));
            }
            if let Some(missing) = wanted.iter().find(|import| !imports.contains(**import)) {
                return refuse(format!(
                    "it has grants for {missing}, which `imports` does not name"
                ));
            }
            wanted = imports.iter().map(String::as_str).collect();
            Grants::new(imports.iter().cloned())
        }
        None => embedded.grants.and(wanted.iter().copied()),
    };
    for import in wanted {
        if !manifest.imports.iter().any(|declared| declared == import) {
            tracing::warn!("plugin {name} is granted {import}, which its manifest does not want");
        }
    }
    let egress = match given.targets.as_slice() {
        [] => None,
        targets => {
            let gate = Gate::new(targets.to_vec(), given.egress, resolver, &embedded.clock);
            Some(Arc::new(gate.map_err(|why| NotLoaded::Grant(why.to_string()))?))
        }
    };
    if given.host_is_recipient && egress.as_ref().is_none_or(|gate| !gate.checks_releases()) {
        return refuse(
            "`host_is_recipient` goes with a target whose releases are signed".to_owned(),
        );
    }
    Ok(KmsServices {
        values: given.values.clone(),
        limits: given.limits.clone(),
        reads_key_material: given.reads_key_material,
        wraps_for_recipient: given.wraps_for_recipient,
        host_is_recipient: given.host_is_recipient,
        secrets: given.secrets.clone(),
        egress,
        grants,
        ..embedded
    })
}

/// Whether a connector can be granted the interface at all.
pub(crate) fn exists(interface: &str) -> bool {
    WORLD.imports.contains(&interface)
}
