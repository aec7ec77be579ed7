//! Keys and secrets as a vault keeps them: attributes, versions with identifiers of their own, soft
//! deletion, backup, operations with private keys, rotation policies.
//!
//! Material stays with the connector, which hands it to the host for the moment of an operation; no byte of it
//! leaves but by a release (see `release`) or sealed in a backup. What a connector does not know of a key is
//! kept here, sealed in the host's store beside its release policy. Front doors translate into these
//! calls; who may do what is asked here.

mod backup;
mod cipher;
mod deletion;
mod holding;
mod import;
mod keys;
mod material;
mod operate;
mod record;
mod release;
mod rotation;
mod schedule;
mod secret_release;
mod secrets;
mod types;

pub use cipher::Beside;
pub use operate::OperationRequest;
pub use record::Vault;
pub use release::{VaultRelease, VaultReleased};
pub use schedule::Upkeep;
pub use secrets::{NewSecret, SecretChange};
pub use types::{
    Attributes, Deletion, Described, Imported, KeyChange, KeyDescription, LifetimeAction,
    NewVaultKey, Operation, Page, Performed, Recoverable, RotationPolicy, SecretDescription,
    Trigger, WrappedKey,
};

use crate::error::Refusal;
use crate::permission::{Permission, Permissions};

use super::request::Caller;

/// The most items of a page.
pub const LARGEST_PAGE: usize = 25;

/// Who asks a vault: the request, his name, and what he may do.
#[derive(Clone, Copy, Debug)]
pub struct Actor<'a> {
    /// The request and its tenant.
    pub caller: &'a Caller,
    /// As it stands in the audit log.
    pub principal: &'a str,
    /// What he may do.
    pub permissions: &'a Permissions,
}

impl Actor<'_> {
    fn require(&self, permission: Permission) -> Result<(), Refusal> {
        self.permissions.require(permission, self.principal)
    }
}
