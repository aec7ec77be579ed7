//! One piece of evidence at one moment: the custody operations, and whole quotes in one call.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use super::algorithm::{DigestAlgorithm, KeyEncoding, SignatureAlgorithm};
use super::anchors::{AnchorSet, Known};
use super::authority::{AMD, Authority, INTEL};
use super::broken::Broken;
use super::dcap::{self, DcapReport};
use super::fault::Fault;
use super::key::PublicKey;
use super::ocsp::Response;
use super::signer::{self, Signer};
use super::snp::{self, SnpReport, layout};
use super::span::Span;
use super::statement::{self, Format, Statement};
use super::trail::{Deed, Trail};
use super::want::Want;
use crate::clock::Timestamp;

/// A message may have this many bytes.
const MAX_MESSAGE: usize = 1024 * 1024;
/// From an anchor to the bytes, a trust path may have this many links.
const MAX_LINKS: usize = 16;

/// The examination of one piece of evidence as of one moment. Clone is cheap.
#[derive(Clone, Debug)]
pub struct Examination {
    authority: Arc<Authority>,
    at: Timestamp,
    /// The anchor sets that may be named; none: every one.
    sets: Option<Arc<BTreeSet<String>>>,
    /// Answers about certificates that came with the evidence.
    responses: Arc<[Response]>,
    /// What checks did without, shared by all clones.
    wants: Arc<Mutex<BTreeSet<Want>>>,
}

impl Examination {
    /// Examines by all that `authority` trusts, as of `at`.
    #[must_use]
    pub fn new(authority: Arc<Authority>, at: Timestamp) -> Self {
        Self { authority, at, sets: None, responses: Arc::default(), wants: Arc::default() }
    }

    /// The same examination by some of the anchor sets only: a verifier for one kind of hardware has
    /// no business with keys that were pinned for another.
    #[must_use]
    pub fn within(mut self, sets: &Arc<BTreeSet<String>>) -> Self {
        self.sets = Some(match &self.sets {
            Some(narrower) => Arc::new(narrower.intersection(sets).cloned().collect()),
            None => Arc::clone(sets),
        });
        self
    }

    /// The same examination with the OCSP responses among what came with the evidence; anything else there
    /// is passed over.
    #[must_use]
    pub fn with(mut self, attachments: &[Vec<u8>]) -> Self {
        self.responses = Response::among(attachments).into();
        self
    }

