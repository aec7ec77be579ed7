//! Bytes that a signer vouched for.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::dcap::{self, Appraised};
use super::fault::Fault;
use super::snp::endorsement::Endorsement;
use super::snp::{facts, layout};
use super::span::Span;
use super::trail::{Step, Trail};
use crate::claim::Claim;
use crate::clock::Timestamp;

/// Bytes that a signer vouched for. Only this module's operations make one. Clone is cheap.
#[derive(Clone)]
pub struct Statement(Arc<Inner>);

struct Inner {
    parts: Parts,
    facts: OnceLock<Arc<[Claim]>>,
}

/// What a statement is made of.
pub(super) struct Parts {
    pub(super) bytes: Vec<u8>,
    pub(super) format: Format,
    pub(super) expires: Timestamp,
    pub(super) simulated: bool,
    pub(super) trail: Trail,
    /// Whether it may carry a challenge: false where somebody other than the attester chose it.
    pub(super) bindable: bool,
}

/// What the host knows about the bytes.
#[derive(Clone)]
pub(super) enum Format {
    /// Nothing.
    Opaque,
    /// The signed part of an SEV-SNP report; with its endorsement where all of it was checked.
    Snp(Option<Arc<Endorsement>>),
    /// What a key below Intel's root signed: with what was found, the signed part of a quote that was
    /// checked whole; else a report of the quoting enclave, or collateral.
    Dcap(Option<Arc<Appraised>>),
}

impl Statement {
    pub(super) fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner { parts, facts: OnceLock::new() }))
    }

    pub(crate) fn trail(&self) -> &Trail {
        &self.0.parts.trail
    }

    /// The bytes. Of an SEV-SNP report the signed part only: 672 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0.parts.bytes
    }

    /// The bytes of a span.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where the span is empty or leaves the statement.
    pub fn read(&self, at: Span) -> Result<&[u8], Fault> {
        at.of(self.bytes())
    }

    /// What the host itself read in these bytes, where it knows their format.
    #[must_use]
    pub fn facts(&self) -> &Arc<[Claim]> {
        self.0.facts.get_or_init(|| match &self.0.parts.format {
            Format::Snp(Some(endorsement)) => facts::facts(self.bytes(), endorsement).into(),
            Format::Dcap(Some(appraised)) => dcap::facts::facts(appraised).into(),
            Format::Opaque | Format::Snp(None) | Format::Dcap(None) => Arc::default(),
        })
    }

    /// The kind of TEE, where the host checked the whole format itself: `snp`, `sgx` or
    /// `tdx`.
    #[must_use]
    pub fn tee(&self) -> Option<&'static str> {
        match &self.0.parts.format {
            Format::Snp(Some(_)) => Some("snp"),
            Format::Dcap(Some(appraised)) => Some(appraised.kind.tee()),
            Format::Opaque | Format::Snp(None) | Format::Dcap(None) => None,
        }
    }

    /// Where the challenge digest stands, where the host knows the format: an SNP report's whole
    /// REPORT_DATA. Nothing less binds it, or a report made for another protocol that puts a nonce
    /// there would do.
    #[must_use]
    pub fn challenge_field(&self) -> Option<Span> {
        match &self.0.parts.format {
            Format::Snp(_) => Some(layout::REPORT_DATA_SPAN),
            Format::Dcap(Some(quote)) => Some(dcap::layout::report_data(quote.version, quote.kind)),
            Format::Opaque | Format::Dcap(None) => None,
        }
    }

    /// Whether `self` is `other`, or rests on exactly that one by vouching and adopting. Two
    /// statements under the same anchor, or of the same bytes, do not descend from each other.
    #[must_use]
    pub fn descends_from(&self, other: &Self) -> bool {
        self.trail().holds(other.trail())
    }

    /// Whether a challenge, nonce or recipient key may be read at this span: it must be bytes that
    /// the attested software chose. In a format that the host knows, only what the guest supplied
    /// (an SNP report's REPORT_DATA); otherwise any span inside, unless the statement descends from
    /// bytes that somebody else chose (an SNP report's HOST_DATA is the hypervisor's).
    #[must_use]
    pub fn may_bind(&self, at: Span) -> bool {
        let region = match &self.0.parts.format {
            Format::Snp(_) => layout::REPORT_DATA,
            Format::Dcap(Some(quote)) => dcap::layout::report_data_range(quote.version, quote.kind),
            Format::Dcap(None) => return false,
            Format::Opaque => 0..self.bytes().len() as u64,
        };
        self.0.parts.bindable && at.of(self.bytes()).is_ok() && at.within(region)
    }

    /// Whether a digest that vouches for other bytes may be read at this span. Never in a report
    /// that was not checked whole.
    pub(super) fn may_vouch(&self, at: Span) -> bool {
        match &self.0.parts.format {
            Format::Snp(Some(_)) => layout::DIGESTS.iter().any(|field| at.within(field.clone())),
            Format::Dcap(Some(quote)) => {
                dcap::layout::vouching(quote.version, quote.kind).any(|field| at.within(field))
            }
            Format::Snp(None) | Format::Dcap(None) => false,
            Format::Opaque => true,
        }
    }

    /// Whether a key may be read at this span and become a signer. Never in a report that was not
    /// checked whole.
    pub(super) fn may_adopt(&self, at: Span) -> bool {
        match &self.0.parts.format {
            Format::Snp(Some(_)) => at.within(layout::REPORT_DATA),
            Format::Dcap(Some(quote)) => {
                at.within(dcap::layout::report_data_range(quote.version, quote.kind))
            }
            Format::Snp(None) | Format::Dcap(None) => false,
            Format::Opaque => true,
        }
    }

    /// Whether a simulated root stands behind it.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.0.parts.simulated
    }

    /// The last moment at which all that it rests on holds.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.0.parts.expires
    }

    /// The moment at which the newest of what vouches for it was issued; none where the host does not
    /// know the format.
    #[must_use]
    pub fn collateral_from(&self) -> Option<Timestamp> {
        match &self.0.parts.format {
            Format::Snp(Some(endorsement)) => Some(endorsement.from),
            Format::Dcap(Some(appraised)) => Some(appraised.endorsement.from),
            Format::Opaque | Format::Snp(None) | Format::Dcap(None) => None,
        }
    }

    /// The trust path, anchor first.
    #[must_use]
    pub fn path(&self) -> Vec<Step> {
        self.0.parts.trail.steps()
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Statement({} bytes)", self.bytes().len())
    }
}
