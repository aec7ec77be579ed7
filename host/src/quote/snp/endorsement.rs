//! An endorsement key whose chain was checked up to a root, and for when that holds.

use std::sync::{Arc, OnceLock};

use super::super::bundle::Bundle;
use super::super::fault::Fault;
use super::super::revocation::{Edition, Judgement, Standing, judge};
use super::super::signer::{Parts, Signer};
use super::super::statement::Format;
use super::super::trail::{Deed, Trail};
use super::super::x509::Certificate;
use super::brought::Brought;
use super::family::Family;
use super::vek::Vek;
use crate::clock::Timestamp;

/// An endorsement key whose chain was checked, and for when that holds.
pub(crate) struct Endorsement {
    pub(crate) vek: Vek,
    pub(crate) signer: Signer,
    pub(crate) standing: Standing,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The host's revocation lists by which it was judged.
    epoch: u64,
    /// What the evidence itself contributed. A cached endorsement serves only evidence that brings
    /// the same, so that no answer depends on earlier requests.
    contribution: Contribution,
    /// [`Endorsement::words`], once somebody asked.
    words: OnceLock<String>,
}

/// By SHA-256 over the DER, in the order in which they came.
struct Contribution {
    leaf: [u8; 32],
    /// All its certificates but the leaf, where one of them is the key's issuer.
    certificates: Option<Vec<[u8; 32]>>,
    lists: Vec<[u8; 32]>,
}

impl Endorsement {
    /// Checks the whole chain of one endorsement key.
    pub(crate) fn of(
        vek: Vek,
        leaf: &Arc<Certificate>,
        brought: &Brought<'_>,
        edition: &Edition,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        let authority = brought.authority;
        leaf.check_dates(at)?;
        let Issuer { family, certificate: issuer, brought: by_evidence } =
            issuer(&vek, leaf, brought)?;
        issuer.check_dates(at)?;
        family.root.check_dates(at)?;
        let mut lists = edition.of(&family.root_key).to_vec();
        lists.extend(brought.lists_of(&family.root_key).cloned());
        let judgement = judge(authority.amd_revocation(), &family.root, &issuer, &lists, at);
        let Judgement { standing, until } =
            judgement.map_err(|fault| match (fault, brought.list_fault()) {
                // There was one, but it is of no use.
                (Fault::Unavailable(_), Some(reason)) => reason.clone(),
                (fault, _) => fault,
            })?;
        let mut from = leaf.not_before.max(issuer.not_before).max(family.root.not_before);
        if let Standing::Checked(list) = &standing {
            from = from.max(list.this_update);
        }
        let ends = [leaf.not_after, issuer.not_after, family.root.not_after];
        let until = ends.into_iter().fold(until, Ord::min);
        let anchor = Trail::start(Deed::Anchor {
            set: authority.amd_name(),
            certificate: Arc::clone(&family.root),
            simulated: family.simulated,
        });
        let trail = anchor.then(Deed::Chain {
            leaf: Arc::clone(leaf),
            between: vec![issuer],
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
        let contribution = Contribution::of(leaf.fingerprint(), brought.bundle, by_evidence);
        let (epoch, words) = (edition.epoch, OnceLock::new());
        Ok(Self { vek, signer, standing, from, until, epoch, contribution, words })
    }

    /// Whether checking the chain anew would come to the same.
    pub(crate) fn serves(&self, at: Timestamp, edition: &Edition, bundle: &Bundle<'_>) -> bool {
        let Contribution { leaf, certificates, lists } = &self.contribution;
        let same_issuers = || match certificates {
            Some(known) => known.iter().eq(others(bundle, leaf)),
            None => true,
        };
        (self.from..=self.until).contains(&at)
            && self.epoch == edition.epoch
            && lists.iter().eq(bundle.lists.iter().map(|item| &item.fingerprint))
            && same_issuers()
    }

    /// For a person. Every appraisal asks, and only the version is the report's own.
    pub(crate) fn describe(&self, version: u32) -> String {
        let words = self.words.get_or_init(|| self.words());
        format!("report version {version} signed by {words}")
    }

    fn words(&self) -> String {
        let Vek { key, product_name, tcb, hardware_id, csp_id, .. } = &self.vek;
        let holder = match (hardware_id, csp_id) {
            (Some(chip), _) => format!("chip {}", data_encoding::HEXLOWER.encode(chip)),
            (None, Some(provider)) => format!("provider {provider}"),
            (None, None) => String::new(),
        };
        let fmc = tcb.fmc.map(|fmc| format!("fmc {fmc}, ")).unwrap_or_default();
        format!(
            "the {} of {product_name} {holder} at TCB ({fmc}\
             bootloader {}, tee {}, snp {}, microcode {}): ECDSA P-384 with SHA-384 over 672 bytes",
            key.name().to_uppercase(),
            tcb.bootloader,
            tcb.tee,
            tcb.snp,
            tcb.microcode,
        )
    }
}

impl Contribution {
    fn of(leaf: [u8; 32], bundle: &Bundle<'_>, with_issuer: bool) -> Self {
        Self {
            leaf,
            certificates: with_issuer.then(|| others(bundle, &leaf).copied().collect()),
            lists: bundle.lists.iter().map(|item| item.fingerprint).collect(),
        }
    }
}

/// The certificates of a bundle but one.
fn others<'b>(bundle: &'b Bundle<'_>, leaf: &'b [u8; 32]) -> impl Iterator<Item = &'b [u8; 32]> {
    bundle.certificates.iter().map(|item| &item.fingerprint).filter(move |one| *one != leaf)
}

/// Who issued a key, and whether the evidence brought that certificate.
struct Issuer<'a> {
    family: &'a Family,
    certificate: Arc<Certificate>,
    brought: bool,
}

/// An authority that the host has, or one that came with the evidence and that a pinned root issued.
fn issuer<'a>(vek: &Vek, leaf: &Certificate, brought: &Brought<'a>) -> Result<Issuer<'a>, Fault> {
    let authority = brought.authority;
    for family in authority.families.iter().filter(|one| one.product == vek.product) {
        for issuer in family.authorities(vek.key) {
            if leaf.check_issued_by(issuer).is_ok() {
                return Ok(Issuer { family, certificate: Arc::clone(issuer), brought: false });
            }
        }
    }
    for (family, issuer) in brought.authorities(vek.key) {
        if family.product == vek.product && leaf.check_issued_by(issuer).is_ok() {
            return Ok(Issuer { family, certificate: Arc::clone(issuer), brought: true });
        }
    }
    Err(Fault::Untrusted(format!(
        "no trusted AMD root stands behind the {} certificate issued by {}",
        leaf.subject, leaf.issuer
    )))
}
