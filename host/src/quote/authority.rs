//! What the operator trusts: anchor sets, AMD's roots, revocation lists, known certificates; and the
//! caches that rest on them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use moka::sync::Cache;

use super::anchors::{Anchor, AnchorSet};
use super::bundle::Bundle;
use super::crl::Crl;
use super::dcap::brought::Brought;
use super::dcap::endorsement::Endorsement as Platform;
use super::dcap::pck;
use super::fault::Fault;
use super::key::PublicKey;
use super::revocation::{Lists, Revocation};
use super::snp::endorsement::Endorsement;
use super::snp::family::Family;
use super::snp::product::Product;
use super::snp::vek::Vek;
use super::vendors::PUBLISHED;
use super::x509::Certificate;

/// The name of the set that holds AMD's roots.
pub const AMD: &str = "amd";

/// The name of the set that holds Intel's root for SGX and TDX.
pub const INTEL: &str = "intel";

/// Platforms of Intel's with their checked collateral that are remembered, at about 80 kB each where no two
/// bring the same.
const CACHED_PLATFORMS: u64 = 512;

/// Checked endorsement keys that are remembered, at about 6 kB each.
const CACHED_KEYS: u64 = 2048;

/// What evidence may rest on. Shared by all examinations.
pub struct Authority {
    sets: HashMap<Arc<str>, AnchorSet>,
    amd: Arc<str>,
    amd_revocation: Revocation,
    pub(super) families: Vec<Family>,
    /// Certificates of the families themselves, which evidence often brings along.
    published: HashSet<[u8; 32]>,
    /// Keys of AMD's roots and authorities, of every product line and of simulated ones: what keys
    /// below them sign are reports, whoever anchored them.
    snp_keys: HashSet<[u8; 32]>,
    /// Endorsement keys that the operator supplied.
    pub(super) known_keys: Vec<(Vek, Arc<Certificate>)>,
    /// Who may have issued a revocation list: every authority known by its own right.
    issuers: Vec<Arc<Certificate>>,
    pub(super) lists: Lists,
    pub(super) endorsements: Cache<[u8; 32], Arc<Endorsement>>,
    /// Keys of Intel's roots, simulated ones too: what keys below them sign are reports and collateral,
    /// whoever anchored them.
    intel_keys: HashSet<[u8; 32]>,
    /// Collateral that the operator supplied.
    pub(super) collateral: Brought,
    pub(super) qe_identity_waived: bool,
    pub(super) platforms: Cache<[u8; 32], Arc<Platform>>,
}

impl Authority {
    /// Starts with AMD's roots pinned and revocation required.
    #[must_use]
    pub fn builder() -> AuthorityBuilder {
        AuthorityBuilder::default()
    }

    /// Takes another revocation list (DER or PEM). It must be signed by an authority that is known
    /// here. Answers whether it adds anything. The newest decides whether the data is fresh, and what any of
    /// them names is revoked: an older list never takes anything back.
    ///
    /// # Errors
    /// [`Fault::Malformed`], [`Fault::BadSignature`], or [`Fault::Untrusted`] where nobody here
    /// could have issued it.
    pub fn add_crl(&self, list: &[u8]) -> Result<bool, Fault> {
        let bundle = Bundle::supplied(list)?;
        let ([item], []) = (bundle.lists.as_slice(), bundle.certificates.as_slice()) else {
            return Err(Fault::malformed("not one revocation list"));
        };
        let list = Arc::new(Crl::parse(&item.der)?);
        let mut fault = Fault::Untrusted(format!("a revocation list of {}", list.issuer));
        for issuer in self.issuers.iter().filter(|issuer| issuer.subject == list.issuer) {
            match list.check_issued_by(issuer) {
                Ok(()) => return Ok(self.lists.keep(issuer.key.fingerprint()?, &list)),
                Err(reason) => fault = reason,
            }
        }
        Err(fault)
    }

    /// Whether simulated hardware is accepted here.
    #[must_use]
    pub fn simulated(&self) -> bool {
        let anchors = self.sets.values().flat_map(|set| &set.anchors);
        self.families.iter().any(|family| family.simulated)
            || anchors.into_iter().any(|anchor| anchor.simulated)
    }

