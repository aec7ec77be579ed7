//! A certificate authority and a log of the test's own, in the shapes of Sigstore's.

use data_encoding::{BASE64, HEXLOWER};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, SanType,
};
use serde_json::{Value, json};

use super::*;
use crate::audit::merkle;
use crate::plugin::package::sha256;
use crate::plugin::signature::key::SigningKey;
use crate::secret::Secret;

mod stamps;

const COMPONENT: &[u8] = b"component";
/// 2026-01-02T03:04:05Z
const AT: u64 = 1_767_323_045;
const ISSUER: &str = "https://issuer.example";
const SUBJECT: &str = "https://example.com/acme/plugin/.github/workflows/release.yml@refs/tags/v1";

struct Sigstore {
    authority: CertifiedIssuer<'static, KeyPair>,
    log: SigningKey,
    log_spki: Vec<u8>,
}

fn signing(pair: &KeyPair) -> SigningKey {
    SigningKey::read(&Secret::new(pair.serialize_pem().into_bytes())).unwrap()
}

/// An authority, which may have so many below it, from so long before [`AT`] to so long after.
fn ca(name: &str, below: u8, (before, after): (i64, i64)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    around(&mut params, before, after);
    params
}

/// From so many seconds before [`AT`] to so many after.
fn around(params: &mut CertificateParams, before: i64, after: i64) {
    let at = time::OffsetDateTime::from_unix_timestamp(i64::try_from(AT).unwrap()).unwrap();
    params.not_before = at - time::Duration::seconds(before);
    params.not_after = at + time::Duration::seconds(after);
}

impl Sigstore {
    fn new() -> Self {
        Self::of(ca("sigstore", 0, (86_400, 86_400)))
    }

    fn of(authority: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(authority, key).unwrap();
        let log = KeyPair::generate().unwrap();
        let log_spki = rcgen::PublicKeyData::subject_public_key_info(&log);
        Self { authority, log: signing(&log), log_spki }
    }

