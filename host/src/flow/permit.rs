//! Fifth step: the key's own release policy, read now. No policy, no release.

use std::sync::Arc;

use serde_json::Value as Json;

use super::appraise::Appraised;
use super::foreign::{Basis, Vouched};
use super::host::Parts;
use super::release_policies::{KeyPolicy, changed};
use super::source::Source;
use super::token::Tokens;
use crate::appraisal::Status;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::reference::Snapshot;
use crate::release_policy::{Allowed, AttestationResult, Denial};

/// A release that appraisal and release policy allow, of one key, at this moment.
#[derive(Debug)]
pub(super) struct Permitted {
    pub(super) basis: Arc<Basis>,
    pub(super) source: Source,
    /// What it is called there.
    pub(super) key: String,
    pub(super) version: Option<String>,
    pub(super) policy: Arc<KeyPolicy>,
    _allowed: Allowed,
}

impl Permitted {
    /// Asks again, behind whatever was fetched meanwhile: the policy may have been changed, or the
    /// key deleted and another of its name made under a stricter one.
    pub(super) fn still(&self, parts: &Parts) -> Result<(), Refusal> {
        let now = self.source.policy(parts, self.basis.tenant(), &self.key)?;
        match now == Some(Arc::clone(&self.policy)) {
            true => Ok(()),
            false => Err(changed(&self.key)),
        }
    }

    /// The same of the reference values: what was taken back while the key was fetched does not
    /// release it.
    pub(super) fn still_by(&self, references: &Snapshot) -> Result<(), Refusal> {
        if self.basis.references().is_none_or(|judged_by| references.digest == judged_by.digest) {
            return Ok(());
        }
        Err(Refusal::new(Code::Conflict, "the reference values changed meanwhile"))
    }
}

impl Basis {
    /// Asks the release policy of the key where it will be fetched from. `key` without a policy is unknown,
    /// whether or not a KMS behind this host has a key of that name.
    pub(super) fn permit(
        self: Arc<Self>,
        parts: &Parts,
        source: Source,
        key: &str,
        version: Option<&str>,
    ) -> Result<Permitted, Refusal> {
        let Some(policy) = source.policy(parts, self.tenant(), key)? else {
            let explanation = Explanation::of("release-policy")
                .seen("no release policy")
                .wanted(format!("a release policy of {key}"));
            let reason = format!("{key} has no release policy");
            return Err(Refusal::new(source.missing(), reason).explain(explanation));
        };
        let compiled = policy.compiled.as_ref().map_err(|fault| {
            let explanation = Explanation::of("release-policy")
                .seen(fault.to_string())
                .wanted("a release policy that can be read");
            let reason = format!("the release policy {} of {key}: {fault}", policy.id);
            Refusal::new(Code::ReleaseDenied, reason).explain(explanation)
        })?;
        let judged = match &*self {
            Self::Own(appraised) => compiled.judge(&Own { appraised, tokens: &parts.tokens }),
            Self::Foreign(vouched) => compiled.judge(&**vouched),
        };
        let allowed = judged.map_err(|denial| self.denied(&policy, &denial))?;
        Ok(Permitted {
            basis: self,
            source,
            key: key.to_owned(),
            version: version.map(ToOwned::to_owned),
            policy,
            _allowed: allowed,
        })
    }

    fn denied(&self, policy: &KeyPolicy, denial: &Denial) -> Refusal {
        let explanation = Explanation::of("release-policy");
        let explanation = match self {
            Self::Own(appraised) => explanation.trust_path(appraised.trust_path()),
            Self::Foreign(_) => explanation,
        };
        match (denial, self) {
            (Denial::Status(_), Self::Own(appraised)) => {
                let explanation = explanation
                    .seen(appraised.status().name())
                    .wanted(Status::Affirming.name())
                    .findings(&appraised.findings());
                Refusal::new(Code::NotAffirming, appraised.why()).explain(explanation)
            }
            _ => {
                let explanation = explanation
                    .seen(denial.to_string())
                    .wanted(format!("what the release policy {} demands", policy.id))
                    .violations(denial.violations(&policy.id));
                let reason = format!("the release policy {}: {denial}", policy.id);
                Refusal::new(Code::ReleaseDenied, reason).explain(explanation)
            }
        }
    }
}

/// A result of another service: what its token says.
impl AttestationResult for Vouched {
    fn status(&self) -> Option<Status> {
        None
    }

    fn authority(&self) -> Option<&str> {
        Some(self.result.issuer())
    }

    fn claims(&self) -> Result<Json, String> {
        Ok(self.result.claims().clone())
    }
}

/// A result of this host: what a token of it says, without the signature.
struct Own<'a> {
    appraised: &'a Appraised,
    tokens: &'a Tokens,
}

impl AttestationResult for Own<'_> {
    fn status(&self) -> Option<Status> {
        Some(self.appraised.status())
    }

    fn authority(&self) -> Option<&str> {
        None
    }

    fn claims(&self) -> Result<Json, String> {
        self.tokens.claims_of(self.appraised).map_err(|refusal| refusal.reason)
    }
}
