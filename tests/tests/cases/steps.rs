//! What happens to a host: challenges, evidence, tokens, keys, time; and what must come of each.

use std::collections::BTreeMap;

use claviger::error::{Code, Refusal};
use claviger::flow::{NewKey, NewReleasePolicy, Purpose, ReleasedKey, Submission};
use claviger::http::Challenge;
use claviger::release_policy::Language;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::site::{Guest, Site, caller, new_key, tenant};
use serde::Deserialize;
use serde_json::Value;

use crate::evidence::Changes;
use crate::hosted::HostChoices;
use crate::token::{self, Altered, Wanted};

/// The key that every scene has.
const KEY: &str = "k";

/// One thing that happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "do", rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Evidence is submitted for a token; `status` and what must stand in the token.
    Attest {
        #[serde(default)]
        with: Changes,
        tenant: Option<String>,
        expect: String,
        status: Option<String>,
        #[serde(default)]
        header: BTreeMap<String, Wanted>,
        #[serde(default)]
        payload: BTreeMap<String, Wanted>,
    },
    /// So many records of an event stand in the audit log.
    Audit { event: String, count: usize },
    /// A challenge is asked for: for a release of `key`, or for attestation where none is named. Of this
    /// host or of another one that calls itself the same.
    Challenge {
        key: Option<String>,
        tenant: Option<String>,
        #[serde(default)]
        of_another_host: bool,
    },
    /// The clock shows so many seconds after the beginning.
    Clock { seconds: u64 },
    /// A key is deleted.
    DeleteKey { key: String },
    /// A key is disabled.
    DisableKey { key: String },
    /// Another key is made.
    MakeKey {
        key: String,
        tenant: Option<String>,
        policy: Option<Value>,
        rego: Option<Vec<String>>,
    },
    /// A token is presented for a key: the last one, or one of another host.
    Redeem {
        key: Option<String>,
        tenant: Option<String>,
        #[serde(default)]
        altered: Altered,
        #[serde(default)]
        of_another_host: bool,
        expect: String,
    },
    /// The host ends, and another begins on its ground.
    Restart { host: HostChoices },
    /// The release policy of a key is replaced.
    SetPolicy { key: String, policy: Option<Value>, rego: Option<Vec<String>> },
    /// Evidence is submitted for a key.
    Submit {
        key: Option<String>,
        tenant: Option<String>,
        #[serde(default)]
        with: Changes,
        expect: String,
    },
}

/// A host, a guest, and what they have of each other.
pub(crate) struct Scene {
    site: Site,
    guest: Guest,
    material: BTreeMap<String, Vec<u8>>,
    challenge: Option<Challenge>,
    token: Option<String>,
}

impl Step {
    /// Whether something must come of it.
    pub(crate) fn expects(&self) -> bool {
        matches!(
            self,
            Self::Attest { .. } | Self::Audit { .. } | Self::Redeem { .. } | Self::Submit { .. }
        )
    }
}

impl Scene {
    /// A sound guest before a host with one key.
    pub(crate) async fn new(site: Site) -> Self {
        let material = BTreeMap::from([(place(&Tenant::default(), KEY), site.key(KEY).await)]);
        Self { site, guest: Guest::new(), material, challenge: None, token: None }
    }