    fn root(&self) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64.encode(&self.log_spki),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": { "start": "2021-01-12T11:53:27Z" },
                },
                "logId": { "keyId": BASE64.encode(&sha256(&self.log_spki)) },
            }],
            "certificateAuthorities": [{
                "certChain": { "certificates": [{ "rawBytes": BASE64.encode(self.authority.der()) }] },
                "validFor": { "start": "2022-04-13T20:06:15Z" },
            }],
        })
    }

    /// The same with a log of certificates, of this key.
    fn root_with(&self, log: &KeyPair) -> Value {
        let spki = rcgen::PublicKeyData::subject_public_key_info(log);
        let mut root = self.root();
        root["ctlogs"] = json!([{
            "publicKey": { "rawBytes": BASE64.encode(&spki),
                "validFor": { "start": "2022-10-20T00:00:00Z" } },
            "logId": { "keyId": BASE64.encode(&sha256(&spki)) },
        }]);
        root
    }

    /// A leaf that this log took in: once without its timestamp, which is what the log signs, and once
    /// with it, changed.
    fn logged(&self, log: &KeyPair, change: impl Fn(&mut Vec<u8>)) -> (Vec<u8>, SigningKey) {
        self.logged_with(log, b"", (0, b""), change)
    }

    /// The same with these extensions, behind so many timestamps that say nothing, and before these bytes.
    fn logged_with(
        &self,
        log: &KeyPair,
        extensions: &[u8],
        (before, behind): (usize, &[u8]),
        change: impl Fn(&mut Vec<u8>),
    ) -> (Vec<u8>, SigningKey) {
        let pair = KeyPair::generate().unwrap();
        let leaf = |list: Option<Vec<u8>>| {
            let (mut params, _) = self.params();
            params.serial_number = Some(vec![7; 16].into());
            let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
            let list = list.map(|list| CustomExtension::from_oid_content(&oid, list));
            params.custom_extensions.extend(list);
            params.signed_by(&pair, &self.authority).unwrap().der().to_vec()
        };
        let precertificate = Certificate::parse(&leaf(None)).unwrap();
        let issuer = Certificate::parse(self.authority.der()).unwrap();
        let length = u32::try_from(precertificate.tbs().len()).unwrap().to_be_bytes();
        let at = (AT * 1_000 - 5).to_be_bytes();
        let vector =
            |inner: &[u8]| [&u16::try_from(inner.len()).unwrap().to_be_bytes()[..], inner].concat();
        let extensions = vector(extensions);
        let signed = [
            &[0, 0][..],
            &at,
            &[0, 1],
            &sha256(issuer.spki().unwrap()),
            &length[1..],
            precertificate.tbs(),
            &extensions,
        ];
        let signature = signing(log).signature(&signed.concat()).unwrap();
        let id = sha256(&rcgen::PublicKeyData::subject_public_key_info(log));
        let mut sct = [&[0][..], &id, &at, &extensions, &[4, 3], &vector(&signature)].concat();
        let empty = [&[0][..], &[7; 32], &at, &[0, 0], &[4, 3], &[0, 0]].concat();
        let empty = vector(&empty).repeat(before);
        change(&mut sct);
        let list = vector(&[empty, vector(&sct)].concat());
        let list = sct::element(der::tag::OCTET_STRING, &[&list[..], behind].concat());
        (leaf(Some(list)), signing(&pair))
    }

    fn trusted(&self) -> TrustedRoot {
        TrustedRoot::parse(self.root().to_string().as_bytes()).unwrap()
    }

    fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, SigningKey) {
        let (mut params, pair) = self.params();
        change(&mut params);
        let leaf = params.signed_by(&pair, &self.authority).unwrap();
        (leaf.der().to_vec(), signing(&pair))
    }

    fn params(&self) -> (CertificateParams, KeyPair) {
        let pair = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.subject_alt_names = vec![SanType::URI(SUBJECT.try_into().unwrap())];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let issuer = crate::simulated::der::utf8(ISSUER);
        let oid = [1, 3, 6, 1, 4, 1, 57264, 1, 8];
        params.custom_extensions = vec![CustomExtension::from_oid_content(&oid, issuer)];
        around(&mut params, 3_600, 600);
        (params, pair)
    }

    /// What cosign would write, with everything in it that is looked at.
    fn bundle(&self, leaf: &[u8], signature: &[u8]) -> Value {
        self.entered(leaf, signature, |_| (), |note| note)
    }

    /// The same, of a log that took in another body, or signed another checkpoint.
    fn entered(
        &self,
        leaf: &[u8],
        signature: &[u8],
        change: impl Fn(&mut Value),
        noting: impl Fn(String) -> String,
    ) -> Value {
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            BASE64.encode(leaf)
        );
        let mut body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": { "algorithm": "sha256", "value": HEXLOWER.encode(&sha256(COMPONENT)) } },
                "signature": {
                    "content": BASE64.encode(signature),
                    "publicKey": { "content": BASE64.encode(pem.as_bytes()) },
                },
            },
        });
        change(&mut body);
        let body = body.to_string();
        let entries = [b"one".as_slice(), body.as_bytes(), b"three"];
        let leaves: Vec<_> = entries.iter().map(|entry| merkle::leaf(entry)).collect();
        let root = BASE64.encode(&merkle::root(&leaves));
        let path = merkle::inclusion(&leaves, 1).unwrap();
        let id = sha256(&self.log_spki);
        let body = BASE64.encode(body.as_bytes());
        let promised = format!(
            r#"{{"body":"{body}","integratedTime":{AT},"logID":"{}","logIndex":41}}"#,
            HEXLOWER.encode(&id)
        );
        let promise = self.log.signature(promised.as_bytes()).unwrap();
        let note = noting(format!("log.example - 1\n3\n{root}\n"));
        let noted = [&id[..4], &self.log.signature(note.as_bytes()).unwrap()].concat();
        let note = format!("{note}\n\u{2014} log.example {}\n", BASE64.encode(&noted));
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": { "rawBytes": BASE64.encode(leaf) },
                "tlogEntries": [{
                    "logIndex": "41",
                    "logId": { "keyId": BASE64.encode(&id) },
                    "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
                    "integratedTime": AT.to_string(),
                    "inclusionPromise": { "signedEntryTimestamp": BASE64.encode(&promise) },
                    "inclusionProof": {
                        "logIndex": "1",
                        "rootHash": root,
                        "treeSize": "3",
                        "hashes": path.iter().map(|hash| BASE64.encode(hash)).collect::<Vec<_>>(),
                        "checkpoint": { "envelope": note },
                    },
                    "canonicalizedBody": body,
                }],
            },
            "messageSignature": {
                "messageDigest": { "algorithm": "SHA2_256", "digest": BASE64.encode(&sha256(COMPONENT)) },
                "signature": BASE64.encode(signature),
            },
        })
    }

    fn signed(&self) -> Value {
        let (leaf, key) = self.leaf(|_| {});
        self.bundle(&leaf, &key.signature(COMPONENT).unwrap())
    }
}

fn outcome(root: &TrustedRoot, bundle: &Value) -> Result<Identity, Doubt> {
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
    root.signer(&bundle, COMPONENT, &sha256(COMPONENT))
}

