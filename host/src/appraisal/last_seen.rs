//! The highest TCB that each chip has shown, and the highest number of Intel's collateral for each kind of
//! platform: what goes back behind it is a rollback.

use std::borrow::Cow;
use std::sync::Arc;

use dashmap::DashMap;
use data_encoding::HEXLOWER;

use super::facts::Facts;
use super::vector::{Trust, Vector};
use crate::claim::Value;
use crate::error::{Code, Refusal};
use crate::flow::Finding;
use crate::quote::snp::Tcb;
use crate::store::{SealedStore, StoreError};

/// AR4SI hardware: contraindicated.
const CONTRAINDICATED: i8 = 96;

/// Chips and platforms remembered in memory; the store has them all.
const REMEMBERED: usize = 100_000;

/// How often another writer may get in between before it is given up.
const ATTEMPTS: usize = 16;

/// Kept in the store, because a restart must not forget it; read from memory.
pub struct LastSeen {
    store: Arc<SealedStore>,
    known: DashMap<String, Seen>,
}

/// What was shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    /// The number of a document of Intel's (tcbEvaluationDataNumber).
    Evaluation([u8; 4]),
    /// FMC, boot loader, TEE, SNP, microcode: each for itself.
    Tcb([u8; 5]),
}

/// Something that does not go back.
struct Mark {
    /// Its name in the store.
    key: String,
    now: Seen,
    rule: &'static str,
    claim: Cow<'static, str>,
    /// Where more was seen, for a person.
    before: &'static str,
}

impl LastSeen {
    /// Over the host's store.
    #[must_use]
    pub fn new(store: Arc<SealedStore>) -> Self {
        Self { store, known: DashMap::new() }
    }

    /// Whether memory has the answer.
    pub(super) fn is_familiar(&self, facts: &Facts<'_>) -> bool {
        marks(facts).iter().all(|mark| self.is_known(mark))
    }

    fn is_known(&self, mark: &Mark) -> bool {
        self.known.get(&mark.key).is_some_and(|known| *known == mark.now)
    }

    /// Compares what evidence shows with what was shown before, and remembers what is higher: a chip's
    /// reported TCB, by the chip; the numbers of Intel's TCB info and QE identity, by the kind of platform.
    /// Older collateral is signed by Intel and holds still, and leaves out what was found since: whoever
    /// runs a cache, or brings collateral along, could choose it. A masked report under a VLEK has nothing
    /// to compare with.
    ///
    /// A chip's mark is that chip's own. Intel's numbers are of all platforms of a kind, and Intel offers
    /// several at once: they are remembered of evidence that was `affirmed`, so that a guest that nobody
    /// approved does not shut the others out by collateral that is ahead of theirs.
    pub(super) fn apply(
        &self,
        facts: &Facts<'_>,
        affirmed: bool,
        vector: &mut Vector,
    ) -> Result<Vec<Finding>, Refusal> {
        let mut findings = Vec::new();
        for mark in marks(facts) {
            let counts = affirmed || matches!(mark.now, Seen::Tcb(_));
            if let Some(finding) = self.compare(mark, counts)? {
                vector.lower(Trust::Hardware, CONTRAINDICATED);
                findings.push(finding);
            }
        }
        Ok(findings)
    }

    /// `counts`: whether it is remembered where it is higher.
    fn compare(&self, mark: Mark, counts: bool) -> Result<Option<Finding>, Refusal> {
        if self.is_known(&mark) {
            return Ok(None);
        }
        let Mark { key, now, .. } = &mark;
        for _ in 0..ATTEMPTS {
            let stored = self.store.get(key).map_err(refuse)?;
            let highest = match stored.as_ref().map(|stored| now.like(stored.expose())) {
                None => None,
                Some(Some(highest)) => Some(highest),
                Some(None) => return Err(refuse_text("what was last seen cannot be read")),
            };
            if let Some(highest) = highest {
                if *now == highest {
                    self.remember(mark.key, highest);
                    return Ok(None);
                }
                if now.is_older_than(&highest) {
                    return Ok(Some(Finding {
                        rule: mark.rule.into(),
                        file: None,
                        line: None,
                        claim: mark.claim.clone().into_owned(),
                        seen: Some(now.value()),
                        wanted: format!("at least {highest}, which {} before", mark.before),
                    }));
                }
            }
            if !counts {
                return Ok(None);
            }
            let expected = stored.as_ref().map(|stored| stored.expose());
            if self.store.swap(key, expected, Some(now.bytes())).map_err(refuse)? {
                self.remember(mark.key, mark.now);
                return Ok(None);
            }
        }
        Err(refuse_text("what was last seen is written by too many at once"))
    }

