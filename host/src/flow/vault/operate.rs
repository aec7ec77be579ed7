//! Operations with keys: signed, decrypted, wrapped natively; the key does not leave the host.

use super::Actor;
use super::cipher::{Beside, Tool};
use super::keys::pick;
use super::material;
use super::record::usable;
use super::types::{Operation, Performed};
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::record as records;
use crate::flow::release::append;
use crate::permission::Permission;
use crate::secret::Secret;

/// What is to be done with a key.
#[derive(Debug)]
pub struct OperationRequest {
    /// What.
    pub operation: Operation,
    /// By which algorithm: `RSA-OAEP-256`, `ES256`, `A256GCM`.
    pub algorithm: String,
    /// The plaintext, ciphertext, key or digest.
    pub input: Secret,
    /// The signature to be verified.
    pub signature: Vec<u8>,
    /// What goes in beside it.
    pub beside: Beside,
}

impl Host {
    /// Has a key do something. Recorded before the answer: who, which key, what; never what went in
    /// or came out.
    pub async fn vault_perform(
        &self,
        actor: Actor<'_>,
        name: &str,
        version: Option<&str>,
        request: OperationRequest,
    ) -> Result<Performed, Refusal> {
        let OperationRequest { operation, algorithm, input, signature, beside } = request;
        actor.require(permission(operation)?)?;
        let (kms, tenant) = (self.kms()?, &actor.caller.tenant);
        let held = self.alive(&kms, tenant, name).await?;
        let version = pick(&held.record, name, version)?;
        let now = self.parts.clock.now();
        usable(&version.described, &format!("{name}/{}", version.id), now)?;
        if !version.operations.contains(&operation) {
            let reason = format!("{name} is not for {operation:?}");
            return Err(Refusal::new(Code::OperationNotAllowed, reason));
        }
        let material = material::of(&kms, tenant, name, &version.number).await?;
        let octets = self.parts.vault.octets(16)?;
        let octets: [u8; 16] = octets.expose().try_into().unwrap_or_default();
        let kind = held.record.kind.clone();
        let done = tokio::task::spawn_blocking(move || {
            let tool = Tool { kind: &kind, material: &material };
            perform(&tool, operation, &algorithm, &input, &signature, &beside, &octets)
        });
        let done = done.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        let entry = records::plain(Event::KeyUsed, actor.caller, now)
            .principal(actor.principal)
            .key(name)
            .version(version.id.as_str())
            .detail(format!("{operation:?}"));
        let entry = match &done {
            Ok(_) => entry,
            Err(refusal) => entry.refusal(refusal),
        };
        append(&self.parts.audit, &entry).await?;
        let performed = done?;
        Ok(Performed { version: version.id.clone(), ..performed })
    }

    /// Random octets for a client.
    pub fn vault_random(&self, count: usize) -> Result<Secret, Refusal> {
        self.parts.vault.octets(count)
    }
}

fn perform(
    tool: &Tool<'_>,
    operation: Operation,
    algorithm: &str,
    input: &Secret,
    signature: &[u8],
    beside: &Beside,
    octets: &[u8; 16],
) -> Result<Performed, Refusal> {
    let plain = |value: Secret| Performed {
        version: String::new(),
        value,
        holds: true,
        iv: None,
        tag: None,
    };
    let input = input.expose();
    match operation {
        Operation::Decrypt => Ok(plain(tool.decrypt(algorithm, input, beside)?)),
        Operation::Encrypt => {
            let sealed = tool.encrypt(algorithm, input, beside, octets)?;
            let (iv, tag) = (sealed.iv, sealed.tag);
            Ok(Performed { iv, tag, ..plain(Secret::new(sealed.value)) })
        }
        Operation::Sign => Ok(plain(Secret::new(tool.sign(algorithm, input)?))),
        Operation::UnwrapKey => Ok(plain(tool.unwrap(algorithm, input)?)),
        Operation::Verify => {
            let holds = tool.verify(algorithm, input, signature)?;
            Ok(Performed { holds, ..plain(Secret::new(Vec::new())) })
        }
        Operation::WrapKey => Ok(plain(Secret::new(tool.wrap(algorithm, input)?))),
        Operation::Export | Operation::Import => {
            Err(Refusal::new(Code::OperationNotAllowed, "nothing that a key does"))
        }
    }
}

fn permission(operation: Operation) -> Result<Permission, Refusal> {
    match operation {
        Operation::Decrypt => Ok(Permission::KeysDecrypt),
        Operation::Encrypt => Ok(Permission::KeysEncrypt),
        Operation::Sign => Ok(Permission::KeysSign),
        Operation::UnwrapKey => Ok(Permission::KeysUnwrap),
        Operation::Verify => Ok(Permission::KeysVerify),
        Operation::WrapKey => Ok(Permission::KeysWrap),
        Operation::Export | Operation::Import => {
            Err(Refusal::new(Code::OperationNotAllowed, "nothing that a key does"))
        }
    }
}
