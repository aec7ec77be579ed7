//! Store keys: how they are spelled, and which names may stand in them.
//!
//! ```text
//! t/{tenant}/plugin/{plugin}/key/{name}      a sealed key of a plugin
//! t/{tenant}/plugin/{plugin}/record/{name}   a sealed record of a plugin
//! t/{tenant}/{collection}/{name}             what the host itself keeps
//! chip/snp/{chip id}                         the highest TCB that a chip has shown
//! host/audit-key                             the key that signs audit checkpoints
//! host/connector                             which connector an administrator chose
//! host/data-key                              the wrapped data key
//! host/plugin-cache-key                      the key that authenticates compiled plugins
//! host/plugins                               which installed plugins serve
//! host/token-keys                            the keys that sign attestation tokens
//! ```
//! Every part is checked against an alphabet without separators, dots at the beginning, escapes,
//! control characters or anything beyond ASCII, so that two keys are the same only where they are
//! the same bytes and no part can climb out of its place.

use crate::tenant::Tenant;

/// Where the wrapped data key stands.
pub const DATA_KEY: &str = "host/data-key";

/// Where it stands which connector an administrator chose.
pub const CONNECTOR: &str = "host/connector";

/// Where it stands which installed plugins serve.
pub const PLUGINS: &str = "host/plugins";

/// The longest name of a key, in bytes.
const LONGEST_NAME: usize = 127;

/// The longest name that a plugin may give to a record, in bytes.
const LONGEST_ITEM: usize = 512;

/// The name may not stand in a store key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a permitted name: {0}")]
pub struct NotAName(pub &'static str);

/// A key's name as clients give it: `[A-Za-z0-9][A-Za-z0-9-]{0,126}`.
pub fn check_key_name(name: &str) -> Result<&str, NotAName> {
    const RULE: NotAName =
        NotAName("a key's name is 1 to 127 of A-Z, a-z, 0-9 and -, and does not begin with -");
    part(name, b"-").ok_or(RULE)
}

/// A plugin's name: the same alphabet as a key's name.
pub fn check_plugin_name(name: &str) -> Result<&str, NotAName> {
    const RULE: NotAName =
        NotAName("a plugin's name is 1 to 127 of A-Z, a-z, 0-9 and -, and does not begin with -");
    part(name, b"-").ok_or(RULE)
}

/// What a plugin calls its own: parts of `[A-Za-z0-9][A-Za-z0-9._-]{0,126}` with `/` between them,
/// at most 512 bytes.
pub fn check_item(name: &str) -> Result<&str, NotAName> {
    const RULE: NotAName = NotAName(
        "a record's name is made of A-Z, a-z, 0-9, . _ - in parts parted by /, each beginning with \
         a letter or a digit, and has at most 512 bytes",
    );
    let parts = name.split('/').all(|item| part(item, b"._-").is_some());
    (parts && name.len() <= LONGEST_ITEM).then_some(name).ok_or(RULE)
}

/// The beginning of such a name, to list by: a whole name, one that ends with `/`, or nothing.
pub fn check_item_prefix(prefix: &str) -> Result<&str, NotAName> {
    match prefix.strip_suffix('/').unwrap_or(prefix) {
        "" if prefix.is_empty() => Ok(prefix),
        item => check_item(item).map(|_| prefix),
    }
}

fn part<'a>(name: &'a str, marks: &[u8]) -> Option<&'a str> {
    let mut bytes = name.bytes();
    let first = bytes.next()?.is_ascii_alphanumeric();
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || marks.contains(&byte));
    (first && rest && name.len() <= LONGEST_NAME).then_some(name)
}

/// What the host keeps of a tenant under `collection`: the key of one, by its checked name.
pub fn of_tenant(tenant: &Tenant, collection: &'static str, name: &str) -> String {
    format!("t/{tenant}/{collection}/{name}")
}

/// One plugin's place in one tenant. The only way to the store that a plugin has.
#[derive(Clone, Debug)]
pub struct PluginSpace {
    prefix: String,
}

impl PluginSpace {
    /// The place of `plugin` in `tenant`.
    pub fn new(tenant: &Tenant, plugin: &str) -> Result<Self, NotAName> {
        let plugin = check_plugin_name(plugin)?;
        Ok(Self { prefix: format!("t/{tenant}/plugin/{plugin}/") })
    }

    /// The store key of the plugin's sealed key `name`.
    pub fn key(&self, name: &str) -> Result<String, NotAName> {
        Ok(format!("{}key/{}", self.prefix, check_item(name)?))
    }

    /// The store key of the plugin's record `name`.
    pub fn record(&self, name: &str) -> Result<String, NotAName> {
        Ok(format!("{}record/{}", self.prefix, check_item(name)?))
    }

    /// The beginning of the store keys of the plugin's records that begin with `prefix`.
    pub fn records(&self, prefix: &str) -> Result<String, NotAName> {
        Ok(format!("{}record/{}", self.prefix, check_item_prefix(prefix)?))
    }

    /// What the plugin itself calls the record under the store key `key`.
    #[must_use]
    pub fn record_name<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.prefix.as_str())?.strip_prefix("record/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 40
    #[test]
    fn a_name_cannot_climb_out_or_look_like_another() {
        for bad in [
            "",
            "-",
            "-a",
            "a/b",
            "..",
            "a..",
            "a.b",
            "a%2fb",
            "a b",
            "a\n",
            "a\0b",
            "\u{43a}ey",
            "a_b",
        ] {
            assert!(check_key_name(bad).is_err(), "{bad:?}");
            assert!(check_plugin_name(bad).is_err(), "{bad:?}");
        }
        assert!(check_key_name(&"k".repeat(127)).is_ok());
        assert!(check_key_name(&"k".repeat(128)).is_err());
        for bad in ["", "/", "a/", "/a", "a//b", "../a", "a/..", "a/.b", ".", "a/%2e", "a\u{301}"] {
            assert!(check_item(bad).is_err(), "{bad:?}");
        }
        assert_eq!(check_item("v/key-1/00000001"), Ok("v/key-1/00000001"));
        assert!(check_item(&["a"; 257].join("/")).is_err());
        for good in ["", "a", "a/", "a/b/"] {
            assert!(check_item_prefix(good).is_ok(), "{good:?}");
        }
        for bad in ["/", "//", "a//", "../"] {
            assert!(check_item_prefix(bad).is_err(), "{bad:?}");
        }
    }

    // attack 51
    #[test]
    fn the_places_of_two_plugins_or_tenants_share_no_key() {
        let a = PluginSpace::new(&Tenant::default(), "kms-a").unwrap();
        let b = PluginSpace::new(&Tenant::default(), "kms-a-b").unwrap();
        let c = PluginSpace::new(&Tenant::parse("other").unwrap(), "kms-a").unwrap();
        let key = a.record("x").unwrap();
        assert_eq!(key, "t/default/plugin/kms-a/record/x");
        assert_eq!(a.record_name(&key), Some("x"));
        assert_eq!(b.record_name(&key), None);
        assert_eq!(c.record_name(&key), None);
        assert!(!b.records("").unwrap().starts_with(&a.records("").unwrap()));
        assert_ne!(a.key("x").unwrap(), key);
    }
}
