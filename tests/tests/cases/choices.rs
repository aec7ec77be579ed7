//! An operator's choices for SEV-SNP, as cases write them: the members of `data.settings`.

use claviger::appraisal::{MilanRule, MinimumTcb, SnpPolicy};
use claviger::quote::snp::Tcb;
use data_encoding::HEXLOWER;
use serde::Deserialize;

/// What a case does not say is the default.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SnpChoices {
    /// Launch measurements, hexadecimal: reference values of a host's configuration.
    pub(crate) measurements: Option<Vec<String>>,
    vmpl: Option<Vec<u64>>,
    allow_smt: Option<bool>,
    allow_debug: Option<bool>,
    allow_migration_agent: Option<bool>,
    allow_cxl: Option<bool>,
    allow_vlek: Option<bool>,
    milan: Option<MilanRule>,
    require_alias_check: Option<bool>,
    require_ciphertext_hiding: Option<bool>,
    minimum_tcb: Option<Floors>,
    chip_ids: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "PascalCase")]
struct Floors {
    milan: Floor,
    genoa: Floor,
    turin: Floor,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Floor {
    fmc: Option<u8>,
    bootloader: u8,
    tee: u8,
    snp: u8,
    microcode: u8,
}

impl SnpChoices {
    /// Over the defaults.
    pub(crate) fn policy(&self) -> Result<SnpPolicy, String> {
        self.over(SnpPolicy::default())
    }

    /// Over other choices.
    pub(crate) fn over(&self, base: SnpPolicy) -> Result<SnpPolicy, String> {
        let said = self.clone();
        let chip_ids = said.chip_ids.map(decoded).transpose()?;
        let minimum = said.minimum_tcb.map(|floors| MinimumTcb {
            milan: floors.milan.tcb(),
            genoa: floors.genoa.tcb(),
            turin: floors.turin.tcb(),
        });
        let ciphertext = said.require_ciphertext_hiding;
        Ok(SnpPolicy {
            measurements: said.measurements.map_or(Ok(base.measurements), decoded)?,
            vmpl: said.vmpl.unwrap_or(base.vmpl),
            allow_smt: said.allow_smt.unwrap_or(base.allow_smt),
            allow_debug: said.allow_debug.unwrap_or(base.allow_debug),
            allow_migration_agent: said.allow_migration_agent.unwrap_or(base.allow_migration_agent),
            allow_cxl: said.allow_cxl.unwrap_or(base.allow_cxl),
            allow_vlek: said.allow_vlek.unwrap_or(base.allow_vlek),
            milan: said.milan.unwrap_or(base.milan),
            require_alias_check: said.require_alias_check.unwrap_or(base.require_alias_check),
            require_ciphertext_hiding: ciphertext.unwrap_or(base.require_ciphertext_hiding),
            minimum_tcb: minimum.unwrap_or(base.minimum_tcb),
            chip_ids: chip_ids.or(base.chip_ids),
            policy: base.policy,
        })
    }
}

impl Floor {
    fn tcb(self) -> Tcb {
        let Self { fmc, bootloader, tee, snp, microcode } = self;
        Tcb { fmc, bootloader, tee, snp, microcode }
    }
}

fn decoded(texts: Vec<String>) -> Result<Vec<Vec<u8>>, String> {
    let decode = |text: String| HEXLOWER.decode(text.as_bytes());
    texts.into_iter().map(decode).collect::<Result<_, _>>().map_err(|error| error.to_string())
}
