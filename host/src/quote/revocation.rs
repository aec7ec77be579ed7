//! Revocation: the lists of each issuer, and what they say about a certificate.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::crl::Crl;
use super::fault::Fault;
use super::ocsp::Good;
use super::x509::Certificate;
use crate::clock::Timestamp;

/// So many lists of one issuer are kept. Beyond, the oldest goes that a newer one supersedes.
const KEPT: usize = 16;

/// Whether certificates of an anchor set may be used without revocation data.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Revocation {
    /// Without a valid list there is no trust.
    #[default]
    Required,
    /// The operator does without; facts and trust path say so. A list that is there still counts.
    Waived,
    /// The issuers publish no lists; facts and trust path say so. A list that is there still counts.
    Unpublished,
}

/// What was found about revocation.
#[derive(Clone)]
pub(crate) enum Standing {
    /// Good by its issuer's answer, for as long as that says.
    Answered(Good),
    /// Not on any list; the newest that speaks for the certificate, which is valid.
    Checked(Arc<Crl>),
    /// Not looked for; not on any list that was there.
    Waived,
    /// There is nothing to look for; not on any list that was there.
    Unpublished,
}

impl Standing {
    /// As facts have it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Answered(_) | Self::Checked(_) => "checked",
            Self::Waived => "waived",
            Self::Unpublished => "unpublished",
        }
    }
}

/// The lists of each issuer, by the SHA-256 of the issuer's key.
pub(crate) struct Lists(ArcSwap<Edition>);

/// The lists at one moment; `epoch` grows with every change.
#[derive(Clone, Default)]
pub(crate) struct Edition {
    pub(crate) epoch: u64,
    by_issuer: HashMap<[u8; 32], Vec<Arc<Crl>>>,
}

impl Lists {
    pub(crate) fn new() -> Self {
        Self(ArcSwap::from_pointee(Edition::default()))
    }

    /// The lists of now.
    pub(crate) fn load(&self) -> Guard<Arc<Edition>> {
        self.0.load()
    }

    /// Keeps a list whose signature was checked against the key of that fingerprint, beside the other
    /// lists of that issuer: it may publish several, each with numbers of its own. Answers whether
    /// the list adds anything.
    pub(crate) fn keep(&self, issuer_key: [u8; 32], list: &Arc<Crl>) -> bool {
        let mut kept = false;
        self.0.rcu(|edition| {
            let next = edition.with(issuer_key, list);
            kept = next.is_some();
            next.map_or_else(|| Arc::clone(edition), Arc::new)
        });
        kept
    }
}

impl Edition {
    /// The lists of an issuer, newest first.
    pub(crate) fn of(&self, issuer_key: &[u8; 32]) -> &[Arc<Crl>] {
        self.by_issuer.get(issuer_key).map(Vec::as_slice).unwrap_or_default()
    }

    /// Adds a list that came with evidence, for one examination. Its signature was checked against the key
    /// of that fingerprint.
    pub(crate) fn bring(&mut self, issuer_key: [u8; 32], list: &Arc<Crl>) {
        if let Some(next) = self.with(issuer_key, list) {
            let epoch = self.epoch;
            *self = Self { epoch, ..next };
        }
    }

    /// The lists with one more; none where it adds nothing.
    fn with(&self, issuer_key: [u8; 32], list: &Arc<Crl>) -> Option<Self> {
        if self.of(&issuer_key).iter().any(|known| known.says_the_same(list)) {
            return None;
        }
        let mut next = self.clone();
        next.epoch += 1;
        let lists = next.by_issuer.entry(issuer_key).or_default();
        lists.push(Arc::clone(list));
        lists.sort_by(|one, other| other.cmp_age(one));
        if lists.len() > KEPT {
            let superseded = |old: &Arc<Crl>| {
                lists.iter().any(|new| !Arc::ptr_eq(new, old) && new.supersedes(old))
            };
            let place = lists.iter().rposition(superseded).unwrap_or(KEPT);
            if Arc::ptr_eq(&lists.remove(place), list) {
                return None;
            }
        }
        Some(next)
    }
}

/// What the lists say, and the last moment at which they say it: then the list that was relied on
/// ends, or another begins.
pub(crate) struct Judgement {
    pub(crate) standing: Standing,
    pub(crate) until: Timestamp,
}

/// Judges a certificate that `issuer` issued by the issuer's `lists`, whose signatures are checked
/// already.
pub(crate) fn judge(
    rule: Revocation,
    issuer: &Certificate,
    issued: &Certificate,
    lists: &[Arc<Crl>],
    at: Timestamp,
) -> Result<Judgement, Fault> {
    // A list from the future says nothing yet about `at`; one from the past still names the revoked.
    let (begun, coming): (Vec<&Arc<Crl>>, Vec<_>) =
        lists.iter().partition(|list| list.this_update <= at);
    if begun.iter().any(|list| list.lists(issued)) {
        return Err(Fault::Revoked(issued.describe()));
    }
    let next = coming.iter().map(|list| Timestamp(list.this_update.0.saturating_sub(1))).min();
    let next = next.unwrap_or(Timestamp::NEVER);
    match rule {
        Revocation::Required => {}
        Revocation::Waived => return Ok(Judgement { standing: Standing::Waived, until: next }),
        Revocation::Unpublished => {
            return Ok(Judgement { standing: Standing::Unpublished, until: next });
        }
    }
    let newest = |lists: &[&Arc<Crl>]| {
        let covering = lists.iter().filter(|list| list.scope.covers(issued));
        covering.max_by(|one, other| one.cmp_age(other)).map(|list| Arc::clone(list))
    };
    match (newest(&begun), newest(&coming)) {
        (Some(list), _) if at <= list.next_update => {
            let until = next.min(list.next_update);
            Ok(Judgement { standing: Standing::Checked(list), until })
        }
        (Some(list), _) => Err(Fault::Expired(format!(
            "the revocation list of {} was valid until {}, no longer at {at}",
            issuer.subject, list.next_update
        ))),
        (None, Some(list)) => Err(Fault::Expired(format!(
            "the revocation list of {} is valid from {}, not yet at {at}",
            issuer.subject, list.this_update
        ))),
        (None, None) => Err(Fault::Unavailable(format!(
            "the revocation list of {} that speaks for {}",
            issuer.subject, issued.subject
        ))),
    }
}
