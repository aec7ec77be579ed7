//! What a quote rests on, checked once for many quotes: the PCK and its chain, TCB info and QE
//! identity with their signer's, and for when all of it holds.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use super::super::anchors::{AnchorSet, Known, Path};
use super::super::authority::{Authority, INTEL};
use super::super::bundle::Bundle;
use super::super::fault::Fault;
use super::super::revocation::{Edition, Standing};
use super::super::signer::{Parts, Signer};
use super::super::statement::Format;
use super::super::trail::{Deed, Trail};
use super::super::x509::Certificate;
use super::brought::Brought;
use super::frame::Frame;
use super::pck::Pck;
use super::qe::QeIdentity;
use super::signed_json::{Dated, Document, Moment};
use super::tcb::TcbInfo;
use crate::clock::Timestamp;

/// Who signs TCB info and identities; its certificate's name.
pub(super) const TCB_SIGNER: &str = "Intel SGX TCB Signing";
/// This many certificates of that name are tried for one document.
const MAX_SIGNERS: usize = 4;

/// The chain and the collateral of one platform, checked.
pub(crate) struct Endorsement {
    pub(crate) pck: Pck,
    /// The PCK. What it signs are reports of Intel's enclaves on the platform.
    pub(crate) signer: Signer,
    pub(crate) tcb: Arc<Document<TcbInfo>>,
    /// None where the operator does without.
    pub(crate) qe: Option<Arc<Document<QeIdentity>>>,
    /// The weakest of all the standings.
    pub(crate) standing: Standing,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    /// The host's revocation lists by which it was judged.
    epoch: u64,
}

/// By what an endorsement is remembered: the kind of TEE, the quote's chain, and every byte that came
/// along, so that no answer depends on other requests.
pub(crate) fn key(frame: &Frame<'_>, attachments: &[Vec<u8>]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    let parts = [frame.kind.tee().as_bytes(), frame.chain];
    for part in parts.into_iter().chain(attachments.iter().map(Vec::as_slice)) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut key = [0; 32];
    for (to, from) in key.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    key
}

impl Endorsement {
    /// Whether checking everything anew would come to the same.
    pub(crate) fn serves(&self, at: Timestamp, edition: &Edition) -> bool {
        (self.from..=self.until).contains(&at) && self.epoch == edition.epoch
    }

    /// Checks everything but the quote's own signatures.
    pub(crate) fn of(
        authority: &Authority,
        frame: &Frame<'_>,
        attachments: &[Vec<u8>],
        edition: &Edition,
        at: Timestamp,
    ) -> Result<Self, Fault> {
        let set = authority.set(INTEL)?;
        let brought = Brought::read(attachments.iter().map(Vec::as_slice));
        let brought = brought.with(&authority.collateral);
        let chain = chain(frame)?;
        let lists = lists(set, &chain, &brought, edition)?;
        let mut window = Window { from: Timestamp(0), until: Timestamp::NEVER };
        let path = followed(set, &chain, &lists, at, &brought, &mut window)?;
        let [issuer] = path.between.as_slice() else {
            return Err(Fault::untrusted("a PCK certificate has one authority below the root"));
        };
        let pck = Pck::read(&path.leaf, issuer)?;
        let tee = frame.kind.tee();
        let mut search =
            Search { set, lists: &lists, brought: &brought, root: &path, at, window: &mut window };
        let tcb = search.find(&brought.tcb, |one| one.is_for(tee, &pck)).map_err(|fault| {
            missing(fault, || {
                let fmspc = data_encoding::HEXLOWER.encode(&pck.fmspc);
                format!("TCB info for {tee} and FMSPC {fmspc}")
            })
        })?;
        let qe = match search.find(&brought.qe, |one| one.is_for(tee)) {
            Ok(document) => Some(document),
            Err(_) if authority.qe_identity_waived => None,
            Err(fault) => return Err(missing(fault, || format!("the QE identity for {tee}"))),
        };
        let standing = weakest(&path.standing);
        let simulated = path.anchor.simulated;
        let anchor = Trail::start(Deed::Anchor {
            set: Arc::clone(&set.name),
            certificate: Arc::clone(&path.anchor.certificate),
            simulated,
        });
        let trail = anchor.then(Deed::Chain {
            leaf: Arc::clone(&path.leaf),
            between: path.between.clone(),
            standing: path.standing.clone(),
        });
        let signer = Signer::new(Parts {
            key: path.leaf.key.clone(),
            certificate: Some(Arc::clone(&path.leaf)),
            expires: window.until,
            simulated,
            trail,
            speaks: Format::Dcap(None),
            bindable: false,
        });
        let Window { from, until } = window;
        Ok(Self { pck, signer, tcb, qe, standing, from, until, epoch: edition.epoch })
    }
}

