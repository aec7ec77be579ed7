//! The plain form and in-toto statements.

use serde_json::{Value as Json, json};

use super::*;
use crate::clock::Timestamp;
use crate::reference::Form;

#[test]
fn the_plain_form_says_what_it_says() {
    let mut text = plain("p", 7);
    text["not_before"] = json!("2026-01-01T00:00:00Z");
    text["not_after"] = json!("2026-01-02T00:00:00Z");
    let admitted = admit_json(&unsigned(), Container::Json, &text).unwrap();
    let document = admitted.document();
    assert_eq!((document.name.as_str(), document.form), ("p", Form::Json));
    assert_eq!(document.window.not_after, Some(Timestamp(1_767_312_000)));
    assert_eq!(document.groups[0].values["measurement"], json!(measurement(7)));
}

// attack 35
#[test]
fn a_plain_form_with_something_odd_in_it_is_refused() {
    let read = |text: &str| Opened::read(Container::Json, text.as_bytes()).map(drop);
    assert!(read(&plain("p", 7).to_string()).is_ok());
    let odd = |change: &dyn Fn(&mut Json)| {
        let mut text = plain("p", 7);
        change(&mut text);
        text.to_string()
    };
    let many = vec![json!({ "measurement": measurement(1) }); 257];
    for wrong in [
        odd(&|text| text["type"] = json!("claviger-reference/2")),
        odd(&|text| text["name"] = json!("")),
        odd(&|text| text["tee"] = json!("SNP")),
        odd(&|text| text["values"] = json!([])),
        odd(&|text| text["values"] = json!([{}])),
        odd(&|text| text["values"] = json!(many)),
        odd(&|text| text["values"][0]["measurement"] = json!("00")),
        odd(&|text| text["values"][0]["chip_id"] = json!("00".repeat(64))),
        odd(&|text| text["not_after"] = json!("tomorrow")),
        odd(&|text| text["not_afer"] = json!("2026-01-01T00:00:00Z")),
        odd(&|text| {
            text["not_before"] = json!("2026-01-02T00:00:00Z");
            text["not_after"] = json!("2026-01-01T00:00:00Z");
        }),
        plain("p", 7).to_string().replace("\"tee\"", "\"tee\":\"tdx\",\"tee\""),
        plain("p", 7)
            .to_string()
            .replace("\"measurement\":", "\"measurement\":\"00\",\"measurement\":"),
        plain("p", 7).to_string() + "{}",
        plain(&"p".repeat(200 << 10), 7).to_string(),
    ] {
        assert!(read(&wrong).is_err(), "{}", &wrong[..wrong.len().min(300)]);
    }
}

fn slsa(subjects: Json) -> Json {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": { "buildType": "https://example.com/b", "externalParameters": null },
            "runDetails": { "builder": { "id": "https://example.com/builder" } },
        },
    })
}

#[test]
fn of_provenance_the_subjects_count_that_are_named_after_claims() {
    let key = Key::p256();
    let statement = slsa(json!([
        { "name": "image.raw", "digest": { "sha256": "00".repeat(32) } },
        { "name": "snp.measurement", "digest": { "sha384": measurement(7) } },
        { "name": "snp.measurement", "digest": { "sha384": measurement(8) } },
    ]));
    let payload = statement.to_string();
    let envelope = envelope(&key, IN_TOTO, payload.as_bytes());
    let signers = signers([key.plan("pipeline")]);
    let admitted = admit_json(&signers, Container::Dsse, &envelope).unwrap();
    let document = admitted.document();
    assert_eq!((document.form, document.groups.len()), (Form::Provenance, 2));
    assert_eq!(document.builder.as_deref(), Some("https://example.com/builder"));
    assert_eq!(document.groups[1].values["measurement"], json!(measurement(8)));
}

#[test]
fn a_statement_that_names_no_measurement_or_an_odd_one_is_refused() {
    let key = Key::ed25519();
    let signers = signers([key.plan("pipeline")]);
    let admit = |statement: Json| {
        let envelope = envelope(&key, IN_TOTO, statement.to_string().as_bytes());
        admit_json(&signers, Container::Dsse, &envelope).map(drop)
    };
    let subject = |digest: Json| json!([{ "name": "snp.measurement", "digest": digest }]);
    assert_eq!(admit(slsa(subject(json!({ "sha384": measurement(7) })))), Ok(()));
    let mut other_predicate = slsa(subject(json!({ "sha384": measurement(7) })));
    other_predicate["predicateType"] = json!("https://spdx.dev/Document");
    let mut other_statement = slsa(subject(json!({ "sha384": measurement(7) })));
    other_statement["_type"] = json!("https://in-toto.io/Statement/v2");
    for wrong in [
        slsa(json!([{ "name": "image.raw", "digest": { "sha384": measurement(7) } }])),
        slsa(json!([])),
        slsa(subject(json!({ "sha256": "00".repeat(32) }))),
        slsa(subject(json!({ "sha384": "00".repeat(32) }))),
        slsa(subject(json!({ "sha384": measurement(7), "sha256": "00".repeat(32) }))),
        other_predicate,
        other_statement,
    ] {
        assert!(admit(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_predicate_carries_values_and_their_time() {
    let key = Key::p384();
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "name": "image.raw", "digest": { "sha256": "00".repeat(32) } }],
        "predicateType": "urn:claviger:predicate:reference:1",
        "predicate": {
            "tee": "snp",
            "not_after": "2026-01-02T00:00:00Z",
            "values": [{ "measurement": measurement(7), "host_data": "01".repeat(32) }],
        },
    });
    let envelope = envelope(&key, IN_TOTO, statement.to_string().as_bytes());
    let admitted = admit_json(&signers([key.plan("p")]), Container::Dsse, &envelope).unwrap();
    let document = admitted.document();
    assert_eq!(document.name, "image.raw");
    assert_eq!(document.window.not_after, Some(Timestamp(1_767_312_000)));
    assert_eq!(document.groups[0].values.len(), 2);
}
