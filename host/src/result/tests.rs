//! What a result says, in both of its forms, and that nothing else is read back.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ciborium::Value as Cbor;
use serde_json::{Value as Json, json};

use super::*;
use crate::appraisal::{Status, Trust, Vector};
use crate::claim::{Claim, Value};
use crate::clock::Timestamp;
use crate::keys::{RecipientKind, RecipientPrivateKey};

fn claims() -> Vec<Claim> {
    vec![
        Claim::new("snp.measurement", Value::Bytes(vec![0xab; 48])),
        Claim::new("snp.debug", Value::Flag(false)),
        Claim::new("snp.vmpl", Value::Unsigned(0)),
        Claim::new("snp.offset", Value::Signed(-5)),
        Claim::new("snp.product", Value::Text("Genoa".to_owned())),
        Claim::new("snp.list", Value::Texts(vec!["a".to_owned(), "b".to_owned()])),
        Claim::new("snp.large", Value::Bytes(vec![7; 5000])),
    ]
}

fn ear(recipient: &Json) -> Ear<'_> {
    let mut vector = Vector::default();
    vector.lower(Trust::Hardware, 32);
    vector.affirm_where_silent(Trust::InstanceIdentity, 2);
    let submod = Submod {
        status: Tier(Status::Warning),
        vector: TrustVector(vector.clone()),
        policies: vec!["built-in:snp:sha256:00".into()],
        facts: ClaimMap(claims().into()),
        claims: ClaimMap::default(),
    };
    Ear {
        profile: Profile,
        issuer: "https://claviger.test".into(),
        audience: "https://claviger.test/t/default".into(),
        issued: Timestamp(1_000),
        expires: Timestamp(1_300),
        id: Identifier("an-id".into()),
        nonce: Nonce([9; 32]),
        recipient: Confirmation(Cow::Borrowed(recipient)),
        verifier: VerifierId { developer: "https://d.example".into(), build: "b 1".into() },
        submods: BTreeMap::from([("snp".into(), submod)]),
        own: Own {
            purpose: "attestation".into(),
            freshness: "challenge".into(),
            simulated: true,
            evidence_expires: Timestamp(5_000),
            verifier: VerifierModule { name: "verifier-snp".into(), digest: "00".into() },
            verifier_vector: TrustVector(vector),
            trust_path: Some(vec!["anchor: a".to_owned(), "snp: s".to_owned()].into()),
            companions: None,
        },
    }
}

fn x25519() -> Json {
    RecipientPrivateKey::generate(RecipientKind::X25519).unwrap().jwk().clone()
}

fn object(json: Json) -> serde_json::Map<String, Json> {
    json.as_object().unwrap().clone()
}

#[test]
fn a_result_comes_back_from_either_form_for_every_kind_of_recipient_key() {
    for kind in [
        RecipientKind::X25519,
        RecipientKind::P256,
        RecipientKind::P384,
        RecipientKind::P521,
        RecipientKind::Rsa2048,
        RecipientKind::XWing,
    ] {
        let jwk = RecipientPrivateKey::generate(kind).unwrap().jwk().clone();
        let ear = ear(&jwk);
        let cbor = Ear::from_cbor(&ear.to_cbor().unwrap()).unwrap();
        assert_eq!(*cbor.recipient.0, jwk, "{kind:?}");
        assert_eq!(*cbor.submods["snp"].facts.0, claims());
        assert_eq!(cbor.own.trust_path.as_deref(), ear.own.trust_path.as_deref());
        let written = serde_json::to_value(&ear).unwrap();
        let json = Ear::from_json(object(written.clone())).unwrap();
        assert_eq!(serde_json::to_value(&json).unwrap(), written);
        // Out of JSON, byte strings come back as text.
        let facts = &json.submods["snp"].facts.0;
        let text = Value::Text("ab".repeat(48));
        assert!(facts.contains(&Claim::new("snp.measurement", text)), "{facts:?}");
    }
}

/// RFC 7519, RFC 9711 and draft-ietf-rats-ear-04, section 3.
#[test]
fn in_json_claims_have_the_names_of_their_drafts() {
    let jwk = x25519();
    let json = serde_json::to_value(ear(&jwk)).unwrap();
    assert_eq!(json["eat_profile"], "tag:ietf.org,2026:rats/ear#04");
    assert_eq!(json["eat_nonce"], "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk");
    assert_eq!(json["cnf"], json!({ "jwk": jwk }));
    assert_eq!(json["ear_verifier_id"], json!({"developer": "https://d.example", "build": "b 1"}));
    let snp = &json["submods"]["snp"];
    assert_eq!(snp["ear_status"], "warning");
    assert_eq!(snp["ear_trustworthiness_vector"], json!({"instance-identity": 2, "hardware": 32}));
    assert_eq!(snp["ear_appraisal_policy_ids"], json!(["built-in:snp:sha256:00"]));
    assert_eq!(snp["ear_attester_claims"]["snp.measurement"], "ab".repeat(48));
}

