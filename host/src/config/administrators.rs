//! The tables `[[admin.administrators]]`: who administers, and what he may do.

use std::collections::BTreeSet;

use super::ConfigError;
use super::sections;
use crate::http::{Administrator, Credential};
use crate::permission::Permissions;

/// `by_certificate`: whether an authority issues client certificates.
pub(super) fn plan(
    listed: Vec<sections::Administrator>,
    by_certificate: bool,
) -> Result<Vec<Administrator>, ConfigError> {
    let mut names = BTreeSet::new();
    let mut administrators = Vec::new();
    for one in listed {
        let sections::Administrator { name, tenant, may, token_sha256, certificate_sha256 } = one;
        let wrong =
            |why: &str| Err(ConfigError::value(format!("admin.administrators: {name}"), why));
        if !names.insert(name.clone()) {
            return wrong("this name is taken");
        }
        let credential = match (token_sha256, certificate_sha256) {
            (Some(hash), None) => Credential::Token(hash.0),
            (None, Some(_)) if !by_certificate => {
                return wrong("a client certificate needs `admin.client_authority`");
            }
            (None, Some(hash)) => Credential::Certificate(hash.0),
            _ => return wrong("one of `token_sha256` and `certificate_sha256`"),
        };
        let permissions = match may {
            None => Permissions::all(),
            Some(may) => may.into_iter().collect(),
        };
        administrators.push(Administrator { name, tenant, permissions, credential });
    }
    Ok(administrators)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::permission::Permission;

    fn read(text: &str) -> Result<Vec<Administrator>, String> {
        #[derive(serde::Deserialize)]
        struct Listed {
            administrators: Vec<sections::Administrator>,
        }
        let hash = "ab".repeat(32);
        let text = format!("[[administrators]]\nname = \"a\"\ntoken_sha256 = \"{hash}\"\n{text}");
        let listed: Listed = toml::from_str(&text).map_err(|error| error.to_string())?;
        plan(listed.administrators, false).map_err(|error| error.to_string())
    }

    // attack 60
    #[test]
    fn an_administrator_may_do_what_is_listed_and_all_where_nothing_is() {
        let may = |text: &str| read(text).unwrap().remove(0).permissions;
        assert_eq!(may(""), Permissions::all());
        assert_eq!(may("may = []"), Permissions::default());
        let some = may("may = [\"release-user\", \"keys/rotate\"]");
        for permission in Permission::ALL {
            let listed = [Permission::KeysRelease, Permission::KeysRotate].contains(permission);
            assert_eq!(some.allow(*permission), listed, "{permission}");
        }
        let refused = read("may = [\"keys/everything\"]").unwrap_err();
        assert!(refused.contains("keys/everything"), "{refused}");
    }
}
