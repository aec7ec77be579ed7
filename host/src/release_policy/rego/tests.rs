use serde_json::json;

use super::*;

fn compile(rules: &str) -> Result<Rego, PolicyFault> {
    Rego::compile(&format!("package claviger.release\n\n{rules}\n"))
}

fn judge(rules: &str, claims: &Json) -> Result<(), Denial> {
    compile(rules).unwrap().judge(None, claims.clone())
}

/// What a denial says.
#[track_caller]
fn denied(rules: &str, claims: &Json) -> String {
    judge(rules, claims).unwrap_err().to_string()
}

fn claims() -> Json {
    json!({
        "iss": "https://host.example",
        "submods": {"snp": {
            "ear_status": "affirming",
            "ear_attester_claims": {"snp.measurement": "c1c1", "snp.tcb.snp": 23},
        }},
        "claviger": {"simulated": false},
    })
}

#[test]
fn a_policy_judges_the_claims_of_the_result() {
    let rules = r#"
        default allow := false
        snp := input.submods.snp
        allow if {
            snp.ear_status == "affirming"
            snp.ear_attester_claims["snp.measurement"] in {"c1c1", "c2c2"}
            snp.ear_attester_claims["snp.tcb.snp"] >= 20
            not input.claviger.simulated
        }"#;
    assert_eq!(judge(rules, &claims()), Ok(()));
    for (place, other) in [
        ("/submods/snp/ear_status", json!("warning")),
        ("/submods/snp/ear_attester_claims/snp.measurement", json!("c3c3")),
        ("/submods/snp/ear_attester_claims/snp.tcb.snp", json!(19)),
        ("/claviger/simulated", json!(true)),
        ("/submods", json!({})),
    ] {
        let mut changed = claims();
        *changed.pointer_mut(place).unwrap() = other;
        assert!(judge(rules, &changed).is_err(), "{place}");
    }
}

// attack 54, invariant 6
#[test]
fn nothing_allows_but_true() {
    assert_eq!(judge("allow := true", &claims()), Ok(()));
    for other in ["false", "1", "\"true\"", "[true]", "{true}", "{\"allow\": true}", "null"] {
        let told = denied(&format!("allow := {other}"), &claims());
        assert!(told.starts_with("release.rego: allow is "), "{told}");
        assert!(told.ends_with("wanted true"), "{told}");
    }
}

// attack 54, invariant 6
#[test]
fn undefined_is_no_with_its_line() {
    for rules in [
        "allow if input.absent",
        "allow if input.absent == \"\"",
        "allow if not input.iss",
        "allow if data.reference.snp",
        "allow if input.submods.tdx.ear_status == \"affirming\"",
    ] {
        let told = denied(rules, &claims());
        assert_eq!(told, "release.rego:3:1: allow is undefined, wanted true", "{rules}");
    }
}

// attacks 54 and 64
#[test]
fn a_policy_that_fails_denies_with_its_line() {
    let contradicts = "allow := true if input.iss\nallow := false if input.claviger";
    let fails = "allow if {\n\tto_number(input.iss) > 0\n}";
    for rules in [contradicts, fails] {
        let told = denied(rules, &claims());
        assert!(told.starts_with("release.rego:"), "{told}");
    }
}

// attack 54
#[test]
fn an_endless_policy_denies() {
    let mut claims = claims();
    claims["many"] = (0..200).collect();
    let rules = "allow if {\n\tsome a in input.many\n\tsome b in input.many\n\ta + b < 0\n}";
    let Err(Denial::Failed(told)) = judge(rules, &claims) else { panic!() };
    assert!(told.starts_with("release.rego:"), "{told}");
}

// attack 64
#[test]
fn reasons_are_told_each_with_the_line_where_it_stands() {
    let rules = r#"default allow := false
allow if count(reasons) == 0
reasons contains "an old firmware" if input.submods.snp.ear_attester_claims["snp.tcb.snp"] < 24
reasons contains "simulated hardware" if input.claviger.simulated
reasons contains sprintf("issued by %s", [input.iss])"#;
    assert_eq!(
        denied(rules, &claims()),
        "release.rego:5:18: allow is false, wanted true: \"an old firmware\"; \
         release.rego: allow is false, wanted true: \"issued by https://host.example\""
    );
    // Reasons are told, and decide nothing.
    for reasons in ["reasons := 1", "reasons := {1, 2}", "reasons if input.absent", ""] {
        let told = denied(&format!("allow := false\n{reasons}"), &claims());
        assert_eq!(told, "release.rego: allow is false, wanted true", "{reasons}");
        assert_eq!(judge(&format!("allow := true\n{reasons}"), &claims()), Ok(()));
    }
    assert_eq!(judge("allow := true\nreasons contains \"none\"", &claims()), Ok(()));
}

// attack 41
#[test]
fn a_denial_repeats_little_of_what_a_claim_says() {
    let mut claims = claims();
    claims["many"] = (0..100).map(|each| format!("\u{1b}[2J{each}").repeat(100)).collect();
    let rules = "allow := input.many\nreasons contains text if some text in input.many";
    let Err(Denial::Unmet(unmet)) = judge(rules, &claims) else { panic!() };
    assert_eq!(unmet.len(), 16);
    for unmet in unmet {
        let told = unmet.to_string();
        assert!(told.len() < 1500 && !told.contains('\u{1b}'), "{told}");
    }
}

// attack 54
#[test]
fn what_is_no_policy_for_releases_is_not_compiled_and_its_place_is_told() {
    for (text, place) in [
        ("", "release.rego"),
        ("package claviger.appraisal\n\nallow := true", "release.rego"),
        ("package claviger.release", "release.rego"),
        ("package claviger.release\n\nallowed := true", "release.rego"),
        ("package claviger.release\n\nallow(x) := true", "release.rego"),
        ("package claviger.release\n\nallow if {", "release.rego:3"),
        ("package claviger.release\n\nallow if unknown", "release.rego:3"),
        (r#"{"version":"1.0.0","anyOf":[]}"#, "release.rego:1"),
    ] {
        let fault = Rego::compile(text).unwrap_err();
        assert!(fault.place.starts_with(place), "{text}: {fault}");
    }
}

// invariant 11
#[test]
fn a_policy_reaches_nothing_beside_the_claims() {
    for call in [
        "time.now_ns() > 0",
        "http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1/\"})",
        "opa.runtime()",
    ] {
        let fault = compile(&format!("allow if {call}")).unwrap_err();
        assert!(fault.place.starts_with("release.rego:3"), "{call}: {fault}");
    }
}
