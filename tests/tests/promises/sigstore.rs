//! A genuine bundle of Sigstore's public service, as cosign wrote it, verified offline: it holds as it is,
//! and nothing in it can be changed. It ships, with the file that it signs and the trusted root, among
//! the test data of the crates `sigstore-verify` and `sigstore-trust-root`; only those files are read.

use claviger::plugin::signature::Bundle;
use claviger::plugin::signature::sigstore::{Doubt, Identity, TrustedRoot};
use claviger_tests::crates::sources;
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The production root of 2025, in the crate `sigstore-trust-root`.
const ROOT: &str = "6494e21ea73fa7ee769f85f57d5a3e6a08725eae1e38c755fc3517c9e6bc0b66";

/// A file of the crate `sigstore-verify`, with its digest.
type Listed = (&'static str, &'static str);

const SIGNED: Listed = (
    "bundles/cosign-v3-blob.txt",
    "e194b99df6639501325c5f44da79fe3a8efae6f239bd79443a19787e06fb1764",
);
const BUNDLE: Listed = (
    "bundles/cosign-v3-blob.sigstore.json",
    "f7afd1c87706839b6ac19974ce23e47c4988c22807791e8257734202308923ec",
);

/// What the public service's staging instance made with a log of Rekor's second version; its root.
const STAGING: [Listed; 3] = [
    (
        "upstream/sigstore-python/staging-rekor-v2.txt",
        "15f67246115921bb7c1de0e7e9e9275c8016dc254a0c009888944b7ed3644aaa",
    ),
    (
        "upstream/sigstore-python/staging-rekor-v2.txt.sigstore.json",
        "da456609abfaaf8f088bc52c8d365127e4651f70f09e31a260a84fb73c8f7a67",
    ),
    (
        "sct-multi-intermediate/staging_trusted_root.json",
        "44deb991d4bbf2150751ccee235d9810bce4434383c26d8898c1bcadbace6ed8",
    ),
];

/// Of the same instance, with a timestamp of the same authority's.
const ANOTHER: Listed = (
    "upstream/sigstore-python/a.dsse.staging-rekor-v2.txt.sigstore.json",
    "56e79ba9f94a34aba285769574c456601f38beeaa48a3acb67f8d5db706f9420",
);

const UNLOGGED: [Listed; 2] = [
    (
        "invalid-ct-key_fail/bundle.sigstore.json",
        "1dfecc13bda3c8049b2ba3936ff519b1c0e983857dd2afd476c85524acb6019f",
    ),
    (
        "invalid-ct-key_fail/trusted_root.json",
        "f779f7740f789f7aeb2a9df5bb742e34dbef4ec9ef515a992651a571413e13c4",
    ),
];

/// A bundle, what it signs, and the root.
struct Genuine {
    signed: Vec<u8>,
    bundle: Value,
    root: Value,
}

fn file((path, digest): Listed) -> Option<Vec<u8>> {
    let bytes = std::fs::read(sources("sigstore-verify", "0.15.1")?.join("test_data").join(path));
    let bytes = bytes.unwrap();
    assert_eq!(HEXLOWER.encode(&Sha256::digest(&bytes)), digest, "{path}");
    Some(bytes)
}

