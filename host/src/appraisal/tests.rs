use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::judge::Judgement;
use super::*;
use crate::claim::Claim;
use crate::claim::Value;
use crate::clock::Timestamp;
use crate::policy::Module;
use crate::reference::Snapshot;

const MEASUREMENT: [u8; 48] = [0xab; 48];

/// Facts of a guest that the default policy affirms.
fn sound() -> Vec<Claim> {
    let flags = [
        ("snp.policy_debug", false),
        ("snp.policy_migration_agent", false),
        ("snp.policy_smt_allowed", true),
        ("snp.policy_cxl_allowed", false),
        ("snp.platform_alias_check", true),
        ("snp.platform_ciphertext_hiding", false),
    ];
    let mut facts: Vec<_> =
        flags.map(|(name, flag)| Claim::new(name, Value::Flag(flag))).into_iter().collect();
    for which in ["reported", "committed", "launch"] {
        for part in ["bootloader", "tee", "snp", "microcode"] {
            facts.push(Claim::new(format!("snp.{which}_tcb_{part}"), Value::Unsigned(9)));
        }
    }
    facts.push(Claim::new("snp.vmpl", Value::Unsigned(0)));
    facts.push(Claim::new("snp.product", Value::Text("Genoa".to_owned())));
    facts.push(Claim::new("snp.endorsement_key", Value::Text("vcek".to_owned())));
    facts.push(Claim::new("snp.chip_id", Value::Bytes(vec![7; 64])));
    facts.push(Claim::new("snp.measurement", Value::Bytes(MEASUREMENT.to_vec())));
    facts.push(Claim::new("snp.report_data", Value::Bytes(vec![1; 64])));
    facts
}

fn with(name: &'static str, value: Value) -> Vec<Claim> {
    let mut facts = sound();
    facts.retain(|fact| fact.name != name);
    facts.push(Claim::new(name, value));
    facts
}

fn references() -> Snapshot {
    let policy = SnpPolicy { measurements: vec![MEASUREMENT.to_vec()], ..SnpPolicy::default() };
    Snapshot::of([("configuration", crate::assemble::configured(&policy).as_slice())])
}

fn vector(values: &[(Trust, i8)]) -> Vector {
    let mut vector = Vector::default();
    for (trust, value) in values {
        vector.lower(*trust, *value);
    }
    vector
}

/// What the plugin says of a sound guest.
fn said() -> Vector {
    vector(&[(Trust::Hardware, 2), (Trust::InstanceIdentity, 2), (Trust::Configuration, 2)])
}

fn by(settings: &SnpPolicy, facts: &[Claim]) -> Appraisal {
    let appraiser = Appraiser::new(settings, None).unwrap();
    appraiser.appraise(&case(facts, &said()), &references()).unwrap()
}

fn case<'a>(facts: &'a [Claim], vector: &'a Vector) -> Case<'a> {
    Case {
        tee: "snp",
        facts,
        claims: &[],
        vector,
        verifier: ("verifier-snp", "00"),
        simulated: false,
        expires: Timestamp(2_000_000_000),
        at: Timestamp(1_800_000_000),
    }
}

fn judge(source: &str) -> Judge {
    Judge::new("snp", "own", vec![Module::new("own.rego", source)], &json!({})).unwrap()
}

/// The rules that do not hold, and the status.
fn rules(appraisal: &Appraisal) -> (Vec<String>, Status) {
    let rules = appraisal.findings.iter().map(|finding| finding.rule.clone().into_owned());
    (rules.collect(), appraisal.status)
}

/// Another policy in the default one's place, asked about a sound guest.
fn judged(result: &str, said: Vector, references: &Snapshot) -> Result<Arc<Judgement>, Refusal> {
    let judge = judge(&format!("package claviger.appraisal\n\n{result}\n"));
    judge.judge(&case(&sound(), &said), references)
}

fn answering(submods: &Json) -> Result<Arc<Judgement>, Refusal> {
    judged(&format!("result := {{\"submods\": {submods}}}"), said(), &references())
}