/// From when until when everything that was relied on holds.
struct Window {
    from: Timestamp,
    until: Timestamp,
}

impl Window {
    /// Ends where another document begins or, backwards, where one ended: then the choice may be
    /// another.
    fn choose(&mut self, (first, last): (Moment, Moment), at: Timestamp) {
        if first.0 > at {
            self.until = self.until.min(Timestamp(first.0.0.saturating_sub(1)));
        } else if last.0 < at {
            self.from = self.from.max(Timestamp(last.0.0.saturating_add(1)));
        } else {
            self.from = self.from.max(first.0);
            self.until = self.until.min(last.0);
        }
    }
}

/// Looks for documents that Intel signed.
struct Search<'a> {
    set: &'a AnchorSet,
    lists: &'a Edition,
    brought: &'a Brought,
    /// The path of the PCK: the same root must stand behind the documents.
    root: &'a Path,
    at: Timestamp,
    window: &'a mut Window,
}

impl Search<'_> {
    /// The document of the highest evaluation number, and of these the newest, among those that fit, are
    /// genuine and hold now; else why the first that fits is none. None at all is `Unavailable`.
    fn find<T: serde::de::DeserializeOwned + Dated>(
        &mut self,
        documents: &[Arc<Document<T>>],
        fits: impl Fn(&T) -> bool,
    ) -> Result<Arc<Document<T>>, Fault> {
        let mut fitting: Vec<_> = documents.iter().filter(|one| fits(&one.says)).collect();
        fitting.sort_by_key(|one| std::cmp::Reverse((one.says.evaluation(), one.says.window().0)));
        let mut fault = None;
        let mut found = None;
        for document in fitting {
            let window = document.says.window();
            self.window.choose(window, self.at);
            if found.is_some() {
                continue;
            }
            match self.genuine(document, window) {
                Ok(()) => found = Some(Arc::clone(document)),
                Err(reason) => {
                    fault.get_or_insert(reason);
                }
            }
        }
        found.ok_or_else(|| {
            fault
                .or_else(|| self.brought.fault.clone())
                .unwrap_or_else(|| Fault::Unavailable(String::new()))
        })
    }

    fn genuine<T: serde::de::DeserializeOwned + Dated>(
        &mut self,
        document: &Document<T>,
        (first, last): (Moment, Moment),
    ) -> Result<(), Fault> {
        self.signed(document)?;
        if self.at < first.0 || self.at > last.0 {
            return Err(Fault::Expired(format!(
                "collateral holds from {} until {}, not at {}",
                first.0, last.0, self.at
            )));
        }
        Ok(())
    }

    /// By a certificate for that purpose, directly below the root.
    fn signed<T: serde::de::DeserializeOwned + Dated>(
        &mut self,
        document: &Document<T>,
    ) -> Result<(), Fault> {
        let named = |one: &&Arc<Certificate>| one.subject.common_name() == Some(TCB_SIGNER);
        let mut signers: Vec<&Arc<Certificate>> = Vec::new();
        for signer in self.brought.certificates.iter().filter(named) {
            if signers.len() < MAX_SIGNERS
                && !signers.iter().any(|one| one.fingerprint() == signer.fingerprint())
            {
                signers.push(signer);
            }
        }
        let mut fault = None;
        for signer in signers {
            let (set, lists, at) = (self.set, self.lists, self.at);
            let chain = [signer.der().to_vec()];
            let mut window = Window { ..*self.window };
            let trusted = followed(set, &chain, lists, at, self.brought, &mut window)
                .and_then(|path| self.same_root(&path))
                .and_then(|()| document.check_signed_by(signer));
            match trusted {
                Ok(()) => {
                    *self.window = window;
                    return Ok(());
                }
                Err(reason) => {
                    fault.get_or_insert(reason);
                }
            }
        }
        Err(fault.unwrap_or_else(|| {
            Fault::Unavailable("the certificate that signs Intel's collateral".to_owned())
        }))
    }

    /// Simulated collateral says nothing about genuine hardware, nor the other way round.
    fn same_root(&self, path: &Path) -> Result<(), Fault> {
        let (one, other) = (&path.anchor.certificate, &self.root.anchor.certificate);
        match path.between.is_empty() && one.fingerprint() == other.fingerprint() {
            true => Ok(()),
            false => Err(Fault::untrusted("another root stands behind the collateral")),
        }
    }
}