fn document(listed: Listed) -> Option<Value> {
    file(listed).map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

impl Genuine {
    fn fetched() -> Option<Self> {
        let (signed, bundle) = (file(SIGNED)?, document(BUNDLE)?);
        let root = sources("sigstore-trust-root", "0.15.1")?.join("src/trusted_root.json");
        let root = std::fs::read(root).unwrap();
        assert_eq!(HEXLOWER.encode(&Sha256::digest(&root)), ROOT);
        Some(Self { signed, bundle, root: serde_json::from_slice(&root).unwrap() })
    }

    /// Of a log of the second version.
    fn staging() -> Option<Self> {
        let [signed, bundle, root] = STAGING;
        Some(Self { signed: file(signed)?, bundle: document(bundle)?, root: document(root)? })
    }

    fn signer(&self, root: &Value, bundle: &Value) -> Result<Identity, Doubt> {
        let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
        let Ok(bundle) = Bundle::parse(bundle.to_string().as_bytes()) else {
            return Err(Doubt::NoCertificate);
        };
        root.signer(&bundle, &self.signed, &Sha256::digest(&self.signed).into())
    }

    fn doubt(&self, root: &Value, bundle: &Value) -> String {
        self.signer(root, bundle).unwrap_err().to_string()
    }
}

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
const STAMP: &str =
    "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp";

/// The document with one bit of the bytes at this place flipped, which stand there in base64.
fn flipped(document: &Value, pointer: &str, at: usize) -> Value {
    let mut flipped = document.clone();
    let place = flipped.pointer_mut(pointer).unwrap();
    let mut bytes = BASE64.decode(place.as_str().unwrap().as_bytes()).unwrap();
    bytes[at] ^= 1;
    *place = json!(BASE64.encode(&bytes));
    flipped
}

fn length(document: &Value, pointer: &str) -> usize {
    let text = document.pointer(pointer).unwrap().as_str().unwrap();
    BASE64.decode(text.as_bytes()).unwrap().len()
}

// attack 48
#[test]
fn a_genuine_bundle_holds_and_names_its_signer() {
    let Some(genuine) = Genuine::fetched() else { return };
    let identity = genuine.signer(&genuine.root, &genuine.bundle).unwrap();
    let subject = "w.vollprecht@gmail.com".to_owned();
    assert_eq!(identity, Identity { issuer: "https://github.com/login/oauth".into(), subject });
    // It is about these bytes and no others.
    let root = TrustedRoot::parse(genuine.root.to_string().as_bytes()).unwrap();
    let bundle = Bundle::parse(genuine.bundle.to_string().as_bytes()).unwrap();
    let digest = Sha256::digest(&genuine.signed).into();
    assert_eq!(
        root.signer(&bundle, b"other", &Sha256::digest(b"other").into()),
        Err(Doubt::Digest)
    );
    assert_eq!(root.signer(&bundle, b"other", &digest), Err(Doubt::Signature));
}

// attacks 16 and 48
#[test]
fn nothing_in_a_genuine_bundle_can_be_changed() {
    let Some(genuine) = Genuine::fetched() else { return };
    let (root, bundle) = (&genuine.root, &genuine.bundle);
    let refused = |changed: &Value, what: &str| {
        assert!(genuine.signer(root, changed).is_err(), "{what}");
    };
    let mut places: Vec<String> = [
        "/verificationMaterial/certificate/rawBytes",
        "/messageSignature/signature",
        "/messageSignature/messageDigest/digest",
    ]
    .map(str::to_owned)
    .into();
    for inner in [
        "logId/keyId",
        "inclusionPromise/signedEntryTimestamp",
        "inclusionProof/rootHash",
        "canonicalizedBody",
    ] {
        places.push(format!("{ENTRY}/{inner}"));
    }
    let hashes = bundle.pointer(&format!("{ENTRY}/inclusionProof/hashes")).unwrap();
    for number in 0..hashes.as_array().unwrap().len() {
        places.push(format!("{ENTRY}/inclusionProof/hashes/{number}"));
    }
    for place in &places {
        let length = length(bundle, place);
        for at in (0..length).step_by(1 + length / 24).chain([length - 1]) {
            refused(&flipped(bundle, place, at), &format!("{place}, byte {at}"));
        }
    }
    for (place, value) in [
        ("logIndex", json!("1")),
        ("integratedTime", json!("1764787004")),
        ("inclusionProof/logIndex", json!("1")),
        ("inclusionProof/treeSize", json!("2")),
    ] {
        let mut changed = bundle.clone();
        *changed.pointer_mut(&format!("{ENTRY}/{place}")).unwrap() = value;
        refused(&changed, place);
    }
    let mut changed = bundle.clone();
    let note = changed.pointer_mut(&format!("{ENTRY}/inclusionProof/checkpoint/envelope")).unwrap();
    *note = json!(note.as_str().unwrap().replacen('2', "3", 1));
    refused(&changed, "checkpoint");
}

// attacks 16 and 48
#[test]
fn an_entry_of_a_log_of_the_second_version_holds_with_a_timestamp_and_unchanged() {
    let Some(genuine) = Genuine::staging() else { return };
    let (root, bundle) = (&genuine.root, &genuine.bundle);
    let identity = genuine.signer(root, bundle).unwrap();
    let subject = "jku@goto.fi".to_owned();
    assert_eq!(identity, Identity { issuer: "https://github.com/login/oauth".into(), subject });
    let refused = |changed: &Value, what: &str| {
        assert!(genuine.signer(root, changed).is_err(), "{what}");
    };
    for place in ["logId/keyId", "inclusionProof/rootHash", "canonicalizedBody"] {
        let place = format!("{ENTRY}/{place}");
        for at in (0..length(bundle, &place)).step_by(31) {
            refused(&flipped(bundle, &place, at), &format!("{place}, byte {at}"));
        }
    }
    for (place, value) in [
        ("inclusionProof/logIndex", json!("644")),
        ("inclusionProof/treeSize", json!("647")),
        ("kindVersion/version", json!("0.0.1")),
        ("kindVersion/version", json!("0.0.3")),
        ("kindVersion/kind", json!("dsse")),
    ] {
        let mut changed = bundle.clone();
        *changed.pointer_mut(&format!("{ENTRY}/{place}")).unwrap() = value;
        refused(&changed, place);
    }
    // Such a log tells no time, so that somebody else must; and the log must have been good then.
    let mut unstamped = bundle.clone();
    let material = unstamped["verificationMaterial"].as_object_mut().unwrap();
    material.remove("timestampVerificationData");
    assert!(genuine.doubt(root, &unstamped).contains("nobody else saw it"));
    // Of another signature it tells nothing.
    let Some(another) = document(ANOTHER) else { return };
    let mut restamped = bundle.clone();
    *restamped.pointer_mut(STAMP).unwrap() = another.pointer(STAMP).unwrap().clone();
    assert!(genuine.doubt(root, &restamped).contains("of another signature"));
    let mut over = root.clone();
    over["tlogs"][1]["publicKey"]["validFor"]["end"] = json!("2025-06-09T11:57:00Z");
    assert!(genuine.doubt(&over, bundle).contains("not in the trusted root"));
    // The body is read by what the log signed, digest and signature and certificate of it.
    let place = format!("{ENTRY}/canonicalizedBody");
    let body = bundle.pointer(&place).unwrap().as_str().unwrap();
    let body: Value = serde_json::from_slice(&BASE64.decode(body.as_bytes()).unwrap()).unwrap();
    let record = "/spec/hashedRekordV002";
    for (inner, value) in [
        ("data/algorithm", json!("SHA2_512")),
        ("data/digest", json!(BASE64.encode(&[1; 32]))),
        ("signature/content", json!("AAAA")),
        ("signature/verifier/x509Certificate/rawBytes", json!("AAAA")),
        ("signature/verifier", json!({"publicKey": {"rawBytes": "AAAA"}})),
    ] {
        let mut other = body.clone();
        *other.pointer_mut(&format!("{record}/{inner}")).unwrap() = value;
        let mut changed = bundle.clone();
        *changed.pointer_mut(&place).unwrap() = json!(BASE64.encode(other.to_string().as_bytes()));
        // Before the proof is looked at, which would not hold either.
        let doubt = genuine.doubt(root, &changed);
        assert!(!doubt.contains("proof"), "{inner}: {doubt}");
    }
}

// attack 48
#[test]
fn a_genuine_certificate_counts_only_where_a_listed_log_took_it_in() {
    let Some(genuine) = Genuine::fetched() else { return };
    // The log that took it in is taken off the list; the older one does not vouch for it.
    let mut root = genuine.root.clone();
    root["ctlogs"].as_array_mut().unwrap().remove(1);
    let doubt = genuine.doubt(&root, &genuine.bundle);
    assert!(doubt.contains("certificate log is not in the trusted root"), "{doubt}");
    // Its time is over before.
    let mut root = genuine.root.clone();
    root["ctlogs"][1]["publicKey"]["validFor"]["end"] = json!("2025-12-03T18:36:41Z");
    assert!(genuine.doubt(&root, &genuine.bundle).contains("certificate log"));
    // Another log under its name.
    let mut root = genuine.root.clone();
    root["ctlogs"][1]["publicKey"]["rawBytes"] = root["tlogs"][0]["publicKey"]["rawBytes"].clone();
    assert!(genuine.doubt(&root, &genuine.bundle).contains("does not hold"));
    // A root that lists none is the operator's own word, and said aloud.
    let mut root = genuine.root.clone();
    root.as_object_mut().unwrap().remove("ctlogs");
    assert!(genuine.signer(&root, &genuine.bundle).is_ok());
    // A case of Sigstore's own conformance tests: the log's key is another.
    let [Some(bundle), Some(root)] = UNLOGGED.map(document) else { return };
    let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
    let text = bundle.to_string();
    let bundle = Bundle::parse(text.as_bytes()).unwrap();
    let digest = "a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf";
    let digest: [u8; 32] = HEXLOWER.decode(digest.as_bytes()).unwrap().try_into().unwrap();
    let refused = root.signer(&bundle, b"whatever it signs", &digest).unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

// attack 48
#[test]
fn the_log_or_a_timestamp_authority_tells_the_time_and_what_is_told_must_hold() {
    let Some(genuine) = Genuine::fetched() else { return };
    let (root, bundle) = (&genuine.root, &genuine.bundle);
    // Without the log's promise the timestamp is enough.
    let mut unpromised = bundle.clone();
    let entry = unpromised.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap();
    entry.remove("inclusionPromise");
    entry.remove("integratedTime");
    assert!(genuine.signer(root, &unpromised).is_ok());
    // And without a timestamp the promise; without both nobody tells the time.
    let without = |document: &Value| {
        let mut without = document.clone();
        let material = without["verificationMaterial"].as_object_mut().unwrap();
        material.remove("timestampVerificationData");
        without
    };
    assert!(genuine.signer(root, &without(bundle)).is_ok());
    assert!(genuine.doubt(root, &without(&unpromised)).contains("nobody else saw it"));
    // No timestamp counts whose authority is not listed.
    let mut unlisted = root.clone();
    unlisted.as_object_mut().unwrap().remove("timestampAuthorities");
    assert!(genuine.signer(&unlisted, bundle).is_ok());
    assert!(genuine.signer(&unlisted, &unpromised).is_err());
    for (member, moment) in [("end", "2025-12-03T18:36:41Z"), ("start", "2025-12-03T18:36:43Z")] {
        let mut over = root.clone();
        over["timestampAuthorities"][0]["validFor"][member] = json!(moment);
        assert!(genuine.doubt(&over, &unpromised).contains("timestamp"), "{member}");
        assert!(genuine.signer(&over, bundle).is_ok(), "{member}");
    }
    // Its parts, by what they are: imprint, time, digest of both, signature.
    let stamp = bundle.pointer(STAMP).unwrap().as_str().unwrap();
    let stamp = BASE64.decode(stamp.as_bytes()).unwrap();
    let signature = bundle["messageSignature"]["signature"].as_str().unwrap();
    let signature = BASE64.decode(signature.as_bytes()).unwrap();
    let find = |part: &[u8]| stamp.windows(part.len()).position(|window| window == part).unwrap();
    let imprint = find(&Sha256::digest(&signature));
    let time = find(b"20251203183642Z") + 13;
    for at in [imprint, imprint + 31, time, 421 + 3, stamp.len() - 1, 348 + 5] {
        let doubt = genuine.doubt(root, &flipped(&unpromised, STAMP, at));
        assert!(doubt.contains("timestamp"), "byte {at}: {doubt}");
        // The promise tells the time without it, and must hold itself.
        let flipped_stamp = flipped(bundle, STAMP, at);
        assert!(genuine.signer(root, &flipped_stamp).is_ok(), "byte {at}");
        let promise = format!("{ENTRY}/inclusionPromise/signedEntryTimestamp");
        assert!(genuine.signer(root, &flipped(bundle, &promise, 20)).is_err());
    }
    // A timestamp of another signature.
    let mut other = unpromised.clone();
    other["messageSignature"]["signature"] = json!(BASE64.encode(b"another"));
    assert!(genuine.signer(root, &other).is_err());
}
