//! One test for each statement of the grammar, and the shapes of policies that are in use.

use serde_json::json;

use super::*;
use crate::release_policy::PolicyFault;

const AUTHORITY: &str = "https://sharedweu.weu.attest.azure.net";

fn compile(policy: &Json) -> Result<Akv, PolicyFault> {
    Akv::compile(&policy.to_string())
}

/// A policy of one authority with these conditions, all of which must hold.
fn all_of(conditions: Json) -> Json {
    json!({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, "allOf": conditions}]})
}

fn allows(policy: &Json, claims: &Json) -> bool {
    compile(policy).unwrap().allows(claims)
}

/// Where a policy is wrong.
#[track_caller]
fn place(policy: &Json) -> String {
    compile(policy).unwrap_err().place
}

/// The claims of a confidential VM as Microsoft's service states them.
fn claims() -> Json {
    json!({
        "iss": AUTHORITY,
        "secureboot": true,
        "x-ms-attestation-type": "azurevm",
        "x-ms-azurevm-attested-pcrs": [0, 1, 7],
        "x-ms-isolation-tee": {
            "x-ms-attestation-type": "sevsnpvm",
            "x-ms-compliance-status": "azure-compliant-cvm",
            "x-ms-sevsnpvm-guestsvn": 0,
            "x-ms-sevsnpvm-is-debuggable": false,
            "x-ms-runtime": {"vm-configuration": {"secure-boot": true, "vmUniqueId": "A1B2"}},
        },
    })
}

fn equals(claim: &str, value: Json) -> Json {
    json!({"claim": claim, "equals": value})
}

#[test]
fn a_policy_of_the_documentation_allows_a_compliant_vm() {
    let policy = all_of(json!([
        equals("x-ms-isolation-tee.x-ms-attestation-type", json!("sevsnpvm")),
        equals("x-ms-isolation-tee.x-ms-compliance-status", json!("azure-compliant-cvm")),
    ]));
    assert!(allows(&policy, &claims()));
    let mut other = claims();
    other["x-ms-isolation-tee"]["x-ms-compliance-status"] = json!("azure-signed-cvm");
    assert!(!allows(&policy, &other));
}

#[test]
fn a_policy_in_the_shape_of_the_shipped_default_allows_a_compliant_vm() {
    // anyOf inside allOf, and a slash behind each authority, which no issuer has.
    let tee = |kind: &str| {
        json!({"allOf": [
            equals("x-ms-isolation-tee.x-ms-attestation-type", json!(kind)),
            equals("x-ms-isolation-tee.x-ms-compliance-status", json!("azure-compliant-cvm")),
        ]})
    };
    let authority = |url: &str| {
        json!({"authority": url, "allOf": [
            equals("x-ms-attestation-type", json!("azurevm")),
            {"anyOf": [tee("tdxvm"), tee("sevsnpvm")]},
        ]})
    };
    let policy = json!({"version": "1.0.0", "anyOf": [
        authority("https://sharedeus.eus.attest.azure.net/"),
        authority("https://sharedweu.weu.attest.azure.net/"),
    ]});
    assert!(allows(&policy, &claims()));
    let mut other = claims();
    other["x-ms-isolation-tee"]["x-ms-attestation-type"] = json!("sgx");
    assert!(!allows(&policy, &other));
}

#[test]
fn the_authority_is_the_issuer_and_one_slash_at_the_end_does_not_matter() {
    let under = |authority: &str| {
        json!({"version": "1.0.0", "anyOf": [
            {"authority": authority, "anyOf": [equals("secureboot", json!(true))]}]})
    };
    let from = |issuer: Json| {
        let mut claims = claims();
        claims["iss"] = issuer;
        claims
    };
    for authority in [AUTHORITY.to_owned(), format!("{AUTHORITY}/")] {
        assert!(allows(&under(&authority), &from(json!(AUTHORITY))));
        assert!(allows(&under(&authority), &from(json!(format!("{AUTHORITY}/")))));
        for other in [
            json!(format!("{AUTHORITY}//")),
            json!(format!("{AUTHORITY}/x")),
            json!(format!("{AUTHORITY}.example")),
            json!(AUTHORITY.replace("weu", "WEU")),
            json!(AUTHORITY.replace("https", "http")),
            json!([AUTHORITY]),
            json!({"0": AUTHORITY}),
            json!(null),
            json!(""),
        ] {
            assert!(!allows(&under(&authority), &from(other.clone())), "{other}");
        }
    }
    let mut nobody = claims();
    nobody.as_object_mut().unwrap().remove("iss");
    assert!(!allows(&under(AUTHORITY), &nobody));
}

