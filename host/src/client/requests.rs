//! The API's calls, one method each.

use http::Method;
use serde_json::Value;

use super::{Client, ClientError, parse, success};
use crate::audit::Digest;
use crate::flow::is_plain;
use crate::http::{
    Attestation, AttestationRequest, Challenge, ChallengeRequest, Explained, HealthStatus, Key,
    KeyPage, KeyReleasePolicy, KeyVersions, NewKeyRequest, PACKAGE_TYPE, Plugin, PluginList,
    ReferenceDocument, ReferenceHistory, ReferencePage, ReferenceWithBytes, Release,
    ReleasePolicyRequest, ReleaseRequest, RollBackRequest, RotateTokenKeyRequest, TokenKeyList,
    VersionRequest,
};
use crate::plugin::Package;
use crate::reference::Container;
use crate::store::names;

pub(super) type Answer<T> = Result<T, ClientError>;

pub(super) const NOTHING: Option<&()> = None;

impl Client {
    /// `POST /v1/challenges`.
    pub async fn challenge(&self, request: &ChallengeRequest) -> Answer<Challenge> {
        self.call(Method::POST, "/v1/challenges", Some(request)).await
    }

    /// `POST /v1/attestations`.
    pub async fn attest(&self, request: &AttestationRequest) -> Answer<Attestation> {
        self.call(Method::POST, "/v1/attestations", Some(request)).await
    }

    /// `POST /v1/keys/{name}/release`.
    pub async fn release(&self, key: &str, request: &ReleaseRequest) -> Answer<Release> {
        let path = key_path(key, "/release")?;
        self.call(Method::POST, &path, Some(request)).await
    }

    /// `GET /v1/health`; a host that is not well is an answer, too.
    pub async fn health(&self) -> Answer<HealthStatus> {
        let path = format!("{}/v1/health", self.prefix);
        let (status, answer) = self.exchange(Method::GET, &path, NOTHING).await?;
        parse(status, &answer)
    }

    /// `GET /.well-known/jwks.json`.
    pub async fn jwks(&self) -> Answer<Value> {
        let (status, answer) = self.succeed(Method::GET, "/.well-known/jwks.json", NOTHING).await?;
        parse(status, &answer)
    }

    /// `GET /v1/keys` (administration).
    pub async fn list_keys(&self, cursor: Option<&str>) -> Answer<KeyPage> {
        let path = match cursor {
            None => "/v1/keys".to_owned(),
            Some(cursor) => format!("/v1/keys?cursor={cursor}"),
        };
        self.call(Method::GET, &path, NOTHING).await
    }

    /// `POST /v1/keys` (administration).
    pub async fn create_key(&self, request: &NewKeyRequest) -> Answer<Key> {
        self.call(Method::POST, "/v1/keys", Some(request)).await
    }

    /// `GET /v1/keys/{name}` (administration).
    pub async fn key(&self, name: &str) -> Answer<Key> {
        self.call(Method::GET, &key_path(name, "")?, NOTHING).await
    }

    /// `GET /v1/keys/{name}/versions` (administration).
    pub async fn key_versions(&self, name: &str) -> Answer<KeyVersions> {
        self.call(Method::GET, &key_path(name, "/versions")?, NOTHING).await
    }

    /// `POST /v1/keys/{name}/rotate` (administration).
    pub async fn rotate_key(&self, name: &str) -> Answer<Key> {
        self.call(Method::POST, &key_path(name, "/rotate")?, NOTHING).await
    }

    /// `POST /v1/keys/{name}/enable` or `…/disable` (administration); of all versions where none
    /// is named.
    pub async fn set_key_enabled(
        &self,
        name: &str,
        version: Option<&str>,
        enabled: bool,
    ) -> Answer<()> {
        let path = key_path(name, if enabled { "/enable" } else { "/disable" })?;
        let version = version.map(str::to_owned);
        self.command(Method::POST, &path, Some(&VersionRequest { version })).await
    }

    /// `GET /v1/keys/{name}/release-policy` (administration).
    pub async fn release_policy(&self, name: &str) -> Answer<KeyReleasePolicy> {
        self.call(Method::GET, &key_path(name, "/release-policy")?, NOTHING).await
    }

    /// `PUT /v1/keys/{name}/release-policy` (administration).
    pub async fn set_release_policy(
        &self,
        name: &str,
        policy: &ReleasePolicyRequest,
    ) -> Answer<KeyReleasePolicy> {
        self.call(Method::PUT, &key_path(name, "/release-policy")?, Some(policy)).await
    }

    /// `DELETE /v1/keys/{name}` (administration).
    pub async fn delete_key(&self, name: &str) -> Answer<()> {
        self.command(Method::DELETE, &key_path(name, "")?, None).await
    }

    /// `POST /v1/references` (administration).
    pub async fn add_reference(
        &self,
        container: Container,
        bytes: Vec<u8>,
        replaces: Option<Digest>,
    ) -> Answer<ReferenceDocument> {
        let query = replaces.map_or_else(String::new, |replaced| format!("?replaces={replaced}"));
        let path = format!("{}/v1/references{query}", self.prefix);
        let body = Some((container.media_type(), bytes));
        let (status, answer) = self.exchange_bytes(Method::POST, &path, body).await?;
        let (status, answer) = success(status, answer)?;
        parse(status, &answer)
    }

