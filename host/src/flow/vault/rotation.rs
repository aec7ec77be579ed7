//! Rotation policies: read and set, and when a key is due by its policy. They are carried out in `schedule`.

use super::Actor;
use super::record::KeyRecord;
use super::types::{RotationPolicy, Trigger};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::release_policies::check_name;
use crate::permission::Permission;

const DAY: u64 = 86_400;

/// The most actions of a policy.
const MOST_ACTIONS: usize = 2;

impl Host {
    /// A key's rotation policy; the default one, which does nothing, where none was set.
    pub async fn vault_rotation_policy(
        &self,
        actor: Actor<'_>,
        name: &str,
    ) -> Result<RotationPolicy, Refusal> {
        actor.require(Permission::KeysGetRotationPolicy)?;
        let kms = self.kms()?;
        let held = self.alive(&kms, &actor.caller.tenant, name).await?;
        Ok(held.record.rotation.unwrap_or_default())
    }

    /// Sets a key's rotation policy.
    pub async fn vault_set_rotation_policy(
        &self,
        actor: Actor<'_>,
        name: &str,
        policy: RotationPolicy,
    ) -> Result<RotationPolicy, Refusal> {
        actor.require(Permission::KeysSetRotationPolicy)?;
        check(&policy)?;
        let name = check_name(name)?.to_owned();
        let entry = self
            .entry(Event::KeyUpdated, actor.caller, actor.principal, &name)
            .detail("rotation policy");
        let tenant = actor.caller.tenant.clone();
        self.change(
            entry,
            |_| None,
            move |host| async move {
                let kms = host.kms()?;
                let held = host.alive(&kms, &tenant, &name).await?;
                let now = host.parts.clock.now();
                let created = held.record.rotation.as_ref().and_then(|old| old.created);
                let policy =
                    RotationPolicy { created: created.or(Some(now)), updated: Some(now), ..policy };
                let record = KeyRecord { rotation: Some(policy.clone()), ..held.record.clone() };
                host.parts.vault.replace(&held, &record, &name)?;
                Ok(policy)
            },
        )
        .await
    }
}

/// When a version made now expires.
pub(super) fn expiry(policy: &RotationPolicy, now: Timestamp) -> Option<Timestamp> {
    policy.expiry.as_deref().and_then(duration).map(|seconds| now.plus(seconds))
}

/// Whether a key is to be rotated by its policy.
pub(super) fn due(record: &KeyRecord, now: Timestamp) -> bool {
    let (Some(policy), Some(newest), None) =
        (&record.rotation, record.versions.last(), record.deletion)
    else {
        return false;
    };
    policy.actions.iter().filter(|action| action.rotate).any(|action| match &action.trigger {
        Trigger::AfterCreation(after) => {
            duration(after).is_some_and(|seconds| newest.described.created.plus(seconds) <= now)
        }
        Trigger::BeforeExpiry(before) => match (duration(before), newest.described.expires) {
            (Some(seconds), Some(expires)) => expires <= now.plus(seconds),
            _ => false,
        },
    })
}

fn check(policy: &RotationPolicy) -> Result<(), Refusal> {
    let wrong = |why: &str| Err(Refusal::new(Code::RequestMalformed, why));
    if policy.actions.len() > MOST_ACTIONS {
        return wrong("a rotation policy has at most two actions");
    }
    let expiry = policy.expiry.as_deref();
    if expiry.is_some_and(|expiry| duration(expiry).is_none_or(|seconds| seconds < 28 * DAY)) {
        return wrong("`expiryTime` is a duration of 28 days or more, such as P90D");
    }
    for action in &policy.actions {
        let (Trigger::AfterCreation(text) | Trigger::BeforeExpiry(text)) = &action.trigger;
        if duration(text).is_none_or(|seconds| seconds < 7 * DAY) {
            return wrong("a trigger is a duration of 7 days or more, such as P30D");
        }
    }
    Ok(())
}

/// A duration of ISO 8601 in years, months and days, in seconds: a year has 365 days, a month 30.
fn duration(text: &str) -> Option<u64> {
    let mut rest = text.strip_prefix('P')?;
    let (mut days, mut last) = (0_u64, 0);
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let (number, behind) = rest.split_at_checked(end)?;
        let (rank, unit) = match behind.as_bytes().first()? {
            b'Y' => (1, 365),
            b'M' => (2, 30),
            b'D' => (3, 1),
            _ => return None,
        };
        if rank <= last {
            return None;
        }
        last = rank;
        let number: u64 = number.parse().ok().filter(|number| *number <= 36_500)?;
        days = days.checked_add(number.checked_mul(unit)?)?;
        rest = behind.get(1..)?;
    }
    (last > 0).then(|| days.saturating_mul(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_years_months_and_days() {
        for (text, days) in [("P90D", 90), ("P1Y", 365), ("P18M", 540), ("P1Y2M3D", 428)] {
            assert_eq!(duration(text), Some(days * DAY), "{text}");
        }
        for bad in ["", "P", "90D", "P1D1Y", "P1H", "PT1H", "P-1D", "P1", "P1D ", "P99999D", "PD"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
