//! A key's release policy under administration: read, and put in another's place.

use super::host::Host;
use super::release_policies::{KeyPolicy, StoredPolicy, check_name};
use super::request::{Caller, NewReleasePolicy, ReleasePolicySummary};
use crate::audit::Event;
use crate::error::{Code, Refusal};
use crate::release_policy::ReleasePolicy;

impl Host {
    /// The release policy of a key.
    pub fn release_policy(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<ReleasePolicySummary, Refusal> {
        let (kms, name) = (self.kms()?, check_name(name)?);
        let policy = self.parts.release_policies.read(&caller.tenant, kms.name(), name)?;
        policy.map(|policy| summary(&policy.stored)).ok_or_else(|| no_policy(name))
    }

    /// Puts a policy in the place of the one that a key has. From the answer on no release stands on
    /// the old one: what is under way asks again before it is recorded.
    pub async fn set_release_policy(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
        policy: NewReleasePolicy,
    ) -> Result<ReleasePolicySummary, Refusal> {
        check_policy(&policy)?;
        let (tenant, name) = (caller.tenant.clone(), check_name(name)?.to_owned());
        let kms = self.kms()?;
        let old = self.parts.release_policies.read(&tenant, kms.name(), &name)?;
        let new = StoredPolicy::new(policy, self.parts.clock.now());
        let was = old.as_ref().map_or_else(|| "none".to_owned(), |old| in_records(&old.id));
        let entry = self
            .entry(Event::PolicyChanged, caller, principal, &name)
            .policy(in_records(&new.id()))
            .detail(format!("in place of {was}"));
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let old = old.ok_or_else(|| no_policy(&name))?;
                if new.is_as(&old.stored) {
                    return Ok(summary(&old.stored));
                }
                check_mutable(&name, &old)?;
                host.parts.release_policies.replace(&tenant, kms.name(), &name, &old, &new)?;
                Ok(summary(&new))
            },
        )
        .await
    }
}

/// A policy is compiled before it is stored: a fault is told to whoever wrote it, and not to the
/// first workload.
pub(super) fn check_policy(policy: &NewReleasePolicy) -> Result<(), Refusal> {
    ReleasePolicy::compile(policy.language, &policy.text)
        .map(drop)
        .map_err(|fault| Refusal::new(Code::PolicyInvalid, fault.to_string()))
}

/// How a release policy is named in records.
pub(super) fn in_records(id: &str) -> String {
    format!("release:{id}")
}

fn check_mutable(name: &str, policy: &KeyPolicy) -> Result<(), Refusal> {
    match policy.stored.immutable {
        false => Ok(()),
        true => {
            let reason = format!("the release policy of {name} was made immutable");
            Err(Refusal::new(Code::PolicyImmutable, reason))
        }
    }
}

fn no_policy(name: &str) -> Refusal {
    Refusal::new(Code::KeyNotFound, format!("{name} has no release policy"))
}

fn summary(stored: &StoredPolicy) -> ReleasePolicySummary {
    let StoredPolicy { language, text, immutable, created } = stored.clone();
    let id = stored.id();
    ReleasePolicySummary { id, policy: NewReleasePolicy { language, text, immutable }, created }
}
