//! Fifth step: the key's own release policy, read now. No policy, no release.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::appraise::Appraised;
use crate::appraisal::Status;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::reference::Snapshot;
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError, names};
use crate::tenant::Tenant;

/// Where release policies stand in the store.
const COLLECTION: &str = "release-policy";

/// When a key may leave. There is one rule so far.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseRule {
    /// Where the appraisal's status is affirming.
    Affirming,
}

impl ReleaseRule {
    /// The name that stands in requests and in the audit log.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Affirming => "affirming",
        }
    }

    /// Parses the name that stands in requests.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        (name == "affirming").then_some(Self::Affirming)
    }
}

/// The release policy of one key, as it is stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleasePolicy {
    pub(super) rule: ReleaseRule,
    pub(super) created: Timestamp,
}

/// The release policies of all keys.
pub(super) struct ReleasePolicies<'a>(pub(super) &'a SealedStore);

impl ReleasePolicies<'_> {
    /// The policy of a key: none where there is no such key.
    pub(super) fn read(
        &self,
        tenant: &Tenant,
        key: &str,
    ) -> Result<Option<ReleasePolicy>, Refusal> {
        let place = place(tenant, key)?;
        let Some(stored) = self.0.get(&place).map_err(unavailable)? else {
            return Ok(None);
        };
        // What cannot be read does not allow.
        serde_json::from_slice(stored.expose()).map(Some).map_err(|error| {
            Refusal::new(Code::ReleaseDenied, format!("the release policy of {key}: {error}"))
        })
    }

    /// Gives a new key its policy, in place of whatever an earlier one of that name left behind.
    pub(super) fn set(
        &self,
        tenant: &Tenant,
        key: &str,
        policy: &ReleasePolicy,
    ) -> Result<(), Refusal> {
        let text = serde_json::to_vec(policy)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        self.put(tenant, key, Some(&text)).map(drop)
    }

    /// Takes the policy of a key away; the key cannot be released any more. Answers whether there
    /// was one.
    pub(super) fn remove(&self, tenant: &Tenant, key: &str) -> Result<bool, Refusal> {
        self.put(tenant, key, None)
    }

    fn put(&self, tenant: &Tenant, key: &str, text: Option<&[u8]>) -> Result<bool, Refusal> {
        let place = place(tenant, key)?;
        for _ in 0..8 {
            let stored = self.0.get(&place).map_err(unavailable)?;
            let expected = stored.as_ref().map(Secret::expose);
            if expected == text || self.0.swap(&place, expected, text).map_err(unavailable)? {
                return Ok(stored.is_some());
            }
        }
        Err(Refusal::new(Code::StoreUnavailable, format!("the policy of {key} keeps changing")))
    }
}

fn place(tenant: &Tenant, key: &str) -> Result<String, Refusal> {
    let key = check_name(key)?;
    Ok(names::of_tenant(tenant, COLLECTION, key))
}

/// A key's name, or the answer that there is no such key.
pub(super) fn check_name(key: &str) -> Result<&str, Refusal> {
    names::check_key_name(key)
        .map_err(|error| Refusal::new(Code::KeyNotFound, format!("{key:?}: {error}")))
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}

/// A release that appraisal and release policy allow, of one key, at this moment.
#[derive(Debug)]
pub(super) struct Permitted {
    pub(super) appraised: Arc<Appraised>,
    pub(super) key: String,
    pub(super) version: Option<String>,
    pub(super) policy: ReleasePolicy,
}

impl Permitted {
    /// Asks again, behind whatever was fetched meanwhile: the key may have been deleted and another
    /// of its name made under a stricter policy.
    pub(super) fn still(&self, policies: &ReleasePolicies<'_>) -> Result<(), Refusal> {
        let now = policies.read(&self.appraised.tenant, &self.key)?;
        if now.as_ref() == Some(&self.policy) {
            return Ok(());
        }
        let reason = format!("the release policy of {} changed meanwhile", self.key);
        Err(Refusal::new(Code::Conflict, reason))
    }
}

impl Permitted {
    /// The same of the reference values: what was taken back while the key was fetched does not
    /// release it.
    pub(super) fn still_by(&self, references: &Snapshot) -> Result<(), Refusal> {
        if references.digest == self.appraised.references.digest {
            return Ok(());
        }
        Err(Refusal::new(Code::Conflict, "the reference values changed meanwhile"))
    }
}

impl Appraised {
    /// Asks the key's release policy. `key` without a policy is unknown, whether or not a KMS
    /// behind this host has a key of that name.
    pub(super) fn permit(
        self: Arc<Self>,
        policies: &ReleasePolicies<'_>,
        key: &str,
        version: Option<&str>,
    ) -> Result<Permitted, Refusal> {
        let Some(policy) = policies.read(&self.tenant, key)? else {
            let explanation = Explanation::of("release-policy")
                .seen("no release policy")
                .wanted(format!("a release policy of {key}"));
            let reason = format!("{key} has no release policy");
            return Err(Refusal::new(Code::KeyNotFound, reason).explain(explanation));
        };
        match policy.rule {
            ReleaseRule::Affirming if self.appraisal.status == Status::Affirming => {}
            ReleaseRule::Affirming => {
                let explanation = Explanation::of("release-policy")
                    .seen(self.appraisal.status.name())
                    .wanted(Status::Affirming.name())
                    .findings(&self.appraisal.findings)
                    .trust_path(self.subject.path.clone());
                return Err(Refusal::new(Code::NotAffirming, self.why()).explain(explanation));
            }
        }
        let version = version.map(ToOwned::to_owned);
        Ok(Permitted { appraised: self, key: key.to_owned(), version, policy })
    }
}
