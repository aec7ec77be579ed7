//! The built-in appraisal of SEV-SNP evidence: strict, readable, and set by the operator's
//! configuration. Each rule looks at one fact that the host read itself.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::facts::Facts;
use super::vector::{Trust, Vector};
use crate::claim::Value;
use crate::flow::Finding;
use crate::quote::snp::{Product, Tcb};
use crate::reference::Snapshot;

/// AR4SI values that the rules give; see draft-ietf-rats-ar4si.
mod tier {
    /// instance-identity: unrecognised and not to be trusted.
    pub(super) const UNRECOGNIZED_INSTANCE: i8 = 97;
    /// configuration, hardware: unsafe, with known weaknesses.
    pub(super) const UNSAFE: i8 = 32;
    /// configuration, hardware: contraindicated.
    pub(super) const CONTRAINDICATED: i8 = 96;
    /// executables: approved at boot.
    pub(super) const APPROVED_BOOT: i8 = 3;
    /// executables: not recognised.
    pub(super) const UNRECOGNIZED_EXECUTABLES: i8 = 33;
}

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
        }
    }
}

impl SnpPolicy {
    /// Lowers `vector` by every rule that does not hold; answers with what did not hold.
    pub(super) fn apply(
        &self,
        facts: &Facts<'_>,
        references: &Snapshot,
        vector: &mut Vector,
    ) -> Vec<Finding> {
        let mut rules = Rules { facts, vector, findings: Vec::new() };
        self.guest(&mut rules);
        self.platform(&mut rules);
        self.firmware(&mut rules);
        self.identity(&mut rules);
        Self::executables(references, &mut rules);
        // A report says nothing of disks and of data from elsewhere.
        for trust in [Trust::FileSystem, Trust::SourcedData, Trust::StorageOpaque] {
            rules.vector.unsupported(trust);
        }
        rules.findings
    }

    fn guest(&self, rules: &mut Rules<'_, '_>) {
        let forbid = [
            ("snp-no-debug", "snp.policy_debug", self.allow_debug, tier::CONTRAINDICATED),
            (
                "snp-no-migration-agent",
                "snp.policy_migration_agent",
                self.allow_migration_agent,
                tier::CONTRAINDICATED,
            ),
            ("snp-no-smt", "snp.policy_smt_allowed", self.allow_smt, tier::UNSAFE),
            ("snp-no-cxl", "snp.policy_cxl_allowed", self.allow_cxl, tier::UNSAFE),
        ];
        for (rule, claim, allowed, value) in forbid {
            let holds = allowed || rules.facts.flag(claim) == Some(false);
            rules.demand(holds, rule, claim, "false", Trust::Configuration, value);
        }
        let vmpl = rules.facts.unsigned("snp.vmpl");
        let holds = vmpl.is_some_and(|vmpl| self.vmpl.contains(&vmpl));
        let wanted = format!("one of {:?}", self.vmpl);
        let value = tier::CONTRAINDICATED;
        rules.demand(holds, "snp-vmpl", "snp.vmpl", &wanted, Trust::Configuration, value);
    }

    fn platform(&self, rules: &mut Rules<'_, '_>) {
        let require = [
            ("snp-alias-check", "snp.platform_alias_check", self.require_alias_check),
            (
                "snp-ciphertext-hiding",
                "snp.platform_ciphertext_hiding",
                self.require_ciphertext_hiding,
            ),
        ];
        for (rule, claim, required) in require {
            let holds = !required || rules.facts.flag(claim) == Some(true);
            rules.demand(holds, rule, claim, "true", Trust::Hardware, tier::UNSAFE);
        }
        let milan = rules.product() == Some(Product::Milan);
        let value = match self.milan {
            MilanRule::Refuse => tier::CONTRAINDICATED,
            MilanRule::Allow | MilanRule::Warn => tier::UNSAFE,
        };
        let holds = !milan || self.milan == MilanRule::Allow;
        let wanted = "Genoa or later";
        rules.demand(holds, "snp-generation", "snp.product", wanted, Trust::Hardware, value);
    }

    fn firmware(&self, rules: &mut Rules<'_, '_>) {
        let floor = match rules.product() {
            Some(Product::Milan) => Some(self.minimum_tcb.milan),
            Some(Product::Genoa) => Some(self.minimum_tcb.genoa),
            Some(Product::Turin) => Some(self.minimum_tcb.turin),
            None => None,
        };
        for which in ["reported", "committed", "launch"] {
            let tcb = rules.facts.tcb(which);
            let holds = tcb.zip(floor).is_some_and(|(tcb, floor)| tcb.at_least(floor));
            let claim = format!("snp.{which}_tcb");
            let wanted = format!("at least {floor:?}");
            let value = tier::CONTRAINDICATED;
            rules.demand(holds, "snp-minimum-tcb", &claim, &wanted, Trust::Hardware, value);
        }
    }

    fn identity(&self, rules: &mut Rules<'_, '_>) {
        let vlek = rules.facts.text("snp.endorsement_key") != Some("vcek");
        let claim = "snp.endorsement_key";
        let value = tier::UNRECOGNIZED_INSTANCE;
        let holds = !vlek || self.allow_vlek;
        rules.demand(holds, "snp-endorsement-key", claim, "vcek", Trust::InstanceIdentity, value);
        let Some(pinned) = &self.chip_ids else { return };
        let chip = rules.facts.bytes("snp.chip_id");
        let holds = chip.is_some_and(|chip| pinned.contains(&chip));
        let wanted = format!("one of {} pinned chips", pinned.len());
        rules.demand(
            holds,
            "snp-pinned-chip",
            "snp.chip_id",
            &wanted,
            Trust::InstanceIdentity,
            value,
        );
    }

    fn executables(references: &Snapshot, rules: &mut Rules<'_, '_>) {
        let claim = "snp.measurement";
        let measured = rules.facts.bytes(claim).map(|measured| HEXLOWER.encode(&measured));
        let mut approved = references.values("snp", "measurement");
        let holds = measured.is_some_and(|measured| approved.any(|value| *value == *measured));
        let wanted = format!("one of {} values", references.values("snp", "measurement").count());
        let value = tier::UNRECOGNIZED_EXECUTABLES;
        rules.demand(holds, "snp-measurement", claim, &wanted, Trust::Executables, value);
        if holds {
            rules.vector.affirm_where_silent(Trust::Executables, tier::APPROVED_BOOT);
        }
    }
}

struct Rules<'a, 'f> {
    facts: &'a Facts<'f>,
    vector: &'a mut Vector,
    findings: Vec<Finding>,
}

impl Rules<'_, '_> {
    fn product(&self) -> Option<Product> {
        let name = self.facts.text("snp.product")?;
        Product::ALL.into_iter().find(|product| product.name() == name)
    }

    fn demand(
        &mut self,
        holds: bool,
        rule: &'static str,
        claim: &str,
        wanted: &str,
        trust: Trust,
        otherwise: i8,
    ) {
        if holds {
            return;
        }
        self.vector.lower(trust, otherwise);
        let seen: Option<Value> = self.facts.value(claim).cloned();
        let wanted = wanted.to_owned();
        self.findings.push(Finding { rule, claim: claim.to_owned(), seen, wanted });
    }
}