#[test]
fn one_authority_s_conditions_do_not_count_for_another() {
    let policy = json!({"version": "1.0.0", "anyOf": [
        {"authority": "https://other.example", "allOf": [equals("secureboot", json!(true))]},
        {"authority": AUTHORITY, "allOf": [equals("secureboot", json!(false))]},
    ]});
    assert!(!allows(&policy, &claims()));
}

#[test]
fn all_of_wants_each_condition_and_any_of_one() {
    let (met, unmet) = (equals("secureboot", json!(true)), equals("secureboot", json!(false)));
    for (name, conditions, expected) in [
        ("allOf", json!([met, met]), true),
        ("allOf", json!([met, unmet]), false),
        ("allOf", json!([unmet, met]), false),
        ("anyOf", json!([unmet, met]), true),
        ("anyOf", json!([met, unmet]), true),
        ("anyOf", json!([unmet, unmet]), false),
    ] {
        let policy =
            json!({"version": "1.0.0", "anyOf": [{"authority": AUTHORITY, (name): conditions}]});
        assert_eq!(allows(&policy, &claims()), expected, "{policy}");
        let nested = all_of(json!([{ (name): conditions }]));
        assert_eq!(allows(&nested, &claims()), expected, "{nested}");
    }
}

#[test]
fn values_are_compared_as_text() {
    let claims = json!({"iss": AUTHORITY, "flag": true, "number": 0, "below": -1, "text": "true",
        "large": u64::MAX});
    for (claim, value) in [
        ("flag", json!(true)),
        ("flag", json!("true")),
        ("text", json!(true)),
        ("number", json!(0)),
        ("number", json!("0")),
        ("below", json!("-1")),
        ("large", json!(u64::MAX)),
    ] {
        assert!(allows(&all_of(json!([equals(claim, value)])), &claims), "{claim}");
    }
    for (claim, value) in [
        ("flag", json!("True")),
        ("flag", json!(1)),
        ("flag", json!(false)),
        ("number", json!("00")),
        ("number", json!("0.0")),
        ("number", json!(false)),
        ("number", json!("")),
        ("text", json!("true ")),
        ("text", json!("TRUE")),
    ] {
        assert!(!allows(&all_of(json!([equals(claim, value)])), &claims), "{claim}");
    }
}

// attack 54
#[test]
fn a_wildcard_or_a_template_is_a_text_like_any_other() {
    for value in ["*", "azure*", ".*", "${iss}", "{{iss}}", "%", "?"] {
        let policy = all_of(json!([equals("x-ms-attestation-type", json!(value))]));
        assert!(!allows(&policy, &claims()), "{value}");
    }
    for claim in ["*", "x-ms-*", "secure*", "x-ms-isolation-tee.*", "$", "[0]"] {
        assert!(!allows(&all_of(json!([equals(claim, json!(true))])), &claims()), "{claim}");
    }
}

// invariant 6
#[test]
fn an_absent_claim_is_unmet_whatever_is_wanted_of_it() {
    for value in [json!(""), json!("null"), json!("undefined"), json!(false), json!(0)] {
        for claim in ["absent", "secureboot.absent", "x-ms-isolation-tee.absent"] {
            let policy = all_of(json!([equals(claim, value.clone())]));
            assert!(!allows(&policy, &claims()), "{claim} {value}");
        }
    }
    let nothing = json!({"iss": AUTHORITY, "nothing": null});
    assert!(!allows(&all_of(json!([equals("nothing", json!("null"))])), &nothing));
}

#[test]
fn an_array_or_an_object_matches_nothing() {
    for (claim, value) in [
        ("x-ms-azurevm-attested-pcrs", json!("[0,1,7]")),
        ("x-ms-azurevm-attested-pcrs", json!(0)),
        ("x-ms-azurevm-attested-pcrs.0", json!(0)),
        ("x-ms-isolation-tee.x-ms-runtime", json!("{}")),
        ("x-ms-isolation-tee", json!("sevsnpvm")),
    ] {
        assert!(!allows(&all_of(json!([equals(claim, value)])), &claims()), "{claim}");
    }
}

#[test]
fn a_path_reaches_claims_whose_own_names_have_dots() {
    let claims = json!({"iss": AUTHORITY, "submods": {"snp": {
        "ear_status": "affirming",
        "ear_attester_claims": {"snp.measurement": "c1c1", "snp.tcb.snp": 23},
    }}});
    for (claim, value) in [
        ("submods.snp.ear_status", json!("affirming")),
        ("submods.snp.ear_attester_claims.snp.measurement", json!("c1c1")),
        ("submods.snp.ear_attester_claims.snp.tcb.snp", json!(23)),
    ] {
        assert!(allows(&all_of(json!([equals(claim, value)])), &claims), "{claim}");
    }
    let half = equals("submods.snp.ear_attester_claims.snp", json!("c1c1"));
    assert!(!allows(&all_of(json!([half])), &claims));
}