    /// Two requests may come here in another order than that of their writes: what is remembered only
    /// grows.
    fn remember(&self, key: String, highest: Seen) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known
            .entry(key)
            .and_modify(|known| {
                if !highest.is_older_than(known) {
                    *known = highest;
                }
            })
            .or_insert(highest);
    }
}

impl Seen {
    /// For a person.
    fn value(&self) -> Value {
        match self {
            Self::Evaluation(number) => Value::Unsigned(u32::from_be_bytes(*number).into()),
            Self::Tcb(_) => Value::Text(self.to_string()),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Evaluation(number) => number,
            Self::Tcb(parts) => parts,
        }
    }

    /// Of the same kind, from its bytes.
    fn like(&self, bytes: &[u8]) -> Option<Self> {
        match self {
            Self::Evaluation(_) => bytes.try_into().ok().map(Self::Evaluation),
            Self::Tcb(_) => bytes.try_into().ok().map(Self::Tcb),
        }
    }

    /// Whether the number, or any part, is older.
    fn is_older_than(&self, before: &Self) -> bool {
        match (self, before) {
            (Self::Tcb(now), Self::Tcb(before)) => {
                now.iter().zip(before).any(|(now, before)| now < before)
            }
            (Self::Evaluation(now), Self::Evaluation(before)) => now < before,
            _ => true,
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Evaluation(number) => write!(f, "{}", u32::from_be_bytes(*number)),
            Self::Tcb(parts) => write!(f, "{parts:?} (fmc, boot loader, tee, snp, microcode)"),
        }
    }
}

/// All that evidence shows.
fn marks(facts: &Facts<'_>) -> Vec<Mark> {
    let mut marks = Vec::new();
    if let (Some(chip), Some(tcb)) = (chip(facts), facts.reported_tcb()) {
        marks.push(Mark {
            key: format!("chip/snp/{}", HEXLOWER.encode(&chip)),
            now: Seen::Tcb(parts(tcb)),
            rule: "snp-no-rollback",
            claim: "snp.reported_tcb".into(),
            before: "this chip reported",
        });
    }
    for tee in ["sgx", "tdx"] {
        let Some(fmspc) = facts.bytes(&format!("{tee}.fmspc")) else { continue };
        let of_platform = format!("platform/{tee}/{}/tcb-info", HEXLOWER.encode(&fmspc));
        for (name, key) in [
            ("tcb_info_evaluation", of_platform),
            ("qe_identity_evaluation", format!("platform/{tee}/qe-identity")),
        ] {
            let claim = format!("{tee}.{name}");
            let number = facts.unsigned(&claim).and_then(|number| u32::try_from(number).ok());
            marks.extend(number.map(|number| Mark {
                key,
                now: Seen::Evaluation(number.to_be_bytes()),
                rule: "intel-no-rollback",
                claim: claim.into(),
                before: "such platforms' collateral had",
            }));
        }
    }
    marks
}

/// The chip that the VCEK's certificate names: whoever masks CHIP_ID, as the host platform may, does
/// not get rid of the past.
fn chip(facts: &Facts<'_>) -> Option<Vec<u8>> {
    facts.bytes("snp.certified_chip_id").or_else(|| facts.bytes("snp.chip_id"))
}

fn parts(tcb: Tcb) -> [u8; 5] {
    [tcb.fmc.unwrap_or(0), tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode]
}

fn refuse(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}

