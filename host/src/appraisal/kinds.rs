//! The kinds of attesters that have a built-in policy: its source, what an operator may choose in it,
//! and by which claims the host sees whether what runs is known.

use serde_json::{Map, Value as Json};

use crate::policy::Module;

/// A built-in policy.
#[derive(Debug)]
pub struct Kind {
    /// The attester's kind.
    pub tee: &'static str,
    /// What findings call the policy's file.
    pub file: &'static str,
    /// The policy: strict, and written to be read.
    pub source: &'static str,
    /// The operator's choices with their defaults, a JSON object, which the policy reads as
    /// `data.settings`. SEV-SNP has a section of its own in the configuration.
    defaults: &'static str,
    /// Claims of which one must be a reference value before anybody may affirm executables.
    pub(super) measured: &'static [&'static str],
}

/// Which measurements a device of NVIDIA's uses differs; reference values are given for those alone.
#[rustfmt::skip]
const NVIDIA_MEASUREMENTS: &[&str] = &[
    "measurement_1", "measurement_2", "measurement_3", "measurement_4",
    "measurement_5", "measurement_6", "measurement_7", "measurement_8",
    "measurement_9", "measurement_10", "measurement_11", "measurement_12",
    "measurement_13", "measurement_14", "measurement_15", "measurement_16",
    "measurement_17", "measurement_18", "measurement_19", "measurement_20",
    "measurement_21", "measurement_22", "measurement_23", "measurement_24",
    "measurement_25", "measurement_26", "measurement_27", "measurement_28",
    "measurement_29", "measurement_30", "measurement_31", "measurement_32",
    "measurement_33", "measurement_34", "measurement_35", "measurement_36",
    "measurement_37", "measurement_38", "measurement_39", "measurement_40",
    "measurement_41", "measurement_42", "measurement_43", "measurement_44",
    "measurement_45", "measurement_46", "measurement_47", "measurement_48",
    "measurement_49", "measurement_50", "measurement_51", "measurement_52",
    "measurement_53", "measurement_54", "measurement_55", "measurement_56",
    "measurement_57", "measurement_58", "measurement_59", "measurement_60",
    "measurement_61", "measurement_62", "measurement_63", "measurement_64",
];

/// Every kind with a policy of its own.
pub const KINDS: &[Kind] = &[
    Kind {
        tee: "az-snp",
        file: "az-snp.rego",
        source: include_str!("../../policies/az-snp.rego"),
        defaults: include_str!("../../policies/az-snp.json"),
        measured: STARTED,
    },
    Kind {
        tee: "az-tdx",
        file: "az-tdx.rego",
        source: include_str!("../../policies/az-tdx.rego"),
        defaults: include_str!("../../policies/az-tdx.json"),
        measured: STARTED,
    },
    Kind {
        tee: "cca",
        file: "cca.rego",
        source: include_str!("../../policies/cca.rego"),
        defaults: include_str!("../../policies/cca.json"),
        measured: &["rim"],
    },
    Kind {
        tee: "nitro",
        file: "nitro.rego",
        source: include_str!("../../policies/nitro.rego"),
        defaults: include_str!("../../policies/nitro.json"),
        measured: &["pcr0", "nitrotpm_pcr4"],
    },
    Kind {
        tee: "nvidia",
        file: "nvidia.rego",
        source: include_str!("../../policies/nvidia.rego"),
        defaults: include_str!("../../policies/nvidia.json"),
        measured: NVIDIA_MEASUREMENTS,
    },
    Kind {
        tee: "sgx",
        file: "sgx.rego",
        source: include_str!("../../policies/sgx.rego"),
        defaults: include_str!("../../policies/sgx.json"),
        measured: &["mrenclave", "mrsigner"],
    },
    Kind {
        tee: "snp",
        file: "snp.rego",
        source: include_str!("../../policies/snp.rego"),
        defaults: "{}",
        measured: &["measurement"],
    },
    Kind {
        tee: "tdx",
        file: "tdx.rego",
        source: include_str!("../../policies/tdx.rego"),
        defaults: include_str!("../../policies/tdx.json"),
        measured: &["mrtd"],
    },
    Kind {
        tee: "tpm",
        file: "tpm.rego",
        source: include_str!("../../policies/tpm.rego"),
        defaults: include_str!("../../policies/tpm.json"),
        measured: STARTED,
    },
];