    /// Whether nothing under AMD's roots is accepted without revocation data.
    #[must_use]
    pub fn requires_revocation(&self) -> bool {
        self.amd_revocation == Revocation::Required
    }

    /// Whether nothing under the anchors of a set is accepted without revocation data.
    pub(super) fn requires_revocation_of(&self, set: &str) -> bool {
        self.sets.get(set).is_none_or(|set| set.revocation == Revocation::Required)
    }

    pub(super) fn set(&self, name: &str) -> Result<&AnchorSet, Fault> {
        self.sets.get(name).ok_or_else(|| {
            Fault::Untrusted(format!("there is no anchor set {}", name.escape_debug()))
        })
    }

    pub(super) fn amd_name(&self) -> Arc<str> {
        Arc::clone(&self.amd)
    }

    pub(super) fn amd_revocation(&self) -> Revocation {
        self.amd_revocation
    }

    /// Whether one of these certificates is a root or authority of SNP hardware.
    pub(super) fn is_snp<'a>(
        &self,
        mut certificates: impl Iterator<Item = &'a Arc<Certificate>>,
    ) -> Result<bool, Fault> {
        certificates.try_fold(false, |found, certificate| {
            Ok(found || self.snp_keys.contains(&certificate.key.fingerprint()?))
        })
    }

    /// Whether a key is a PCK, or another one below Intel's root.
    pub(super) fn is_intel<'a>(
        &self,
        leaf: &Certificate,
        mut issuers: impl Iterator<Item = &'a Arc<Certificate>>,
    ) -> Result<bool, Fault> {
        let platform = leaf.extensions.get(pck::SGX).is_some();
        issuers.try_fold(platform, |found, issuer| {
            Ok(found || self.intel_keys.contains(&issuer.key.fingerprint()?))
        })
    }

    pub(super) fn is_published(&self, fingerprint: &[u8; 32]) -> bool {
        self.published.contains(fingerprint)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({} anchor sets)", self.sets.len())
    }
}

/// Collects what to trust; [`AuthorityBuilder::build`] checks it.
#[derive(Default)]
pub struct AuthorityBuilder {
    products: Option<Vec<Product>>,
    simulated_roots: Vec<Vec<u8>>,
    anchors: Vec<(String, Vec<u8>)>,
    pins: Vec<(String, Vec<u8>, Vec<u8>)>,
    certificates: Vec<Vec<u8>>,
    lists: Vec<Vec<u8>>,
    collateral: Vec<Vec<u8>>,
    qe_identity_waived: bool,
    revocation: Revocation,
    revocation_of: HashMap<String, Revocation>,
}

impl AuthorityBuilder {
    /// Trusts only these product lines, of AMD's and of simulated hardware; without this, all.
    #[must_use]
    pub fn products(mut self, products: &[Product]) -> Self {
        self.products = Some(products.to_vec());
        self
    }

    /// Trusts a root of simulated hardware (DER or PEM): AMD's, or one that is named as Intel's, NVIDIA's or
    /// AWS' root is. Everything that rests on it is flagged as simulated. For development only.
    #[must_use]
    pub fn simulated_root(mut self, root: impl Into<Vec<u8>>) -> Self {
        self.simulated_roots.push(root.into());
        self
    }

    /// Trusts a certificate (DER or PEM) as an anchor of a named set.
    #[must_use]
    pub fn anchor(mut self, set: &str, certificate: impl Into<Vec<u8>>) -> Self {
        self.anchors.push((set.to_owned(), certificate.into()));
        self
    }

