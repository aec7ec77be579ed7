//! What holds in every language.

use serde_json::json;

use super::*;

struct Told {
    status: Option<Status>,
    authority: Option<&'static str>,
    claims: Result<Json, String>,
}

impl AttestationResult for Told {
    fn status(&self) -> Option<Status> {
        self.status
    }

    fn authority(&self) -> Option<&str> {
        self.authority
    }

    fn claims(&self) -> Result<Json, String> {
        self.claims.clone()
    }
}

fn of(status: Option<Status>) -> Told {
    Told { status, authority: None, claims: Ok(json!({"iss": "https://host.example", "a": 1})) }
}

fn akv() -> ReleasePolicy {
    let text = r#"{"version":"1.0.0","anyOf":[{"authority":"https://host.example",
        "allOf":[{"claim":"a","equals":1}]}]}"#;
    ReleasePolicy::compile(Language::Akv, text).unwrap()
}

// attack 64, invariant 6
#[test]
fn affirming_allows_what_this_host_affirmed_and_nothing_else() {
    let policy = ReleasePolicy::compile(Language::Affirming, "").unwrap();
    assert!(policy.judge(&of(Some(Status::Affirming))).is_ok());
    for status in [Some(Status::None), Some(Status::Warning), Some(Status::Contraindicated), None] {
        let denial = policy.judge(&of(status)).unwrap_err();
        assert!(matches!(denial, Denial::Status(_)), "{status:?}");
    }
    let theirs = Told { authority: Some("https://a.example"), ..of(Some(Status::Affirming)) };
    assert!(policy.judge(&theirs).is_err());
    assert!(ReleasePolicy::compile(Language::Affirming, " ").is_err());
}

fn rego() -> ReleasePolicy {
    ReleasePolicy::compile(Language::Rego, "package claviger.release\n\nallow := true").unwrap()
}

// attack 64
#[test]
fn what_is_contraindicated_leaves_no_room_for_a_policy() {
    for policy in [akv(), rego()] {
        for status in [Some(Status::Affirming), Some(Status::Warning), Some(Status::None), None] {
            assert!(policy.judge(&of(status)).is_ok(), "{status:?}");
        }
        let denial = policy.judge(&of(Some(Status::Contraindicated))).unwrap_err();
        assert!(matches!(denial, Denial::Status(_)));
    }
}

// attack 54, invariant 6
#[test]
fn claims_that_cannot_be_put_into_words_are_not_allowed() {
    let claims = Err("stands twice".into());
    let result = Told { status: Some(Status::Affirming), authority: None, claims };
    for policy in [akv(), rego()] {
        assert_eq!(policy.judge(&result).unwrap_err(), Denial::Failed("stands twice".into()));
    }
}

#[test]
fn a_policy_is_named_by_its_language_and_the_digest_of_its_text() {
    assert_eq!(ReleasePolicy::id(Language::Affirming, ""), "affirming");
    let sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(ReleasePolicy::id(Language::Akv, "abc"), format!("akv:sha256:{sha256_of_abc}"));
}

// attack 35
#[test]
fn a_text_that_is_too_long_is_not_looked_at() {
    for language in [Language::Akv, Language::Rego] {
        let fault = ReleasePolicy::compile(language, &" ".repeat(LONGEST + 1)).unwrap_err();
        assert!(fault.message.contains("more than"), "{fault}");
    }
}