/// What is wrong, in words.
#[track_caller]
fn doubt(root: &TrustedRoot, bundle: &Value) -> String {
    outcome(root, bundle).unwrap_err().to_string()
}

#[test]
fn a_bundle_names_who_signed() {
    let sigstore = Sigstore::new();
    let identity = Identity { issuer: ISSUER.to_owned(), subject: SUBJECT.to_owned() };
    assert_eq!(outcome(&sigstore.trusted(), &sigstore.signed()), Ok(identity));
}

// attack 48
#[test]
fn a_bundle_of_another_authority_or_log_is_nobodys() {
    let (sigstore, other) = (Sigstore::new(), Sigstore::new());
    let bundle = other.signed();
    assert!(doubt(&sigstore.trusted(), &bundle).contains("not in the trusted root"));
    // The log is believed, the authority is not.
    let mut mixed = other.root();
    mixed["certificateAuthorities"] = sigstore.root()["certificateAuthorities"].clone();
    let mixed = TrustedRoot::parse(mixed.to_string().as_bytes()).unwrap();
    assert!(doubt(&mixed, &bundle).contains("no authority of the trusted root"));
    // The log's key is replaced under its identifier.
    let mut forged = other.root();
    forged["tlogs"][0]["publicKey"] = sigstore.root()["tlogs"][0]["publicKey"].clone();
    let forged = TrustedRoot::parse(forged.to_string().as_bytes()).unwrap();
    assert!(doubt(&forged, &bundle).contains("promise does not hold"));
    // An authority or a log that was good at another time.
    for place in ["/tlogs/0/publicKey/validFor", "/certificateAuthorities/0/validFor"] {
        let mut late = other.root();
        *late.pointer_mut(place).unwrap() = json!({ "start": "2026-01-03T00:00:00Z" });
        assert!(
            outcome(&TrustedRoot::parse(late.to_string().as_bytes()).unwrap(), &bundle).is_err()
        );
        let mut over = other.root();
        *over.pointer_mut(place).unwrap() = json!({ "end": "2026-01-01T00:00:00Z" });
        assert!(
            outcome(&TrustedRoot::parse(over.to_string().as_bytes()).unwrap(), &bundle).is_err()
        );
    }
}

// attack 48
#[test]
fn an_authority_that_is_over_or_has_too_many_below_it_is_none() {
    const DAY: (i64, i64) = (86_400, 86_400);
    for (valid, wanted) in [((86_400, -60), "valid until"), ((-60, 86_400), "valid from")] {
        let sigstore = Sigstore::of(ca("over", 0, valid));
        assert!(doubt(&sigstore.trusted(), &sigstore.signed()).contains(wanted), "{valid:?}");
    }
    for (above, below, valid, counts) in [
        (1, 0, DAY, true),
        (0, 0, DAY, false),
        (1, 0, (86_400, -60), false),
        (1, 0, (-60, 86_400), false),
    ] {
        let root = Sigstore::of(ca("root", above, valid));
        let mut sigstore = Sigstore::new();
        let (params, key) = (ca("between", below, DAY), KeyPair::generate().unwrap());
        sigstore.authority = CertifiedIssuer::signed_by(params, key, &root.authority).unwrap();
        let mut trusted = sigstore.root();
        let chain = &mut trusted["certificateAuthorities"][0]["certChain"]["certificates"];
        let top = json!({ "rawBytes": BASE64.encode(root.authority.der()) });
        chain.as_array_mut().unwrap().insert(0, top);
        let trusted = TrustedRoot::parse(trusted.to_string().as_bytes()).unwrap();
        let outcome = outcome(&trusted, &sigstore.signed());
        assert_eq!(outcome.is_ok(), counts, "{above} {valid:?}: {outcome:?}");
    }
}

// attack 48
#[test]
fn a_certificate_that_is_over_or_not_for_signing_or_names_nobody_is_no_signers() {
    let sigstore = Sigstore::new();
    let root = sigstore.trusted();
    let with = |change: fn(&mut CertificateParams)| {
        let (leaf, key) = sigstore.leaf(change);
        doubt(&root, &sigstore.bundle(&leaf, &key.signature(COMPONENT).unwrap()))
    };
    assert!(with(|leaf| around(leaf, 3_600, -60)).contains("valid until"));
    assert!(with(|leaf| around(leaf, -60, 3_600)).contains("valid from"));
    assert!(with(|leaf| leaf.extended_key_usages.clear()).contains("not for signing code"));
    let server = |leaf: &mut CertificateParams| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert!(with(server).contains("not for signing code"));
    assert!(
        with(|leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0))).contains("authority")
    );
    assert!(with(|leaf| leaf.custom_extensions.clear()).contains("who vouched"));
    assert!(with(|leaf| leaf.subject_alt_names.clear()).contains("names nobody"));
    let two = |leaf: &mut CertificateParams| {
        leaf.subject_alt_names.push(SanType::URI("https://b.example".try_into().unwrap()));
    };
    assert!(with(two).contains("one address or URI"));
}

