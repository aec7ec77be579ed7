//! The trust path: what was done, link by link, from an anchor to the bytes. Links are shared and
//! put into words only when somebody asks.

use std::sync::{Arc, OnceLock};

use super::algorithm::{DigestAlgorithm, KeyEncoding, SignatureAlgorithm};
use super::dcap::Appraised;
use super::key::PublicKey;
use super::ocsp::Good;
use super::revocation::Standing;
use super::snp::endorsement::Endorsement;
use super::span::Span;
use super::x509::Certificate;

/// One link of the trust path, in words.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Step {
    /// Which operation: `anchor`, `chain`, `pinned`, `check`, `vouch`, `replay`, `adopt` or
    /// that of a whole quote, `snp` or `dcap`.
    pub operation: &'static str,
    /// What it was done with and what it rests on, for a person.
    pub detail: String,
}

/// The last link, which holds on to those before it.
#[derive(Clone)]
pub(crate) struct Trail(Arc<Link>);

struct Link {
    before: Option<Trail>,
    deed: Deed,
    /// The deed in words, once somebody asked: those of a signer's links stand in every record of it.
    words: OnceLock<Step>,
}

impl Link {
    fn step(&self) -> Step {
        self.words.get_or_init(|| self.deed.step()).clone()
    }
}

/// What was done.
pub(crate) enum Deed {
    Adopt { at: Span, encoding: KeyEncoding, key: PublicKey },
    Anchor { set: Arc<str>, certificate: Arc<Certificate>, simulated: bool },
    Chain { leaf: Arc<Certificate>, between: Vec<Arc<Certificate>>, standing: Vec<Standing> },
    Check { algorithm: SignatureAlgorithm, length: usize },
    Dcap { appraised: Arc<Appraised>, length: usize },
    Pinned { set: Arc<str>, key_id: Vec<u8>, key: PublicKey },
    Replay { at: Span, digest: DigestAlgorithm, entries: usize },
    Snp { version: u32, endorsement: Arc<Endorsement> },
    Vouch { at: Span, digest: DigestAlgorithm, length: usize },
}

impl Step {
    /// The operation and what it was done with, in one line.
    #[must_use]
    pub fn words(&self) -> String {
        [self.operation, ": ", &self.detail].concat()
    }
}

impl Trail {
    pub(crate) fn start(deed: Deed) -> Self {
        Self(Arc::new(Link { before: None, deed, words: OnceLock::new() }))
    }

    pub(crate) fn then(&self, deed: Deed) -> Self {
        let (before, words) = (Some(self.clone()), OnceLock::new());
        Self(Arc::new(Link { before, deed, words }))
    }

    /// Whether the last link of `other` is one of this trail's: the very same one, not its like.
    pub(crate) fn holds(&self, other: &Self) -> bool {
        self.backwards().any(|link| std::ptr::eq(link, &*other.0))
    }

    /// How many links.
    pub(crate) fn length(&self) -> usize {
        self.backwards().count()
    }

    /// In words, anchor first.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.backwards().map(Link::step).collect();
        steps.reverse();
        steps
    }

    fn backwards(&self) -> impl Iterator<Item = &Link> {
        std::iter::successors(Some(&*self.0), |link| link.before.as_ref().map(|before| &*before.0))
    }
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Trail({} links)", self.length())
    }
}

impl Deed {
    fn step(&self) -> Step {
        let (operation, detail) = match self {
            Self::Adopt { at, encoding, key } => (
                "adopt",
                format!(
                    "{} as {} at {}+{} of the statement",
                    key.describe(),
                    encoding.name(),
                    at.start,
                    at.length
                ),
            ),
            Self::Anchor { set, certificate, simulated } => (
                "anchor",
                format!(
                    "{}{} of anchor set {set}, {}, valid until {}",
                    if *simulated { "SIMULATED root " } else { "root " },
                    certificate.describe(),
                    certificate.key.describe(),
                    certificate.not_after
                ),
            ),
            Self::Chain { leaf, between, standing } => ("chain", chain(leaf, between, standing)),
            Self::Check { algorithm, length } => {
                ("check", format!("{} over {length} bytes", algorithm.name()))
            }
            Self::Dcap { appraised, length } => ("dcap", appraised.describe(*length)),
            Self::Pinned { set, key_id, key } => (
                "pinned",
                format!(
                    "{} of anchor set {set}, identifier {}",
                    key.describe(),
                    data_encoding::HEXLOWER.encode(key_id)
                ),
            ),
            Self::Replay { at, digest, entries } => (
                "replay",
                format!(
                    "{entries} entries lead by {} to the register at {}+{} of the statement",
                    digest.name(),
                    at.start,
                    at.length
                ),
            ),
            Self::Snp { version, endorsement } => ("snp", endorsement.describe(*version)),
            Self::Vouch { at, digest, length } => (
                "vouch",
                format!(
                    "{} of {length} bytes stands at {}+{} of the statement",
                    digest.name(),
                    at.start,
                    at.length
                ),
            ),
        };
        Step { operation, detail }
    }
}

fn chain(leaf: &Certificate, between: &[Arc<Certificate>], standing: &[Standing]) -> String {
    let mut text = leaf.describe();
    for certificate in between {
        text.push_str(", issued by ");
        text.push_str(&certificate.describe());
    }
    text.push_str(&format!(", valid until {}", leaf.not_after));
    for standing in standing {
        match standing {
            Standing::Checked(list) => text.push_str(&format!(
                "; revocation checked by the list of {} ({}, until {})",
                list.issuer,
                list.number(),
                list.next_update
            )),
            Standing::Answered(Good { from, until }) => {
                text.push_str(&format!("; good by OCSP ({from}, until {until})"));
            }
            Standing::Waived => text.push_str("; revocation WAIVED by the operator"),
            Standing::Unpublished => text.push_str("; its issuer publishes no revocation lists"),
        }
    }
    text
}
