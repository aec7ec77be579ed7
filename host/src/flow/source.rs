//! Where what is to be released is kept: a key with a connector, or a secret in the host's own store.
//!
//! A secret is named `secrets/` and its name, wherever a key would be named: in a challenge's purpose, in the
//! header of what is wrapped, in records. Keys' names have no slash.

use std::sync::Arc;

use super::host::Parts;
use super::release_policies::{KeyPolicy, check_name};
use crate::error::{Code, Refusal};
use crate::plugin::KmsPlugin;
use crate::plugin::catalogue::Plugins;
use crate::store::names;
use crate::tenant::Tenant;

/// Before a secret's name.
const SECRETS: &str = "secrets/";

/// Where it is kept.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// With this connector.
    Connector(Arc<KmsPlugin>),
    /// With the host.
    Secrets,
}

/// Refuses what names neither a key nor a secret.
pub(super) fn check(wanted: &str) -> Result<(), Refusal> {
    match wanted.strip_prefix(SECRETS) {
        None => check_name(wanted).map(drop),
        Some(name) => names::check_key_name(name)
            .map(drop)
            .map_err(|error| Refusal::new(Code::SecretNotFound, format!("{name:?}: {error}"))),
    }
}

/// What is named: where it is kept, and what it is called there.
pub(super) fn of<'a>(plugins: &Plugins, wanted: &'a str) -> Result<(Source, &'a str), Refusal> {
    check(wanted)?;
    match wanted.strip_prefix(SECRETS) {
        None => Ok((Source::Connector(connector(plugins)?), wanted)),
        Some(name) => Ok((Source::Secrets, name)),
    }
}

/// The connector that holds the keys.
pub(super) fn connector(plugins: &Plugins) -> Result<Arc<KmsPlugin>, Refusal> {
    plugins.connector().cloned().ok_or_else(|| {
        let reason = format!("the connector {} was disabled", plugins.kms());
        Refusal::new(Code::KmsUnavailable, reason)
    })
}

impl Source {
    /// What it is called outside.
    pub(super) fn named(&self, name: &str) -> String {
        match self {
            Self::Connector(_) => name.to_owned(),
            Self::Secrets => format!("{SECRETS}{name}"),
        }
    }

    /// The release policy, read now; none: nothing of that name is ever released.
    pub(super) fn policy(
        &self,
        parts: &Parts,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Option<Arc<KeyPolicy>>, Refusal> {
        match self {
            Self::Connector(kms) => parts.release_policies.read(tenant, kms.name(), name),
            Self::Secrets => {
                let policy = parts.vault.secret_policy(tenant, name, parts.clock.now())?;
                policy.map(|policy| parts.release_policies.of_secret(name, &policy)).transpose()
            }
        }
    }

    /// The answer that there is nothing to be released under a name.
    pub(super) fn missing(&self) -> Code {
        match self {
            Self::Connector(_) => Code::KeyNotFound,
            Self::Secrets => Code::SecretNotFound,
        }
    }
}
