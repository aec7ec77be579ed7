//! The operator's choices for SEV-SNP evidence, which its appraisal policy reads as `data.settings`.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::kinds::{TeePolicy, kind};
use crate::policy::Module;
use crate::quote::snp::Tcb;

/// What is done about Milan, whose attestation key can be extracted (arXiv 2605.12990).
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MilanRule {
    /// As any other product.
    Allow,
    /// Contraindicated.
    Refuse,
    /// A warning: not affirming.
    #[default]
    Warn,
}

/// The least TCB that is accepted, by product.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct MinimumTcb {
    /// Milan.
    pub milan: Tcb,
    /// Genoa, Bergamo, Siena.
    pub genoa: Tcb,
    /// Turin.
    pub turin: Tcb,
}

/// The operator's choices.
#[derive(Clone, Debug)]
pub struct SnpPolicy {
    /// Launch measurements (48 bytes) that are approved beside stored reference values.
    pub measurements: Vec<Vec<u8>>,
    /// Privilege levels from which a report is taken.
    pub vmpl: Vec<u64>,
    /// Whether guests may share cores with sibling threads.
    pub allow_smt: bool,
    /// Whether a guest that can be debugged is accepted. For development only.
    pub allow_debug: bool,
    /// Whether a migration agent may move the guest.
    pub allow_migration_agent: bool,
    /// Whether CXL devices may be attached.
    pub allow_cxl: bool,
    /// Milan's weakness.
    pub milan: MilanRule,
    /// The memory's aliasing check must have run (BadRAM).
    pub require_alias_check: bool,
    /// DRAM ciphertext must be hidden from the host.
    pub require_ciphertext_hiding: bool,
    /// Floors for the reported, committed and launch TCB.
    pub minimum_tcb: MinimumTcb,
    /// Chips that are accepted; `None`: any; an empty list matches nobody.
    pub chip_ids: Option<Vec<Vec<u8>>>,
    /// Whether a provider's VLEK, which names no chip, is accepted.
    pub allow_vlek: bool,
    /// The files of the operator's own policy; none: the built-in one.
    pub policy: Vec<Module>,
}

impl Default for SnpPolicy {
    fn default() -> Self {
        Self {
            measurements: Vec::new(),
            vmpl: vec![0],
            allow_smt: true,
            allow_debug: false,
            allow_migration_agent: false,
            allow_cxl: false,
            milan: MilanRule::default(),
            require_alias_check: true,
            require_ciphertext_hiding: false,
            minimum_tcb: MinimumTcb::default(),
            chip_ids: None,
            allow_vlek: true,
            policy: Vec::new(),
        }
    }
}

impl SnpPolicy {
    /// The files of the policy that judges.
    pub(super) fn modules(&self) -> Vec<Module> {
        let chosen = TeePolicy { policy: self.policy.clone(), ..TeePolicy::default() };
        chosen.modules(kind("snp"))
    }

    /// What the policy reads as `data.settings`. Measurements are not among them: they are reference
    /// values, like those that come from elsewhere.
    #[must_use]
    pub fn settings(&self) -> Json {
        // Turin's ids have 8 bytes; in a report zeros stand behind them.
        let chip = |chip: &Vec<u8>| {
            let mut chip = chip.clone();
            chip.resize(64, 0);
            HEXLOWER.encode(&chip)
        };
        let chips = |chips: &Vec<Vec<u8>>| -> Vec<String> { chips.iter().map(chip).collect() };
        json!({
            "vmpl": self.vmpl,
            "allow_smt": self.allow_smt,
            "allow_debug": self.allow_debug,
            "allow_migration_agent": self.allow_migration_agent,
            "allow_cxl": self.allow_cxl,
            "allow_vlek": self.allow_vlek,
            "milan": self.milan,
            "require_alias_check": self.require_alias_check,
            "require_ciphertext_hiding": self.require_ciphertext_hiding,
            "minimum_tcb": {
                "Milan": floor(self.minimum_tcb.milan),
                "Genoa": floor(self.minimum_tcb.genoa),
                "Turin": floor(self.minimum_tcb.turin),
            },
            "chip_ids": self.chip_ids.as_ref().map(chips),
        })
    }
}

/// By part. Only a chip with an FMC reports one, so a floor of zero demands none.
fn floor(tcb: Tcb) -> Json {
    let mut floor = json!({
        "bootloader": tcb.bootloader,
        "tee": tcb.tee,
        "snp": tcb.snp,
        "microcode": tcb.microcode,
    });
    if let (Some(floor), Some(fmc @ 1..)) = (floor.as_object_mut(), tcb.fmc) {
        floor.insert("fmc".to_owned(), fmc.into());
    }
    floor
}
