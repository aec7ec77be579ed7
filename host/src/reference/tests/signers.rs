//! Nothing by an unlisted signer, or outside what a listed one may sign.

use data_encoding::BASE64;
use serde_json::json;

use super::*;
use crate::reference::Origin;

fn refused(outcome: Result<Admitted, ReferenceError>) -> ReferenceError {
    outcome.err().unwrap()
}

#[test]
fn a_listed_signer_of_every_kind_of_key_is_believed() {
    for key in [Key::p256(), Key::p384(), Key::ed25519()] {
        let payload = plain("p", 7).to_string();
        let envelope = envelope(&key, PLAIN, payload.as_bytes());
        let admitted = admit_json(&signers([key.plan("pipeline")]), Container::Dsse, &envelope);
        let admitted = admitted.unwrap();
        assert!(matches!(admitted.origin(), Origin::Signed { signer, .. } if signer == "pipeline"));
    }
}

#[test]
fn what_a_stranger_signed_is_refused() {
    let (listed, stranger) = (Key::p256(), Key::p256());
    let envelope = envelope(&stranger, PLAIN, plain("p", 7).to_string().as_bytes());
    for signers in [signers([listed.plan("pipeline")]), signers([])] {
        let refused = refused(admit_json(&signers, Container::Dsse, &envelope));
        assert_eq!(refused, ReferenceError::NotSigned);
    }
}

#[test]
fn unsigned_values_are_taken_only_where_the_configuration_says_so() {
    let text = plain("p", 7);
    let refused = refused(admit_json(&signers([]), Container::Json, &text));
    assert_eq!(refused, ReferenceError::Unsigned);
    let admitted = admit_json(&unsigned(), Container::Json, &text).unwrap();
    assert_eq!(admitted.origin(), &Origin::Unsigned);
    // An envelope is signed by somebody who is listed, or it is nothing.
    let envelope = envelope(&Key::p256(), PLAIN, text.to_string().as_bytes());
    assert!(admit_json(&unsigned(), Container::Dsse, &envelope).is_err());
}

#[test]
fn a_payload_a_type_or_a_signature_that_was_changed_is_refused() {
    let key = Key::p256();
    let signers = signers([key.plan("pipeline")]);
    let sound = envelope(&key, PLAIN, plain("p", 7).to_string().as_bytes());
    assert!(admit_json(&signers, Container::Dsse, &sound).is_ok());
    let mut payload = sound.clone();
    payload["payload"] = json!(BASE64.encode(plain("p", 8).to_string().as_bytes()));
    let mut signature = sound.clone();
    signature["signatures"][0]["sig"] = json!(BASE64.encode(&[0; 64]));
    // The same bytes as a statement of another type.
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "i" }],
        "predicateType": "urn:claviger:predicate:reference:1",
        "predicate": { "tee": "snp", "values": [{ "measurement": measurement(7) }] },
    });
    let mut kind = envelope(&key, PLAIN, statement.to_string().as_bytes());
    kind["payloadType"] = json!(IN_TOTO);
    for changed in [payload, signature, kind] {
        let refused = refused(admit_json(&signers, Container::Dsse, &changed));
        assert_eq!(refused, ReferenceError::NotSigned, "{changed}");
    }
}

#[test]
fn a_signer_is_believed_in_what_it_may_sign_and_in_nothing_else() {
    let key = Key::ed25519();
    let envelope = |text: &Json| envelope(&key, PLAIN, text.to_string().as_bytes());
    let sound = envelope(&plain("p", 7));
    let mut two = plain("p", 7);
    two["values"][0]["host_data"] = json!("01".repeat(32));
    let mut tdx = plain("p", 7);
    tdx["tee"] = json!("tdx");
    tdx["values"] = json!([{ "mrtd": measurement(7) }]);
    let narrow = SignerPlan { claims: Some(vec!["measurement".to_owned()]), ..key.plan("narrow") };
    let narrow = signers([narrow]);
    assert!(admit_json(&narrow, Container::Dsse, &sound).is_ok());
    for beyond in [envelope(&two), envelope(&tdx)] {
        let refused = refused(admit_json(&narrow, Container::Dsse, &beyond));
        assert!(matches!(refused, ReferenceError::BeyondScope { .. }), "{refused}");
    }
    // attack 54: an empty list is nobody's, not everybody's.
    let none = signers([SignerPlan { tees: Vec::new(), ..key.plan("none") }]);
    let no_claim = signers([SignerPlan { claims: Some(Vec::new()), ..key.plan("none") }]);
    // It may sign for a tenant, or what a builder built: not for another, and nothing else.
    let tenant = Some(Tenant::parse("team-7").unwrap());
    let other_tenant = signers([SignerPlan { tenant, ..key.plan("team-7") }]);
    let builders = Some(vec!["https://example.com/builder".to_owned()]);
    let builder = signers([SignerPlan { builders, ..key.plan("builder") }]);
    for signers in [none, no_claim, other_tenant, builder] {
        let refused = refused(admit_json(&signers, Container::Dsse, &sound));
        assert!(matches!(refused, ReferenceError::BeyondScope { .. }), "{refused}");
    }
    // Of two signers of one key, the one that may sign it is found.
    let wide =
        signers([SignerPlan { tees: vec!["tdx".to_owned()], ..key.plan("tdx") }, key.plan("snp")]);
    assert!(admit_json(&wide, Container::Dsse, &sound).is_ok());
}

#[test]
fn provenance_counts_where_a_listed_builder_built_it() {
    let key = Key::p256();
    let builders = Some(vec!["https://example.com/good".to_owned()]);
    let signers = signers([SignerPlan { builders, ..key.plan("pipeline") }]);
    let built_by = |predicate: Json| {
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "name": "snp.measurement", "digest": { "sha384": measurement(7) } }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": predicate,
        });
        let envelope = envelope(&key, IN_TOTO, statement.to_string().as_bytes());
        admit_json(&signers, Container::Dsse, &envelope)
    };
    let builder = |id: &str| json!({ "runDetails": { "builder": { "id": id } } });
    assert!(built_by(builder("https://example.com/good")).is_ok());
    for other in [builder("https://example.com/bad"), builder(""), json!({})] {
        let refused = refused(built_by(other));
        assert!(matches!(refused, ReferenceError::BeyondScope { .. }), "{refused}");
    }
}

#[test]
fn a_signer_without_a_sound_key_or_name_of_its_own_is_no_signer() {
    let key = Key::p256();
    let new = |plans: Vec<SignerPlan>| {
        Signers::new(ReferencePlan { allow_unsigned: false, signers: plans }).map(drop)
    };
    assert!(new(vec![key.plan("a"), key.plan("b")]).is_ok());
    let jwk = br#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    assert!(new(vec![SignerPlan { key: jwk.to_vec(), ..key.plan("a") }]).is_ok());
    let hmac = br#"{"kty":"oct","k":"AAAA"}"#.to_vec();
    for (wrong, why) in [
        (vec![key.plan("a"), key.plan("a")], "a name of its own"),
        (vec![key.plan("")], "a name of its own"),
        (vec![SignerPlan { key: b"x".to_vec(), ..key.plan("a") }], "PEM"),
        // attack 52: a secret is no public key.
        (vec![SignerPlan { key: hmac, ..key.plan("a") }], "JWK"),
        (vec![SignerPlan { tees: vec!["*".to_owned()], ..key.plan("a") }], "no TEE"),
        (vec![SignerPlan { claims: Some(vec!["snp.*".to_owned()]), ..key.plan("a") }], "no TEE"),
    ] {
        let error = new(wrong).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}