// invariant 6
#[test]
fn a_path_that_can_be_read_in_two_ways_finds_nothing() {
    let claims = json!({"iss": AUTHORITY, "a.b": "1", "a": {"b": "1"}, "c": {"d.e": 1, "d": 2}});
    assert!(!allows(&all_of(json!([equals("a.b", json!("1"))])), &claims));
    assert!(allows(&all_of(json!([equals("c.d.e", json!(1))])), &claims));
}

#[test]
fn the_version_is_the_one_that_is_known() {
    let with = |version: Json| {
        let mut policy = all_of(json!([equals("a", json!(1))]));
        policy["version"] = version;
        policy
    };
    for other in [json!("1.0"), json!("0.2"), json!("1.0.1"), json!(1), json!(["1.0.0"])] {
        assert_eq!(place(&with(other)), "$.version");
    }
    let mut none = with(json!(""));
    none.as_object_mut().unwrap().remove("version");
    let fault = compile(&none).unwrap_err();
    assert_eq!(fault.to_string(), "$: the member `version` is missing");
}

#[test]
fn authorities_stand_in_any_of_and_nowhere_else() {
    let authority = json!({"authority": AUTHORITY, "allOf": [equals("a", json!(1))]});
    let top = |members: Json| {
        let mut policy = members;
        policy["version"] = json!("1.0.0");
        policy
    };
    assert_eq!(place(&top(json!({ "allOf": [authority] }))), "$.allOf");
    assert_eq!(place(&top(json!({ "anyOf": [authority], "allOf": [authority] }))), "$.allOf");
    assert_eq!(place(&top(json!({}))), "$");
    assert_eq!(place(&top(json!({ "anyOf": authority }))), "$.anyOf");
    assert_eq!(place(&top(json!({ "anyOf": [{"anyOf": [authority]}] }))), "$.anyOf[0]");
    let inside = json!({"authority": AUTHORITY, "allOf": [authority]});
    assert_eq!(place(&top(json!({ "anyOf": [inside] }))), "$.anyOf[0].allOf[0]");
}

// attack 54
#[test]
fn an_empty_list_is_refused_and_does_not_allow_everything() {
    for policy in [
        json!({"version": "1.0.0", "anyOf": []}),
        all_of(json!([])),
        all_of(json!([{"allOf": []}])),
        all_of(json!([{"anyOf": [{"allOf": []}]}])),
    ] {
        let fault = compile(&policy).unwrap_err();
        assert!(fault.message.contains("not empty"), "{fault}");
    }
}

// attack 35
#[test]
fn a_member_that_is_unknown_or_too_much_is_refused_with_its_place() {
    let condition = |condition: Json| all_of(json!([equals("a", json!(1)), condition]));
    let second = "$.anyOf[0].allOf[1]";
    for unknown in [
        json!({"claim": "a", "equals": 1, "note": "x"}),
        json!({"claim": "a", "notEquals": 1}),
        json!({"claim": "a", "greater": 1}),
        json!({"claim": "a", "exists": true}),
        json!({"claim": "a", "Equals": 1}),
        json!({"claim": "a"}),
        json!({"equals": 1}),
        json!({"claim": "a", "equals": 1, "anyOf": [equals("a", json!(1))]}),
        json!({"allOf": [equals("a", json!(1))], "anyOf": [equals("a", json!(1))]}),
        json!({"not": equals("a", json!(1))}),
        json!({}),
        json!([]),
        json!("a"),
    ] {
        assert_eq!(place(&condition(unknown.clone())), second, "{unknown}");
    }
    let mut policy = all_of(json!([equals("a", json!(1))]));
    policy["comment"] = json!("x");
    assert_eq!(place(&policy), "$");
    let mut policy = all_of(json!([equals("a", json!(1))]));
    policy["anyOf"][0]["issuer"] = json!("x");
    assert_eq!(place(&policy), "$.anyOf[0]");
    policy["anyOf"][0] = json!({"authority": AUTHORITY});
    assert_eq!(place(&policy), "$.anyOf[0]");
    policy["anyOf"][0] = json!({"allOf": [equals("a", json!(1))]});
    assert_eq!(place(&policy), "$.anyOf[0]");
}