    /// Trusts a public key (SubjectPublicKeyInfo in DER or PEM, or a JWK) of a named set, under an
    /// identifier; where that is empty, under the SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn pin(mut self, set: &str, key_id: &[u8], key: impl Into<Vec<u8>>) -> Self {
        self.pins.push((set.to_owned(), key_id.to_vec(), key.into()));
        self
    }

    /// Supplies a revocation list (DER or PEM).
    #[must_use]
    pub fn crl(mut self, list: impl Into<Vec<u8>>) -> Self {
        self.lists.push(list.into());
        self
    }

    /// Supplies certificates (DER, PEM or AMD's table) that evidence may leave out: endorsement keys
    /// and the authorities between them and a root. They are trusted no more than those that come
    /// with evidence.
    #[must_use]
    pub fn certificate(mut self, certificates: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(certificates.into());
        self
    }

    /// Supplies Intel's collateral that evidence may leave out, in any of the forms in which it comes with
    /// evidence (TCB info, QE identity, their signer's certificate, revocation lists). It is trusted no more
    /// than what comes with evidence; of two documents the one with the higher evaluation number counts.
    #[must_use]
    pub fn collateral(mut self, collateral: impl Into<Vec<u8>>) -> Self {
        self.collateral.push(collateral.into());
        self
    }

    /// Does without the identity of Intel's quoting enclave where none can be had: then any enclave on the
    /// platform that may use its provisioning key could have signed, not Intel's alone. An identity that is
    /// there still counts. Facts and trust path say so.
    #[must_use]
    pub fn waive_qe_identity(mut self) -> Self {
        self.qe_identity_waived = true;
        self
    }

    /// Whether revocation data is required, for every set without a rule of its own.
    #[must_use]
    pub fn revocation(mut self, rule: Revocation) -> Self {
        self.revocation = rule;
        self
    }

    /// Whether revocation data is required for one set.
    #[must_use]
    pub fn revocation_of(mut self, set: &str, rule: Revocation) -> Self {
        self.revocation_of.insert(set.to_owned(), rule);
        self
    }

    /// Checks everything and puts it together.
    ///
    /// # Errors
    /// The fault of the first thing that does not hold: a root that does not sign itself, a list by
    /// an unknown issuer, an unusable key.
    pub fn build(self) -> Result<Authority, Fault> {
        let mut families = Family::published()?;
        let mut snp_keys = HashSet::new();
        for certificate in families.iter().flat_map(Family::certificates) {
            snp_keys.insert(certificate.key.fingerprint()?);
        }
        let mut simulated = Vec::new();
        for root in &self.simulated_roots {
            let root = one_certificate(root)?;
            let name = root.subject.common_name();
            if let Some(vendor) = PUBLISHED.iter().find(|one| name == Some(one.root)) {
                root.check_issued_by(&root)?;
                simulated.push((vendor.set, Arc::new(root)));
                continue;
            }
            let family = Family::of_root(root, true)?;
            snp_keys.insert(family.root_key);
            families.push(family);
        }
        if let Some(products) = &self.products {
            families.retain(|family| products.contains(&family.product));
        }
        let mut known_keys = Vec::new();
        let mut issuers: Vec<Arc<Certificate>> = Vec::new();
        let mut supplied = Vec::with_capacity(self.certificates.len());
        for blob in &self.certificates {
            supplied.push(Bundle::supplied(blob)?);
        }
        for item in supplied.iter().flat_map(|bundle| &bundle.certificates) {
            let certificate = Arc::new(Certificate::parse(&item.der)?);
            if Vek::kind(&certificate).is_some() {
                known_keys.push((Vek::read(&certificate)?, certificate));
                continue;
            }
            for family in &mut families {
                // Not of this family where it names another root or another root signed it.
                if family.adopt(&certificate) == Ok(true) {
                    snp_keys.insert(certificate.key.fingerprint()?);
                }
            }
            issuers.push(certificate);
        }
        let amd: Arc<str> = Arc::from(AMD);
        let mut sets = self.sets(&amd, &families, &snp_keys)?;
        for (set, certificate) in simulated {
            let anchor = Anchor { certificate, simulated: true };
            entry(&mut sets, set, self.rule(set)).anchors.push(anchor);
        }
        let intel = entry(&mut sets, INTEL, self.rule(INTEL));
        let mut intel_keys = HashSet::new();
        for anchor in &intel.anchors {
            intel_keys.insert(anchor.certificate.key.fingerprint()?);
        }
        let others = sets.values().filter(|set| &*set.name != INTEL);
        for anchor in others.flat_map(|set| &set.anchors) {
            if intel_keys.contains(&anchor.certificate.key.fingerprint()?) {
                return Err(Fault::untrusted("Intel's root is built in, and for its own set only"));
            }
        }
        let collateral = Brought::read(self.collateral.iter().map(Vec::as_slice));
        if let Some(fault) = collateral.fault.clone() {
            return Err(fault);
        }
        if collateral.is_empty() && !self.collateral.is_empty() {
            return Err(Fault::malformed("collateral in which there is none"));
        }
        for (set, key_id, key) in &self.pins {
            let key = PublicKey::supplied(key)?;
            let key_id = match key_id.is_empty() {
                true => key.fingerprint()?.to_vec(),
                false => key_id.clone(),
            };
            if entry(&mut sets, set, self.rule(set)).pins.insert(key_id, key).is_some() {
                return Err(Fault::malformed("two pinned keys under one identifier"));
            }
        }
        let anchors = sets.values().flat_map(|set| &set.anchors);
        issuers.extend(anchors.map(|anchor| Arc::clone(&anchor.certificate)));
        let published = families.iter().flat_map(Family::certificates);
        let authority = Authority {
            snp_keys,
            published: published.map(|certificate| certificate.fingerprint()).collect(),
            amd_revocation: self.rule(AMD),
            sets,
            amd,
            families,
            known_keys,
            issuers,
            lists: Lists::new(),
            endorsements: Cache::new(CACHED_KEYS),
            intel_keys,
            collateral,
            qe_identity_waived: self.qe_identity_waived,
            platforms: Cache::new(CACHED_PLATFORMS),
        };
        let lists = supplied.iter().flat_map(|bundle| &bundle.lists).map(|item| &*item.der);
        for list in self.lists.iter().map(Vec::as_slice).chain(lists) {
            authority.add_crl(list)?;
        }
        Ok(authority)
    }

    fn sets(
        &self,
        amd: &Arc<str>,
        families: &[Family],
        snp_keys: &HashSet<[u8; 32]>,
    ) -> Result<HashMap<Arc<str>, AnchorSet>, Fault> {
        let roots = families.iter().map(|family| Anchor {
            certificate: Arc::clone(&family.root),
            simulated: family.simulated,
        });
        let set = AnchorSet {
            name: Arc::clone(amd),
            anchors: roots.collect(),
            pins: HashMap::new(),
            revocation: self.rule(AMD),
            authorities_only: true,
            answers: false,
        };
        let mut sets = HashMap::from([(Arc::clone(amd), set)]);
        for anchor in PUBLISHED {
            let certificate = Arc::new(one_certificate(anchor.pem)?);
            let revocation = match anchor.revocation {
                Revocation::Required => self.rule(anchor.set),
                other => self.revocation_of.get(anchor.set).copied().unwrap_or(other),
            };
            let set = entry(&mut sets, anchor.set, revocation);
            (set.answers, set.authorities_only) = (anchor.answers, anchor.answers);
            set.anchors.push(Anchor { certificate, simulated: false });
        }
        let built_in = |name: &str| name == AMD || PUBLISHED.iter().any(|one| one.set == name);
        for (name, certificate) in &self.anchors {
            if built_in(name) {
                return Err(Fault::Untrusted(format!(
                    "the anchors of the set {name} are built in; none can be added"
                )));
            }
            let certificate = Arc::new(one_certificate(certificate)?);
            if snp_keys.contains(&certificate.key.fingerprint()?) {
                return Err(Fault::Untrusted(format!(
                    "{} is an authority of SNP hardware, and not one for the set {name}",
                    certificate.subject
                )));
            }
            entry(&mut sets, name, self.rule(name))
                .anchors
                .push(Anchor { certificate, simulated: false });
        }
        Ok(sets)
    }

    fn rule(&self, set: &str) -> Revocation {
        self.revocation_of.get(set).copied().unwrap_or(self.revocation)
    }
}

fn entry<'a>(
    sets: &'a mut HashMap<Arc<str>, AnchorSet>,
    name: &str,
    revocation: Revocation,
) -> &'a mut AnchorSet {
    let name: Arc<str> = Arc::from(name);
    sets.entry(Arc::clone(&name)).or_insert_with(|| AnchorSet {
        name,
        anchors: Vec::new(),
        pins: HashMap::new(),
        revocation,
        authorities_only: false,
        answers: false,
    })
}

pub(super) fn one_certificate(bytes: &[u8]) -> Result<Certificate, Fault> {
    let bundle = Bundle::supplied(bytes)?;
    match (bundle.certificates.as_slice(), bundle.lists.as_slice()) {
        ([item], []) => Certificate::parse(&item.der),
        _ => Err(Fault::malformed("not one certificate")),
    }
}