#[test]
fn a_sound_guest_is_affirmed_by_its_reference_value() {
    let appraisal = by(&SnpPolicy::default(), &sound());
    assert_eq!(rules(&appraisal), (vec![], Status::Affirming));
    assert_eq!(appraisal.vector.value(Trust::Executables), Some(3));
}

// attacks 17, 18, 22, 25 and 26
#[test]
fn each_rule_of_the_default_policy_lowers_what_it_is_about() {
    use Status::{Contraindicated, Warning};
    let text = |text: &str| Value::Text(text.to_owned());
    let forbidding = SnpPolicy { allow_smt: false, ..SnpPolicy::default() };
    let hiding = SnpPolicy { require_ciphertext_hiding: true, ..SnpPolicy::default() };
    let no_vlek = SnpPolicy { allow_vlek: false, ..SnpPolicy::default() };
    let nobody = SnpPolicy { chip_ids: Some(Vec::new()), ..SnpPolicy::default() };
    let strict = SnpPolicy::default();
    for (settings, facts, rule, status) in [
        (&strict, with("snp.policy_debug", Value::Flag(true)), "snp-no-debug", Contraindicated),
        (
            &strict,
            with("snp.policy_migration_agent", Value::Flag(true)),
            "snp-no-migration-agent",
            Contraindicated,
        ),
        (&forbidding, sound(), "snp-no-smt", Warning),
        (&strict, with("snp.policy_cxl_allowed", Value::Flag(true)), "snp-no-cxl", Warning),
        (&strict, with("snp.vmpl", Value::Unsigned(1)), "snp-vmpl", Contraindicated),
        (&strict, with("snp.platform_alias_check", Value::Flag(false)), "snp-alias-check", Warning),
        (&hiding, sound(), "snp-ciphertext-hiding", Warning),
        (&strict, with("snp.product", text("Milan")), "snp-generation", Warning),
        (
            &no_vlek,
            with("snp.endorsement_key", text("vlek")),
            "snp-endorsement-key",
            Contraindicated,
        ),
        (&nobody, sound(), "snp-pinned-chip", Contraindicated),
        (&strict, with("snp.measurement", Value::Bytes(vec![1; 48])), "snp-measurement", Warning),
    ] {
        let appraisal = by(settings, &facts);
        assert_eq!(rules(&appraisal), (vec![rule.to_owned()], status), "{rule}");
        let finding = &appraisal.findings[0];
        assert_eq!(finding.file.as_deref(), Some("snp.rego"), "{rule}");
        let line =
            kind("snp").unwrap().source.lines().nth(finding.line.unwrap() as usize - 1).unwrap();
        assert!(line.contains(rule), "{rule} is not in {line}");
    }
}

// attack 25
#[test]
fn firmware_older_than_its_floor_is_contraindicated_part_by_part() {
    let floor = crate::quote::snp::Tcb { fmc: None, bootloader: 9, tee: 9, snp: 9, microcode: 9 };
    let minimum_tcb = MinimumTcb { genoa: floor, ..MinimumTcb::default() };
    let settings = SnpPolicy { minimum_tcb, ..SnpPolicy::default() };
    assert_eq!(by(&settings, &sound()).status, Status::Affirming);
    for name in [
        "snp.reported_tcb_bootloader",
        "snp.reported_tcb_microcode",
        "snp.committed_tcb_tee",
        "snp.launch_tcb_snp",
    ] {
        let appraisal = by(&settings, &with(name, Value::Unsigned(8)));
        let expected = (vec!["snp-minimum-tcb".to_owned()], Status::Contraindicated);
        assert_eq!(rules(&appraisal), expected, "{name}");
        assert!(name.starts_with(&appraisal.findings[0].claim), "{name}");
    }
    // A number is not less than a text, to the language; to the rule it is.
    let text = by(&settings, &with("snp.launch_tcb_snp", Value::Text("9".to_owned())));
    assert_eq!(text.status, Status::Contraindicated);
    let fmc = MinimumTcb {
        genoa: crate::quote::snp::Tcb { fmc: Some(1), ..floor },
        ..MinimumTcb::default()
    };
    let settings = SnpPolicy { minimum_tcb: fmc, ..SnpPolicy::default() };
    assert_eq!(by(&settings, &sound()).status, Status::Contraindicated);
}

