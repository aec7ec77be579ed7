//! Token signing keys under administration: listed, and rotated by hand or by the clock, which also
//! has vaults do what is due.

use std::time::Duration;

use super::host::Host;
use super::record;
use super::request::Caller;
use super::waiting::waiting;
use crate::audit::Event;
use crate::error::Refusal;
use crate::keys::TokenKeySummary;
use crate::tenant::Tenant;

/// How often a host looks whether its key is due.
const LOOK: Duration = Duration::from_secs(60);

/// Who rotates by the clock, in the audit log.
const SCHEDULE: &str = "schedule";

impl Host {
    /// The key that signs tokens, and those that are still believed.
    #[must_use]
    pub fn token_keys(&self) -> Vec<TokenKeySummary> {
        self.parts.tokens.keyring.keys().summaries(self.parts.clock.now())
    }

    /// Has a fresh key sign tokens from now on. The old one is believed as long as a token of it may
    /// be out; with `revoke` not a moment longer.
    pub async fn rotate_token_key(
        &self,
        caller: &Caller,
        principal: &str,
        revoke: bool,
    ) -> Result<Vec<TokenKeySummary>, Refusal> {
        let now = self.parts.clock.now();
        let entry = record::plain(Event::TokenKeyRotated, caller, now).principal(principal);
        let entry = if revoke { entry.detail("the keys before it are revoked") } else { entry };
        let kid = |keys: &Vec<TokenKeySummary>| keys.first().map(|key| key.kid.clone());
        self.change(entry, kid, move |host| async move {
            let parts = std::sync::Arc::clone(&host.parts);
            waiting(move || parts.tokens.keyring.rotate(now, revoke)).await?;
            Ok(host.token_keys())
        })
        .await
    }

    /// The same where the present key is as old as the operator lets one become; whether it was.
    pub async fn rotate_token_key_if_due(&self) -> Result<bool, Refusal> {
        let tokens = &self.parts.tokens;
        let age = self.parts.clock.now().since(tokens.keyring.keys().created());
        if tokens.settings.rotation.is_none_or(|oldest| age < oldest) {
            return Ok(false);
        }
        let (request_id, tenant) = (self.parts.identifier()?, Tenant::default());
        self.rotate_token_key(&Caller { request_id, tenant }, SCHEDULE, false).await?;
        Ok(true)
    }

    /// Does what is due by the clock until it is dropped.
    pub async fn keep_rotating(&self) {
        loop {
            if let Err(refusal) = self.rotate_token_key_if_due().await {
                tracing::error!(%refusal, "the token signing key is due and was not rotated");
            }
            if let Err(refusal) = self.vault_upkeep().await {
                tracing::error!(%refusal, "what is due in the vaults was not done");
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