// attack 48
#[test]
fn nothing_in_a_bundle_can_be_changed_or_left_out() {
    let sigstore = Sigstore::new();
    let root = sigstore.trusted();
    let (sound, other) = (sigstore.signed(), sigstore.signed());
    const ENTRY: &str = "/verificationMaterial/tlogEntries/0";
    // Parts of a second sound bundle in the place of this one's.
    for place in [
        "/verificationMaterial/certificate".to_owned(),
        ENTRY.to_owned(),
        "/messageSignature/signature".to_owned(),
        format!("{ENTRY}/inclusionPromise"),
        format!("{ENTRY}/inclusionProof"),
        format!("{ENTRY}/canonicalizedBody"),
    ] {
        let mut mixed = sound.clone();
        *mixed.pointer_mut(&place).unwrap() = other.pointer(&place).unwrap().clone();
        assert!(outcome(&root, &mixed).is_err(), "{place}");
    }
    for (place, value) in [
        ("/integratedTime", json!((AT + 1).to_string())),
        ("/logIndex", json!("42")),
        ("/inclusionProof/logIndex", json!("2")),
        ("/inclusionProof/treeSize", json!("4")),
        ("/inclusionProof/hashes", json!([])),
        ("/kindVersion/kind", json!("dsse")),
        ("/inclusionProof/checkpoint/envelope", json!("log.example - 1\n3\nAAAA\n\n")),
    ] {
        let mut changed = sound.clone();
        *changed.pointer_mut(&format!("{ENTRY}{place}")).unwrap() = value;
        assert!(outcome(&root, &changed).is_err(), "{place}");
    }
    for left_out in ["inclusionPromise", "inclusionProof", "integratedTime"] {
        let mut without = sound.clone();
        let entry = without.pointer_mut(ENTRY).unwrap().as_object_mut().unwrap();
        entry.remove(left_out);
        assert!(doubt(&root, &without).contains("no log entry holds"), "{left_out}");
    }
    let mut without = sound.clone();
    without["verificationMaterial"]["tlogEntries"] = json!([]);
    assert!(doubt(&root, &without).contains("there is none"));
    // The same, of other bytes.
    let bundle = Bundle::parse(sound.to_string().as_bytes()).unwrap();
    assert_eq!(root.signer(&bundle, b"other", &sha256(b"other")), Err(Doubt::Digest));
}

/// The log signed it all, so that promise, proof and checkpoint hold.
// attack 48
#[test]
fn what_the_log_took_in_must_be_this_signature_and_its_tree_the_one_that_is_proven() {
    let sigstore = Sigstore::new();
    let (leaf, key) = sigstore.leaf(|_| {});
    let (other, _) = sigstore.leaf(|_| {});
    let signature = key.signature(COMPONENT).unwrap();
    let pem = |leaf: &[u8]| {
        let text = BASE64.encode(leaf);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        json!(BASE64.encode(pem.as_bytes()))
    };
    for (place, value, wanted) in [
        ("/apiVersion", json!("0.0.2"), "another kind"),
        ("/kind", json!("rekord"), "another kind"),
        ("/spec/data/hash/algorithm", json!("sha512"), "other bytes"),
        ("/spec/data/hash/value", json!(HEXLOWER.encode(&sha256(b"other"))), "other bytes"),
        ("/spec/signature/content", json!("AAAA"), "another signature"),
        ("/spec/signature/publicKey/content", pem(&other), "another certificate"),
    ] {
        let change = |body: &mut Value| *body.pointer_mut(place).unwrap() = value.clone();
        let bundle = sigstore.entered(&leaf, &signature, change, |note| note);
        let why = doubt(&sigstore.trusted(), &bundle);
        assert!(why.contains(wanted), "{place}: {why}");
    }
    let noted = |noting: fn(String) -> String| {
        outcome(&sigstore.trusted(), &sigstore.entered(&leaf, &signature, |_| (), noting))
    };
    assert!(noted(|note| note).is_ok());
    assert!(noted(|note| note + "another line\n").is_ok());
    let another_root = |note: String| {
        let mut lines: Vec<_> = note.lines().map(str::to_owned).collect();
        lines[2] = BASE64.encode(&[7; 32]);
        lines.join("\n") + "\n"
    };
    for (what, noting) in [
        ("size", (|note| note.replace("\n3\n", "\n4\n")) as fn(String) -> String),
        ("root", another_root),
        ("neither", |_| "log.example - 1\n".to_owned()),
    ] {
        let why = noted(noting).unwrap_err().to_string();
        assert!(why.contains("of another tree"), "{what}: {why}");
    }
    // Under the name of another key, and a proof longer than that of any log.
    let sound = sigstore.bundle(&leaf, &signature);
    const PROOF: &str = "/verificationMaterial/tlogEntries/0/inclusionProof";
    let mut renamed = sound.clone();
    let envelope = renamed.pointer_mut(&format!("{PROOF}/checkpoint/envelope")).unwrap();
    let (text, line) = envelope.as_str().unwrap().rsplit_once(' ').unwrap();
    let mut signature = BASE64.decode(line.trim().as_bytes()).unwrap();
    signature[0] ^= 1;
    *envelope = json!(format!("{text} {}\n", BASE64.encode(&signature)));
    assert!(doubt(&sigstore.trusted(), &renamed).contains("not signed by the log"));
    let mut long = sound;
    *long.pointer_mut(&format!("{PROOF}/hashes")).unwrap() =
        json!(vec![BASE64.encode(&[7; 32]); 64]);
    assert!(doubt(&sigstore.trusted(), &long).contains("too long"));
}

