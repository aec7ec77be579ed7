//! Administration, on its own address: keys, secrets, plugins, reference values, token signing keys, what
//! became of requests, the audit log's checkpoint. Every call needs an administrator's credential,
//! `health` and the API's description aside.

pub(super) mod audit;
pub(super) mod keys;
pub(super) mod plugins;
pub(super) mod references;
pub(super) mod release_policy;
pub(super) mod requests;
pub(super) mod token_keys;
pub(super) mod vault;
pub(super) mod versions;

use axum::Router;

use super::door::Door;
use super::native::status;
use super::routes::routes;

routes! {
    "/keys": get keys::list, post keys::create;
    "/keys/{name}": get keys::read, put vault::keys::put,
        patch vault::details::change, delete keys::delete;
    "/keys/{name}/details": get vault::details::read;
    "/keys/{name}/perform": post vault::operations::perform;
    "/keys/{name}/rotation-policy": get vault::rotation_policy::read, put vault::rotation_policy::set;
    "/keys/{name}/backup": post vault::backups::of_key;
    "/keys/{name}/delete": post vault::deleted_keys::delete;
    "/keys/{name}/release-policy": get release_policy::read, put release_policy::set;
    "/keys/{name}/versions": get versions::list;
    "/keys/{name}/rotate": post versions::rotate;
    "/keys/{name}/enable": post versions::enable;
    "/keys/{name}/disable": post versions::disable;
    "/key-backups": post vault::backups::key;
    "/deleted-keys": get vault::deleted_keys::list;
    "/deleted-keys/{name}": get vault::deleted_keys::read, delete vault::deleted_keys::purge;
    "/deleted-keys/{name}/recover": post vault::deleted_keys::recover;
    "/secrets": get vault::secrets::list;
    "/secrets/{name}": get vault::secrets::read, put vault::secrets::set, patch vault::secrets::change;
    "/secrets/{name}/release-policy": put vault::secrets::set_release_policy;
    "/secrets/{name}/versions": get vault::secrets::versions;
    "/secrets/{name}/backup": post vault::backups::of_secret;
    "/secrets/{name}/delete": post vault::deleted_secrets::delete;
    "/secret-backups": post vault::backups::secret;
    "/deleted-secrets": get vault::deleted_secrets::list;
    "/deleted-secrets/{name}": get vault::deleted_secrets::read, delete vault::deleted_secrets::purge;
    "/deleted-secrets/{name}/recover": post vault::deleted_secrets::recover;
    "/plugins": get plugins::list, post plugins::install;
    "/plugins/{name}": put plugins::swap;
    "/plugins/{name}/choose": post plugins::choose;
    "/plugins/{name}/disable": post plugins::disable;
    "/plugins/{name}/rollback": post plugins::roll_back;
    "/references": get references::list, post references::add;
    "/references/history": get references::history;
    "/references/{id}": get references::read, delete references::revoke;
    "/requests/{id}": get requests::read;
    "/token-keys": get token_keys::list;
    "/token-keys/rotate": post token_keys::rotate;
    "/audit/checkpoint": get audit::checkpoint;
    "/health": get status::health;
    "/openapi.json": get status::openapi;
}

/// The routes, for the default tenant and for a named one.
pub(super) fn routes() -> Router<Door> {
    Router::new().nest("/v1", router()).nest("/t/{tenant}/v1", router())
}
