//! A key released from a vault: the token of an attestation service in, the key wrapped to the recipient
//! that the token names out. The order of the checks is the service's own: who asks; the key, its state and
//! its time; whether it may ever leave; the token; the release policy; the recipient key.

use super::Actor;
use super::keys::pick;
use super::record::{KeyRecord, Shelf, Stored, usable};
use super::types::KeyDescription;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::foreign::{Basis, Vouched};
use crate::flow::host::{Asked, Host};
use crate::flow::release_policies::check_name;
use crate::flow::request::{ReleasedKey, WrapForm};
use crate::foreign::Issuer;
use crate::keys::RsaAesKeyWrap;
use crate::permission::Permission;
use crate::plugin::KmsPlugin;
use crate::tenant::Tenant;

/// What is to be released, and to whom.
pub struct VaultRelease<'a> {
    /// The key.
    pub key: &'a str,
    /// Its version; the newest where none is named.
    pub version: Option<&'a str>,
    /// The token of an attestation service (JWT).
    pub token: &'a str,
    /// How the key is wrapped.
    pub wrap: RsaAesKeyWrap,
    /// This host's own attestation service, where the token says that it is of it.
    pub own: Option<&'a Issuer>,
}

/// A released key.
#[derive(Clone, Debug)]
pub struct VaultReleased {
    /// What is known of it.
    pub key: KeyDescription,
    /// The wrapped key in base64url, and how and on what basis it was released.
    pub released: ReleasedKey,
    /// What its owner calls the key that it is wrapped to.
    pub recipient: String,
}

impl Host {
    /// Releases a key to the recipient that a token names.
    pub async fn vault_release(
        &self,
        actor: Actor<'_>,
        wanted: VaultRelease<'_>,
    ) -> Result<VaultReleased, Refusal> {
        let VaultRelease { key, version, token, wrap, own } = wanted;
        actor.require(Permission::KeysRelease)?;
        let tenant = &actor.caller.tenant;
        let (kms, now) = (self.kms()?, self.parts.clock.now());
        // Which version is the newest, the connector must be asked.
        let recorded = match version {
            Some(version) => self.as_recorded(&kms, tenant, key, version, now)?,
            None => None,
        };
        let held = match recorded {
            Some(held) => held,
            None => self.alive(&kms, tenant, key).await?,
        };
        let picked = pick(&held.record, key, version)?;
        usable(&picked.described, &format!("{key}/{}", picked.id), now)?;
        let described = self.describe(&kms, tenant, key, &held.record, picked)?;
        if !described.exportable || described.release_policy.is_none() {
            let reason = format!("{key} is never released");
            return Err(Refusal::new(Code::KeyNotExportable, reason));
        }
        // A token of another service fails the check, whichever it gets.
        let issuer = own.or_else(|| self.parts.issuers.of_token(token));
        let issuer = issuer.ok_or_else(|| {
            Refusal::new(Code::TokenInvalid, "the token is of a service that nobody listed")
        })?;
        let vouched = Vouched::check(issuer, tenant, token, now).await?;
        if vouched.result.is_own() {
            self.maa_still_stands(actor.caller, &vouched.result).await?;
        }
        let recipient = vouched.result.recipient_kid().to_owned();
        let basis = Basis::Foreign(Box::new(vouched));
        let asked = Asked {
            principal: Some(actor.principal),
            form: WrapForm::RsaAes(wrap),
            ..Asked::of(key, Some(&picked.number))
        };
        let plugins = self.parts.catalogue.plugins();
        let released = self.release(actor.caller, basis, asked, &plugins).await?;
        Ok(VaultReleased { key: described, released, recipient })
    }

    /// What is on record of a key, where that allows the release of this version. Whether the connector still
    /// has it, and enabled, it says when it releases it.
    fn as_recorded(
        &self,
        kms: &KmsPlugin,
        tenant: &Tenant,
        key: &str,
        version: &str,
        now: Timestamp,
    ) -> Result<Option<Stored<KeyRecord>>, Refusal> {
        check_name(key)?;
        let held = self.parts.vault.read::<KeyRecord>(tenant, Shelf::Keys(kms.name()), key)?;
        Ok(held.filter(|held| {
            let found = pick(&held.record, key, Some(version));
            held.record.deletion.is_none()
                && found.is_ok_and(|version| usable(&version.described, key, now).is_ok())
        }))
    }
}