fn refuse_text(reason: &str) -> Refusal {
    Refusal::new(Code::StoreUnavailable, reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::quote::{Authority, Examination};
    use crate::random::SystemRandomness;
    use crate::simulated::intel::{Intel, QeTemplate, QuoteBody, Revocations, TcbTemplate};
    use crate::store::{Embedded, MasterKey};

    const NOW: Timestamp = Timestamp(1_767_225_600);

    fn store() -> Arc<SealedStore> {
        let random = Arc::new(SystemRandomness::default());
        let master = MasterKey::ephemeral(&*random).unwrap();
        let store = Arc::new(Embedded::in_memory().unwrap());
        Arc::new(SealedStore::open(store, &master, random).unwrap())
    }

    // attack 22
    #[test]
    fn what_is_remembered_of_a_chip_only_grows() {
        let seen = LastSeen::new(store());
        let known = || *seen.known.get("chip").unwrap();
        // As two requests remember that wrote in the other order.
        for highest in [[0, 2, 0, 9, 9], [0, 1, 0, 9, 9], [0, 2, 0, 8, 10]] {
            seen.remember("chip".to_owned(), Seen::Tcb(highest));
            assert_eq!(known(), Seen::Tcb([0, 2, 0, 9, 9]));
        }
        seen.remember("chip".to_owned(), Seen::Tcb([0, 2, 1, 9, 9]));
        assert_eq!(known(), Seen::Tcb([0, 2, 1, 9, 9]));
    }

    // attack 44
    #[test]
    fn collateral_of_a_lower_number_is_refused_once_a_higher_one_was_seen() {
        let intel = Intel::mint(NOW).unwrap();
        let quote = intel.quote(&intel.quote_template(QuoteBody::Td4, [7; 64])).unwrap();
        let [root_list, pck_list] = intel.lists(Revocations::default()).unwrap();
        let facts = |tcb: u32, qe: u32| {
            let tcb = TcbTemplate { evaluation: tcb, ..intel.tcb_template("TDX") };
            let qe = QeTemplate { evaluation: qe, ..intel.qe_template("TD_QE") };
            let collateral = [
                intel.tcb_info(&tcb).unwrap(),
                intel.qe_identity(&qe).unwrap(),
                intel.tcb_signer(),
                root_list.clone(),
                pck_list.clone(),
            ];
            let authority = Authority::builder().simulated_root(intel.root()).build().unwrap();
            let examination = Examination::new(Arc::new(authority), NOW);
            examination.dcap(quote.clone(), &collateral).unwrap().statement.facts().to_vec()
        };
        let store = store();
        let outcome_of = |seen: &LastSeen, affirmed: bool, tcb: u32, qe: u32| {
            let facts = facts(tcb, qe);
            let (facts, mut vector) = (Facts::new(&facts), Vector::default());
            let familiar = seen.is_familiar(&facts);
            let findings = seen.apply(&facts, affirmed, &mut vector).unwrap();
            let claims = findings.into_iter().map(|finding| finding.claim).collect::<Vec<_>>();
            let contraindicated = vector.value(Trust::Hardware) == Some(CONTRAINDICATED);
            assert_eq!(contraindicated, !claims.is_empty());
            (familiar, claims)
        };
        let outcome = |seen: &LastSeen, tcb: u32, qe: u32| outcome_of(seen, true, tcb, qe);
        let none = Vec::<String>::new();
        let seen = LastSeen::new(Arc::clone(&store));
        assert_eq!(outcome(&seen, 17, 17), (false, none.clone()));
        assert_eq!(outcome(&seen, 17, 17), (true, none.clone()));
        assert_eq!(outcome(&seen, 300, 18), (false, none.clone()), "newer is taken");
        // Each document by itself, after a restart as well; the number is one, not its bytes.
        for seen in [&seen, &LastSeen::new(Arc::clone(&store))] {
            assert_eq!(outcome(seen, 299, 18).1, ["tdx.tcb_info_evaluation"]);
            assert_eq!(outcome(seen, 255, 17).1.len(), 2);
            assert_eq!(outcome(seen, 300, 17).1, ["tdx.qe_identity_evaluation"]);
            assert_eq!(outcome(seen, 300, 18).1, none);
        }
        assert_eq!(outcome(&seen, 301, 18).1, none);
        // What was not affirmed is held against what was seen, and leaves nothing behind.
        assert_eq!(outcome_of(&seen, false, 301, 17).1, ["tdx.qe_identity_evaluation"]);
        assert_eq!(outcome_of(&seen, false, 999, 999), (false, none.clone()));
        assert_eq!(outcome(&seen, 301, 18).1, none);
    }
}
