//! What a principal may do. Every permission stands alone: who may release a key need not be able to
//! read or to enumerate.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::IntoDeserializer;
use serde::de::value::StrDeserializer;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Refusal};

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $text:literal;)*) => {
        /// One thing that may be done. The text form stands in configurations and records.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
        pub enum Permission { $($(#[$doc])* #[serde(rename = $text)] $variant,)* }

        impl Permission {
            /// Every permission.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text form: `keys/release`.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

permissions! {
    /// See what became of requests, and the audit log's checkpoint.
    AuditRead = "audit/read";
    /// Take a sealed copy of a key along.
    KeysBackup = "keys/backup";
    /// Make a key, or a version of one.
    KeysCreate = "keys/create";
    /// Decrypt with a key.
    KeysDecrypt = "keys/decrypt";
    /// Delete a key, so that it can be recovered.
    KeysDelete = "keys/delete";
    /// Encrypt with a key.
    KeysEncrypt = "keys/encrypt";
    /// See what may be known of a key; never its material.
    KeysGet = "keys/get";
    /// See when a key is rotated.
    KeysGetRotationPolicy = "keys/get-rotation-policy";
    /// Bring a key in.
    KeysImport = "keys/import";
    /// See which keys there are.
    KeysList = "keys/list";
    /// Destroy a deleted key.
    KeysPurge = "keys/purge";
    /// Take a deletion back.
    KeysRecover = "keys/recover";
    /// Have a key released to an attested recipient.
    KeysRelease = "keys/release";
    /// Bring a sealed copy of a key back.
    KeysRestore = "keys/restore";
    /// Give a key a new version.
    KeysRotate = "keys/rotate";
    /// Say when a key is rotated.
    KeysSetRotationPolicy = "keys/set-rotation-policy";
    /// Sign with a key.
    KeysSign = "keys/sign";
    /// Unwrap with a key.
    KeysUnwrap = "keys/unwrap";
    /// Change what is known of a key, and its release policy.
    KeysUpdate = "keys/update";
    /// Verify with a key.
    KeysVerify = "keys/verify";
    /// Wrap with a key.
    KeysWrap = "keys/wrap";
    /// Install, swap, roll back and disable plugins, and choose the connector that holds the keys.
    PluginsChange = "plugins/change";
    /// See which plugins there are.
    PluginsList = "plugins/list";
    /// Set attestation policies.
    PoliciesSet = "policies/set";
    /// Add and revoke reference documents.
    ReferencesChange = "references/change";
    /// See reference documents and their history.
    ReferencesList = "references/list";
    /// Take a sealed copy of a secret along.
    SecretsBackup = "secrets/backup";
    /// Delete a secret, so that it can be recovered.
    SecretsDelete = "secrets/delete";
    /// Read a secret.
    SecretsGet = "secrets/get";
    /// See which secrets there are.
    SecretsList = "secrets/list";
    /// Destroy a deleted secret.
    SecretsPurge = "secrets/purge";
    /// Take a deletion back.
    SecretsRecover = "secrets/recover";
    /// Bring a sealed copy of a secret back.
    SecretsRestore = "secrets/restore";
    /// Store a secret, or a version of one.
    SecretsSet = "secrets/set";
    /// See which keys sign attestation results.
    TokenKeysList = "token-keys/list";
    /// Have a fresh key sign attestation results.
    TokenKeysRotate = "token-keys/rotate";
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A named set of permissions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// Sees what there is, and no value.
    Auditor,
    /// Everything with keys but to use them or to have them released.
    CryptoOfficer,
    /// Uses keys.
    CryptoUser,
    /// Has keys released, and nothing else.
    ReleaseUser,
    /// Everything with secrets.
    SecretsOfficer,
    /// Reads secrets.
    SecretsUser,
}

impl Role {
    /// What it may do.
    #[must_use]
    pub fn permissions(self) -> &'static [Permission] {
        use Permission as P;
        match self {
            Self::Administrator => Permission::ALL,
            Self::Auditor => &[
                P::AuditRead,
                P::KeysGet,
                P::KeysGetRotationPolicy,
                P::KeysList,
                P::PluginsList,
                P::ReferencesList,
                P::SecretsList,
                P::TokenKeysList,
            ],
            Self::CryptoOfficer => &[
                P::KeysBackup,
                P::KeysCreate,
                P::KeysDelete,
                P::KeysGet,
                P::KeysGetRotationPolicy,
                P::KeysImport,
                P::KeysList,
                P::KeysPurge,
                P::KeysRecover,
                P::KeysRestore,
                P::KeysRotate,
                P::KeysSetRotationPolicy,
                P::KeysUpdate,
            ],
            Self::CryptoUser => &[
                P::KeysDecrypt,
                P::KeysEncrypt,
                P::KeysGet,
                P::KeysSign,
                P::KeysUnwrap,
                P::KeysVerify,
                P::KeysWrap,
            ],
            Self::ReleaseUser => &[P::KeysRelease],
            Self::SecretsOfficer => &[
                P::SecretsBackup,
                P::SecretsDelete,
                P::SecretsGet,
                P::SecretsList,
                P::SecretsPurge,
                P::SecretsRecover,
                P::SecretsRestore,
                P::SecretsSet,
            ],
            Self::SecretsUser => &[P::SecretsGet],
        }
    }
}

/// What may stand in a list of what somebody may do: a role, or one permission.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(try_from = "String")]
pub enum Allowance {
    /// One thing.
    Permission(Permission),
    /// All that a role may do.
    Role(Role),
}

impl TryFrom<String> for Allowance {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let permission = Permission::ALL.iter().find(|permission| permission.as_str() == text);
        if let Some(permission) = permission {
            return Ok(Self::Permission(*permission));
        }
        let name: StrDeserializer<'_, serde::de::value::Error> = text.as_str().into_deserializer();
        let role = Role::deserialize(name);
        role.map(Self::Role).map_err(|_| format!("{text:?} is neither a role nor a permission"))
    }
}

impl FromIterator<Allowance> for Permissions {
    fn from_iter<I: IntoIterator<Item = Allowance>>(allowances: I) -> Self {
        let each = allowances.into_iter().flat_map(|allowance| match allowance {
            Allowance::Permission(permission) => vec![permission],
            Allowance::Role(role) => role.permissions().to_vec(),
        });
        each.collect()
    }
}

/// What one principal may do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether it may.
    #[must_use]
    pub fn allow(&self, permission: Permission) -> bool {
        self.0.contains(&permission)
    }

    /// The refusal of what it may not.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn require(&self, permission: Permission, principal: &str) -> Result<(), Refusal> {
        match self.allow(permission) {
            true => Ok(()),
            false => Err(Refusal::new(
                Code::Forbidden,
                format!("{principal} has no permission {permission}"),
            )),
        }
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_release_can_neither_read_nor_enumerate() {
        let release: Permissions = Role::ReleaseUser.permissions().iter().copied().collect();
        for permission in Permission::ALL {
            let may = *permission == Permission::KeysRelease;
            assert_eq!(release.require(*permission, "w").is_ok(), may, "{permission}");
        }
        // Nor does anybody who administers keys or uses them have them released.
        for role in [Role::Auditor, Role::CryptoOfficer, Role::CryptoUser, Role::SecretsOfficer] {
            assert!(!role.permissions().contains(&Permission::KeysRelease), "{role:?}");
        }
    }

    #[test]
    fn an_allowance_is_a_role_or_a_permission() {
        let parse = |text: &str| Allowance::try_from(text.to_owned());
        assert_eq!(parse("keys/rotate"), Ok(Allowance::Permission(Permission::KeysRotate)));
        assert_eq!(parse("crypto-officer"), Ok(Allowance::Role(Role::CryptoOfficer)));
        for wrong in ["", "keys/*", "keys", "Auditor", "crypto_officer", "keys/rotate "] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        let both = [parse("release-user").unwrap(), parse("keys/list").unwrap()];
        let both: Permissions = both.into_iter().collect();
        assert_eq!(both, [Permission::KeysRelease, Permission::KeysList].into_iter().collect());
    }

    #[test]
    fn the_text_of_a_permission_is_what_configurations_have() {
        for permission in Permission::ALL {
            let text = format!("\"{permission}\"");
            assert_eq!(serde_json::from_str::<Permission>(&text).unwrap(), *permission);
        }
    }
}
