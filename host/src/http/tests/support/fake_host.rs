//! A fake of the host: it remembers what it was asked, and decides nothing.

use std::future::ready;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::Notify;

use super::NOW;
use crate::error::{Code, Refusal};
use crate::flow::{
    Attested, Caller, Health, IssuedChallenge, KeySummary, NewKey, NewReleasePolicy, PluginChange,
    PluginSummary, Purpose, ReleasePolicySummary, ReleasedKey, RequestReport, Submission, Wanted,
};
use crate::http::{Answer, Api};
use crate::keys::TokenKeySummary;
use crate::reference::{Change, Container, Reference};

/// Remembers each call as one line; answers by the key's name.
#[derive(Default)]
pub(in crate::http::tests) struct FakeHost {
    pub(in crate::http::tests) calls: Mutex<Vec<String>>,
    /// A release of the key `slow` waits for this.
    pub(in crate::http::tests) go: Notify,
    /// Notified when such a release has begun.
    pub(in crate::http::tests) begun: Notify,
    pub(in crate::http::tests) unhealthy: bool,
}

impl FakeHost {
    fn call(&self, caller: &Caller, what: impl std::fmt::Display) {
        let line = format!("{} {what}", caller.tenant);
        self.calls.lock().unwrap().push(line);
    }

    pub(in crate::http::tests) fn called(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    fn released(version: Option<&str>) -> ReleasedKey {
        ReleasedKey {
            jwe: "a.b.c.d.e".into(),
            media_type: "application/octet-stream".into(),
            version: version.unwrap_or("1").into(),
            status: "affirming",
            simulated: true,
            reads_key_material: false,
            audit_index: 7,
        }
    }

    async fn release(&self, key: &str, version: Option<&str>) -> Result<ReleasedKey, Refusal> {
        match key {
            "absent" => Err(Refusal::new(Code::KeyNotFound, "secret internals\nforged line")),
            "busy" => {
                let refusal = Refusal::new(Code::KmsUnavailable, "try later");
                Err(refusal.retry_after(Duration::from_millis(2500)))
            }
            "panic" => panic!("a fault with internals in its message"),
            "slow" => {
                self.begun.notify_one();
                self.go.notified().await;
                Ok(Self::released(version))
            }
            _ => Ok(Self::released(version)),
        }
    }
}

fn summary(name: &str) -> KeySummary {
    KeySummary {
        name: name.into(),
        version: "1".into(),
        kind: "oct-256".into(),
        enabled: true,
        created: NOW,
        updated: NOW.plus(60),
    }
}

impl Api for FakeHost {
    fn challenge(&self, caller: &Caller, purpose: Purpose) -> Result<IssuedChallenge, Refusal> {
        self.call(caller, format_args!("challenge {}", purpose.label()));
        Ok(IssuedChallenge {
            token: "challenge-token".into(),
            nonce: [0xfb; 32],
            expires: NOW,
            host: "host-1".into(),
            purpose: purpose.label(),
        })
    }