    /// `GET /v1/references` (administration).
    pub async fn list_references(&self, cursor: Option<&str>) -> Answer<ReferencePage> {
        let path = match cursor {
            None => "/v1/references".to_owned(),
            Some(cursor) => format!("/v1/references?cursor={cursor}"),
        };
        self.call(Method::GET, &path, NOTHING).await
    }

    /// `GET /v1/references/{id}` (administration).
    pub async fn reference(&self, id: Digest) -> Answer<ReferenceWithBytes> {
        self.call(Method::GET, &format!("/v1/references/{id}"), NOTHING).await
    }

    /// `GET /v1/references/history` (administration).
    pub async fn reference_history(&self) -> Answer<ReferenceHistory> {
        self.call(Method::GET, "/v1/references/history", NOTHING).await
    }

    /// `DELETE /v1/references/{id}` (administration).
    pub async fn revoke_reference(&self, id: Digest) -> Answer<()> {
        self.command(Method::DELETE, &format!("/v1/references/{id}"), None).await
    }

    /// `GET /v1/token-keys` (administration).
    pub async fn token_keys(&self) -> Answer<TokenKeyList> {
        self.call(Method::GET, "/v1/token-keys", NOTHING).await
    }

    /// `POST /v1/token-keys/rotate` (administration).
    pub async fn rotate_token_key(&self, request: &RotateTokenKeyRequest) -> Answer<TokenKeyList> {
        self.call(Method::POST, "/v1/token-keys/rotate", Some(request)).await
    }

    /// `GET /v1/requests/{id}` (administration).
    pub async fn explain(&self, id: &str) -> Answer<Explained> {
        if !is_plain(id) {
            return Err(ClientError::Configuration(format!("{id:?} is no request's identifier")));
        }
        self.call(Method::GET, &format!("/v1/requests/{id}"), NOTHING).await
    }

    /// `GET /v1/plugins` (administration).
    pub async fn plugins(&self) -> Answer<PluginList> {
        self.call(Method::GET, "/v1/plugins", NOTHING).await
    }

    /// `POST /v1/plugins` (administration).
    pub async fn install_plugin(&self, package: &Package) -> Answer<Plugin> {
        self.upload(Method::POST, "/v1/plugins", package).await
    }

    /// `PUT /v1/plugins/{name}` (administration).
    pub async fn swap_plugin(&self, name: &str, package: &Package, revoke: bool) -> Answer<Plugin> {
        let query = if revoke { "?revoke=true" } else { "" };
        self.upload(Method::PUT, &plugin_path(name, query)?, package).await
    }

    /// `POST /v1/plugins/{name}/rollback` (administration).
    pub async fn roll_back_plugin(&self, name: &str, revoke: bool) -> Answer<Plugin> {
        let path = plugin_path(name, "/rollback")?;
        self.call(Method::POST, &path, Some(&RollBackRequest { revoke })).await
    }

    /// `POST /v1/plugins/{name}/disable` (administration).
    pub async fn disable_plugin(&self, name: &str) -> Answer<Plugin> {
        self.call(Method::POST, &plugin_path(name, "/disable")?, NOTHING).await
    }

    /// `POST /v1/plugins/{name}/choose` (administration).
    pub async fn choose_connector(&self, name: &str) -> Answer<Plugin> {
        self.call(Method::POST, &plugin_path(name, "/choose")?, NOTHING).await
    }

    async fn upload(&self, method: Method, path: &str, package: &Package) -> Answer<Plugin> {
        let path = format!("{}{path}", self.prefix);
        let body = Some((PACKAGE_TYPE, package.to_archive()));
        let (status, answer) = self.exchange_bytes(method, &path, body).await?;
        let (status, answer) = success(status, answer)?;
        parse(status, &answer)
    }

    /// `GET /v1/audit/checkpoint` (administration).
    pub async fn audit_checkpoint(&self) -> Answer<String> {
        let path = format!("{}/v1/audit/checkpoint", self.prefix);
        let (status, answer) = self.succeed(Method::GET, &path, NOTHING).await?;
        String::from_utf8(answer.into()).map_err(|error| ClientError::Unexpected {
            status: status.as_u16(),
            reason: error.to_string(),
        })
    }

    async fn command(
        &self,
        method: Method,
        path: &str,
        body: Option<&VersionRequest>,
    ) -> Answer<()> {
        let path = format!("{}{path}", self.prefix);
        self.succeed(method, &path, body).await.map(|_| ())
    }
}

/// The same of a plugin's name.
fn plugin_path(name: &str, rest: &str) -> Answer<String> {
    names::check_plugin_name(name)
        .map_err(|error| ClientError::Configuration(format!("{name:?}: {error}")))?;
    Ok(format!("/v1/plugins/{name}{rest}"))
}

/// A name stands in a path as it is; one that could change the path's meaning is not sent.
pub(super) fn key_path(name: &str, rest: &str) -> Answer<String> {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(ClientError::Configuration(format!("{name:?} is not a key's name")));
    }
    Ok(format!("/v1/keys/{name}{rest}"))
}
