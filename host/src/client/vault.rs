//! The calls about keys and secrets as a vault keeps them, one method each; all are administration.

use http::Method;

use super::requests::{Answer, NOTHING, key_path};
use super::{Client, ClientError};
use crate::http::{
    Backup, Base64Url, DeletedKey, DeletedKeyPage, DeletedSecret, DeletedSecretPage,
    KeyChangeRequest, KeyDetails, KeyRotationPolicy, KeyVersionRequest, NewSecretRequest,
    PerformRequest, Performance, Release, ReleasePolicyRequest, ReleaseRequest,
    SecretChangeRequest, SecretDetails, SecretPage, SecretValue, SecretVersions,
};
use crate::store::names;

impl Client {
    /// `GET /v1/keys/{name}/details`.
    pub async fn key_details(&self, name: &str, version: Option<&str>) -> Answer<KeyDetails> {
        let path = key_path(name, &format!("/details{}", of_version(version)?))?;
        self.call(Method::GET, &path, NOTHING).await
    }

    /// `PATCH /v1/keys/{name}`.
    pub async fn change_key(&self, name: &str, request: &KeyChangeRequest) -> Answer<KeyDetails> {
        self.call(Method::PATCH, &key_path(name, "")?, Some(request)).await
    }

    /// `POST /v1/keys/{name}/perform`.
    pub async fn perform(&self, name: &str, request: &PerformRequest) -> Answer<Performance> {
        self.call(Method::POST, &key_path(name, "/perform")?, Some(request)).await
    }

    /// `GET /v1/keys/{name}/rotation-policy`.
    pub async fn rotation_policy(&self, name: &str) -> Answer<KeyRotationPolicy> {
        self.call(Method::GET, &key_path(name, "/rotation-policy")?, NOTHING).await
    }

    /// `PUT /v1/keys/{name}/rotation-policy`.
    pub async fn set_rotation_policy(
        &self,
        name: &str,
        policy: &KeyRotationPolicy,
    ) -> Answer<KeyRotationPolicy> {
        self.call(Method::PUT, &key_path(name, "/rotation-policy")?, Some(policy)).await
    }

    /// `POST /v1/keys/{name}/backup`.
    pub async fn back_up_key(&self, name: &str) -> Answer<Backup> {
        self.call(Method::POST, &key_path(name, "/backup")?, NOTHING).await
    }

    /// `POST /v1/key-backups`.
    pub async fn restore_key(&self, backup: Vec<u8>) -> Answer<KeyDetails> {
        let backup = Backup { backup: Base64Url(backup) };
        self.call(Method::POST, "/v1/key-backups", Some(&backup)).await
    }

    /// `POST /v1/keys/{name}/delete`.
    pub async fn soft_delete_key(&self, name: &str) -> Answer<DeletedKey> {
        self.call(Method::POST, &key_path(name, "/delete")?, NOTHING).await
    }

    /// `GET /v1/deleted-keys`.
    pub async fn deleted_keys(&self, cursor: Option<&str>) -> Answer<DeletedKeyPage> {
        self.call(Method::GET, &paged("/v1/deleted-keys", cursor), NOTHING).await
    }

    /// `POST /v1/deleted-keys/{name}/recover`.
    pub async fn recover_key(&self, name: &str) -> Answer<KeyDetails> {
        self.call(Method::POST, &path("deleted-keys", name, "/recover")?, NOTHING).await
    }

    /// `DELETE /v1/deleted-keys/{name}`.
    pub async fn purge_key(&self, name: &str) -> Answer<()> {
        let path = format!("{}{}", self.prefix, path("deleted-keys", name, "")?);
        self.succeed(Method::DELETE, &path, NOTHING).await.map(|_| ())
    }

    /// `PUT /v1/keys/{name}`.
    pub async fn put_key(&self, name: &str, request: &KeyVersionRequest) -> Answer<KeyDetails> {
        self.call(Method::PUT, &path("keys", name, "")?, Some(request)).await
    }

    /// `PUT /v1/secrets/{name}/release-policy`.
    pub async fn set_secret_release_policy(
        &self,
        name: &str,
        policy: &ReleasePolicyRequest,
    ) -> Answer<SecretDetails> {
        self.call(Method::PUT, &path("secrets", name, "/release-policy")?, Some(policy)).await
    }

