//! Another way to a judgement that may release: the token of a service that the operator lists. It
//! leads past challenge, verifier and appraisal, none of which happened here, so that it makes no
//! [`Appraised`] and has no status.

use std::sync::Arc;

use super::appraise::Appraised;
use super::challenge::Freshness;
use super::record;
use super::request::Caller;
use crate::appraisal::Status;
use crate::audit::{Digest, Event, Record};
use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::foreign::{ForeignResult, Issuer};
use crate::keys::RecipientKey;
use crate::reference::Snapshot;
use crate::secret::Secret;
use crate::tenant::Tenant;

/// What kept evidence or token from being of use to anybody else: the recipient key alone, for such
/// a token answers no challenge of this host.
const FRESHNESS: &str = Freshness::RecipientKey.name();

/// A token of another service, strictly checked, in the request of this tenant.
#[derive(Debug)]
pub(super) struct Vouched {
    pub(super) tenant: Tenant,
    pub(super) at: Timestamp,
    pub(super) result: ForeignResult,
    /// The token as it came, for a connector whose service judges it itself.
    pub(super) token: Secret,
}

impl Vouched {
    /// Checks the token; there is no other way to one of these.
    pub(super) async fn check(
        issuer: &Issuer,
        tenant: &Tenant,
        token: &str,
        at: Timestamp,
    ) -> Result<Self, Refusal> {
        let result = issuer.check(token, at).await;
        let result = result.map_err(|error| error.refusal(issuer.name()))?;
        let token = Secret::new(token.as_bytes().to_vec());
        Ok(Self { tenant: tenant.clone(), at, result, token })
    }
}

/// What a release rests on.
#[derive(Debug)]
pub(super) enum Basis {
    /// This host's own judgement, of evidence or of its own token.
    Own(Box<Appraised>),
    /// Another service's token.
    Foreign(Box<Vouched>),
}

impl Basis {
    pub(super) fn tenant(&self) -> &Tenant {
        match self {
            Self::Own(appraised) => &appraised.tenant,
            Self::Foreign(vouched) => &vouched.tenant,
        }
    }

    pub(super) fn recipient(&self) -> &RecipientKey {
        match self {
            Self::Own(appraised) => &appraised.recipient,
            Self::Foreign(vouched) => vouched.result.recipient(),
        }
    }

    /// The appraisal's status; where nothing was appraised here, none.
    pub(super) fn status(&self) -> Status {
        match self {
            Self::Own(appraised) => appraised.status(),
            Self::Foreign(_) => Status::None,
        }
    }

    /// Whether it is known to rest on simulated hardware.
    pub(super) fn simulated(&self) -> bool {
        match self {
            Self::Own(appraised) => appraised.occasion.simulated,
            Self::Foreign(_) => false,
        }
    }

    /// What a wrapped key names as its occasion: SHA-256 of the nonce, or of the other service's
    /// token.
    pub(super) fn occasion(&self) -> [u8; 32] {
        match self {
            Self::Own(appraised) => Digest::of(&appraised.occasion.nonce).0,
            Self::Foreign(vouched) => vouched.result.digest().0,
        }
    }

    /// The reference values that it was judged by, if it was judged by any.
    pub(super) fn references(&self) -> Option<&Arc<Snapshot>> {
        match self {
            Self::Own(appraised) => Some(&appraised.references),
            Self::Foreign(_) => None,
        }
    }

    /// A record of a decision that rests on it.
    pub(super) fn record(&self, event: Event, caller: &Caller) -> Record {
        match self {
            Self::Own(appraised) => record::of(event, caller, appraised),
            Self::Foreign(vouched) => {
                let Vouched { at, result, .. } = &**vouched;
                let record = record::plain(event, caller, *at)
                    .recipient(&result.recipient().thumbprint())
                    .evidence(result.digest())
                    .authority(result.issuer(), FRESHNESS);
                match result.id() {
                    Some(id) => record.token(id),
                    None => record,
                }
            }
        }
    }
}