/// The PCRs of what firmware started, of the kernel that a boot loader loaded, and of a unified kernel (UAPI
/// Group, Linux TPM PCR Registry).
const STARTED: &[&str] = &["pcr4", "pcr9", "pcr11"];

/// The kind of that name.
#[must_use]
pub fn kind(tee: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.tee == tee)
}

/// What an operator says about one kind of attester.
#[derive(Clone, Debug, Default)]
pub struct TeePolicy {
    /// The files of the operator's own policy; none: the built-in one.
    pub policy: Vec<Module>,
    /// Choices that replace the built-in policy's defaults.
    pub settings: Map<String, Json>,
}

impl TeePolicy {
    /// The files of the policy that judges, for a kind that has one.
    pub(super) fn modules(&self, kind: Option<&Kind>) -> Vec<Module> {
        match kind {
            Some(kind) if self.policy.is_empty() => vec![Module::new(kind.file, kind.source)],
            _ => self.policy.clone(),
        }
    }

    /// What the policy reads as `data.settings`: the defaults, and over them the operator's choices.
    ///
    /// # Errors
    /// The name of a choice that the built-in policy does not offer, or whose value is of another type.
    pub(super) fn settings(&self, kind: Option<&Kind>) -> Result<Json, String> {
        let Some(kind) = kind.filter(|_| self.policy.is_empty()) else {
            return Ok(Json::Object(self.settings.clone()));
        };
        let mut settings: Map<String, Json> =
            serde_json::from_str(kind.defaults).map_err(|error| error.to_string())?;
        for (name, value) in &self.settings {
            match settings.get_mut(name) {
                Some(default) if same_type(default, value) => *default = value.clone(),
                Some(default) => {
                    return Err(format!("`{name}` is {value}, where {default} is the default"));
                }
                None => return Err(format!("there is no `{name}`")),
            }
        }
        Ok(Json::Object(settings))
    }
}

/// A choice that is null by default takes a list, or nothing.
fn same_type(default: &Json, value: &Json) -> bool {
    match default {
        Json::Null => value.is_array(),
        Json::Bool(_) => value.is_boolean(),
        Json::Number(_) => value.is_u64(),
        Json::String(_) => value.is_string(),
        Json::Array(_) => value.is_array(),
        Json::Object(_) => value.is_object(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::appraisal::{Appraiser, SnpPolicy};
    use crate::policy::tester;

    fn chosen(settings: Json) -> Result<Json, String> {
        let settings = settings.as_object().unwrap().clone();
        TeePolicy { settings, ..TeePolicy::default() }.settings(kind("nitro"))
    }

    #[test]
    fn a_choice_that_is_none_of_the_policys_is_refused() {
        assert_eq!(chosen(json!({ "allow_debug": true })).unwrap()["allow_debug"], json!(true));
        assert_eq!(chosen(json!({})).unwrap()["allow_debug"], json!(false));
        assert!(chosen(json!({ "allow_debg": true })).unwrap_err().contains("allow_debg"));
        assert!(chosen(json!({ "allow_debug": "yes" })).unwrap_err().contains("allow_debug"));
    }

    #[test]
    fn every_built_in_policy_compiles_with_its_defaults_and_passes_its_own_tests() {
        Appraiser::new(&SnpPolicy::default(), None).unwrap();
        for kind in KINDS {
            let name = kind.file.replace(".rego", "_test.rego");
            let path = format!("{}/policies/{name}", env!("CARGO_MANIFEST_DIR"));
            let tests = std::fs::read_to_string(path).unwrap();
            let modules = [Module::new(kind.file, kind.source), Module::new(&*name, tests)];
            let outcomes = tester::run(&modules).unwrap();
            let wrong: Vec<_> = outcomes.iter().filter(|one| one.failure.is_some()).collect();
            assert!(wrong.is_empty() && outcomes.len() > 3, "{name}: {wrong:?}");
        }
    }
}