    /// What it is after a step; what came otherwise than was expected.
    pub(crate) async fn after(mut self, step: &Step) -> Result<Self, String> {
        match step {
            Step::Attest { with, tenant, expect, status, header, payload } => {
                let submission = self.answer(with)?;
                let asks = caller(&of(tenant));
                let came = self.site.host.attest(&asks, submission, Default::default()).await;
                match came {
                    Ok(attested) => {
                        if expect != "attested" {
                            return Err(format!("was attested; wanted {expect}"));
                        }
                        if status.as_ref().is_some_and(|status| attested.status != status) {
                            return Err(format!("the status is {}", attested.status));
                        }
                        token::compare(&token::part(&attested.token, 0), header)?;
                        token::compare(&token::part(&attested.token, 1), payload)?;
                        self.token = Some(attested.token);
                    }
                    Err(refusal) => refused(&refusal, expect)?,
                }
            }
            Step::Audit { event, count } => {
                let records = self.site.records();
                let found = records.iter().filter(|record| record["event"] == **event).count();
                if found != *count {
                    return Err(format!("{found} records of {event}; wanted {count}"));
                }
            }
            Step::Challenge { key, tenant, of_another_host } => {
                let purpose = match key {
                    Some(key) => Purpose::Release { key: key.clone() },
                    None => Purpose::Attestation,
                };
                let other;
                let host = match of_another_host {
                    true => {
                        other = Site::new().await;
                        &other.host
                    }
                    false => &self.site.host,
                };
                let issued = host.challenge(&caller(&of(tenant)), &purpose);
                self.challenge = Some(issued.map_err(|refusal| refusal.to_string())?.into());
            }
            Step::Clock { seconds } => self.site.at(*seconds),
            Step::DeleteKey { key } => {
                let asks = caller(&Tenant::default());
                self.site.host.delete_key(&asks, "tests", key).await.map_err(words)?;
            }
            Step::DisableKey { key } => {
                let asks = caller(&Tenant::default());
                let host = &self.site.host;
                host.set_key_enabled(&asks, "tests", key, None, false).await.map_err(words)?;
            }
            Step::MakeKey { key, tenant, policy, rego } => {
                let bytes = vec![0x5a; 32];
                let release_policy = policy_of(policy.as_ref(), rego.as_deref());
                let material = Some(Secret::new(bytes.clone()));
                let made = NewKey { material, release_policy, ..new_key(key) };
                let host = &self.site.host;
                host.create_key(&caller(&of(tenant)), "tests", made).await.map_err(words)?;
                self.material.insert(place(&of(tenant), key), bytes);
            }
            Step::Redeem { key, tenant, altered, of_another_host, expect } => {
                let token = match of_another_host {
                    true => {
                        let other = Site::new().await;
                        other.attest(&self.guest).await.map_err(words)?.token
                    }
                    false => self.token.clone().ok_or("nothing was attested before")?,
                };
                let (key, tenant) = (key.as_deref().unwrap_or(KEY), of(tenant));
                let token = altered.apply(&token);
                let asks = caller(&tenant);
                let came = self.site.host.release_with_token(&asks, key, None, &token).await;
                self.decide(&tenant, key, came, expect)?;
            }
            Step::Restart { host } => self.site = self.site.again(|_, plan| host.apply(plan)).await,
            Step::SetPolicy { key, policy, rego } => {
                let policy = policy_of(policy.as_ref(), rego.as_deref());
                let asks = caller(&Tenant::default());
                let host = &self.site.host;
                host.set_release_policy(&asks, "tests", key, policy).await.map_err(words)?;
            }
            Step::Submit { key, tenant, with, expect } => {
                let submission = self.answer(with)?;
                let (key, tenant) = (key.as_deref().unwrap_or(KEY), of(tenant));
                let asks = caller(&tenant);
                let host = &self.site.host;
                let came = host.release_with_evidence(&asks, key, None, submission).await;
                self.decide(&tenant, key, came, expect)?;
            }
        }
        Ok(self)
    }

    fn answer(&self, with: &Changes) -> Result<Submission, String> {
        with.answer(&self.guest, self.challenge.as_ref().ok_or("no challenge was asked for")?)
    }

    /// What was released opens with the guest's key, with no other, and is the key that was asked for.
    fn decide(
        &self,
        tenant: &Tenant,
        key: &str,
        came: Result<ReleasedKey, Refusal>,
        expect: &str,
    ) -> Result<(), String> {
        let released = match came {
            Ok(released) if expect == "released" => released,
            Ok(_) => return Err(format!("was released; wanted {expect}")),
            Err(refusal) => return refused(&refusal, expect),
        };
        if Guest::new().key.unwrap(&released.jwe).is_ok() {
            return Err("a stranger opens what was released".to_owned());
        }
        let opened = self.guest.open(&released.jwe);
        let same = self.material.get(&place(tenant, key)) == Some(&opened);
        same.then_some(()).ok_or_else(|| "another key was released".to_owned())
    }
}

fn place(tenant: &Tenant, key: &str) -> String {
    format!("{}/{key}", tenant.as_str())
}

fn of(name: &Option<String>) -> Tenant {
    name.as_deref().map_or_else(Tenant::default, tenant)
}

fn words(refusal: Refusal) -> String {
    refusal.to_string()
}

fn refused(refusal: &Refusal, expect: &str) -> Result<(), String> {
    let known = Code::ALL.iter().any(|code| code.as_str() == expect);
    match refusal.code.as_str() == expect {
        true => Ok(()),
        false if known => Err(format!("{refusal}; wanted {expect}")),
        false => Err(format!("{refusal}; wanted {expect}, which is no code of a refusal")),
    }
}

fn policy_of(akv: Option<&Value>, rego: Option<&[String]>) -> NewReleasePolicy {
    match (akv, rego) {
        (Some(policy), _) => {
            NewReleasePolicy { language: Language::Akv, text: policy.to_string(), immutable: false }
        }
        (None, Some(lines)) => {
            NewReleasePolicy { language: Language::Rego, text: lines.join("\n"), immutable: false }
        }
        (None, None) => NewReleasePolicy::affirming(),
    }
}
