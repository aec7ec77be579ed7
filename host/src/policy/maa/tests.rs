//! What the documentation of the language says, statement by statement, and what bounds it.

use serde_json::{Value as Json, json};

use super::*;

fn policy(text: &str) -> MaaPolicy {
    MaaPolicy::parse(text).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

fn outcome(text: &str, claims: &[(&str, Json)]) -> Outcome {
    evaluate(text, claims).unwrap_or_else(|fault| panic!("{fault}\n{text}"))
}

fn evaluate(text: &str, claims: &[(&str, Json)]) -> Result<Outcome, MaaFault> {
    let claims = claims.iter().map(|(name, value)| Claim::of_service(*name, value.clone()));
    policy(text).evaluate(claims.collect())
}

fn authorizes(rules: &str, claims: &[(&str, Json)]) -> bool {
    outcome(&format!("version=1.2; authorizationrules {{ {rules} }};"), claims).permitted
}

fn issues(rules: &str, claims: &[(&str, Json)]) -> Json {
    let text =
        format!("version=1.2; authorizationrules {{ => permit(); }}; issuancerules {{ {rules} }};");
    Json::Object(outcome(&text, claims).issued)
}

fn refused(text: &str) -> MaaFault {
    MaaPolicy::parse(text).expect_err(text)
}

#[test]
fn the_defaults_permit_and_issue_what_they_say() {
    let sgx = default_policy("SgxEnclave").unwrap();
    let claims = [
        ("x-ms-sgx-is-debuggable", json!(false)),
        ("x-ms-sgx-mrsigner", json!("aa")),
        ("x-ms-sgx-svn", json!(3)),
        ("x-ms-attestation-type", json!("sgx")),
    ];
    let outcome = outcome(sgx, &claims);
    assert!(outcome.permitted);
    let issued = json!({"is-debuggable": false, "sgx-mrsigner": "aa", "svn": 3, "tee": "sgx"});
    assert_eq!(Json::Object(outcome.issued), issued);
    let tcb = outcome.properties.get("x-ms-sgx-tcbidentifier");
    assert_eq!(tcb, Some(&Value::Text("azuredefault".into())));
    for name in ["SevSnpVm", "TdxVm", "OpenEnclave", "AzureGuest", "Tpm"] {
        assert!(policy(default_policy(name).unwrap()).evaluate(Vec::new()).unwrap().permitted);
    }
    assert!(default_policy("sevsnpvm").is_none());
}

/// Made with Python's hashlib from the definition in the documentation.
#[test]
fn the_hash_is_of_the_encoded_text() {
    let hash = policy("version= 1.0;authorizationrules{=> permit();};issuancerules {};").hash();
    assert_eq!(hash, HASH);
}

const HASH: &str = "17D35BjymAAVYl2UubWM_4D6obx62YPbn_i9O1YF14c";

// attack 54
#[test]
fn nothing_is_permitted_where_no_rule_permits_or_one_denies() {
    let claims = [("vmpl", json!(0)), ("debug", json!(false))];
    assert!(authorizes("=> permit();", &claims));
    assert!(!authorizes("", &claims));
    assert!(!authorizes("[type==\"absent\"] => permit();", &claims));
    assert!(!authorizes("=> permit(); [type==\"vmpl\", value==0] => deny();", &claims));
    assert!(!authorizes("[type==\"vmpl\", value==0] => deny(); => permit();", &claims));
    assert!(authorizes("=> permit(); [type==\"vmpl\", value==1] => deny();", &claims));
    // Nothing is issued where nothing is permitted.
    let text = "version=1.0;authorizationrules{};issuancerules{=>issue(type=\"a\",value=1);};";
    assert_eq!(outcome(text, &claims), Outcome::default());
}

#[test]
fn all_conditions_and_all_their_tests_must_hold() {
    let claims = [("a", json!(5)), ("b", json!("x")), ("c", json!(true))];
    for (rule, holds) in [
        ("[type==\"a\", value==5] && [type==\"b\", value==\"x\"]", true),
        ("[type==\"a\", value==5] && [type==\"b\", value==\"y\"]", false),
        ("[type==\"a\", value==4]", false),
        ("[type==\"a\", value!=4]", true),
        ("[type==\"a\", value<5]", false),
        ("[type==\"a\", value<=5]", true),
        ("[type==\"a\", value>4]", true),
        ("[type==\"a\", value>=6]", false),
        ("[type==\"a\", issuer==\"AttestationService\"]", true),
        ("[type==\"a\", issuer==\"CustomClaim\"]", false),
        ("[type==\"a\", valueType==\"Integer\"]", true),
        ("[type==\"c\", value==true]", true),
        ("![type==\"absent\"]", true),
        ("![type==\"a\"]", false),
        ("![type==\"a\", value==4]", true),
        // Another kind of value is neither equal nor unequal.
        ("[type==\"a\", value==\"5\"]", false),
        ("[type==\"a\", value!=\"5\"]", false),
        ("[type==\"c\", value==\"true\"]", false),
        ("[type==\"b\", value>=0]", false),
        // The one sign, as Microsoft's pages have it in places.
        ("c:[type=\"a\", value==5]", true),
    ] {
        assert_eq!(authorizes(&format!("{rule} => permit();"), &claims), holds, "{rule}");
    }
}

#[test]
fn a_condition_sees_the_claims_of_those_before_it() {
    let text = "version=1.0;\nauthorizationrules{ F1:[type==\"os\", issuer==\"CustomClaim\"] && \
                [type==\"os\", issuer==\"AttestationService\", value== F1.value ] => permit(); };";
    let policy = policy(text);
    let both = |custom: &str| {
        vec![Claim::of_service("os", json!("linux")), Claim::custom("os", json!(custom))]
    };
    assert!(policy.evaluate(both("linux")).unwrap().permitted);
    assert!(!policy.evaluate(both("windows")).unwrap().permitted);
}

#[test]
fn issued_claims_are_seen_by_later_rules_and_added_ones_stay_inside() {
    let claims = [("a", json!(1)), ("o", json!({"k": [1, 2]}))];
    let rules = "c:[type==\"a\"] => add(type=\"b\", value=c.value);
        c:[type==\"b\", issuer==\"AttestationPolicy\"] => issue(type=\"c\", value=c.value);
        c:[type==\"c\"] => issue(type=\"d\", value=c.type);
        c:[type==\"o\"] => issue(claim = c);";
    let wanted = json!({"c": 1, "d": "c", "o": {"k": [1, 2]}});
    assert_eq!(issues(rules, &claims), wanted);
}

#[test]
fn each_set_of_claims_is_acted_on_and_several_values_stay_together() {
    let claims = [("a", json!(1)), ("a", json!(2)), ("a", json!(2)), ("b", json!("x"))];
    assert_eq!(
        issues("c:[type==\"a\"] => issue(type=\"n\", value=c.value);", &claims),
        json!({"n": [1, 2]})
    );
    let rule =
        "c:[type==\"a\", value==1] && d:[type==\"b\"] => issue(type=d.value, value=c.value);";
    assert_eq!(issues(rule, &claims), json!({"x": 1}));
    assert_eq!(
        issues("[type==\"a\"] => issue(type=\"once\", value=true);", &claims),
        json!({"once": true})
    );
}

#[test]
fn functions_do_what_their_page_says() {
    let events = json!({"Events": [
        {"Type": "A", "Data": {"Name": "SecureBoot", "Value": "AQ"}, "Index": 7},
        {"Type": "B", "Index": 12},
    ]});
    let claims = [
        ("events", json!(events.to_string())),
        ("document", events),
        ("flag", json!(true)),
        ("list", json!("[1,2]")),
    ];
    for (value, wanted) in [
        ("JmesPath(\"{\\\"foo\\\": \\\"bar\\\"}\", \"foo\")", json!("\"bar\"")),
        ("JsonToClaimValue(JmesPath(\"{\\\"foo\\\": \\\"bar\\\"}\", \"foo\"))", json!("bar")),
        ("JsonToClaimValue(JmesPath(e.value, \"Events[?Type == 'A'] | [0].Index\"))", json!(7)),
        ("JsonToClaimValue(JmesPath(d.value, \"length(Events)\"))", json!(2)),
        (
            "JsonToClaimValue(JmesPath(e.value, \"Events[?Data.Name == 'SecureBoot'] | length(@) \
             == `1` && @[0].Data.Value == 'AQ'\"))",
            json!(true),
        ),
        ("JmesPath(e.value, \"absent\")", json!("null")),
        ("NegateBool(f.value)", json!(false)),
        ("AppendString(\"a-\", \"b\")", json!("a-b")),
        ("AppendString(\"n\", 7)", json!("n7")),
        ("IsSubsetOf(\"[2]\", l.value)", json!(true)),
        ("IsSubsetOf(\"[2,3]\", l.value)", json!(false)),
        ("IsSubsetOf(\"[]\", l.value)", json!(true)),
        ("ContainsOnlyValue(\"[7,7]\", 7)", json!(true)),
        ("ContainsOnlyValue(\"[7,8]\", 7)", json!(false)),
        ("ContainsOnlyValue(\"[]\", 7)", json!(false)),
        ("JsonToClaimValue(\"[1, 2]\")", json!("[1,2]")),
    ] {
        let rule = format!(
            "e:[type==\"events\"] && d:[type==\"document\"] && f:[type==\"flag\"] && \
             l:[type==\"list\"] => issue(type=\"r\", value={value});"
        );
        assert_eq!(issues(&rule, &claims), json!({"r": wanted}), "{value}");
    }
}

#[test]
fn a_function_that_cannot_answer_stops_the_evaluation_and_says_where() {
    for call in [
        "JsonToClaimValue(\"null\")",
        "JsonToClaimValue(\"not json\")",
        "JsonToClaimValue(\"1.5\")",
        "JsonToClaimValue(\"{\\\"a\\\":1,\\\"a\\\":2}\")",
        "NegateBool(\"true\")",
        "AppendString(1, \"x\")",
        "JmesPath(\"{}\", c.value)",
    ] {
        let text = format!(
            "version=1.2;\nauthorizationrules {{ => permit(); }};\nissuancerules {{\n  \
             c:[type==\"a\"] => issue(type=\"r\", value={call});\n}};"
        );
        let fault = evaluate(&text, &[("a", json!("no query ["))]).unwrap_err();
        let MaaFault::Evaluation { place, .. } = fault else { panic!("{fault}") };
        assert_eq!((place.line, place.column > 1), (4, true), "{call}");
    }
}

#[test]
fn what_a_version_has_not_got_is_refused_in_it() {
    for (version, rest) in [
        ("1.0", "configurationrules{}; authorizationrules{};"),
        ("1.0", "authorizationrules{ ![type==\"a\"] => permit(); };"),
        ("1.1", "authorizationrules{ ![type==\"a\"] => permit(); };"),
        ("1.1", "authorizationrules{ // why\n };"),
        (
            "1.1",
            "authorizationrules{}; issuancerules{ => issue(type=\"a\", value=NegateBool(true)); };",
        ),
    ] {
        refused(&format!("version={version}; {rest}"));
        policy(&format!("version=1.2; {rest}"));
    }
    refused("version=1.3; authorizationrules{};");
    refused("version=2.0; authorizationrules{};");
}

#[test]
fn a_fault_names_line_and_column() {
    for (text, line, column) in [
        ("", 1, 1),
        ("versio=1.0;", 1, 1),
        ("version=1.0;\nauthorizationrules {\n  => grant();\n};", 3, 6),
        ("version=1.0;\nauthorizationrules {\n  [typ==\"a\"] => permit();\n};", 3, 4),
        ("version=1.0;\nauthorizationrules {\n  [type==\"ä\" value==1] => permit();\n};", 3, 14),
        ("version=1.0;\nauthorizationrules { => permit() => permit(); };", 2, 34),
        ("version=1.0;authorizationrules{ [type==\"a", 1, 40),
    ] {
        let fault = refused(text);
        let MaaFault::Parsing { place, .. } = fault else { panic!("{fault}") };
        assert_eq!((place.line, place.column), (line, column), "{text}");
    }
}

#[test]
fn what_a_policy_may_not_say_is_refused_when_it_is_set() {
    for rest in [
        "issuancerules{ => permit(); }; authorizationrules{};",
        "issuancerules{};",
        "authorizationrules{}; authorizationrules{};",
        "authorizationrules{ => issue(type=\"a\", value=1); };",
        "authorizationrules{ => permit(1); };",
        "authorizationrules{ [] => permit(); };",
        "authorizationrules{ [type>\"a\"] => permit(); };",
        "authorizationrules{ [value>\"a\"] => permit(); };",
        "authorizationrules{ [value>true] => permit(); };",
        "authorizationrules{ c:[type==\"a\"] && c:[type==\"b\"] => permit(); };",
        "authorizationrules{ !c:[type==\"a\"] => permit(); };",
        "authorizationrules{ [type==c.value] => permit(); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\"); };",
        "authorizationrules{}; issuancerules{ => issue(value=1); };",
        "authorizationrules{}; issuancerules{ => issue(claim=c); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\", value=1, issuer=\"AttestationService\"); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\", type=\"b\", value=1); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\", value=Eval(1)); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\", value=NegateBool()); };",
        "authorizationrules{}; issuancerules{ => issue(type=\"a\", value=JmesPath(\"{}\", \"a[\")); };",
        "authorizationrules{}; issuancerules{ => issueproperty(type=\"unknown\", value=1); };",
        "authorizationrules{}; issuancerules{ => issueproperty(type=\"report_validity_in_minutes\", value=\"1\"); };",
        "configurationrules{ => permit(); }; authorizationrules{};",
        "authorizationrules{ => permit(); }; rest",
        "authorizationrules{ => permit(); }; extrarules{};",
    ] {
        refused(&format!("version=1.2; {rest}"));
    }
}

// attack 35
#[test]
fn bounds_hold() {
    let rules = |rule: &str, times: usize| {
        format!(
            "version=1.2; authorizationrules {{ => permit(); }}; issuancerules {{ {} }};",
            rule.repeat(times)
        )
    };
    refused(&" ".repeat(LONGEST_SOURCE + 1));
    refused(&rules("=> issue(type=\"a\", value=1);", 256));
    policy(&rules("=> issue(type=\"a\", value=1);", 255));
    let condition = "[type==\"a\"] && ".repeat(16);
    refused(&rules(&format!("{condition} [type==\"a\"] => issue(type=\"a\", value=1);"), 1));
    let deep = format!("{}true{}", "NegateBool(".repeat(20), ")".repeat(20));
    refused(&rules(&format!("=> issue(type=\"a\", value={deep});"), 1));
    for query in ["[".repeat(500), "!".repeat(500), "a.".repeat(500), "[@,@]|".repeat(10) + "@"] {
        refused(&rules(
            &format!("=> issue(type=\"a\", value=JmesPath(\"{{}}\", \"{query}\"));"),
            1,
        ));
    }
    // Each claim makes two: the set would double with every rule.
    let doubling = rules("c:[type==\"a\"] => add(type=\"a\", value=c.value);", 40);
    assert!(evaluate(&doubling, &[("a", json!(1))]).is_err());
    // So would the text.
    let growing = "c:[type==\"a\"] => add(type=\"a\", value=AppendString(c.value, c.value));";
    assert!(evaluate(&rules(growing, 40), &[("a", json!("x".repeat(100)))]).is_err());
    // Every claim with every other.
    let many: Vec<_> = (0..100).map(|number| ("a", json!(number))).collect();
    let product = "c:[type==\"a\"] && d:[type==\"a\"] && e:[type==\"a\"] => issue(claim=c);";
    assert!(evaluate(&rules(product, 1), &many).is_err());
}

/// Texts that are nearly policies neither panic nor run on.
#[test]
fn mutated_policies_are_read_or_refused() {
    let seeds = [
        default_policy("SgxEnclave").unwrap(),
        "version=1.2;authorizationrules{c:[type==\"a\",value>=-1]&&![type==\"b\"]=>permit();};\
         issuancerules{c:[type==\"a\"]=>issue(type=\"x\",value=JsonToClaimValue(JmesPath(\"{}\",\"a[?b==`1`]\")));};",
    ];
    let signs = "=>!&[](){};:.,\"\\/ 1aé\u{0}";
    let signs: Vec<char> = signs.chars().collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    let mut read = 0;
    for round in 0..20_000 {
        let mut text: Vec<char> = seeds[round % 2].chars().collect();
        for _ in 0..=next(3) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, signs[next(signs.len())]),
                _ => text[at] = signs[next(signs.len())],
            }
        }
        let text: String = text.into_iter().collect();
        if let Ok(policy) = MaaPolicy::parse(&text) {
            read += 1;
            let _ = policy.evaluate(vec![Claim::of_service("a", json!(1))]);
        }
    }
    assert!(read > 0);
}