// invariant 6
#[test]
fn what_is_missing_or_stands_twice_does_not_hold() {
    let strict = SnpPolicy {
        allow_smt: false,
        chip_ids: Some(vec![vec![7; 64]]),
        allow_vlek: false,
        ..SnpPolicy::default()
    };
    let mut sound = sound();
    for fact in &mut sound {
        if fact.name == "snp.policy_smt_allowed" {
            fact.value = Value::Flag(false);
        }
    }
    assert_eq!(by(&strict, &sound).status, Status::Affirming);
    // Hiding ciphertext is not demanded here, and nobody asks for the report data.
    let idle = ["snp.platform_ciphertext_hiding", "snp.report_data"];
    for fact in sound.iter().filter(|fact| !idle.contains(&fact.name.as_ref())) {
        let without: Vec<_> =
            sound.iter().filter(|other| other.name != fact.name).cloned().collect();
        assert_ne!(by(&strict, &without).status, Status::Affirming, "without {}", fact.name);
        let mut twice = sound.clone();
        twice.push(fact.clone());
        assert_ne!(by(&strict, &twice).status, Status::Affirming, "{} twice", fact.name);
    }
    assert_ne!(by(&strict, &[]).status, Status::Affirming);
}

// attack 54, invariant 6
#[test]
fn a_policy_without_a_clear_answer_refuses() {
    let vector = |vector: Json| json!({ "snp": { "vector": vector, "findings": [] } });
    let finding = |lowers: &str, value: i64| {
        let finding = json!({
            "rule": "r", "claim": "c", "wanted": 1, "lowers": lowers, "value": value
        });
        json!({ "snp": { "vector": {}, "findings": [finding] } })
    };
    assert!(answering(&vector(json!({ "hardware": 96 }))).is_ok());
    assert!(answering(&finding("hardware", 96)).is_ok());
    for unclear in [
        vector(json!({ "hardwear": 2 })),
        vector(json!({ "hardware": 300 })),
        vector(json!({ "hardware": 0 })),
        vector(json!({ "hardware": "2" })),
        vector(json!(null)),
        finding("hardwear", 96),
        finding("hardware", 128),
        finding("hardware", 1),
        finding("hardware", 2),
        json!({}),
        json!({ "tdx": { "vector": {}, "findings": [] } }),
        json!({ "snp": { "vector": {}, "findings": [] }, "tdx": { "vector": {}, "findings": [] } }),
        json!({ "snp": { "vector": {} } }),
        json!({ "snp": { "vector": {}, "findings": [], "more": 1 } }),
    ] {
        let refused = answering(&unclear).unwrap_err();
        assert_eq!(refused.code, Code::AppraisalFailed, "{unclear}");
    }
    let without = Judge::new(
        "snp",
        "own",
        vec![Module::new("own.rego", "package claviger.appraisal\nx := 1")],
        &json!({}),
    );
    assert!(without.is_err());
    for failing in [
        "result := 1 if input.nothing",
        "result := to_number(input.tee)",
        "x := [1 | some a in y; some b in y; some c in y]\n\
         y := [1 | some a in z; some b in z]\nz := [1, 2, 3, 4, 5, 6, 7, 8, 9]\n\
         result := {\"submods\": {\"snp\": {\"vector\": {\"hardware\": count(x)}, \"findings\": []}}}",
    ] {
        let refused = judged(failing, said(), &references()).unwrap_err();
        assert_eq!(refused.code, Code::AppraisalFailed, "{failing}");
    }
}

