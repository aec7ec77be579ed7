//! Revocation: the newest list of each issuer, and what the lists say about a certificate.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::crl::Crl;
use super::fault::Fault;
use super::x509::Certificate;
use crate::clock::Timestamp;

/// Whether certificates of an anchor set may be used without revocation data.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Revocation {
    /// Without a valid list there is no trust.
    #[default]
    Required,
    /// The operator does without; facts and trust path say so. A list that is there still counts.
    Waived,
}

/// What was found about revocation.
#[derive(Clone)]
pub(crate) enum Standing {
    /// Not on the newest list, which is valid.
    Checked(Arc<Crl>),
    /// Not looked for; not on any list that was there.
    Waived,
}

/// The newest list of each issuer, by the SHA-256 of the issuer's key.
pub(crate) struct Lists(ArcSwap<Edition>);

/// The lists at one moment; `epoch` grows with every change.
#[derive(Clone, Default)]
pub(crate) struct Edition {
    pub(crate) epoch: u64,
    by_issuer: HashMap<[u8; 32], Arc<Crl>>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Edition::default()))
    }

    /// The lists of now.
    pub(crate) fn load(&self) -> Guard<Arc<Edition>> {
        self.0.load()
    }

    /// Keeps a list whose signature was checked against the key of that fingerprint. A newer one is
    /// never replaced by an older one; answers whether the list was taken.
    pub(crate) fn keep(&self, issuer_key: [u8; 32], list: &Arc<Crl>) -> bool {
        let newer = |edition: &Edition| match edition.by_issuer.get(&issuer_key) {
            Some(known) => list.cmp_age(known).is_gt(),
            None => true,
        };
        let before = self.0.rcu(|edition| {
            let mut edition = Edition::clone(edition);
            if newer(&edition) {
                edition.by_issuer.insert(issuer_key, Arc::clone(list));
                edition.epoch += 1;
            }
            edition
        });
        newer(&before)
    }
}

impl Edition {
    pub(crate) fn of(&self, issuer_key: &[u8; 32]) -> Option<&Arc<Crl>> {
        self.by_issuer.get(issuer_key)
    }
}

/// Judges certificates that `issuer` issued by `lists`, whose signatures are checked already.
pub(crate) fn judge(
    rule: Revocation,
    issuer: &Certificate,
    issued: &Certificate,
    lists: &[Arc<Crl>],
    at: Timestamp,
) -> Result<Standing, Fault> {
    // A list from the future says nothing yet about `at`; one from the past still names the revoked.
    let begun = || lists.iter().filter(|list| list.this_update <= at);
    if begun().any(|list| list.lists(issued)) {
        return Err(Fault::Revoked(issued.describe()));
    }
    if rule == Revocation::Waived {
        return Ok(Standing::Waived);
    }
    let newest = begun().max_by(|one, other| one.cmp_age(other));
    match (newest, lists.first()) {
        (Some(list), _) if at <= list.next_update => Ok(Standing::Checked(Arc::clone(list))),
        (Some(list), _) => Err(Fault::Expired(format!(
            "the revocation list of {} was valid until {}, no longer at {at}",
            issuer.subject, list.next_update
        ))),
        (None, Some(list)) => Err(Fault::Expired(format!(
            "the revocation list of {} is valid from {}, not yet at {at}",
            issuer.subject, list.this_update
        ))),
        (None, None) => {
            Err(Fault::Unavailable(format!("the revocation list of {}", issuer.subject)))
        }
    }
}
