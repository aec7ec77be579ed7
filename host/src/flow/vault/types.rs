//! What front doors bring to a vault, and what they take back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::flow::request::NewReleasePolicy;
use crate::keys::RsaAesKeyWrap;
use crate::secret::Secret;
use crate::tenant::Tenant;

const DAY: u64 = 86_400;

/// How long a deleted key or secret can be recovered, in days; then it is purged when it is next seen.
#[derive(Clone, Debug)]
pub struct Recoverable {
    /// Of tenants that are not named.
    pub days: u64,
    /// Of tenants that are.
    pub of: BTreeMap<Tenant, u64>,
}

impl Recoverable {
    /// What may be said, as Azure Key Vault has it.
    pub const RANGE: std::ops::RangeInclusive<u64> = 7..=90;

    /// Of this tenant.
    #[must_use]
    pub fn days(&self, tenant: &Tenant) -> u64 {
        self.of.get(tenant).copied().unwrap_or(self.days)
    }
}

impl Default for Recoverable {
    fn default() -> Self {
        Self { days: *Self::RANGE.end(), of: BTreeMap::new() }
    }
}

/// What may be changed of a version at any time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Attributes {
    /// Whether it may be used; enabled where absent.
    pub enabled: Option<bool>,
    /// Not used before this moment.
    pub not_before: Option<Timestamp>,
    /// Not used from this moment on.
    pub expires: Option<Timestamp>,
}

/// What a key can be used for, as JWKs name it (RFC 7517, section 4.3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Decrypt.
    Decrypt,
    /// Encrypt.
    Encrypt,
    /// Leave by release. It changes nothing here: the attribute `exportable` does.
    Export,
    /// Import what is wrapped to it.
    Import,
    /// Sign.
    Sign,
    /// Unwrap.
    UnwrapKey,
    /// Verify.
    Verify,
    /// Wrap.
    WrapKey,
}

/// Material that is brought in: PKCS#8, or raw bytes for `oct`.
#[derive(Clone, Debug)]
pub enum Imported {
    /// As it is.
    Plain(Secret),
    /// Wrapped.
    Wrapped(WrappedKey),
}

/// Material wrapped to an RSA key of the same vault that is there for `import`.
#[derive(Clone, Debug)]
pub struct WrappedKey {
    /// The name of the key that it is wrapped to.
    pub by: String,
    /// That key's version; the newest where none is named.
    pub version: Option<String>,
    /// How it is wrapped.
    pub wrap: RsaAesKeyWrap,
    /// The octets: an AES key encrypted with RSA-OAEP, and the material under that.
    pub bytes: Vec<u8>,
}

/// A key to be made, imported, or given another version.
#[derive(Clone, Debug)]
pub struct NewVaultKey {
    /// Its name. Where there is such a key already it gets a version.
    pub name: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`; of an import only the family will do: `oct`, `rsa`, `ec`.
    pub kind: String,
    /// Whether clients are told that it is in hardware, as they asked; here it is as every key is.
    pub hardware: bool,
    /// Given material; none: it is generated.
    pub material: Option<Imported>,
    /// Of the first version.
    pub attributes: Attributes,
    /// What it can be used for; what its kind can do where absent.
    pub operations: Option<Vec<Operation>>,
    /// The operator's own words.
    pub tags: BTreeMap<String, String>,
    /// Whether it may be released; then it has a release policy.
    pub exportable: bool,
    /// When it may be released.
    pub release_policy: Option<NewReleasePolicy>,
}

/// What changes of a key; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// Of the version.
    pub attributes: Attributes,
    /// What it can be used for.
    pub operations: Option<Vec<Operation>>,
    /// All of them.
    pub tags: Option<BTreeMap<String, String>>,
    /// Of the key, whichever version is named.
    pub release_policy: Option<NewReleasePolicy>,
    /// Whether it may be released, which never changes.
    pub exportable: Option<bool>,
}

/// A version of a key, without anything secret.
#[derive(Clone, Debug)]
pub struct KeyDescription {
    /// The key's name.
    pub name: String,
    /// The version's identifier: 32 lower-case hexadecimal digits, never given twice.
    pub version: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`.
    pub kind: String,
    /// Whether clients are told that it is in hardware.
    pub hardware: bool,
    /// The public part, a JWK without `kid`; none for `oct`.
    pub public: Option<Value>,
    /// What it can be used for.
    pub operations: Vec<Operation>,
    /// Whether, from when and until when it may be used; when it was made and changed.
    pub described: Described,
    /// Whether it may be released.
    pub exportable: bool,
    /// When it may be released.
    pub release_policy: Option<NewReleasePolicy>,
    /// How long it can be recovered once it is deleted, in days.
    pub recoverable_days: u64,
}

/// What keys and secrets have in common.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Described {
    /// Whether it may be used.
    pub enabled: bool,
    /// Not used before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Not used from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// The operator's own words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// A version of a secret, without its value.
#[derive(Clone, Debug)]
pub struct SecretDescription {
    /// The secret's name.
    pub name: String,
    /// The version's identifier: 32 lower-case hexadecimal digits, never given twice.
    pub version: String,
    /// What is inside, in its owner's words.
    pub content_type: Option<String>,
    /// The rest.
    pub described: Described,
    /// When it may be released; one that has such a policy is never read.
    pub release_policy: Option<NewReleasePolicy>,
    /// How long it can be recovered once it is deleted, in days.
    pub recoverable_days: u64,
}

/// A deletion that can be taken back.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// When it was deleted.
    pub deleted: Timestamp,
    /// From when on it cannot be recovered.
    pub purge: Timestamp,
}

impl Deletion {
    /// Now, for so many days.
    pub(super) fn now(now: Timestamp, days: u64) -> Self {
        Self { deleted: now, purge: now.plus(days.saturating_mul(DAY)) }
    }

    /// For how many days it can be taken back, counted from its beginning.
    pub(super) fn days(self) -> Option<u64> {
        self.purge.0.checked_sub(self.deleted.0).map(|seconds| seconds / DAY)
    }
}

/// Some of many.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins; none: there is none.
    pub next: Option<String>,
}

/// When a key gets a version of its own accord.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RotationPolicy {
    /// What is done, and when.
    pub actions: Vec<LifetimeAction>,
    /// How long a version made by rotation is valid (ISO 8601).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    /// When the policy was first set; none: it is the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// When it was last set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
}

/// One action of a rotation policy.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LifetimeAction {
    /// When.
    pub trigger: Trigger,
    /// Whether the key is rotated; else its owner would be told, which nobody does here.
    pub rotate: bool,
}

/// When an action is due; a duration of ISO 8601.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// So long after the version was made.
    AfterCreation(String),
    /// So long before it expires.
    BeforeExpiry(String),
}

/// What came of an operation with a key.
#[derive(Debug)]
pub struct Performed {
    /// The version that was used.
    pub version: String,
    /// Ciphertext, plaintext or signature; for a verification empty.
    pub value: Secret,
    /// Whether a signature holds; true for other operations.
    pub holds: bool,
    /// The initialisation vector that was used.
    pub iv: Option<Vec<u8>>,
    /// The authentication tag that was made.
    pub tag: Option<Vec<u8>>,
}
