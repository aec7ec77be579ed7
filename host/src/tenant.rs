//! Tenants: every key, policy, challenge and record belongs to one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A tenant's name: `[a-z0-9]` first, then up to 62 of `[a-z0-9-]`. The narrow alphabet leaves no
/// second spelling of the same tenant and nothing that means something in a path.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

/// The text is not a tenant's name.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a tenant's name is 1 to 63 of a-z, 0-9 and '-', and does not start with '-'")]
pub struct InvalidTenant;

impl Tenant {
    /// Parses a name.
    pub fn parse(name: &str) -> Result<Self, InvalidTenant> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid =
            (1..=63).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('-');
        if valid { Ok(Self(name.to_owned())) } else { Err(InvalidTenant) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    /// The tenant of requests that name none.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Tenant {
    type Error = InvalidTenant;

    fn try_from(name: String) -> Result<Self, InvalidTenant> {
        Self::parse(&name)
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_has_one_spelling() {
        // attack 40
        for name in ["default", "a", "team-7", &"x".repeat(63)] {
            assert_eq!(Tenant::parse(name).unwrap().as_str(), name);
        }
        for name in ["", "-a", "A", "a/b", "..", "a%2fb", "tëam", "a b", &"x".repeat(64)] {
            assert!(Tenant::parse(name).is_err(), "{name}");
        }
    }
}