// attack 47, invariant 1
#[test]
fn a_policy_raises_nothing_above_what_the_native_checks_support() {
    let all: serde_json::Map<_, _> =
        Trust::ALL.into_iter().map(|trust| (trust.name().to_owned(), 2.into())).collect();
    let praise =
        format!("result := {}", json!({ "submods": { "snp": { "vector": all, "findings": [] } } }));
    let silent = judged(&praise, Vector::default(), &references()).unwrap().vector.clone();
    let executables = vector(&[(Trust::Executables, 2)]);
    assert_eq!(silent, executables);
    // Without a reference value for the measurement nobody affirms what runs, the plugin neither.
    for said in [Vector::default(), executables] {
        let unknown = judged(&praise, said, &Snapshot::default()).unwrap().vector.clone();
        assert_eq!(unknown, Vector::default());
    }
    let mut warned = Vector::default();
    warned.lower(Trust::Hardware, 96);
    let vector = judged(&praise, warned, &references()).unwrap().vector.clone();
    assert_eq!(vector.value(Trust::Hardware), Some(96));
    // A file system is nothing that a report speaks of.
    let mut boasting = said();
    boasting.lower(Trust::FileSystem, 2);
    let vector = judged(&praise, boasting, &references()).unwrap().vector.clone();
    assert_eq!(vector.value(Trust::FileSystem), None);
}

// invariants 8 and 11
#[test]
fn what_is_remembered_is_what_the_same_documents_gave() {
    let appraiser = Appraiser::new(&SnpPolicy::default(), None).unwrap();
    let ask = |facts: &[Claim], vector: Vector, references: &Snapshot| {
        appraiser.appraise(&case(facts, &vector), references).unwrap().status
    };
    let other = with("snp.report_data", Value::Bytes(vec![2; 64]));
    let mut warned = said();
    warned.lower(Trust::Hardware, 32);
    for _ in 0..2 {
        assert_eq!(ask(&sound(), said(), &references()), Status::Affirming);
        assert_eq!(ask(&other, said(), &references()), Status::Affirming);
        assert_eq!(ask(&sound(), said(), &Snapshot::default()), Status::Warning);
        assert_eq!(ask(&sound(), warned.clone(), &references()), Status::Warning);
        let debugged = with("snp.policy_debug", Value::Flag(true));
        assert_eq!(ask(&debugged, said(), &references()), Status::Contraindicated);
    }
}

// invariant 11
#[test]
fn a_policy_that_mentions_the_report_data_sees_it_each_time() {
    let source = "package claviger.appraisal\n\nresult := {\"submods\": {\"snp\": {\n\
        \t\"vector\": {\"hardware\": value}, \"findings\": []}}}\n\ndefault value := 2\n\n\
        value := 96 if startswith(input.submods.snp.claims[\"snp.report_data\"], \"02\")\n";
    let judge = judge(source);
    let ask = |facts: &[Claim]| {
        let judged = judge.judge(&case(facts, &said()), &references());
        judged.unwrap().vector.value(Trust::Hardware)
    };
    assert_eq!(ask(&sound()), Some(2));
    assert_eq!(ask(&with("snp.report_data", Value::Bytes(vec![2; 64]))), Some(96));
}

/// A policy of machines with TPMs that reads one claim, by a name that it may put together.
fn of_tpms(read: &str, settings: &Json) -> Judge {
    let source = format!(
        "package claviger.appraisal\n\nresult := {{\"submods\": {{\"tpm\": {{\n\
         \t\"vector\": {{\"hardware\": value}}, \"findings\": findings}}}}}}\n\n\
         claims := input.submods.tpm.plugin_claims\n\ndefault value := 2\n\n\
         value := 96 if {read}\n\n\
         findings contains {{\"rule\": \"r\", \"claim\": concat(\"\", [\"tpm.no\", \"nce\"]),\n\
         \t\"wanted\": 1, \"lowers\": \"configuration\", \"value\": 32}}\n"
    );
    Judge::new("tpm", "own", vec![Module::new("own.rego", source)], settings).unwrap()
}

/// What a TPM says that answers this challenge at this moment of its clock.
fn quoted(nonce: u8, clock: u64, pcr: u8) -> Vec<Claim> {
    vec![
        Claim::new("tpm.clock", Value::Unsigned(clock)),
        Claim::new("tpm.nonce", Value::Bytes(vec![nonce; 32])),
        Claim::new("tpm.pcr4", Value::Bytes(vec![pcr; 32])),
    ]
}

fn judged_tpm(judge: &Judge, claims: &[Claim]) -> Arc<Judgement> {
    let said = said();
    let case = Case { tee: "tpm", claims, ..case(&[], &said) };
    judge.judge(&case, &Snapshot::default()).unwrap()
}