/// RFC 8392, section 4; RFC 8747, section 3.1; RFC 9711, section 7; EAR-04, appendix A.
#[test]
fn in_cbor_claims_have_the_integers_of_their_drafts() {
    let jwk = x25519();
    let cbor: Cbor = ciborium::from_reader(ear(&jwk).to_cbor().unwrap().as_slice()).unwrap();
    let get = |map: &Cbor, key: Cbor| {
        let entries = map.as_map().unwrap();
        entries.iter().find(|(known, _)| *known == key).unwrap().1.clone()
    };
    let top = |key: i64| get(&cbor, key.into());
    assert_eq!(top(265), Cbor::from("tag:ietf.org,2026:rats/ear#04"));
    assert_eq!(top(1), Cbor::from("https://claviger.test"));
    assert_eq!(top(3), Cbor::from("https://claviger.test/t/default"));
    assert_eq!((top(6), top(4)), (Cbor::from(1_000), Cbor::from(1_300)));
    assert_eq!(top(7), Cbor::Bytes(b"an-id".to_vec()));
    assert_eq!(top(10), Cbor::Bytes(vec![9; 32]));
    assert_eq!(get(&top(1004), 1.into()), Cbor::from("b 1"));
    let key = get(&top(8), 1.into());
    let entries = |key: &Cbor| key.as_map().unwrap().iter().map(|(k, _)| k.clone()).collect();
    let labels: Vec<Cbor> = entries(&key);
    assert_eq!(labels, [Cbor::from(1), Cbor::from(-1), Cbor::from(-2)]);
    assert_eq!((get(&key, 1.into()), get(&key, (-1).into())), (Cbor::from(1), Cbor::from(4)));
    let snp = get(&top(266), "snp".into());
    assert_eq!(get(&snp, 1000.into()), Cbor::from(32));
    let vector = vec![(Cbor::from(0), Cbor::from(2)), (Cbor::from(4), Cbor::from(32))];
    assert_eq!(get(&snp, 1001.into()), Cbor::Map(vector));
    assert_eq!(get(&get(&snp, 1005.into()), "snp.measurement".into()), Cbor::Bytes(vec![0xab; 48]));
    // What no draft knows goes by its name.
    assert_eq!(get(&get(&cbor, "claviger".into()), "simulated".into()), Cbor::Bool(true));
}

/// EAR-04, appendix A: neither a vector nor claims may be empty where they are present.
#[test]
fn what_says_nothing_is_left_out() {
    let jwk = x25519();
    let mut ear = ear(&jwk);
    let submod = ear.submods.get_mut("snp").unwrap();
    submod.vector = TrustVector::default();
    submod.facts = ClaimMap::default();
    ear.own.trust_path = None;
    let json = serde_json::to_value(&ear).unwrap();
    let members: Vec<_> = json["submods"]["snp"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["ear_appraisal_policy_ids", "ear_status"]);
    assert!(json["claviger"].get("trust_path").is_none());
    let back = Ear::from_cbor(&ear.to_cbor().unwrap()).unwrap();
    assert!(back.submods["snp"].facts.0.is_empty() && back.own.trust_path.is_none());
}

#[test]
fn a_claim_that_stands_twice_makes_no_result() {
    let jwk = x25519();
    let mut ear = ear(&jwk);
    let twice = vec![Claim::new("a", Value::Flag(true)), Claim::new("a", Value::Flag(false))];
    ear.submods.get_mut("snp").unwrap().claims = ClaimMap(twice.into());
    assert!(ear.to_cbor().is_err());
    assert!(serde_json::to_value(&ear).is_err());
}

/// Changes the decoded claims of a sound result and encodes them again.
fn altered(change: impl FnOnce(&mut Vec<(Cbor, Cbor)>)) -> Vec<u8> {
    let jwk = x25519();
    let mut cbor: Cbor = ciborium::from_reader(ear(&jwk).to_cbor().unwrap().as_slice()).unwrap();
    change(cbor.as_map_mut().unwrap());
    let mut bytes = Vec::new();
    ciborium::into_writer(&cbor, &mut bytes).unwrap();
    bytes
}

