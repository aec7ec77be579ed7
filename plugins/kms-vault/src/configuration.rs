//! The operator's settings, checked whole before the first request.

use claviger_plugin_sdk::kms::material::Encoding;
use claviger_plugin_sdk::kms::{Error, settings};
use claviger_plugin_sdk::setting::{self, wrong};

/// Where keys come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    /// A field of a secret without versions.
    KvV1,
    /// A field of a secret with versions.
    KvV2,
    /// Data keys of the host's, wrapped under a key of the transit engine.
    TransitDatakey,
    /// Exportable keys of the transit engine.
    TransitExport,
}

/// The settings of one call.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) address: String,
    pub(crate) engine: Engine,
    pub(crate) mount: String,
    pub(crate) path: String,
    pub(crate) namespace: Option<String>,
    pub(crate) field: String,
    pub(crate) encoding: Encoding,
    pub(crate) media_type: String,
    pub(crate) export: String,
    pub(crate) kek: String,
}

impl Configuration {
    /// The settings as they are.
    pub(crate) fn read() -> Result<Self, Error> {
        Self::of(settings::get)
    }

    fn of(get: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let or = |name: &str, default: &str| get(name).unwrap_or_else(|| default.into());
        let engine = match or("engine", "kv-v2").as_str() {
            "kv-v1" => Engine::KvV1,
            "kv-v2" => Engine::KvV2,
            "transit-datakey" => Engine::TransitDatakey,
            "transit-export" => Engine::TransitExport,
            _ => return wrong("engine", "is kv-v1, kv-v2, transit-export or transit-datakey"),
        };
        let tenant = or("tenant", "default");
        let (mount, path) = match engine {
            Engine::KvV1 | Engine::KvV2 => ("secret", format!("claviger/{tenant}/")),
            // Names have no slashes there, and neither tenants nor keys have dots.
            Engine::TransitDatakey | Engine::TransitExport => {
                ("transit", format!("claviger.{tenant}."))
            }
        };
        let encoding = setting::encoding(&or("encoding", "base64"))?;
        let address = or("address", "");
        let address = address.trim_end_matches('/').to_owned();
        if address.is_empty() {
            return wrong("address", "is missing: https://vault.example:8200");
        }
        let configuration = Self {
            address,
            engine,
            mount: or("mount", mount).trim_matches('/').to_owned(),
            path: get("path").unwrap_or(path),
            namespace: get("namespace").filter(|namespace| !namespace.is_empty()),
            field: or("field", "value"),
            encoding,
            media_type: or("media-type", "application/octet-stream"),
            export: or("export", "encryption-key"),
            kek: or("kek", "claviger"),
        };
        configuration.check()?;
        Ok(configuration)
    }

    fn check(&self) -> Result<(), Error> {
        let parts =
            |text: &str| text.split('/').all(|part| is_plain(part) && !part.starts_with('.'));
        if !parts(&self.mount) {
            return wrong("mount", "has characters that a path cannot have here");
        }
        let path = self.path.trim_start_matches('/').trim_end_matches('/');
        if !path.is_empty() && !parts(path) {
            return wrong("path", "has characters that a path cannot have here");
        }
        if !is_plain(&self.field) {
            return wrong("field", "is made of A-Z, a-z, 0-9, . _ -");
        }
        if !is_plain(&self.kek) {
            return wrong("kek", "is made of A-Z, a-z, 0-9, . _ -");
        }
        if !["encryption-key", "signing-key", "hmac-key"].contains(&self.export.as_str()) {
            return wrong("export", "is encryption-key, signing-key or hmac-key");
        }
        Ok(())
    }

    /// A key's place: the operator's beginning, and the name as the host checked it.
    pub(crate) fn place(&self, name: &str) -> String {
        format!("{}{name}", self.path.trim_start_matches('/'))
    }
}

fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !text.is_empty() && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(given: &[(&str, &str)]) -> Result<Configuration, Error> {
        let address = ("address", "https://vault:8200/");
        let given: Vec<_> = given.iter().chain([&address]).copied().collect();
        Configuration::of(|name| {
            let found = given.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_address_is_enough_and_each_tenant_has_its_own_place() {
        let made = of(&[("tenant", "acme")]).unwrap();
        assert_eq!(made.address, "https://vault:8200");
        assert_eq!((made.mount.as_str(), made.engine), ("secret", Engine::KvV2));
        assert_eq!(made.place("k"), "claviger/acme/k");
        let made = of(&[("tenant", "acme"), ("engine", "transit-export")]).unwrap();
        assert_eq!(made.place("k"), "claviger.acme.k");
    }

    // attack 40
    #[test]
    fn what_would_lead_elsewhere_or_means_nothing_is_refused_by_name() {
        for (name, value) in [
            ("engine", "kv"),
            ("encoding", "base32"),
            ("mount", "secret/../sys"),
            ("mount", ""),
            ("path", "a//b/"),
            ("path", "../"),
            ("path", "a?b"),
            ("field", "a/b"),
            ("kek", "a/b"),
            ("export", "public-key"),
        ] {
            let refused = of(&[(name, value)]).unwrap_err();
            let Error::Misconfigured(words) = refused else { panic!("{name}: another error") };
            assert!(words.contains(name), "{words}");
        }
        let none = Configuration::of(|_| None).unwrap_err();
        assert!(matches!(none, Error::Misconfigured(words) if words.contains("address")));
    }
}