    /// `POST /v1/secrets/{name}/release`.
    pub async fn release_secret(&self, name: &str, request: &ReleaseRequest) -> Answer<Release> {
        self.call(Method::POST, &path("secrets", name, "/release")?, Some(request)).await
    }

    /// `GET /v1/secrets`.
    pub async fn list_secrets(&self, cursor: Option<&str>) -> Answer<SecretPage> {
        self.call(Method::GET, &paged("/v1/secrets", cursor), NOTHING).await
    }

    /// `PUT /v1/secrets/{name}`.
    pub async fn set_secret(
        &self,
        name: &str,
        request: &NewSecretRequest,
    ) -> Answer<SecretDetails> {
        self.call(Method::PUT, &path("secrets", name, "")?, Some(request)).await
    }

    /// `GET /v1/secrets/{name}`.
    pub async fn secret(&self, name: &str, version: Option<&str>) -> Answer<SecretValue> {
        let path = path("secrets", name, &of_version(version)?)?;
        self.call(Method::GET, &path, NOTHING).await
    }

    /// `PATCH /v1/secrets/{name}`.
    pub async fn change_secret(
        &self,
        name: &str,
        request: &SecretChangeRequest,
    ) -> Answer<SecretDetails> {
        self.call(Method::PATCH, &path("secrets", name, "")?, Some(request)).await
    }

    /// `GET /v1/secrets/{name}/versions`.
    pub async fn secret_versions(&self, name: &str) -> Answer<SecretVersions> {
        self.call(Method::GET, &path("secrets", name, "/versions")?, NOTHING).await
    }

    /// `POST /v1/secrets/{name}/backup`.
    pub async fn back_up_secret(&self, name: &str) -> Answer<Backup> {
        self.call(Method::POST, &path("secrets", name, "/backup")?, NOTHING).await
    }

    /// `POST /v1/secret-backups`.
    pub async fn restore_secret(&self, backup: Vec<u8>) -> Answer<SecretDetails> {
        let backup = Backup { backup: Base64Url(backup) };
        self.call(Method::POST, "/v1/secret-backups", Some(&backup)).await
    }

    /// `POST /v1/secrets/{name}/delete`.
    pub async fn delete_secret(&self, name: &str) -> Answer<DeletedSecret> {
        self.call(Method::POST, &path("secrets", name, "/delete")?, NOTHING).await
    }

    /// `GET /v1/deleted-secrets`.
    pub async fn deleted_secrets(&self, cursor: Option<&str>) -> Answer<DeletedSecretPage> {
        self.call(Method::GET, &paged("/v1/deleted-secrets", cursor), NOTHING).await
    }

    /// `POST /v1/deleted-secrets/{name}/recover`.
    pub async fn recover_secret(&self, name: &str) -> Answer<SecretDetails> {
        self.call(Method::POST, &path("deleted-secrets", name, "/recover")?, NOTHING).await
    }

    /// `DELETE /v1/deleted-secrets/{name}`.
    pub async fn purge_secret(&self, name: &str) -> Answer<()> {
        let path = format!("{}{}", self.prefix, path("deleted-secrets", name, "")?);
        self.succeed(Method::DELETE, &path, NOTHING).await.map(|_| ())
    }
}

/// A name stands in a path as it is; one that could change the path's meaning is not sent.
fn path(collection: &str, name: &str, rest: &str) -> Answer<String> {
    names::check_key_name(name)
        .map_err(|error| ClientError::Configuration(format!("{name:?}: {error}")))?;
    Ok(format!("/v1/{collection}/{name}{rest}"))
}

fn paged(path: &str, cursor: Option<&str>) -> String {
    cursor.map_or_else(|| path.to_owned(), |cursor| format!("{path}?cursor={cursor}"))
}

fn of_version(version: Option<&str>) -> Answer<String> {
    match version {
        None => Ok(String::new()),
        Some(id) if id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Ok(format!("?version={id}"))
        }
        Some(id) => Err(ClientError::Configuration(format!("{id:?} is no version"))),
    }
}
