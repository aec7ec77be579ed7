//! What a front door needs of the host behind it. Front doors translate; everything that is
//! decided is decided behind this trait.

use std::future::Future;
use std::pin::Pin;

use serde_json::Value;

use crate::error::Refusal;
use crate::flow::{
    Attested, Caller, Health, Host, IssuedChallenge, KeySummary, NewKey, NewReleasePolicy,
    PluginChange, PluginSummary, Purpose, ReleasePolicySummary, ReleasedKey, RequestReport,
    Submission, Wanted,
};
use crate::keys::TokenKeySummary;
use crate::reference::{Change, Container, Reference};

/// An answer on its way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Refusal>> + Send + 'a>>;

/// The host, as front doors see it. Dropping an answer abandons the request: the client is gone or
/// its time is over.
pub trait Api: Send + Sync + 'static {
    /// The host itself, for the face that speaks as Microsoft's services do and has more to ask than
    /// stands here; none: there is nothing behind such a face.
    fn azure(&self) -> Option<&Host> {
        None
    }

    /// A fresh challenge.
    fn challenge(&self, caller: &Caller, purpose: Purpose) -> Result<IssuedChallenge, Refusal>;

    /// Judges evidence; the result is a token bound to the recipient key.
    fn attest<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        wanted: Wanted,
    ) -> Answer<'a, Attested>;

    /// Judges evidence and releases one key in the same call.
    fn release_with_evidence<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        submission: Submission,
    ) -> Answer<'a, ReleasedKey>;

    /// Releases a key to the holder of the recipient key that an attestation token names.
    fn release_with_token<'a>(
        &'a self,
        caller: &'a Caller,
        key: &'a str,
        version: Option<&'a str>,
        token: &'a str,
    ) -> Answer<'a, ReleasedKey>;

    /// Makes or imports a key.
    fn create_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        key: NewKey,
    ) -> Answer<'a, KeySummary>;

    /// Adds a version, which becomes the one that is released where none is named.
    fn rotate_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary>;

    /// Keys by name, a page at a time; with a cursor where there are more.
    fn list_keys<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<KeySummary>, Option<String>)>;

    /// A key's newest version.
    fn get_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, KeySummary>;

    /// All versions of a key.
    fn key_versions<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, Vec<KeySummary>>;

    /// Allows or stops releases of a version; of all where none is named.
    fn set_key_enabled<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
        version: Option<&'a str>,
        enabled: bool,
    ) -> Answer<'a, ()>;

    /// A key's release policy.
    fn release_policy(
        &self,
        caller: &Caller,
        principal: &str,
        name: &str,
    ) -> Result<ReleasePolicySummary, Refusal>;

    /// Puts a release policy in the place of the one that a key has.
    fn set_release_policy<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
        policy: NewReleasePolicy,
    ) -> Answer<'a, ReleasePolicySummary>;

    /// Destroys a key with all its versions.
    fn delete_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        name: &'a str,
    ) -> Answer<'a, ()>;

    /// Adds a reference document, perhaps in the place of another.
    fn add_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<String>,
    ) -> Answer<'a, Reference>;

    /// Reference documents, a page at a time; with a cursor where there are more.
    fn list_references<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        cursor: Option<String>,
    ) -> Answer<'a, (Vec<Reference>, Option<String>)>;

    /// One reference document, and the bytes that it came as.
    fn get_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, (Reference, Vec<u8>)>;

    /// What happened to reference documents, the latest first.
    fn reference_history<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
    ) -> Answer<'a, Vec<Change>>;

    /// Takes a reference document back.
    fn revoke_reference<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        id: &'a str,
    ) -> Answer<'a, ()>;

    /// The keys that sign tokens, the present one first.
    fn token_keys(&self) -> Vec<TokenKeySummary>;

    /// Has a fresh key sign tokens; with `revoke` no other is believed any more.
    fn rotate_token_key<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        revoke: bool,
    ) -> Answer<'a, Vec<TokenKeySummary>>;

    /// The plugins that serve, that served before and that were refused.
    fn plugins(&self) -> Vec<PluginSummary>;

    /// Installs, swaps, rolls back or disables a plugin.
    fn change_plugin<'a>(
        &'a self,
        caller: &'a Caller,
        principal: &'a str,
        change: PluginChange,
    ) -> Answer<'a, PluginSummary>;

    /// How the host is.
    fn health<'a>(&'a self) -> Pin<Box<dyn Future<Output = Health> + Send + 'a>>;

    /// The keys that check attestation tokens (RFC 7517).
    fn jwks(&self) -> Value;

    /// What an OpenID client wants to know of the issuer (OpenID Connect Discovery 1.0, section 3).
    fn discovery(&self) -> Value;

    /// What became of a request.
    fn explain<'a>(&'a self, caller: &'a Caller, request: &'a str) -> Answer<'a, RequestReport>;

    /// The newest signed checkpoint of the audit log (C2SP tlog-checkpoint).
    fn audit_checkpoint(&self) -> String;
}
