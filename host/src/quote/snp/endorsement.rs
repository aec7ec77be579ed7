//! From a report's certificates to the key that must have signed it: cold by the whole chain, warm
//! from the cache.

use std::sync::Arc;

use super::super::authority::Authority;
use super::super::bundle::{Bundle, Item};
use super::super::crl::Crl;
use super::super::fault::Fault;
use super::super::revocation::{Standing, judge};
use super::super::signer::{Parts, Signer};
use super::super::statement::Format;
use super::super::trail::{Deed, Trail};
use super::super::x509::Certificate;
use super::family::Family;
use super::report::{EndorsementKey, Report};
use super::vek::Vek;
use crate::clock::Timestamp;

/// One piece of evidence may offer this many endorsement keys; each may cost an RSA check.
const MAX_CANDIDATES: usize = 4;

/// An endorsement key whose chain was checked, and for when that holds.
pub(crate) struct Endorsement {
    pub(crate) vek: Vek,
    pub(crate) signer: Signer,
    pub(crate) standing: Standing,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The host's revocation lists by which it was judged.
    epoch: u64,
    /// What the evidence itself contributed: an authority, revocation lists. A cached endorsement
    /// serves only evidence that brings the same, so that no answer depends on earlier requests.
    authority: Option<[u8; 32]>,
    lists: Vec<[u8; 32]>,
}

impl Endorsement {
    /// For a person.
    pub(crate) fn describe(&self, version: u32) -> String {
        let Vek { key, product_name, tcb, hardware_id, csp_id, .. } = &self.vek;
        let holder = match (hardware_id, csp_id) {
            (Some(chip), _) => format!("chip {}", data_encoding::HEXLOWER.encode(chip)),
            (None, Some(provider)) => format!("provider {provider}"),
            (None, None) => String::new(),
        };
        let fmc = tcb.fmc.map(|fmc| format!("fmc {fmc}, ")).unwrap_or_default();
        format!(
            "report version {version} signed by the {} of {product_name} {holder} at TCB ({fmc}\
             bootloader {}, tee {}, snp {}, microcode {}): ECDSA P-384 with SHA-384 over 672 bytes",
            key.name().to_uppercase(),
            tcb.bootloader,
            tcb.tee,
            tcb.snp,
            tcb.microcode,
        )
    }

    fn serves(&self, at: Timestamp, epoch: u64, bundle: &Bundle<'_>) -> bool {
        let brought = |fingerprint: &[u8; 32]| {
            bundle.certificates.iter().any(|item| item.fingerprint == *fingerprint)
        };
        (self.from..=self.until).contains(&at)
            && self.epoch == epoch
            && self.authority.as_ref().is_none_or(brought)
            && self.lists.iter().eq(bundle.lists.iter().map(|item| &item.fingerprint))
    }
}

/// Finds the endorsement key of a report among what came with it and what the host knows.
pub(crate) fn endorse(
    authority: &Authority,
    bundle: &Bundle<'_>,
    report: &Report,
    at: Timestamp,
) -> Result<Arc<Endorsement>, Fault> {
    let epoch = authority.lists.load().epoch;
    for item in &bundle.certificates {
        let known = authority.endorsements.get(&item.fingerprint);
        if let Some(known) = known.filter(|known| known.serves(at, epoch, bundle)) {
            known.vek.check_report(report)?;
            return Ok(known);
        }
    }
    Search::new(authority, bundle, report, at)?.run()
}

/// The cold way.
struct Search<'a> {
    authority: &'a Authority,
    report: &'a Report,
    at: Timestamp,
    /// Certificates that came with the evidence, by what their names say that they are.
    leaves: Vec<Arc<Certificate>>,
    authorities: Vec<Arc<Certificate>>,
    lists: Vec<Arc<Crl>>,
}

