//! The highest TCB that each chip has shown: firmware that goes back behind it is a rollback.

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

/// Chips remembered in memory; the store has them all.
const REMEMBERED: usize = 100_000;

/// How often another writer may get in between before it is given up.
const ATTEMPTS: usize = 16;

/// Kept in the store, because a restart must not forget it; read from memory.
pub struct LastSeen {
    store: Arc<SealedStore>,
    known: DashMap<Vec<u8>, [u8; 5]>,
}

impl LastSeen {
    /// Over the host's store.
    #[must_use]
    pub fn new(store: Arc<SealedStore>) -> Self {
        Self { store, known: DashMap::new() }
    }

    /// Whether memory has the answer.
    pub(super) fn is_familiar(&self, facts: &Facts<'_>) -> bool {
        match (chip(facts), facts.tcb("reported")) {
            (Some(chip), Some(tcb)) => self.is_known(&chip, parts(tcb)),
            _ => true,
        }
    }

    fn is_known(&self, chip: &[u8], reported: [u8; 5]) -> bool {
        self.known.get(chip).is_some_and(|known| *known == reported)
    }

    /// Compares the reported TCB with what the chip showed before, and remembers a higher one.
    /// A masked report under a VLEK has nothing to compare with.
    pub(super) fn apply(
        &self,
        facts: &Facts<'_>,
        vector: &mut Vector,
    ) -> Result<Option<Finding>, Refusal> {
        let Some(chip) = chip(facts) else {
            return Ok(None);
        };
        let Some(tcb) = facts.tcb("reported") else {
            return Ok(None);
        };
        let reported = parts(tcb);
        if self.is_known(&chip, reported) {
            return Ok(None);
        }
        let key = format!("chip/snp/{}", HEXLOWER.encode(&chip));
        for _ in 0..ATTEMPTS {
            let stored = self.store.get(&key).map_err(refuse)?;
            let highest = stored.as_ref().map(|stored| stored.expose());
            let highest = match highest.map(<[u8; 5]>::try_from) {
                None => None,
                Some(Ok(highest)) => Some(highest),
                Some(Err(_)) => return Err(refuse_text("a chip's last TCB cannot be read")),
            };
            if let Some(highest) = highest {
                if reported == highest {
                    self.remember(chip, highest);
                    return Ok(None);
                }
                if older(&reported, &highest) {
                    vector.lower(Trust::Hardware, CONTRAINDICATED);
                    return Ok(Some(Finding {
                        rule: "snp-no-rollback".into(),
                        file: None,
                        line: None,
                        claim: "snp.reported_tcb".to_owned(),
                        seen: Some(Value::Text(format!("{tcb:?}"))),
                        wanted: format!(
                            "at least {highest:?} (fmc, boot loader, tee, snp, microcode), which this chip reported before"
                        ),
                    }));
                }
            }
            let expected = stored.as_ref().map(|stored| stored.expose());
            if self.store.swap(&key, expected, Some(&reported)).map_err(refuse)? {
                self.remember(chip, reported);
                return Ok(None);
            }
        }
        Err(refuse_text("a chip's last TCB is written by too many at once"))
    }

    /// Two requests of one chip may come here in another order than that of their writes: what is
    /// remembered only grows.
    fn remember(&self, chip: Vec<u8>, highest: [u8; 5]) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        self.known
            .entry(chip)
            .and_modify(|known| {
                if !older(&highest, known) {
                    *known = highest;
                }
            })
            .or_insert(highest);
    }
}

/// The chip that the VCEK's certificate names: whoever masks CHIP_ID, as the host platform may, does
/// not get rid of the past.
fn chip(facts: &Facts<'_>) -> Option<Vec<u8>> {
    facts.bytes("snp.certified_chip_id").or_else(|| facts.bytes("snp.chip_id"))
}

/// Whether any part is older.
fn older(now: &[u8; 5], before: &[u8; 5]) -> bool {
    now.iter().zip(before).any(|(now, before)| now < before)
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
    use crate::random::SystemRandomness;
    use crate::store::{Embedded, MasterKey};

    // attack 22
    #[test]
    fn what_is_remembered_of_a_chip_only_grows() {
        let random = Arc::new(SystemRandomness::default());
        let master = MasterKey::ephemeral(&*random).unwrap();
        let store = Arc::new(Embedded::in_memory().unwrap());
        let store = SealedStore::open(store, &master, random).unwrap();
        let seen = LastSeen::new(Arc::new(store));
        // As two requests remember that wrote in the other order.
        for highest in [[0, 2, 0, 9, 9], [0, 1, 0, 9, 9], [0, 2, 0, 8, 10]] {
            seen.remember(vec![7], highest);
            assert_eq!(*seen.known.get(&vec![7]).unwrap(), [0, 2, 0, 9, 9]);
        }
        seen.remember(vec![7], [0, 2, 1, 9, 9]);
        assert_eq!(*seen.known.get(&vec![7]).unwrap(), [0, 2, 1, 9, 9]);
    }
}
