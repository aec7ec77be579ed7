//! Looking up facts by name, whether they come from evidence or back from a token, where byte
//! strings have become hexadecimal text.

use std::collections::HashMap;

use data_encoding::HEXLOWER;

use crate::claim::{Claim, Value};
use crate::quote::snp::Tcb;

/// Facts by name. A name that stands there twice counts as absent: which one is meant?
pub(super) struct Facts<'a>(HashMap<&'a str, Option<&'a Value>>);

impl<'a> Facts<'a> {
    pub(super) fn new(claims: &'a [Claim]) -> Self {
        let mut facts = HashMap::with_capacity(claims.len());
        for claim in claims {
            facts
                .entry(claim.name.as_ref())
                .and_modify(|value| *value = None)
                .or_insert(Some(&claim.value));
        }
        Self(facts)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).copied().flatten()
    }

    pub(super) fn unsigned(&self, name: &str) -> Option<u64> {
        match self.value(name)? {
            Value::Unsigned(number) => Some(*number),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.value(name)? {
            Value::Bytes(bytes) => Some(bytes.clone()),
            Value::Text(hex) => HEXLOWER.decode(hex.as_bytes()).ok(),
            _ => None,
        }
    }

    /// `which`: `reported`, `committed`, `current` or `launch`.
    pub(super) fn tcb(&self, which: &str) -> Option<Tcb> {
        let part = |part: &str| {
            let number = self.unsigned(&format!("snp.{which}_tcb_{part}"))?;
            u8::try_from(number).ok()
        };
        Some(Tcb {
            fmc: part("fmc"),
            bootloader: part("bootloader")?,
            tee: part("tee")?,
            snp: part("snp")?,
            microcode: part("microcode")?,
        })
    }
}
