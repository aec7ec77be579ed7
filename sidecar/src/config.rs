//! The configuration file: plain structures, unknown members refused. `full.toml` has all of it.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use claviger_client::{HostKeys, RecipientKind, Renewal, Settings, Trust};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;

use crate::platform::PlatformSettings;

/// What is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub(crate) String);

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    pub(crate) host: Option<HostSection>,
    pub(crate) platform: PlatformSettings,
    pub(crate) listen: ListenSection,
    pub(crate) azure: AzureSection,
}

/// The Claviger host that releases keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostSection {
    url: String,
    ca: Option<PathBuf>,
    #[serde(default)]
    pins: Vec<String>,
    id: Option<String>,
    tenant: Option<String>,
    issuer: Option<String>,
    jwks: Option<PathBuf>,
    #[serde(default)]
    recipient: Recipient,
    lifetime_seconds: Option<u64>,
}

/// Kinds of recipient key by their names in the configuration and on the command line.
#[derive(Clone, Copy, Debug, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Recipient {
    P256,
    P384,
    P521,
    Rsa2048,
    Rsa3072,
    Rsa4096,
    X25519,
    #[default]
    XWing,
}

impl From<Recipient> for RecipientKind {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::P256 => Self::P256,
            Recipient::P384 => Self::P384,
            Recipient::P521 => Self::P521,
            Recipient::Rsa2048 => Self::Rsa2048,
            Recipient::Rsa3072 => Self::Rsa3072,
            Recipient::Rsa4096 => Self::Rsa4096,
            Recipient::X25519 => Self::X25519,
            Recipient::XWing => Self::XWing,
        }
    }
}

/// Where neighbours find the sidecar.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ListenSection {
    pub(crate) address: String,
    /// The folder of keys that `WrapKey` may use.
    pub(crate) wrap_keys: Option<PathBuf>,
}

impl Default for ListenSection {
    fn default() -> Self {
        Self { address: "127.0.0.1:8080".to_owned(), wrap_keys: None }
    }
}

/// Azure's services, or what speaks like them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct AzureSection {
    pub(crate) roots: Option<PathBuf>,
    pub(crate) metadata: Option<String>,
    pub(crate) security_context: Option<PathBuf>,
    pub(crate) client_id: Option<String>,
    pub(crate) user_agent: Option<String>,
}

impl Config {
    /// Reads a file; without one, everything is as it usually is.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError(format!("{}: {error}", path.display())))?;
        toml::from_str(&text).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
    }
}

impl HostSection {
    /// How the client library has it. `simulated`: results on simulated hardware are taken; `recipient`:
    /// instead of what is configured.
    pub(crate) fn settings(
        &self,
        simulated: bool,
        recipient: Option<Recipient>,
    ) -> Result<Settings, ConfigError> {
        let mut trust = match &self.ca {
            Some(path) => Trust::roots(read(path)?),
            None if self.pins.is_empty() => Trust::system().map_err(|error| wrong(&error))?,
            None => Trust::default(),
        };
        for pin in &self.pins {
            let bytes = HEXLOWER_PERMISSIVE.decode(pin.as_bytes()).ok();
            let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            let bytes = bytes.ok_or_else(|| wrong(&"host.pins: not 64 hexadecimal digits"))?;
            trust = trust.pinned(bytes);
        }
        let mut settings = Settings::new(&self.url, trust);
        settings.host.clone_from(&self.id);
        if let Some(tenant) = &self.tenant {
            settings.tenant.clone_from(tenant);
        }
        settings.issuer.clone_from(&self.issuer);
        if let Some(path) = &self.jwks {
            let keys = HostKeys::from_jwks(&read(path)?).map_err(|error| wrong(&error))?;
            settings.keys = Some(keys);
        }
        settings.recipient = recipient.unwrap_or(self.recipient).into();
        settings.simulated = simulated;
        Ok(settings)
    }

    /// How long a key may be used without asking again: ten minutes where nothing is said.
    pub(crate) fn renewal(&self) -> Renewal {
        Renewal::of(std::time::Duration::from_secs(self.lifetime_seconds.unwrap_or(600).max(1)))
    }
}

impl AzureSection {
    /// Roots that Azure's certificates lead to.
    pub(crate) fn trust(&self) -> Result<Trust, ConfigError> {
        match &self.roots {
            Some(path) => Ok(Trust::roots(read(path)?)),
            None => Trust::system().map_err(|error| wrong(&error)),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError(format!("{}: {error}", path.display())))
}

fn wrong(error: &dyn std::fmt::Display) -> ConfigError {
    ConfigError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_with_every_option_is_read() {
        let config: Config = toml::from_str(include_str!("full.toml")).unwrap();
        assert_eq!(config.host.unwrap().lifetime_seconds, Some(600));
        assert_eq!(config.listen.address, "127.0.0.1:8080");
    }

    #[test]
    fn an_unknown_member_is_refused() {
        for text in ["colour = 1", "[host]\nurl = \"x\"\ncolour = 1", "[platform]\nkind = \"sgx\""]
        {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pin_is_a_digest() {
        let host: HostSection = toml::from_str("url = \"https://h\"\npins = [\"abcd\"]").unwrap();
        assert!(host.settings(false, None).is_err());
    }
}
