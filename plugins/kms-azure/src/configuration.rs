//! The operator's settings, checked whole before the first request.

use claviger_plugin_sdk::kms::material::Encoding;
use claviger_plugin_sdk::kms::{Error, settings};
use claviger_plugin_sdk::setting::{self, wrong};

/// Where keys come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// Exportable keys with a release policy of the vault's own: secure key release.
    Release,
    /// Secrets.
    Secret,
}

/// The settings of one call.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) vault: String,
    pub(crate) source: Source,
    pub(crate) prefix: String,
    pub(crate) api_version: String,
    pub(crate) encoding: Encoding,
    pub(crate) media_type: String,
    pub(crate) release_policy: Option<String>,
}

impl Configuration {
    /// The settings as they are.
    pub(crate) fn read() -> Result<Self, Error> {
        Self::of(settings::get)
    }

    fn of(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let or = |name: &str, default: &str| get(name).unwrap_or_else(|| default.into());
        let source = match or("source", "release").as_str() {
            "release" => Source::Release,
            "secret" => Source::Secret,
            _ => return wrong("source", "is release or secret"),
        };
        let encoding = setting::encoding(&or("encoding", "base64"))?;
        let vault = or("vault", "").trim_end_matches('/').to_owned();
        if !vault.starts_with("https://") {
            return wrong("vault", "is missing: https://name.vault.azure.net");
        }
        let tenant = or("tenant", "default");
        // Names there have no other mark than the dash, which tenants and keys may have too: with its
        // length before it no tenant's name flows into a key's.
        let prefix = get("prefix").unwrap_or_else(|| format!("{}-{tenant}-", tenant.len()));
        if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return wrong("prefix", "is made of A-Z, a-z, 0-9 and -");
        }
        let api_version = or("api-version", "7.4");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if api_version.is_empty() || !api_version.bytes().all(plain) {
            return wrong("api-version", "is one like 7.4 or 2025-07-01");
        }
        let octets = "application/octet-stream";
        let media_type = or("media-type", octets);
        let release_policy = get("release-policy");
        Ok(Self { vault, source, prefix, api_version, encoding, media_type, release_policy })
    }

    /// What the vault calls a key.
    pub(crate) fn name(&self, key: &str) -> Result<String, Error> {
        let name = format!("{}{key}", self.prefix);
        match name.len() <= 127 {
            true => Ok(name),
            false => Err(Error::Malformed("the name is longer than one is there".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[(&str, &str)]) -> Result<Configuration, Error> {
        Configuration::of(|name| {
            let vault = ("vault", "https://v.vault.azure.net");
            let mut all = given.iter().chain([&vault]);
            all.find(|(given, _)| *given == name).map(|(_, value)| (*value).to_owned())
        })
    }

    // attack 6
    #[test]
    fn no_two_tenants_have_the_same_name_for_a_key() {
        let name = |tenant: &str, key: &str| of(&[("tenant", tenant)]).unwrap().name(key).unwrap();
        assert_eq!(name("default", "k"), "7-default-k");
        assert_ne!(name("a", "b-c"), name("a-b", "c"));
        assert_ne!(name("a--b", "c"), name("a", "b--c"));
    }

    #[test]
    fn a_setting_that_means_nothing_is_refused_by_name() {
        for (name, value) in [
            ("source", "key"),
            ("encoding", "base32"),
            ("prefix", "a/b"),
            ("api-version", "7.4&x=y"),
        ] {
            let Err(Error::Misconfigured(words)) = of(&[(name, value)]) else {
                panic!("{name}: another answer");
            };
            assert!(words.contains(name), "{words}");
        }
        let none = Configuration::of(|_| None).unwrap_err();
        assert!(matches!(none, Error::Misconfigured(words) if words.contains("vault")));
    }
}