// attack 48
#[test]
fn a_signature_by_another_key_than_the_certificates_does_not_hold() {
    let sigstore = Sigstore::new();
    let (leaf, _) = sigstore.leaf(|_| {});
    let (_, other) = sigstore.leaf(|_| {});
    let bundle = sigstore.bundle(&leaf, &other.signature(COMPONENT).unwrap());
    assert_eq!(outcome(&sigstore.trusted(), &bundle), Err(Doubt::Signature));
}

// attack 48
#[test]
fn a_certificate_that_no_log_vouches_for_is_none_where_logs_are_listed() {
    let sigstore = Sigstore::new();
    let (log, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let with =
        |log: &KeyPair| TrustedRoot::parse(sigstore.root_with(log).to_string().as_bytes()).unwrap();
    let bundle = |(leaf, key): (Vec<u8>, SigningKey)| {
        sigstore.bundle(&leaf, &key.signature(COMPONENT).unwrap())
    };
    let sound = bundle(sigstore.logged(&log, |_| ()));
    assert!(outcome(&with(&log), &sound).is_ok());
    // A root that lists none does not ask.
    assert!(outcome(&sigstore.trusted(), &sound).is_ok());
    assert!(doubt(&with(&other), &sound).contains("not in the trusted root"));
    let without = bundle(sigstore.leaf(|_| ()));
    assert!(doubt(&with(&log), &without).contains("no timestamp of a certificate log"));
    // Version, log, time, extensions, algorithm, signature.
    for place in [0, 1, 40, 42, 43, 44, 50] {
        let changed = bundle(sigstore.logged(&log, |sct| sct[place] ^= 1));
        assert!(outcome(&with(&log), &changed).is_err(), "{place}");
    }
    let longer = bundle(sigstore.logged(&log, |sct| sct.push(0)));
    assert!(outcome(&with(&log), &longer).is_err());
    // Its extensions are signed.
    let extended = bundle(sigstore.logged_with(&log, b"more", (0, b""), |_| ()));
    assert!(outcome(&with(&log), &extended).is_ok());
    let other = bundle(sigstore.logged_with(&log, b"more", (0, b""), |sct| sct[44] ^= 1));
    assert!(doubt(&with(&log), &other).contains("does not hold"));
    // One of several is enough; not all of very many are looked at.
    for (before, counts) in [(7, true), (8, false)] {
        let behind = bundle(sigstore.logged_with(&log, b"", (before, b""), |_| ()));
        assert_eq!(outcome(&with(&log), &behind).is_ok(), counts, "{before}");
    }
    let behind = bundle(sigstore.logged_with(&log, b"", (0, b"x"), |_| ()));
    assert!(doubt(&with(&log), &behind).contains("cannot be read"));
    // What is said wrongly is not read: another version, another algorithm.
    let said =
        |place: usize| doubt(&with(&log), &bundle(sigstore.logged(&log, |sct| sct[place] ^= 1)));
    assert!(said(0).contains("cannot be read") && said(43).contains("another algorithm"));
    // A log that is listed and cannot be read is still one that is wanted.
    let mut root = sigstore.root_with(&log);
    root["ctlogs"][0]["publicKey"]["rawBytes"] = json!("AAAA");
    let unread = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
    assert!(outcome(&unread, &sound).is_err());
}
