//! A named set of trust anchors and pinned keys, and the path from a chain to one of them.

use std::collections::HashMap;
use std::sync::Arc;

use super::fault::Fault;
use super::key::PublicKey;
use super::ocsp::{self, Response};
use super::revocation::{Edition, Judgement, Revocation, Standing, judge};
use super::want::Want;
use super::x509::Certificate;
use crate::clock::Timestamp;

/// A chain, anchor aside, may have this many certificates.
pub(crate) const MAX_CHAIN: usize = 8;

/// Trust anchors under one name.
pub(crate) struct AnchorSet {
    pub(crate) name: Arc<str>,
    pub(crate) anchors: Vec<Anchor>,
    pub(crate) pins: HashMap<Vec<u8>, PublicKey>,
    pub(crate) revocation: Revocation,
    /// Whether revocation lists are looked for only where certificate authorities are concerned:
    /// AMD publishes none for the certificates of chips.
    pub(crate) authorities_only: bool,
    /// Whether its issuers answer by OCSP where others publish lists.
    pub(crate) answers: bool,
}

/// What is known about revocation: lists of authorities, and answers that came with the evidence.
pub(crate) struct Known<'a> {
    pub(crate) lists: &'a Edition,
    pub(crate) responses: &'a [Response],
}

/// A certificate that the operator trusts.
#[derive(Clone)]
pub(crate) struct Anchor {
    pub(crate) certificate: Arc<Certificate>,
    pub(crate) simulated: bool,
}

/// A chain that leads to an anchor.
pub(crate) struct Path {
    pub(crate) leaf: Arc<Certificate>,
    /// Leaf's issuer first; without the anchor.
    pub(crate) between: Vec<Arc<Certificate>>,
    pub(crate) anchor: Anchor,
    pub(crate) standing: Vec<Standing>,
    pub(crate) expires: Timestamp,
}

impl AnchorSet {
    /// Follows `certificates`, leaf first, each issued by the next, up to an anchor of this set; the
    /// anchor itself may be the last of them or be left out. `wants`: what its issuers would have to answer.
    pub(crate) fn follow(
        &self,
        certificates: &[Vec<u8>],
        known: &Known<'_>,
        at: Timestamp,
        wants: &mut Vec<Want>,
    ) -> Result<Path, Fault> {
        if certificates.len() > MAX_CHAIN + 1 {
            return Err(Fault::malformed("a certificate chain of this length"));
        }
        let mut chain = Vec::with_capacity(certificates.len());
        for der in certificates {
            chain.push(Arc::new(Certificate::parse(der)?));
        }
        let Found { anchor, below, checked } = self.anchor_of(&chain)?;
        let Some((leaf, between)) = below.split_first() else {
            return Err(Fault::untrusted("an anchor signs certificates, not statements"));
        };
        anchor.certificate.check_dates(at)?;
        leaf.check_end_entity()?;
        let mut standing = Vec::with_capacity(below.len());
        let mut expires = anchor.certificate.not_after;
        let mut missing = None;
        // From the anchor down, so that what nobody vouches for costs one check.
        for (index, certificate) in below.iter().enumerate().rev() {
            let issuer = below.get(index + 1).unwrap_or(&anchor.certificate);
            if !(checked && index + 1 == below.len()) {
                certificate.check_issued_by(issuer)?;
            }
            certificate.check_dates(at)?;
            check_path_length(issuer, index)?;
            if index > 0 || !self.authorities_only {
                match self.stands(issuer, certificate, known, at)? {
                    Ok(Judgement { standing: found, until }) => {
                        standing.push(found);
                        expires = expires.min(until);
                    }
                    // All of them at once: whoever asks for them asks once.
                    Err(fault) if self.answers => {
                        let issuer = Arc::from(issuer.der());
                        wants.push(Want::NvidiaOcsp { issuer, serial: certificate.serial.clone() });
                        missing.get_or_insert(fault);
                    }
                    Err(fault) => return Err(fault),
                }
            }
            expires = expires.min(certificate.not_after);
        }
        if let Some(fault) = missing {
            return Err(fault);
        }
        Ok(Path {
            leaf: Arc::clone(leaf),
            between: between.to_vec(),
            anchor: anchor.clone(),
            standing,
            expires,
        })
    }

    /// What lists and answers say about a certificate; inside, that they say nothing. What revokes comes
    /// first, then a list, then an answer, then that the operator does without.
    fn stands(
        &self,
        issuer: &Certificate,
        issued: &Certificate,
        known: &Known<'_>,
        at: Timestamp,
    ) -> Result<Result<Judgement, Fault>, Fault> {
        let lists = known.lists.of(&issuer.key.fingerprint()?);
        let judged = match judge(self.revocation, issuer, issued, lists, at) {
            Err(Fault::Revoked(what)) => return Err(Fault::Revoked(what)),
            Ok(judged) if matches!(judged.standing, Standing::Checked(_)) => return Ok(Ok(judged)),
            judged => judged,
        };
        let answered = ocsp::judge(known.responses, issuer, issued, at)?;
        Ok(match (judged, answered) {
            (judged, Some(good)) => {
                let until = judged.map_or(good.until, |judged| judged.until.min(good.until));
                Ok(Judgement { standing: Standing::Answered(good), until })
            }
            (Err(_), None) if self.answers => {
                Err(Fault::Unavailable(format!("an answer by OCSP about {}", issued.describe())))
            }
            (judged, None) => judged,
        })
    }

    /// The anchor that the chain leads to.
    fn anchor_of<'a>(&'a self, chain: &'a [Arc<Certificate>]) -> Result<Found<'a>, Fault> {
        let (last, rest) =
            chain.split_last().ok_or_else(|| Fault::malformed("an empty certificate chain"))?;
        let is_last = |anchor: &&Anchor| anchor.certificate.der() == last.der();
        if let Some(anchor) = self.anchors.iter().find(is_last) {
            return Ok(Found { anchor, below: rest, checked: false });
        }
        let mut fault = Fault::Untrusted(format!(
            "{} is not issued by an anchor of the set {}",
            last.subject, self.name
        ));
        for anchor in self.anchors.iter().filter(|one| one.certificate.subject == last.issuer) {
            match last.check_issued_by(&anchor.certificate) {
                Ok(()) => return Ok(Found { anchor, below: chain, checked: true }),
                Err(reason) => fault = reason,
            }
        }
        Err(fault)
    }
}

/// Where a chain ends.
struct Found<'a> {
    anchor: &'a Anchor,
    below: &'a [Arc<Certificate>],
    /// Whether the anchor's signature over the topmost of them was checked to find it.
    checked: bool,
}

/// `below`: how many intermediate certificates stand under `issuer`.
pub(super) fn check_path_length(issuer: &Certificate, below: usize) -> Result<(), Fault> {
    let allowed = issuer.extensions.authority.and_then(|authority| authority.path_length);
    match allowed {
        Some(allowed) if below as u64 > allowed => Err(Fault::Untrusted(format!(
            "{} allows {allowed} intermediate certificates below it, not {below}",
            issuer.subject
        ))),
        _ => Ok(()),
    }
}
