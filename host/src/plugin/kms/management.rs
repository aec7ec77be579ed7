//! Keys created, rotated, listed, disabled and deleted through a connector that can.

use std::time::Duration;

use wasmtime::component::Resource;

use super::answer::{self, KeySummary, KmsFailure};
use super::bindings::managed::ManagedKmsPlugin;
use super::bindings::managed::exports::claviger::plugin::key_management as wit;
use super::call::KmsCall;
use super::{KeyReference, KmsPlugin, check_name};
use crate::plugin::call::Call;
use crate::plugin::import::material::Material;
use crate::plugin::limits::{Limits, Metered};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// How long a call of key management may last: generating a large RSA key takes seconds.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// The most keys or versions in one answer.
const MOST: usize = 1_000;

/// The longest cursor, in bytes.
const CURSOR: usize = 512;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its name, under which there is none yet.
    pub name: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`, `ed25519`.
    pub kind: String,
    /// Whether it may ever be released.
    pub exportable: bool,
    /// Given material to import (PKCS#8, or raw bytes for `oct`); none to have it generated.
    pub material: Option<Secret>,
}

impl KmsPlugin {
    /// Makes a key, or imports one.
    pub async fn create(&self, tenant: &Tenant, key: NewKey) -> Result<KeySummary, KmsFailure> {
        check_name(&key.name)?;
        let (mut call, instance) = self.managed(tenant).await?;
        let name = key.name.clone();
        let material = key.material.map(|material| hand_over(&mut call, material));
        let key = wit::NewKey {
            name: key.name,
            kind: key.kind,
            exportable: key.exportable,
            key: material.transpose()?,
        };
        let guest = instance.claviger_plugin_key_management();
        let created = guest.call_create(call.store(), &key).await;
        self.summary(&mut call, created, Some(&name))
    }

    /// Adds a version to a key, which is released from now on where no version is named.
    pub async fn rotate(&self, tenant: &Tenant, name: &str) -> Result<KeySummary, KmsFailure> {
        check_name(name)?;
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let rotated = guest.call_rotate(call.store(), name).await;
        self.summary(&mut call, rotated, Some(name))
    }

    /// A page of the tenant's keys (the latest version of each), and the cursor of the next page.
    pub async fn list(
        &self,
        tenant: &Tenant,
        cursor: Option<&str>,
    ) -> Result<(Vec<KeySummary>, Option<String>), KmsFailure> {
        if cursor.is_some_and(|cursor| cursor.len() > CURSOR) {
            return Err(KmsFailure::Malformed("not a cursor".into()));
        }
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let listed = guest.call_list(call.store(), cursor).await;
        let (keys, next) = self.ended(&mut call, listed)?;
        if next.as_ref().is_some_and(|next| next.len() > CURSOR) {
            return self.told(Err(KmsFailure::Invalid("the cursor is too long".into())));
        }
        let keys = self.summaries(&mut call, keys, None)?;
        let unrepeated = call.store().data().known().check(&[next.as_deref().unwrap_or_default()]);
        self.told(unrepeated)?;
        Ok((keys, next))
    }

    /// Every version of a key, oldest first.
    pub async fn versions(
        &self,
        tenant: &Tenant,
        name: &str,
    ) -> Result<Vec<KeySummary>, KmsFailure> {
        check_name(name)?;
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let versions = guest.call_versions(call.store(), name).await;
        let versions = self.ended(&mut call, versions)?;
        self.summaries(&mut call, versions, Some(name))
    }

    /// What is known of a key, or of one version.
    pub async fn get(&self, tenant: &Tenant, key: &KeyReference) -> Result<KeySummary, KmsFailure> {
        key.check()?;
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let found = guest.call_get(call.store(), &reference(key)).await;
        self.summary(&mut call, found, Some(&key.name))
    }

    /// Enables or disables a version, or without one the key as a whole.
    pub async fn set_enabled(
        &self,
        tenant: &Tenant,
        key: &KeyReference,
        enabled: bool,
    ) -> Result<KeySummary, KmsFailure> {
        key.check()?;
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let changed = guest.call_set_enabled(call.store(), &reference(key), enabled).await;
        self.summary(&mut call, changed, Some(&key.name))
    }

    /// Removes a key with all its versions.
    pub async fn delete(&self, tenant: &Tenant, name: &str) -> Result<(), KmsFailure> {
        check_name(name)?;
        let (mut call, instance) = self.managed(tenant).await?;
        let guest = instance.claviger_plugin_key_management();
        let deleted = guest.call_delete(call.store(), name).await;
        self.ended(&mut call, deleted)
    }

    async fn managed(
        &self,
        tenant: &Tenant,
    ) -> Result<(Call<KmsCall>, ManagedKmsPlugin), KmsFailure> {
        let Some(pre) = &self.management else {
            let why = "this connector does not manage keys";
            return Err(KmsFailure::Unsupported(why.into()));
        };
        let mut call = self.call(tenant, self.longer()).await?;
        let instance = pre.instantiate_async(call.store()).await;
        let instance = call.end(instance)?;
        Ok((call, instance))
    }

    pub(super) fn longer(&self) -> Limits {
        Limits {
            deadline: self.services.limits.deadline.max(DEADLINE),
            ..self.services.limits.clone()
        }
    }

    fn ended<R>(
        &self,
        call: &mut Call<KmsCall>,
        result: wasmtime::Result<Result<R, wit::Error>>,
    ) -> Result<R, KmsFailure> {
        let result = call.end(result)?;
        let known = call.store().data().known();
        result.map_err(|error| answer::management_failure(error, &known))
    }

    fn summary(
        &self,
        call: &mut Call<KmsCall>,
        result: wasmtime::Result<Result<wit::KeySummary, wit::Error>>,
        name: Option<&str>,
    ) -> Result<KeySummary, KmsFailure> {
        let summary = self.ended(call, result)?;
        let checked = answer::summary(summary, name);
        self.told(checked.and_then(|summary| unrepeating(call, summary)))
    }

    fn summaries(
        &self,
        call: &mut Call<KmsCall>,
        keys: Vec<wit::KeySummary>,
        name: Option<&str>,
    ) -> Result<Vec<KeySummary>, KmsFailure> {
        if keys.len() > MOST {
            return self.told(Err(KmsFailure::Invalid("too many keys at once".into())));
        }
        let checked = keys.into_iter().map(|key| unrepeating(call, answer::summary(key, name)?));
        self.told(checked.collect())
    }
}

/// The summary, where it repeats no secret.
pub(super) fn unrepeating(
    call: &mut Call<KmsCall>,
    summary: KeySummary,
) -> Result<KeySummary, KmsFailure> {
    let known = call.store().data().known();
    known.check(&[&summary.name, &summary.kind, &summary.version])?;
    Ok(summary)
}

pub(super) fn hand_over(
    call: &mut Call<KmsCall>,
    material: Secret,
) -> Result<Resource<Material>, KmsFailure> {
    let handle = call.store().data_mut().meter().push(Material::unknown(material));
    Ok(call.end(handle)?)
}

fn reference(key: &KeyReference) -> wit::KeyReference {
    wit::KeyReference { name: key.name.clone(), version: key.version.clone() }
}
