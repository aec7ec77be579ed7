//! A guest with a virtual TPM (Azure's guest attestation protocol 2.0). Its paravisor's report vouches for
//! the vTPM's attestation key, that key for the PCRs and for a key that the vTPM keeps; the token is sealed
//! to the last, and releases to it. The protocol has no challenge: that key is what is fresh.
//!
//! Neither the quote nor the certificate of the key has a date, and anybody can show them again. What holds
//! them together is the key's own policy: it opens only while the PCRs are the quoted ones (checked by the
//! verifier, see `plugins/azure-vtpm`).

use serde_json::{Map, Value as Json, json};

use super::request::RuntimeData;
use super::witness::Witnessed;
use crate::appraisal::Status;
use crate::claim::Value;
use crate::explanation::Explanation;
use crate::flow::gate::Verified;
use crate::keys::SealingKey;

/// Evidence of such guests, with the type of the hardware's own claims.
pub(super) const TEES: [(&str, &str); 2] = [("az-snp", "sevsnpvm"), ("az-tdx", "tdxvm")];

/// The version of the protocol.
const VERSION: &str = "2.0";

/// PCRs of a TPM on a PC.
const PCRS: u32 = 24;

/// What a guest says beside its evidence.
#[derive(Clone, Debug)]
pub struct Guest {
    /// The key that its vTPM keeps.
    pub key: SealingKey,
    /// What the paravisor says of the machine: the runtime data of the hardware's report.
    pub machine: RuntimeData,
    /// What is repeated in the token, as it came.
    pub payload: Map<String, Json>,
}

impl Guest {
    /// What stands where others have the runtime data that they chose: the bytes that the key's name is the
    /// digest of, and what the token says of them.
    pub(super) fn runtime(&self) -> RuntimeData {
        let json = json!({"client-payload": self.payload, "keys": [self.key.jwk()]});
        RuntimeData { bytes: self.key.area().to_vec(), json: Some(json) }
    }

    /// Key and runtime data must be among what the evidence vouches for; why not, where they are not.
    pub(super) fn is_in(&self, verified: &Verified) -> Result<(), Explanation> {
        for (what, bytes) in
            [("the key", self.key.area()), ("the runtime data", self.machine.bytes.as_slice())]
        {
            if !verified.vouches_for(bytes) {
                let explanation =
                    Explanation::of("binding").seen(format!("not {what} of the request"));
                return Err(explanation.wanted("what the hardware vouches for"));
            }
        }
        Ok(())
    }

    /// The claims, those of the hardware under `x-ms-isolation-tee`. What only the guest says of itself, its
    /// operating system above all, is none. `hardware`: the claims of its report. `status`: what an affirmed
    /// machine's compliance is called.
    pub(super) fn claims(
        &self,
        witnessed: &Witnessed,
        mut hardware: Map<String, Json>,
        status: Option<&str>,
        claims: &mut Map<String, Json>,
    ) {
        let tee = witnessed.main.appraisal.tee.as_str();
        let said = |name: &str| {
            let name = format!("{tee}.{name}");
            let claims = &witnessed.main.subject.claims;
            claims.iter().find(|claim| claim.name == name).map(|claim| &claim.value)
        };
        let kind = TEES.iter().find(|(name, _)| *name == tee).map(|(_, kind)| *kind);
        hardware.insert("x-ms-attestation-type".to_owned(), kind.into());
        if let Some(json) = &self.machine.json {
            hardware.insert("x-ms-runtime".to_owned(), json.clone());
        }
        if let Some(status) = status.filter(|_| witnessed.status() == Status::Affirming) {
            hardware.insert("x-ms-compliance-status".to_owned(), status.into());
        }
        let quoted = |index: &u32| said(&format!("pcr{index}")).is_some();
        let pcrs: Vec<u32> = (0..PCRS).filter(quoted).collect();
        let mut issue = |name: &str, value: Json| drop(claims.insert(name.to_owned(), value));
        issue("x-ms-isolation-tee", Json::Object(hardware));
        issue("x-ms-azurevm-attestation-protocol-ver", VERSION.into());
        issue("x-ms-azurevm-attested-pcrs", pcrs.into());
        if let Some(Value::Text(id)) = said("vm_unique_id") {
            issue("x-ms-azurevm-vmid", id.as_str().into());
        }
        // Proved by PCR 7 and the event log; the paravisor's own word of it stands in its runtime data.
        if let Some(Value::Flag(on)) = said("boot.secure_boot") {
            issue("secureboot", (*on).into());
        }
    }
}
