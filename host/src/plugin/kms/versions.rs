//! Versions of keys taken in, and given out whole for a sealed copy, by a connector that can.

use super::answer::{self, KeySummary, KmsFailure};
use super::bindings::versioned::VersionedKmsPlugin;
use super::bindings::versioned::exports::claviger::plugin::key_versions as wit;
use super::call::KmsCall;
use super::management::{hand_over, unrepeating};
use super::{KeyReference, KmsPlugin, check_name};
use crate::plugin::call::Call;
use crate::plugin::import::material::Material;
use crate::plugin::limits::Metered;
use crate::secret::Secret;
use crate::tenant::Tenant;

impl KmsPlugin {
    /// Adds a version of given material to a key, of the key's kind, which is released from now on where no
    /// version is named.
    pub async fn add_version(
        &self,
        tenant: &Tenant,
        name: &str,
        material: Secret,
    ) -> Result<KeySummary, KmsFailure> {
        check_name(name)?;
        let (mut call, instance) = self.versioned(tenant).await?;
        let material = hand_over(&mut call, material)?;
        let added =
            instance.claviger_plugin_key_versions().call_add(call.store(), name, material).await;
        let summary = version(&mut call, added)?;
        let checked = answer::summary(summary.into(), Some(name));
        self.told(checked.and_then(|summary| unrepeating(&mut call, summary)))
    }

    /// The material of a version, of a disabled one too, for a copy that the host seals.
    pub async fn open_version(
        &self,
        tenant: &Tenant,
        key: &KeyReference,
    ) -> Result<Secret, KmsFailure> {
        key.check()?;
        let (mut call, instance) = self.versioned(tenant).await?;
        let wanted = wit::KeyReference { name: key.name.clone(), version: key.version.clone() };
        let opened = instance.claviger_plugin_key_versions().call_open(call.store(), &wanted).await;
        let handle = version(&mut call, opened)?;
        let table = &mut call.store().data_mut().meter().table;
        let taken = table.delete(handle).map_err(|_| "the handle is not one of a key");
        let taken = taken.and_then(|Material { secret, known }| match (secret.is_empty(), known) {
            (true, _) => Err("the material is empty"),
            (false, true) if !self.services.reads_key_material => {
                Err("the key is one that the connector knows, without the grant")
            }
            (false, _) => Ok(secret),
        });
        self.told(taken.map_err(|lie| KmsFailure::Invalid(lie.into())))
    }

    async fn versioned(
        &self,
        tenant: &Tenant,
    ) -> Result<(Call<KmsCall>, VersionedKmsPlugin), KmsFailure> {
        let Some(pre) = &self.versions else {
            let why = "this connector takes no versions in";
            return Err(KmsFailure::Unsupported(why.into()));
        };
        let mut call = self.call(tenant, self.longer()).await?;
        let instance = pre.instantiate_async(call.store()).await;
        let instance = call.end(instance)?;
        Ok((call, instance))
    }
}

fn version<R>(
    call: &mut Call<KmsCall>,
    result: wasmtime::Result<Result<R, wit::Error>>,
) -> Result<R, KmsFailure> {
    let result = call.end(result)?;
    let known = call.store().data().known();
    result.map_err(|error| answer::versions_failure(error, &known))
}