/// The certificates of the quote, in DER, leaf first.
fn chain(frame: &Frame<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    let bundle = Bundle::brought([frame.chain]);
    match (bundle.certificates.is_empty(), bundle.fault) {
        (false, _) => Ok(bundle.certificates.iter().map(|item| item.der.to_vec()).collect()),
        (true, Some(fault)) => Err(fault),
        (true, None) => Err(Fault::malformed("a quote without a PCK certificate")),
    }
}

/// The host's revocation lists, and those that came along and are signed by the root or by an authority of
/// the quote's chain. That this authority is one is checked where its lists are used.
fn lists(
    set: &AnchorSet,
    chain: &[Vec<u8>],
    brought: &Brought,
    edition: &Edition,
) -> Result<Edition, Fault> {
    let mut lists = edition.clone();
    let mut issuers: Vec<Arc<Certificate>> =
        set.anchors.iter().map(|anchor| Arc::clone(&anchor.certificate)).collect();
    for der in chain.iter().skip(1).take(2) {
        issuers.push(Arc::new(Certificate::parse(der)?));
    }
    for list in &brought.lists {
        for issuer in issuers.iter().filter(|issuer| issuer.subject == list.issuer) {
            if list.check_issued_by(issuer).is_ok() {
                lists.bring(issuer.key.fingerprint()?, list);
                break;
            }
        }
    }
    Ok(lists)
}

/// Follows a chain to one of Intel's roots, and narrows the window to what it rests on.
fn followed(
    set: &AnchorSet,
    chain: &[Vec<u8>],
    lists: &Edition,
    at: Timestamp,
    brought: &Brought,
    window: &mut Window,
) -> Result<Path, Fault> {
    let known = Known { lists, responses: &[] };
    let path = set.follow(chain, &known, at, &mut Vec::new()).map_err(|fault| {
        match (fault, &brought.fault) {
            // There was something, but it is of no use.
            (Fault::Unavailable(_), Some(reason)) => reason.clone(),
            (fault, _) => fault,
        }
    })?;
    window.until = window.until.min(path.expires);
    let certificates = path.between.iter().chain([&path.leaf, &path.anchor.certificate]);
    for certificate in certificates {
        window.from = window.from.max(certificate.not_before);
        for list in lists.of(&certificate.key.fingerprint()?) {
            // Before it began, or after it ended, it would have been judged otherwise.
            if list.this_update <= at {
                window.from = window.from.max(list.this_update);
            }
        }
    }
    Ok(path)
}

fn weakest(standings: &[Standing]) -> Standing {
    let weak = standings.iter().find(|standing| !matches!(standing, Standing::Checked(_)));
    weak.or(standings.first()).cloned().unwrap_or(Standing::Waived)
}

/// Names what is missing, where nothing is said yet.
fn missing(fault: Fault, what: impl Fn() -> String) -> Fault {
    match fault {
        Fault::Unavailable(said) if said.is_empty() => Fault::Unavailable(what()),
        fault => fault,
    }
}
