//! The host behind the front doors: each call as the flow has it.

use serde_json::Value;

use super::api::{Answer, Api};
use crate::error::Refusal;
use crate::flow::{
    Caller, Health, Host, IssuedChallenge, KeySummary, NewKey, NewReleasePolicy, PluginChange,
    PluginSummary, Purpose, ReleasePolicySummary, ReleasedKey, RequestReport, Submission, Wanted,
};
use crate::keys::TokenKeySummary;
use crate::reference::{Change, Container, Reference};

impl Api for Host {
    fn azure(&self) -> Option<&Host> {
        Some(self)
    }

    fn challenge(&self, caller: &Caller, purpose: Purpose) -> Result<IssuedChallenge, Refusal> {
        let issued = Self::challenge(self, caller, &purpose);
        self.remember(caller, &issued);
        issued
    }

    fn attest<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        wanted: Wanted,
    ) -> Answer<'a, crate::flow::Attested> {
        Box::pin(async move {
            let attested = Self::attest(self, caller, submission, wanted).await;
            self.remember(caller, &attested);
            attested
        })
    }

    fn release_with_evidence<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        submission: Submission,
    ) -> Answer<'a, ReleasedKey> {
        Box::pin(async move {
            let released =
                Self::release_with_evidence(self, caller, key, version, submission).await;
            self.remember(caller, &released);
            released
        })
    }

    fn release_with_token<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        token: &'a str,
    ) -> Answer<'a, ReleasedKey> {
        Box::pin(async move {
            let released = Self::release_with_token(self, caller, key, version, token).await;
            self.remember(caller, &released);
            released
        })
    }

    fn create_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        key: NewKey,
    ) -> Answer<'a, KeySummary> {
        Box::pin(Self::create_key(self, caller, principal, key))
    }

    fn rotate_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        Box::pin(Self::rotate_key(self, caller, principal, name))
    }

    fn list_keys<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<KeySummary>, Option<String>)> {
        Box::pin(Self::list_keys(self, caller, cursor))
    }

    fn get_key<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary> {
        Box::pin(Self::get_key(self, caller, name))
    }

    fn key_versions<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, Vec<KeySummary>> {
        Box::pin(Self::key_versions(self, caller, name))
    }

    fn set_key_enabled<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
        version: Option<&'a str>,
        enabled: bool,
    ) -> Answer<'a, ()> {
        Box::pin(Self::set_key_enabled(self, caller, principal, name, version, enabled))
    }

    fn release_policy(
        &self,
        caller: &Caller,
        _principal: &str,
        name: &str,
    ) -> Result<ReleasePolicySummary, Refusal> {
        Self::release_policy(self, caller, name)
    }

    fn set_release_policy<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
        policy: NewReleasePolicy,
    ) -> Answer<'a, ReleasePolicySummary> {
        Box::pin(Self::set_release_policy(self, caller, principal, name, policy))
    }

    fn delete_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(Self::delete_key(self, caller, principal, name))
    }

    fn add_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<String>,
    ) -> Answer<'a, Reference> {
        Box::pin(async move {
            let replaces = replaces.as_deref();
            Self::add_reference(self, caller, principal, container, bytes, replaces).await
        })
    }

    fn list_references<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<Reference>, Option<String>)> {
        Box::pin(Self::list_references(self, caller, cursor))
    }

    fn get_reference<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, (Reference, Vec<u8>)> {
        Box::pin(Self::get_reference(self, caller, id))
    }

    fn reference_history<'a>(
        &'a self,
        caller: &'a Caller,
        _principal: &'a str,
    ) -> Answer<'a, Vec<Change>> {
        Box::pin(Self::reference_history(self, caller))
    }

    fn revoke_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, ()> {
        Box::pin(Self::revoke_reference(self, caller, principal, id))
    }

    fn token_keys(&self) -> Vec<TokenKeySummary> {
        Self::token_keys(self)
    }

    fn rotate_token_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        revoke: bool,
    ) -> Answer<'a, Vec<TokenKeySummary>> {
        Box::pin(Self::rotate_token_key(self, caller, principal, revoke))
    }

    fn plugins(&self) -> Vec<PluginSummary> {
        Self::plugins(self)
    }

    fn change_plugin<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        change: PluginChange,
    ) -> Answer<'a, PluginSummary> {
        Box::pin(Self::change_plugin(self, caller, principal, change))
    }

    fn health<'a>(&'a self) -> std::pin::Pin<Box<dyn Future<Output = Health> + Send + 'a>> {
        Box::pin(Self::health(self))
    }

    fn jwks(&self) -> Value {
        Self::jwks(self)
    }

    fn discovery(&self) -> Value {
        Self::discovery(self)
    }

    fn explain<'a>(&'a self, caller: &'a Caller, request: &'a str) -> Answer<'a, RequestReport> {
        Box::pin(Self::explain(self, caller, request))
    }

    fn audit_checkpoint(&self) -> String {
        Self::audit_checkpoint(self)
    }
}
