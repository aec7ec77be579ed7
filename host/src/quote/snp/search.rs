//! From a report and what came with it to the key that signed it.

use std::sync::Arc;

use super::super::authority::Authority;
use super::super::bundle::Bundle;
use super::super::fault::Fault;
use super::super::key::Scheme;
use super::super::revocation::Edition;
use super::super::trail::Trail;
use super::super::x509::Certificate;
use super::brought::Brought;
use super::endorsement::Endorsement;
use super::report::{EndorsementKey, Report};
use super::vek::Vek;
use crate::clock::Timestamp;

/// This many keys that fit a report are tried: each may cost signature checks of its chain and of
/// the report. More than one fits where the platform masks CHIP_ID or AMD certified a key anew.
const MAX_CANDIDATES: usize = 8;

/// A report with its signature.
pub(crate) struct Signed<'a> {
    pub(crate) report: &'a Report,
    /// The kind of key that it names.
    pub(crate) key: EndorsementKey,
    /// The signed part.
    pub(crate) message: &'a [u8],
    /// r then s, big-endian.
    pub(crate) signature: &'a [u8; 96],
}

/// Finds the key that signed a report, among what came with it and what the operator supplied, and
/// checks its chain and the signature.
pub(crate) fn endorse(
    authority: &Authority,
    bundle: &Bundle<'_>,
    signed: &Signed<'_>,
    at: Timestamp,
    reached: &mut Option<Trail>,
) -> Result<Arc<Endorsement>, Unendorsed> {
    let edition = authority.lists.load();
    let mut search = Search {
        brought: Brought::new(authority, bundle),
        edition: &edition,
        signed,
        at,
        left: MAX_CANDIDATES,
        reached: None,
        faults: Faults { unreadable: bundle.fault.clone(), ..Faults::default() },
    };
    search.run().ok_or_else(|| {
        *reached = search.reached.take();
        let lacking = search.lacks_the_key();
        Unendorsed { fault: search.fault(), lacking }
    })
}

/// No key that signed the report was found.
pub(crate) struct Unendorsed {
    pub(crate) fault: Fault,
    /// Whether it may be found yet: none was the report's, or what the report's own rests on is missing or out
    /// of date.
    pub(crate) lacking: bool,
}

/// One search. Every key is judged by itself, whether its chain is cached or not, and the first that
/// holds is the answer: so the cache decides how long an answer takes, never what it is.
struct Search<'a> {
    brought: Brought<'a>,
    edition: &'a Edition,
    signed: &'a Signed<'a>,
    at: Timestamp,
    /// How many more keys may be tried.
    left: usize,
    /// The chain of the first key that fits and is trusted, but did not sign.
    reached: Option<Trail>,
    faults: Faults,
}

/// The first fault of each sort, the most telling last.
#[derive(Default)]
struct Faults {
    /// Something that came along could not be read.
    unreadable: Option<Fault>,
    /// A key that came along is not this report's.
    misfit: Option<Fault>,
    /// A key fits the report, but it is not trusted or did not sign it.
    refused: Option<Fault>,
}

