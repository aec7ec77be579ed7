//! Keys brought in: as they are, or wrapped to a key that the vault holds for that.

use super::Actor;
use super::cipher::Tool;
use super::keys::pick;
use super::material;
use super::record::usable;
use super::types::{Imported, NewVaultKey, Operation, WrappedKey};
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::record as records;
use crate::flow::release::append;
use crate::keys::PrivateKind;
use crate::secret::Secret;

impl Host {
    /// The material that a new key comes with, unwrapped; and its whole kind, where only the family is named.
    pub(super) async fn material_of(
        &self,
        actor: Actor<'_>,
        new: &mut NewVaultKey,
    ) -> Result<Option<Secret>, Refusal> {
        let material = match new.material.take() {
            None => return Ok(None),
            Some(Imported::Plain(material)) => material,
            Some(Imported::Wrapped(wrapped)) => self.unwrap_import(actor, wrapped).await?,
        };
        if matches!(new.kind.as_str(), "ec" | "oct" | "rsa") {
            let kind = PrivateKind::name_of(&new.kind, material.expose());
            new.kind = kind.ok_or_else(|| {
                Refusal::new(Code::RequestMalformed, format!("the material is no {} key", new.kind))
            })?;
        }
        Ok(Some(material))
    }

    /// Unwraps with a key that is there for `import`, and for that needs no permission of its own. Recorded
    /// as a use of that key.
    async fn unwrap_import(
        &self,
        actor: Actor<'_>,
        wrapped: WrappedKey,
    ) -> Result<Secret, Refusal> {
        let WrappedKey { by, version, wrap, bytes } = wrapped;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let held = self.alive(&kms, tenant, &by).await?;
        let version = pick(&held.record, &by, version.as_deref())?;
        let now = self.parts.clock.now();
        usable(&version.described, &format!("{by}/{}", version.id), now)?;
        if !version.operations.contains(&Operation::Import) {
            let reason = format!("{by} is not for {:?}", Operation::Import);
            return Err(Refusal::new(Code::OperationNotAllowed, reason));
        }
        let material = material::of(&kms, tenant, &by, &version.number).await?;
        let kind = held.record.kind.clone();
        let done = tokio::task::spawn_blocking(move || {
            Tool { kind: &kind, material: &material }.unwrap_import(wrap, &bytes)
        });
        let done = done.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        let entry = records::plain(Event::KeyUsed, actor.caller, now)
            .principal(actor.principal)
            .key(&by)
            .version(version.id.as_str())
            .detail(format!("{:?}", Operation::Import));
        let entry = match &done {
            Ok(_) => entry,
            Err(refusal) => entry.refusal(refusal),
        };
        append(&self.parts.audit, &entry).await?;
        done
    }
}
