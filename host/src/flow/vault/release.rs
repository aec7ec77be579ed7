//! A key released from a vault: the token of an attestation service in, the key wrapped to the recipient
//! that the token names out. The order of the checks is the service's own: who asks; the key, its state and
//! its time; whether it may ever leave; the token; the release policy; the recipient key.

use super::Actor;
use super::keys::pick;
use super::record::usable;
use super::types::KeyDescription;
use crate::error::{Code, Refusal};
use crate::flow::foreign::{Basis, Vouched};
use crate::flow::host::{Asked, Host};
use crate::flow::request::{ReleasedKey, WrapForm};
use crate::foreign::Issuer;
use crate::keys::RsaAesKeyWrap;
use crate::permission::Permission;

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
        let announced = self.parts.audit.announce();
        let tenant = &actor.caller.tenant;
        let (kms, now) = (self.kms()?, self.parts.clock.now());
        let held = self.alive(&kms, tenant, key).await?;
        let version = pick(&held.record, key, version)?;
        usable(&version.described, &format!("{key}/{}", version.id), now)?;
        let described = self.describe(&kms, tenant, key, &held.record, version)?;
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
        if own.is_some() {
            self.maa_still_stands(actor.caller, vouched.result.claims()).await?;
        }
        let recipient = vouched.result.recipient_kid().to_owned();
        let basis = Basis::Foreign(Box::new(vouched));
        let asked = Asked {
            principal: Some(actor.principal),
            form: WrapForm::RsaAes(wrap),
            ..Asked::of(key, Some(&version.number))
        };
        let plugins = self.parts.catalogue.plugins();
        let released = self.release(actor.caller, basis, asked, &plugins, announced).await?;
        Ok(VaultReleased { key: described, released, recipient })
    }
}