// attack 36
#[test]
fn cbor_of_ours_is_read_in_one_spelling_and_whole() {
    assert!(Ear::from_cbor(&altered(|_| ())).is_ok());
    let set = |claims: &mut Vec<(Cbor, Cbor)>, key: i64, value: Cbor| {
        claims.iter_mut().find(|(known, _)| *known == key.into()).unwrap().1 = value;
    };
    let nested = (0..64).fold(Cbor::from(1), |inner, _| Cbor::Array(vec![inner]));
    let refused: Vec<(&str, Vec<u8>)> = vec![
        ("a claim twice", altered(|claims| claims.push(claims[1].clone()))),
        ("an unknown claim", altered(|claims| claims.push((99.into(), 1.into())))),
        ("an unknown name", altered(|claims| claims.push(("x".into(), 1.into())))),
        ("a claim by its name in JSON", altered(|claims| claims[1].0 = "iss".into())),
        ("another order", altered(|claims| claims.reverse())),
        ("a claim missing", altered(|claims| drop(claims.remove(0)))),
        ("a tag", altered(|claims| set(claims, 6, Cbor::Tag(1, Box::new(1_000.into()))))),
        ("a fraction", altered(|claims| set(claims, 4, Cbor::Float(1_300.0)))),
        ("a text", altered(|claims| set(claims, 4, "1300".into()))),
        ("a negative moment", altered(|claims| set(claims, 4, (-1).into()))),
        ("null", altered(|claims| set(claims, 7, Cbor::Null))),
        ("an array of audiences", altered(|claims| set(claims, 3, Cbor::Array(vec!["a".into()])))),
        ("a short nonce", altered(|claims| set(claims, 10, Cbor::Bytes(vec![9; 31])))),
        ("depth", altered(|claims| set(claims, 266, nested))),
        ("another profile", altered(|claims| set(claims, 265, "tag:x".into()))),
        (
            "a key by its identifier",
            altered(|claims| {
                set(claims, 8, Cbor::Map(vec![(3.into(), Cbor::Bytes(vec![1]))]));
            }),
        ),
        ("something behind", [altered(|_| ()), vec![0]].concat()),
    ];
    for (what, bytes) in refused {
        assert!(Ear::from_cbor(&bytes).is_err(), "{what}");
    }
    let sound = altered(|_| ());
    for end in 0..sound.len() {
        assert!(Ear::from_cbor(&sound[..end]).is_err(), "{end}");
    }
    // A map of indefinite length, a length longer than needed, one that nothing stands behind.
    let (head, rest) = sound.split_at(1);
    assert_eq!(head[0] >> 5, 5, "a short map");
    let entries = head[0] & 31;
    for spelling in [
        [&[0xbf][..], rest, &[0xff]].concat(),
        [&[0xb8, entries][..], rest].concat(),
        [&[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], rest].concat(),
        vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        vec![0x9f; 100_000],
    ] {
        assert!(Ear::from_cbor(&spelling).is_err());
    }
}

// attacks 35 and 52
#[test]
fn claims_in_json_are_read_whole_and_nothing_beside_them() {
    let jwk = x25519();
    let sound = serde_json::to_value(ear(&jwk)).unwrap();
    assert!(Ear::from_json(object(sound.clone())).is_ok());
    for (place, value) in [
        ("/aud", json!(["https://claviger.test/t/default"])),
        ("/exp", json!("1300")),
        ("/exp", json!(-1)),
        ("/jti", json!(7)),
        ("/eat_nonce", json!("CQk")),
        ("/eat_profile", json!("tag:x")),
        ("/cnf", json!({ "kid": "x" })),
        ("/cnf", json!({ "jwk": jwk, "jku": "https://evil.example" })),
        ("/cnf", json!({})),
        ("/submods", json!([])),
        ("/submods/snp/ear_status", json!("excellent")),
        ("/submods/snp/ear_trustworthiness_vector", json!({ "hardware": 300 })),
        ("/submods/snp/ear_trustworthiness_vector", json!({ "karma": 2 })),
        ("/submods/snp/ear_attester_claims/snp.vmpl", json!({ "deep": 1 })),
        ("/submods/snp/ear_attester_claims/snp.vmpl", Json::Null),
        ("/claviger/simulated", json!("false")),
    ] {
        let mut altered = sound.clone();
        *altered.pointer_mut(place).unwrap() = value;
        assert!(Ear::from_json(object(altered)).is_err(), "{place}");
    }
    for name in ["iss", "aud", "exp", "iat", "cnf", "submods", "claviger"] {
        let mut altered = object(sound.clone());
        altered.remove(name);
        assert!(Ear::from_json(altered).is_err(), "{name}");
    }
    let mut altered = object(sound);
    altered.insert("scope".to_owned(), json!("admin"));
    assert!(Ear::from_json(altered).is_err());
}