impl<'a> Search<'a> {
    fn new(
        authority: &'a Authority,
        bundle: &Bundle<'_>,
        report: &'a Report,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        let mut search = Self {
            authority,
            report,
            at,
            leaves: Vec::new(),
            authorities: Vec::new(),
            lists: Vec::new(),
        };
        for Item { der, fingerprint } in &bundle.certificates {
            if authority.is_published(fingerprint) {
                continue;
            }
            let certificate = Arc::new(Certificate::parse(der)?);
            match Vek::kind(&certificate) {
                Some(_) => search.leaves.push(certificate),
                None => search.authorities.push(certificate),
            }
        }
        if search.leaves.len() > MAX_CANDIDATES || search.authorities.len() > MAX_CANDIDATES {
            return Err(Fault::malformed("more certificates than one report needs"));
        }
        for Item { der, .. } in &bundle.lists {
            search.lists.push(Arc::new(Crl::parse(der)?));
        }
        Ok(search)
    }

    fn run(&self) -> Result<Arc<Endorsement>, Fault> {
        let mut fault = None;
        for leaf in &self.leaves {
            match self.endorse(leaf) {
                Ok(endorsement) => return Ok(endorsement),
                Err(reason) => fault = fault.or(Some(reason)),
            }
        }
        for (vek, leaf) in &self.authority.known_keys {
            if vek.check_report(self.report).is_ok() {
                match self.endorse(leaf) {
                    Ok(endorsement) => return Ok(endorsement),
                    Err(reason) => fault = fault.or(Some(reason)),
                }
            }
        }
        Err(fault.unwrap_or_else(|| missing(self.report)))
    }

    /// The whole chain of one endorsement key. What is cheap comes first.
    fn endorse(&self, leaf: &Arc<Certificate>) -> Result<Arc<Endorsement>, Fault> {
        let vek = Vek::read(leaf)?;
        vek.check_report(self.report)?;
        leaf.check_dates(self.at)?;
        let (family, issuer, brought) = self.issuer(&vek, leaf)?;
        issuer.check_dates(self.at)?;
        family.root.check_dates(self.at)?;
        let edition = self.authority.lists.load();
        let standing = judge(
            self.authority.amd_revocation(),
            &family.root,
            &issuer,
            &self.lists_of(family, edition.of(&family.root_key))?,
            self.at,
        )?;
        let mut from = leaf.not_before.max(issuer.not_before).max(family.root.not_before);
        let mut until = leaf.not_after.min(issuer.not_after).min(family.root.not_after);
        if let Standing::Checked(list) = &standing {
            from = from.max(list.this_update);
            until = until.min(list.next_update);
        }
        let anchor = Trail::start(Deed::Anchor {
            set: self.authority.amd_name(),
            certificate: Arc::clone(&family.root),
            simulated: family.simulated,
        });
        let trail = anchor.then(Deed::Chain {
            leaf: Arc::clone(leaf),
            between: vec![Arc::clone(&issuer)],
            standing: vec![standing.clone()],
        });
        let signer = Signer::new(Parts {
            key: leaf.key.clone(),
            certificate: Some(Arc::clone(leaf)),
            expires: until,
            simulated: family.simulated,
            trail,
            speaks: Format::Snp(None),
            bindable: true,
        });
        let endorsement = Arc::new(Endorsement {
            vek,
            signer,
            standing,
            from,
            until,
            epoch: edition.epoch,
            authority: brought.then(|| issuer.fingerprint()),
            lists: self.lists.iter().map(|list| list.fingerprint()).collect(),
        });
        self.authority.endorsements.insert(leaf.fingerprint(), Arc::clone(&endorsement));
        Ok(endorsement)
    }

    /// Who issued the key: an authority that the host has, or one that came with the evidence and
    /// that a pinned root issued. Answers whether it came with the evidence.
    fn issuer(
        &self,
        vek: &Vek,
        leaf: &Certificate,
    ) -> Result<(&'a Family, Arc<Certificate>, bool), Fault> {
        let families = || self.authority.families.iter().filter(|one| one.product == vek.product);
        for family in families() {
            for issuer in family.authorities(vek.key) {
                if leaf.check_issued_by(issuer).is_ok() {
                    return Ok((family, Arc::clone(issuer), false));
                }
            }
        }
        for family in families() {
            for issuer in &self.authorities {
                if family.role(issuer) == Some(vek.key)
                    && issuer.check_issued_by(&family.root).is_ok()
                    && leaf.check_issued_by(issuer).is_ok()
                {
                    return Ok((family, Arc::clone(issuer), true));
                }
            }
        }
        Err(Fault::Untrusted(format!(
            "no trusted AMD root stands behind the {} certificate issued by {}",
            leaf.subject, leaf.issuer
        )))
    }

    /// The lists of a root: the host's own and those that came with the evidence. One that names
    /// this root but is not signed by it is a forgery unless it is another family's of that name.
    fn lists_of(&self, family: &Family, own: Option<&Arc<Crl>>) -> Result<Vec<Arc<Crl>>, Fault> {
        let mut lists: Vec<Arc<Crl>> = own.into_iter().cloned().collect();
        for list in self.lists.iter().filter(|list| list.issuer == family.root.subject) {
            let genuine = |family: &Family| list.check_issued_by(&family.root).is_ok();
            match genuine(family) {
                true => lists.push(Arc::clone(list)),
                false if self.authority.families.iter().any(genuine) => {}
                false => return Err(Fault::BadSignature),
            }
        }
        Ok(lists)
    }
}

/// Names the certificate that would be needed.
fn missing(report: &Report) -> Fault {
    let key = match report.signing_key() {
        Ok(EndorsementKey::Vcek) => "VCEK",
        Ok(EndorsementKey::Vlek) => "VLEK",
        Err(fault) => return fault,
    };
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    Fault::Unavailable(format!(
        "the {key} certificate of chip {} at reported_tcb {}",
        hex(&report.chip_id),
        hex(&report.reported_tcb)
    ))
}