impl Search<'_> {
    fn run(&mut self) -> Option<Arc<Endorsement>> {
        let places = self.brought.places();
        let found = places.into_iter().find_map(|(place, fingerprint)| {
            self.cached(fingerprint).unwrap_or_else(|| self.read(place))
        });
        found.or_else(|| self.known())
    }

    /// Tries a key whose chain is cached; none where it is not.
    fn cached(&mut self, fingerprint: &[u8; 32]) -> Option<Option<Arc<Endorsement>>> {
        let known = self.brought.authority.endorsements.get(fingerprint)?;
        if !known.serves(self.at, self.edition, self.brought.bundle) {
            return None;
        }
        Some(self.fits(&known.vek).then(|| self.signed_by(known)).flatten())
    }

    /// Tries a certificate that came along.
    fn read(&mut self, place: usize) -> Option<Arc<Endorsement>> {
        let leaf = match self.brought.certificate(place) {
            Ok(certificate) => Arc::clone(certificate),
            Err(reason) => {
                self.faults.unreadable.get_or_insert(reason);
                return None;
            }
        };
        Vek::kind(&leaf)?;
        match Vek::read(&leaf) {
            Ok(vek) => self.fits(&vek).then(|| self.chained(vek, &leaf)).flatten(),
            Err(reason) => {
                self.faults.misfit.get_or_insert(reason);
                None
            }
        }
    }

    /// Tries what the operator supplied, where it did not come along as well.
    fn known(&mut self) -> Option<Arc<Endorsement>> {
        let authority = self.brought.authority;
        authority.known_keys.iter().find_map(|(vek, leaf)| {
            let fingerprint = leaf.fingerprint();
            let fits = vek.check_report(self.signed.report, self.signed.key).is_ok();
            let came = || {
                let certificates = &self.brought.bundle.certificates;
                certificates.iter().any(|item| item.fingerprint == fingerprint)
            };
            if !fits || came() {
                return None;
            }
            self.cached(&fingerprint).unwrap_or_else(|| {
                self.fits(vek).then(|| self.chained(vek.clone(), leaf)).flatten()
            })
        })
    }

    /// Whether the report may be this key's, and one more may be tried.
    fn fits(&mut self, vek: &Vek) -> bool {
        if let Err(misfit) = vek.check_report(self.signed.report, self.signed.key) {
            self.faults.misfit.get_or_insert(misfit.into());
            return false;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => {
                let fault = "more endorsement keys fit the report than are tried";
                self.faults.refused = Some(Fault::malformed(fault));
                false
            }
        }
    }

    fn chained(&mut self, vek: Vek, leaf: &Arc<Certificate>) -> Option<Arc<Endorsement>> {
        match Endorsement::of(vek, leaf, &self.brought, self.edition, self.at) {
            Ok(endorsement) => {
                let endorsement = Arc::new(endorsement);
                let cache = &self.brought.authority.endorsements;
                cache.insert(leaf.fingerprint(), Arc::clone(&endorsement));
                self.signed_by(endorsement)
            }
            Err(reason) => {
                self.faults.refused.get_or_insert(reason);
                None
            }
        }
    }

    fn signed_by(&mut self, endorsement: Arc<Endorsement>) -> Option<Arc<Endorsement>> {
        let Signed { message, signature, .. } = self.signed;
        let key = &endorsement.signer.parts().key;
        match key.verify(Scheme::EcdsaFixed, message, *signature) {
            Ok(()) => Some(endorsement),
            Err(reason) => {
                // The chain that held goes with the fault that is told.
                if self.faults.refused.is_none() {
                    self.reached = Some(endorsement.signer.parts().trail.clone());
                }
                self.faults.refused.get_or_insert(reason);
                None
            }
        }
    }

    /// A key of the firmware before, which a hypervisor may go on handing out, says nothing against the one that
    /// the report names.
    fn lacks_the_key(&self) -> bool {
        let refused = self.faults.refused.as_ref();
        refused.is_none_or(|fault| matches!(fault, Fault::Unavailable(_) | Fault::Expired(_)))
    }

    /// Why there is none.
    fn fault(&mut self) -> Fault {
        let Faults { unreadable, misfit, refused } = std::mem::take(&mut self.faults);
        refused.or(misfit).or(unreadable).unwrap_or_else(|| self.missing())
    }

    /// Names the certificate that would be needed.
    fn missing(&self) -> Fault {
        let Signed { report, key, .. } = self.signed;
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        let beside = match self.brought.bundle.foreign {
            0 => String::new(),
            number => format!(" ({number} of what came along is no certificate and no list)"),
        };
        Fault::Unavailable(format!(
            "the {} certificate of chip {} at reported_tcb {}{beside}",
            key.name().to_uppercase(),
            hex(&report.chip_id),
            hex(&report.reported_tcb)
        ))
    }
}