    /// What the checks so far did without and would have needed.
    #[must_use]
    pub fn wants(&self) -> BTreeSet<Want> {
        self.wants.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The moment for which everything must be valid.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// *Anchor*: a certificate chain in DER, leaf first, each issued by the next, up to one of the
    /// anchors of the named set (which may end the chain or be left out).
    ///
    /// What a key under one of AMD's authorities signs is taken for an SNP report, whatever the set
    /// is called, and only [`Examination::snp`] checks all of one. Likewise a PCK, or another key under
    /// Intel's root, signs nothing that may bind, vouch or be adopted: a report of the quoting enclave says
    /// nothing without the enclave's identity and the platform's TCB, which [`Examination::dcap`] checks.
    ///
    /// # Errors
    /// Every [`Fault`], where a certificate is not what its place asks for.
    pub fn chain(&self, certificates: &[Vec<u8>], anchors: &str) -> Result<Signer, Fault> {
        let set = self.set(anchors)?;
        let lists = self.authority.lists.load();
        let known = Known { lists: &lists, responses: &self.responses };
        let mut wants = Vec::new();
        let path = set.follow(certificates, &known, self.at, &mut wants);
        self.note(wants);
        let path = path?;
        let issuers = || path.between.iter().chain([&path.anchor.certificate]);
        let speaks = if self.authority.is_snp(issuers())? {
            Format::Snp(None)
        } else if self.authority.is_intel(&path.leaf, issuers())? {
            Format::Dcap(None)
        } else {
            Format::Opaque
        };
        let anchor = Trail::start(Deed::Anchor {
            set: Arc::clone(&set.name),
            certificate: path.anchor.certificate,
            simulated: path.anchor.simulated,
        });
        let trail = anchor.then(Deed::Chain {
            leaf: Arc::clone(&path.leaf),
            between: path.between,
            standing: path.standing,
        });
        Ok(Signer::new(signer::Parts {
            key: path.leaf.key.clone(),
            certificate: Some(path.leaf),
            expires: path.expires,
            simulated: path.anchor.simulated,
            trail,
            speaks,
            bindable: true,
        }))
    }

    /// *Pinned*: a key that the operator listed in the named set, by its identifier. It expires
    /// never, for nobody said when.
    ///
    /// # Errors
    /// [`Fault::Untrusted`] where there is no such key.
    pub fn pinned(&self, anchors: &str, key_id: &[u8]) -> Result<Signer, Fault> {
        let set = self.set(anchors)?;
        let key = set.pins.get(key_id).ok_or_else(|| {
            Fault::Untrusted(format!("no pinned key of that identifier in the set {}", set.name))
        })?;
        let trail = Trail::start(Deed::Pinned {
            set: Arc::clone(&set.name),
            key_id: key_id.to_vec(),
            key: key.clone(),
        });
        Ok(Signer::new(signer::Parts {
            key: key.clone(),
            certificate: None,
            expires: Timestamp::NEVER,
            simulated: false,
            trail,
            speaks: Format::Opaque,
            bindable: true,
        }))
    }

    /// *Check*: `message` was signed by `by`. ECDSA signatures are r then s, big-endian, each of the
    /// curve's length.
    ///
    /// # Errors
    /// [`Fault::BadSignature`]; [`Fault::Unsupported`] where the key makes no such signatures;
    /// [`Fault::Malformed`] where an SNP endorsement key is asked about anything but a report.
    pub fn check(
        &self,
        by: &Signer,
        algorithm: SignatureAlgorithm,
        message: Vec<u8>,
        signature: &[u8],
    ) -> Result<Statement, Fault> {
        let signer::Parts { key, speaks, trail, bindable, .. } = by.parts();
        self.still_valid(by.expires())?;
        bounded(message.len(), trail)?;
        if matches!(speaks, Format::Snp(_)) && message.len() != layout::SIGNED {
            return Err(Fault::malformed("the signed part of an SNP report has 672 bytes"));
        }
        let (kind, scheme) = algorithm.parts();
        if key.kind() != kind {
            return Err(Fault::Unsupported(format!(
                "{} under a key of kind {}",
                algorithm.name(),
                key.kind().name()
            )));
        }
        key.verify(scheme, &message, signature)?;
        let trail = trail.then(Deed::Check { algorithm, length: message.len() });
        // Half of a report's checks are missing here; it stands for nothing but itself.
        let bindable = *bindable && matches!(speaks, Format::Opaque);
        Ok(Statement::new(statement::Parts {
            bytes: message,
            format: speaks.clone(),
            expires: by.expires(),
            simulated: by.simulated(),
            trail,
            bindable,
        }))
    }

    /// *Vouch*: the digest of `blob` stands at `at` in an accepted statement. Of an SNP report only
    /// the fields that hold digests can vouch, and only what REPORT_DATA vouches for may carry a
    /// challenge: the others are chosen by whoever launches the guest.
    ///
    /// # Errors
    /// [`Fault::Untrusted`] where another digest stands there or the span may not vouch;
    /// [`Fault::Malformed`] where the span is not exactly the digest's length or leaves the
    /// statement.
    pub fn vouch(
        &self,
        by: &Statement,
        at: Span,
        digest: DigestAlgorithm,
        blob: Vec<u8>,
    ) -> Result<Statement, Fault> {
        self.still_valid(by.expires())?;
        bounded(blob.len(), by.trail())?;
        let expected = by.read(at)?;
        if !by.may_vouch(at) {
            return Err(Fault::untrusted("this field of the statement holds no digest"));
        }
        let actual = digest.digest(&blob);
        if expected.len() != actual.as_ref().len() {
            return Err(Fault::Malformed(format!(
                "{} has {} bytes, the span {}",
                digest.name(),
                actual.as_ref().len(),
                expected.len()
            )));
        }
        if expected != actual.as_ref() {
            return Err(Fault::Untrusted(format!(
                "the {} of the blob does not stand in the statement",
                digest.name()
            )));
        }
        let trail = by.trail().then(Deed::Vouch { at, digest, length: blob.len() });
        Ok(Statement::new(statement::Parts {
            bytes: blob,
            format: Format::Opaque,
            expires: by.expires(),
            simulated: by.simulated(),
            trail,
            bindable: by.may_bind(at),
        }))
    }

    /// *Replay*: the register whose value stands at `at` in an accepted statement began as `initial`
    /// and was extended by each of `entries` in turn, to the digest of the old value and the entry
    /// (TPM 2.0 Part 1, section 17.2; TDX module, RTMR). The new statement's bytes are the entries, one
    /// behind the other.
    ///
    /// # Errors
    /// [`Fault::Untrusted`] where they lead to another value or the span may not vouch;
    /// [`Fault::Malformed`] where register, initial value or an entry is not as long as the digest.
    pub fn replay(
        &self,
        by: &Statement,
        at: Span,
        digest: DigestAlgorithm,
        initial: &[u8],
        entries: &[Vec<u8>],
    ) -> Result<Statement, Fault> {
        self.still_valid(by.expires())?;
        let length = entries.iter().map(Vec::len).fold(0, usize::saturating_add);
        bounded(length, by.trail())?;
        let expected = by.read(at)?;
        if !by.may_vouch(at) {
            return Err(Fault::untrusted("this field of the statement is no register"));
        }
        let size = digest.digest(&[]).as_ref().len();
        let lengths = entries.iter().map(Vec::len).chain([expected.len(), initial.len()]);
        if let Some(other) = lengths.into_iter().find(|length| *length != size) {
            return Err(Fault::Malformed(format!(
                "{} has {size} bytes, a register or entry {other}",
                digest.name()
            )));
        }
        let mut register = initial.to_vec();
        for entry in entries {
            register.extend_from_slice(entry);
            let extended = digest.digest(&register);
            register.clear();
            register.extend_from_slice(extended.as_ref());
        }
        if register != expected {
            return Err(Fault::Untrusted(format!(
                "the {} entries do not lead to the register of the statement",
                entries.len()
            )));
        }
        let trail = by.trail().then(Deed::Replay { at, digest, entries: entries.len() });
        Ok(Statement::new(statement::Parts {
            bytes: entries.concat(),
            format: Format::Opaque,
            expires: by.expires(),
            simulated: by.simulated(),
            trail,
            bindable: by.may_bind(at),
        }))
    }

    /// *Adopt*: the key that stands at `at` in an accepted statement becomes a signer. Of an SNP
    /// report only REPORT_DATA can hold one: the guest wrote it.
    ///
    /// # Errors
    /// [`Fault::Malformed`] or [`Fault::Unsupported`] where it is no usable key;
    /// [`Fault::Untrusted`] where the statement's format has no keys there.
    pub fn adopt(
        &self,
        from: &Statement,
        at: Span,
        encoding: KeyEncoding,
    ) -> Result<Signer, Fault> {
        self.still_valid(from.expires())?;
        bounded(0, from.trail())?;
        let bytes = from.read(at)?;
        if !from.may_adopt(at) {
            return Err(Fault::untrusted("this field of the statement holds no key"));
        }
        let key = PublicKey::decode(bytes, encoding)?;
        let trail = from.trail().then(Deed::Adopt { at, encoding, key: key.clone() });
        Ok(Signer::new(signer::Parts {
            key,
            certificate: None,
            expires: from.expires(),
            simulated: from.simulated(),
            trail,
            speaks: Format::Opaque,
            bindable: from.may_bind(at),
        }))
    }

    /// An SEV-SNP attestation report of 1184 bytes, checked whole: layout, the endorsement key's
    /// chain up to AMD's root, dates, revocation, product, TCB, chip, and the signature.
    /// `certificates`: what came with the evidence, in any order, as DER, PEM or AMD's table.
    ///
    /// # Errors
    /// Every [`Fault`]; [`Fault::Unavailable`] names the certificate or list that is missing.
    pub fn snp(&self, report: Vec<u8>, certificates: &[Vec<u8>]) -> Result<SnpReport, Fault> {
        self.snp_or_broken(report, certificates).map_err(|broken| broken.fault)
    }

    /// The same; where it fails, with the links that held before.
    pub(crate) fn snp_or_broken(
        &self,
        report: Vec<u8>,
        certificates: &[Vec<u8>],
    ) -> Result<SnpReport, Broken> {
        let mut reached = None;
        let mut wants = Vec::new();
        let checked = self.may_name(AMD).and_then(|()| {
            snp::check(&self.authority, self.at, report, certificates, &mut reached, &mut wants)
        });
        self.note(wants);
        checked.map_err(|fault| Broken::new("snp", fault, reached))
    }

    /// A quote of SGX (version 3, 5) or TDX (version 4, 5), checked whole: the PCK's chain up to Intel's
    /// root, dates, revocation, the quoting enclave's report and identity, the quote's signature, and TCB
    /// info. `attachments`: collateral that came with the evidence, in any order; see `dcap::brought`.
    /// Zeros behind the quote are passed over.
    ///
    /// # Errors
    /// Every [`Fault`]; [`Fault::Unavailable`] names the collateral that is missing,
    /// [`Fault::Outdated`] the TCB that no level matches.
    pub fn dcap(&self, quote: Vec<u8>, attachments: &[Vec<u8>]) -> Result<DcapReport, Fault> {
        self.dcap_or_broken(quote, attachments).map_err(|broken| broken.fault)
    }

    /// The same; where it fails, with the links that held before.
    pub(crate) fn dcap_or_broken(
        &self,
        quote: Vec<u8>,
        attachments: &[Vec<u8>],
    ) -> Result<DcapReport, Broken> {
        let mut reached = None;
        let mut wants = Vec::new();
        let checked = self.may_name(INTEL).and_then(|()| {
            dcap::check(&self.authority, self.at, quote, attachments, &mut reached, &mut wants)
        });
        self.note(wants);
        checked.map_err(|fault| Broken::new("dcap", fault, reached))
    }

    fn note(&self, wants: Vec<Want>) {
        if !wants.is_empty() {
            self.wants.lock().unwrap_or_else(PoisonError::into_inner).extend(wants);
        }
    }

    fn set(&self, name: &str) -> Result<&AnchorSet, Fault> {
        self.may_name(name)?;
        self.authority.set(name)
    }

    fn may_name(&self, set: &str) -> Result<(), Fault> {
        match &self.sets {
            Some(sets) if !sets.contains(set) => Err(Fault::Untrusted(format!(
                "the anchor set {} is not one for this verifier",
                set.escape_debug()
            ))),
            _ => Ok(()),
        }
    }

    /// Signers and statements of another examination, with another moment, may be past their time.
    fn still_valid(&self, expires: Timestamp) -> Result<(), Fault> {
        match self.at <= expires {
            true => Ok(()),
            false => Err(Fault::Expired(format!("what it rests on held until {expires}"))),
        }
    }
}

fn bounded(length: usize, trail: &Trail) -> Result<(), Fault> {
    if length > MAX_MESSAGE {
        return Err(Fault::malformed("a message of this size"));
    }
    if trail.length() >= MAX_LINKS {
        return Err(Fault::malformed("a trust path of this length"));
    }
    Ok(())
}