// invariants 8 and 11
#[test]
fn a_judgement_holds_for_the_next_challenge_and_for_no_other_register() {
    let judge = of_tpms("startswith(claims[\"tpm.pcr4\"], \"02\")", &json!({}));
    let first = judged_tpm(&judge, &quoted(1, 1000, 1));
    assert!(Arc::ptr_eq(&first, &judged_tpm(&judge, &quoted(2, 2000, 1))));
    assert_eq!(first.vector.value(Trust::Hardware), Some(2));
    // It says nothing of the request that it was made for.
    assert_eq!((first.findings.len(), &first.findings[0].seen), (1, &None));
    let other = judged_tpm(&judge, &quoted(2, 2000, 2));
    assert_eq!(other.vector.value(Trust::Hardware), Some(96));
}

// invariants 8 and 11
#[test]
fn a_policy_that_looks_at_clock_or_nonce_is_asked_each_time() {
    let none = json!({});
    for (read, settings) in [
        ("claims[\"tpm.clock\"] == 2000", &none),
        ("claims[sprintf(\"tpm.%s\", [\"clock\"])] == 2000", &none),
        ("startswith(claims[\"tpm.nonce\"], \"02\")", &none),
        // By a name that stands in the operator's choices alone.
        ("claims[data.settings.late] == 2000", &json!({ "late": "tpm.clock" })),
        (
            "claims[concat(\".\", [\"tpm\", data.settings.late])] == 2000",
            &json!({ "late": "clock" }),
        ),
    ] {
        let judge = of_tpms(read, settings);
        let hardware = |claims: &[Claim]| judged_tpm(&judge, claims).vector.value(Trust::Hardware);
        assert_eq!(hardware(&quoted(1, 1000, 1)), Some(2), "{read}");
        assert_eq!(hardware(&quoted(2, 2000, 1)), Some(96), "{read}");
    }
}

// invariant 11
#[test]
fn a_policy_that_mentions_the_time_is_asked_at_each_moment() {
    let source = "package claviger.appraisal\n\nresult := {\"submods\": {\"snp\": {\n\
        \t\"vector\": {\"hardware\": value}, \"findings\": []}}}\n\ndefault value := 2\n\n\
        value := 96 if input.now >= 1800000001\n";
    let (judge, facts, said) = (judge(source), sound(), said());
    let ask = |at| {
        let case = Case { at: Timestamp(at), ..case(&facts, &said) };
        judge.judge(&case, &references()).unwrap().vector.value(Trust::Hardware)
    };
    assert_eq!((ask(1_800_000_000), ask(1_800_000_001)), (Some(2), Some(96)));
}

#[test]
fn a_policys_identifier_names_source_and_settings() {
    let id = |settings: &SnpPolicy| by(settings, &sound()).policy.as_str().to_owned();
    let strict = id(&SnpPolicy::default());
    let lax = id(&SnpPolicy { allow_debug: true, ..SnpPolicy::default() });
    let source = |id: &str| id.split(":settings:").next().unwrap().to_owned();
    assert!(strict.starts_with("built-in:snp:sha256:"));
    assert_ne!(strict, lax);
    assert_eq!(source(&strict), source(&lax));
}

#[test]
fn the_example_demands_host_data_beside_the_built_in_rules() {
    let example = include_str!("../../../examples/policies/snp-host-data.rego");
    let policy = vec![
        Module::new("snp.rego", kind("snp").unwrap().source),
        Module::new("snp-host-data.rego", example),
    ];
    let settings = SnpPolicy { policy, ..SnpPolicy::default() };
    let found = by(&settings, &sound());
    assert_eq!(rules(&found), (vec!["own-host-data".to_owned()], Status::Contraindicated));
    assert_eq!(found.findings[0].file.as_deref(), Some("snp-host-data.rego"));
    let mut ours = vec![0; 32];
    ours[..3].copy_from_slice(&[0xc0, 0xff, 0xee]);
    ours[31] = 0xaa;
    assert_eq!(by(&settings, &with("snp.host_data", Value::Bytes(ours))).status, Status::Affirming);
}