    fn attest<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        wanted: Wanted,
    ) -> Answer<'a, Attested> {
        self.call(caller, format_args!("attest {submission:?} {wanted:?}"));
        Box::pin(ready(Ok(Attested {
            token: "e30".into(),
            expires: NOW,
            status: "affirming",
            simulated: false,
            audit_index: u64::MAX,
        })))
    }

    fn release_with_evidence<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        submission: Submission,
    ) -> Answer<'a, ReleasedKey> {
        let challenge = submission.challenge;
        self.call(caller, format_args!("release {key} {version:?} evidence {challenge}"));
        Box::pin(self.release(key, version))
    }

    fn release_with_token<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        token: &'a str,
    ) -> Answer<'a, ReleasedKey> {
        self.call(caller, format_args!("release {key} {version:?} token {token}"));
        Box::pin(self.release(key, version))
    }

    fn create_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        key: NewKey,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} creates {key:?}"));
        let taken = Refusal::new(Code::Conflict, "taken\u{1b}[2J is there already");
        let broken = Refusal::new(Code::KmsUnavailable, "secret internals");
        Box::pin(ready(match key.name.as_str() {
            "taken" => Err(taken),
            "broken" => Err(broken),
            name => Ok(summary(name)),
        }))
    }

    fn rotate_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} rotates {name}"));
        Box::pin(ready(Ok(summary(name))))
    }

    fn list_keys<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<KeySummary>, Option<String>)> {
        self.call(caller, format_args!("{by} lists from {cursor:?}"));
        let next = cursor.is_none().then(|| "page-2".to_owned());
        Box::pin(ready(Ok((vec![summary("k")], next))))
    }

    fn get_key<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        self.call(caller, format_args!("{by} reads {name}"));
        Box::pin(ready(Ok(summary(name))))
    }

    fn key_versions<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
    ) -> Answer<'a, Vec<KeySummary>> {
        self.call(caller, format_args!("{by} lists versions of {name}"));
        Box::pin(ready(Ok(vec![summary(name)])))
    }

    fn set_key_enabled<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
        version: Option<&'a str>,
        enabled: bool,
    ) -> Answer<'a, ()> {
        self.call(caller, format_args!("{by} sets {name} {version:?} {enabled}"));
        Box::pin(ready(Ok(())))
    }

    fn release_policy(
        &self,
        caller: &Caller,
        by: &str,
        name: &str,
    ) -> Result<ReleasePolicySummary, Refusal> {
        self.call(caller, format_args!("{by} reads the policy of {name}"));
        let (id, policy) = ("affirming".into(), NewReleasePolicy::affirming());
        Ok(ReleasePolicySummary { id, policy, created: NOW })
    }

    fn set_release_policy<'a>(
        &'a self,
        caller: &'a Caller,
        by: &'a str,
        name: &'a str,
        policy: NewReleasePolicy,
    ) -> Answer<'a, ReleasePolicySummary> {
        self.call(caller, format_args!("{by} sets the policy of {name} to {policy:?}"));
        let id = policy.language.name().to_owned();
        Box::pin(ready(Ok(ReleasePolicySummary { id, policy, created: NOW })))
    }

    fn delete_key<'a>(&'a self, caller: &'a Caller, by: &'a str, name: &'a str) -> Answer<'a, ()> {
        self.call(caller, format_args!("{by} deletes {name}"));
        Box::pin(ready(Ok(())))
    }

    fn add_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<String>,
    ) -> Answer<'a, Reference> {
        let length = bytes.len();
        self.call(caller, format_args!("{principal} adds {container:?} {length} {replaces:?}"));
        Box::pin(ready(Err(Refusal::new(Code::ReferenceRefused, "nobody signed it"))))
    }

    fn list_references<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<Reference>, Option<String>)> {
        self.call(caller, format_args!("{principal} lists references from {cursor:?}"));
        Box::pin(ready(Ok((Vec::new(), None))))
    }

    fn get_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, (Reference, Vec<u8>)> {
        self.call(caller, format_args!("{principal} reads reference {id}"));
        Box::pin(ready(Err(Refusal::new(Code::StoreUnavailable, "the store is away"))))
    }

    fn reference_history<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
    ) -> Answer<'a, Vec<Change>> {
        self.call(caller, format_args!("{principal} reads the history"));
        Box::pin(ready(Ok(Vec::new())))
    }

    fn revoke_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, ()> {
        self.call(caller, format_args!("{principal} revokes reference {id}"));
        Box::pin(ready(Ok(())))
    }

    fn token_keys(&self) -> Vec<TokenKeySummary> {
        Vec::new()
    }

    fn rotate_token_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        revoke: bool,
    ) -> Answer<'a, Vec<TokenKeySummary>> {
        self.call(caller, format_args!("{principal} rotates the token key, revoke {revoke}"));
        Box::pin(ready(Ok(Vec::new())))
    }

    fn discovery(&self) -> Value {
        json!({})
    }

    fn explain<'a>(&'a self, caller: &'a Caller, request: &'a str) -> Answer<'a, RequestReport> {
        self.call(caller, format_args!("explain {request}"));
        let records = vec![json!({ "request": request })];
        Box::pin(ready(Ok(RequestReport { records, attested: None, more: false })))
    }

    fn plugins(&self) -> Vec<PluginSummary> {
        vec![PluginSummary {
            name: "verifier-snp".into(),
            kind: "verifier",
            version: "0.1.0".into(),
            digest: "00".repeat(32),
            source: "bundled",
            signers: Vec::new(),
            imports: vec!["claviger:plugin/quotes@0.1.0".into()],
            reads_key_material: false,
            state: "serving",
            reason: None,
        }]
    }

    fn change_plugin<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        change: PluginChange,
    ) -> Answer<'a, PluginSummary> {
        let what = match change {
            PluginChange::Choose { name } => format!("chooses {name}"),
            PluginChange::Disable { name } => format!("disables {name}"),
            PluginChange::Install(package) => format!("installs {}", package.hex_digest()),
            PluginChange::RollBack { name, revoke } => format!("rolls {name} back, {revoke}"),
            PluginChange::Swap { name, revoke, .. } => format!("swaps {name}, {revoke}"),
        };
        self.call(caller, format_args!("{principal} {what}"));
        let plugin = self.plugins().pop();
        let none = || Refusal::new(Code::NotFound, "there is none");
        Box::pin(ready(plugin.ok_or_else(none)))
    }

    fn health<'a>(&'a self) -> std::pin::Pin<Box<dyn Future<Output = Health> + Send + 'a>> {
        Box::pin(ready(Health {
            healthy: !self.unhealthy,
            development: true,
            parts: vec![("store", "ok".into())],
        }))
    }

    fn jwks(&self) -> Value {
        json!({"keys": []})
    }

    fn audit_checkpoint(&self) -> String {
        "claviger\n1\nroot\n".into()
    }
}