#[test]
fn a_value_is_a_string_a_boolean_or_a_whole_number() {
    for value in [json!([1]), json!({}), json!(["a"])] {
        let policy = all_of(json!([equals("a", value)]));
        assert_eq!(place(&policy), "$.anyOf[0].allOf[0].equals");
    }
    for value in [json!(null), json!(1.5), json!(1e30)] {
        assert_eq!(place(&all_of(json!([equals("a", value)]))), "$");
    }
}

#[test]
fn a_claim_is_a_path_of_segments() {
    for claim in ["", ".", ".a", "a.", "a..b", &"a".repeat(513), &["a"; 33].join(".")] {
        let policy = all_of(json!([equals(claim, json!(1))]));
        assert_eq!(place(&policy), "$.anyOf[0].allOf[0].claim", "{claim}");
    }
    assert_eq!(place(&all_of(json!([{"claim": 1, "equals": 1}]))), "$.anyOf[0].allOf[0].claim");
}

#[test]
fn an_authority_is_an_https_url() {
    for url in [
        json!("http://plain.example"),
        json!("https://"),
        json!("https:///path"),
        json!("HTTPS://upper.example"),
        json!("https://user@host.example"),
        json!("https://host.example?x"),
        json!("https://host.example#x"),
        json!("https://host.example/ x"),
        json!("https://h\u{f6}st.example"),
        json!("host.example"),
        json!("*"),
        json!(1),
    ] {
        let mut policy = all_of(json!([equals("a", json!(1))]));
        policy["anyOf"][0]["authority"] = url.clone();
        assert_eq!(place(&policy), "$.anyOf[0].authority", "{url}");
    }
}

// attack 35
#[test]
fn a_policy_is_bounded_in_size_and_depth_and_says_nothing_twice() {
    let mut deep = equals("a", json!(1));
    for _ in 0..20 {
        deep = json!({ "allOf": [deep] });
    }
    assert!(compile(&all_of(json!([deep]))).unwrap_err().message.contains("nested"));
    let wide = json!(vec![equals("a", json!(1)); 1000]);
    assert!(compile(&all_of(wide)).is_err());
    let twice = all_of(json!([equals("a", json!(1))]));
    let twice = twice.to_string().replacen('{', r#"{"version":"1.0.0","#, 1);
    assert!(Akv::compile(&twice).unwrap_err().message.contains("twice"));
    for text in ["", "null", "[]", "{", "{} {}", "// version\n{}", &"[".repeat(60_000)] {
        assert!(Akv::compile(text).is_err(), "{text:.20}");
    }
}

// attack 64
#[test]
fn a_denial_names_each_condition_with_what_was_seen_and_what_is_wanted() {
    let policy = json!({"version": "1.0.0", "anyOf": [
        {"authority": "https://other.example/", "allOf": [equals("secureboot", json!(true))]},
        {"authority": AUTHORITY, "allOf": [
            equals("secureboot", json!(true)),
            {"anyOf": [
                equals("x-ms-isolation-tee.x-ms-sevsnpvm-guestsvn", json!(2)),
                equals("absent", json!("x")),
                equals("x-ms-isolation-tee", json!("x")),
            ]},
        ]},
    ]});
    let Denial::Unmet(unmet) = compile(&policy).unwrap().denial(&claims()) else { panic!() };
    let told: Vec<_> = unmet.iter().map(ToString::to_string).collect();
    let any_of = "$.anyOf[1].allOf[1].anyOf";
    assert_eq!(
        told,
        [
            format!(
                "$.anyOf[0].authority: iss is \"{AUTHORITY}\", wanted \"https://other.example\""
            ),
            format!(
                "{any_of}[0].equals: x-ms-isolation-tee.x-ms-sevsnpvm-guestsvn is 0, wanted \"2\""
            ),
            format!("{any_of}[1].equals: absent is nothing, wanted \"x\""),
            format!("{any_of}[2].equals: x-ms-isolation-tee is an object, wanted \"x\""),
        ]
    );
}

// attack 41
#[test]
fn a_denial_repeats_little_of_what_a_claim_says() {
    let claims = json!({"iss": AUTHORITY, "a": "\u{1b}[2J".repeat(10_000)});
    let conditions = json!(vec![equals("a", json!("x")); 100]);
    let Denial::Unmet(unmet) = compile(&all_of(conditions)).unwrap().denial(&claims) else {
        panic!()
    };
    assert_eq!(unmet.len(), 16);
    let seen = unmet[0].seen.as_ref().unwrap();
    assert!(seen.chars().count() < 130 && !seen.contains('\u{1b}'), "{seen}");
}
