//! Looking up facts by name, whether they come from evidence or back from a token, where byte
//! strings have become hexadecimal text.

use data_encoding::HEXLOWER;

use crate::claim::{Claim, Value};
use crate::quote::snp::Tcb;

/// Facts by name. A name that stands there twice counts as absent: which one is meant? There are some
/// seventy, and few are asked for: looking through them costs less than an index.
pub(super) struct Facts<'a>(&'a [Claim]);

impl<'a> Facts<'a> {
    pub(super) fn new(claims: &'a [Claim]) -> Self {
        Self(claims)
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a Value> {
        let mut found = self.0.iter().filter(|claim| claim.name == name);
        let value = &found.next()?.value;
        found.next().is_none().then_some(value)
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

    pub(super) fn reported_tcb(&self) -> Option<Tcb> {
        let part = |name| u8::try_from(self.unsigned(name)?).ok();
        Some(Tcb {
            fmc: part("snp.reported_tcb_fmc"),
            bootloader: part("snp.reported_tcb_bootloader")?,
            tee: part("snp.reported_tcb_tee")?,
            snp: part("snp.reported_tcb_snp")?,
            microcode: part("snp.reported_tcb_microcode")?,
        })
    }
}
