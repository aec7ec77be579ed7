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

    /// Compares the reported TCB with what the chip showed before, and remembers a higher one.
    /// A report without a chip id (VLEK, masked) has nothing to compare with.
    pub(super) fn apply(
        &self,
        facts: &Facts<'_>,
        vector: &mut Vector,
    ) -> Result<Option<Finding>, Refusal> {
        let Some(chip) = facts.bytes("snp.chip_id") else {
            return Ok(None);
        };
        let Some(tcb) = facts.tcb("reported") else {
            return Ok(None);
        };
        let reported = parts(tcb);
        if self.known.get(&chip).is_some_and(|known| *known == reported) {
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
                if reported.iter().zip(&highest).any(|(now, before)| now < before) {
                    vector.lower(Trust::Hardware, CONTRAINDICATED);
                    return Ok(Some(Finding {
                        rule: "snp-no-rollback",
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

    /// Never goes back: another request may have remembered a higher one since this one read.
    /// (Where several hosts share a store, memory may lag behind it, and must not be asked first.)
    fn remember(&self, chip: Vec<u8>, highest: [u8; 5]) {
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let not_lower = |known: &[u8; 5]| known.iter().zip(&highest).all(|(k, h)| k <= h);
        self.known
            .entry(chip)
            .and_modify(|known| {
                if not_lower(known) {
                    *known = highest;
                }
            })
            .or_insert(highest);
    }
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
