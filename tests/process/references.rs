//! Reference values at the command line: computed, looked at, checked, added and taken back.

use std::fs;
use std::path::Path;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use crate::support::{State, TOKEN, claviger};

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

/// A configuration that lists the signer, and a document that it signed.
fn signed(folder: &Path) -> (String, String) {
    let key = Ed25519KeyPair::generate().unwrap();
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
    let pem = base64(spki.as_ref());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{pem}\n-----END PUBLIC KEY-----\n");
    fs::write(folder.join("pipeline.pem"), pem).unwrap();
    let config = "[host]\nid = \"h\"\nissuer = \"https://h.example\"\nstate = \"state\"\n\
        [api]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n\
        [master_key]\nfile = { path = \"master.key\" }\n\
        [[reference.signer]]\nname = \"pipeline\"\nkey = \"pipeline.pem\"\ntees = [\"snp\"]\n";
    fs::write(folder.join("claviger.toml"), config).unwrap();
    let payload_type = "application/vnd.claviger.reference+json";
    let payload = json!({
        "type": "claviger-reference/1",
        "name": "p",
        "tee": "snp",
        "values": [{ "measurement": "07".repeat(48) }],
    });
    let payload = payload.to_string();
    let message =
        format!("DSSEv1 {} {payload_type} {} {payload}", payload_type.len(), payload.len());
    let envelope = json!({
        "payload": base64(payload.as_bytes()),
        "payloadType": payload_type,
        "signatures": [{ "sig": base64(key.sign(message.as_bytes()).as_ref()) }],
    });
    let file = folder.join("p.dsse.json");
    fs::write(&file, envelope.to_string()).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    (text(&folder.join("claviger.toml")), text(&file))
}

#[test]
fn a_document_is_inspected_by_anybody_and_verified_against_the_listed_signers() {
    let folder = tempfile::tempdir().unwrap();
    let (config, file) = signed(folder.path());
    let inspected = claviger(["reference", "inspect", &file]);
    assert_eq!(inspected.code, Some(0), "{inspected:?}");
    let inspected: Value = serde_json::from_str(&inspected.output).unwrap();
    assert_eq!(inspected["groups"][0]["values"]["measurement"], "07".repeat(48));
    assert_eq!(inspected["signatures"], 1);
    let verified = claviger(["reference", "verify", "--config", &config, &file]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    let verified: Value = serde_json::from_str(&verified.output).unwrap();
    assert_eq!(verified["signer"], "pipeline");
    // Signed by another key of the same name in the list.
    let other = tempfile::tempdir().unwrap();
    let (other_config, _) = signed(other.path());
    let refused = claviger(["reference", "verify", "--config", &other_config, &file]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.errors.contains("no signature on it holds"), "{refused:?}");
}

#[test]
fn what_is_computed_is_a_document_that_can_be_added() {
    let zeros = "00".repeat(48);
    let arguments = ["reference", "measure", "pcr", "--bank", "sha384", "--digest", &zeros];
    let plain = claviger(arguments.iter().chain(&["--plain", "boot", "--claim", "tdx.rtmr1"]));
    assert_eq!(plain.code, Some(0), "{plain:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("boot.json");
    fs::write(&file, &plain.output).unwrap();
    let inspected = claviger(["reference", "inspect", file.to_str().unwrap()]);
    assert_eq!(inspected.code, Some(0), "{inspected:?}");
    let inspected: Value = serde_json::from_str(&inspected.output).unwrap();
    let value = claviger(arguments).output;
    assert_eq!(inspected["groups"][0]["values"]["rtmr1"], value.trim());
    let wrong = claviger(["reference", "measure", "pcr", "--digest", &zeros]);
    assert_eq!(wrong.code, Some(1), "{wrong:?}");
}

#[test]
fn a_running_host_is_given_a_document_and_gives_it_back_and_takes_it_out() {
    let state = State::new();
    let host = state.start();
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, token) = (put("ca.pem", &host.authority()), put("token", TOKEN.as_bytes()));
    let url = format!("https://localhost:{}", host.admin().port());
    let ask = |verb: &str, more: &[&str]| {
        let own = ["--url", &url, "--ca", &ca, "--token-file", &token];
        claviger(["reference", verb].iter().chain(&own).chain(more))
    };
    let document = json!({
        "type": "claviger-reference/1",
        "name": "p",
        "tee": "snp",
        "values": [{ "measurement": "07".repeat(48) }],
    });
    let file = put("p.json", document.to_string().as_bytes());
    let added = ask("add", &[&file]);
    assert_eq!(added.code, Some(0), "{added:?}");
    let added: Value = serde_json::from_str(&added.output).unwrap();
    let id = added["id"].as_str().unwrap();
    assert_eq!(added["state"], "good");
    assert!(ask("list", &[]).output.contains(id));
    assert_eq!(ask("get", &[id, "--raw"]).output, document.to_string());
    assert_eq!(ask("revoke", &[id]).code, Some(0));
    let again = ask("add", &[&file]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.errors.contains("is revoked"), "{}", again.errors);
    let history = ask("history", &[]);
    assert_eq!(history.output.lines().count(), 2, "{history:?}");
}
