//! Timestamps by an authority of the test's own (RFC 3161), with one thing about them wrong.

use super::*;
use crate::quote::der::{self, tag};
use sct::element;

const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
/// Nothing that is known.
const OTHER: &str = "1.2.3.4";
const SHA256: &str = "2.16.840.1.101.3.4.2.1";

const SIGNATURE: &[u8] = b"a signature";

/// What is wrong, how it comes about, and what is said of it.
type Case<T> = (&'static str, fn(&mut T), &'static str);

/// A timestamp before it is written.
struct Stamp {
    status: u8,
    signed_data: &'static str,
    content: &'static str,
    version: u8,
    about: Vec<u8>,
    time: String,
    /// Before what the attributes should be: further ones, by their names and values.
    before: Vec<(&'static str, Vec<u8>)>,
    /// The attributes that should be there.
    typed: Option<&'static str>,
    digested: Option<Vec<u8>>,
    /// Behind the signer's certificate.
    certificates: Vec<u8>,
    by: SigningKey,
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag::SEQUENCE, &parts.concat())
}

fn oid(dotted: &str) -> Vec<u8> {
    element(tag::OID, &der::oid(dotted).unwrap())
}

fn attribute((name, value): (&str, Vec<u8>)) -> Vec<u8> {
    sequence(&[oid(name), element(tag::SET, &value)])
}

impl Stamp {
    fn sound(by: SigningKey) -> Self {
        Self {
            status: 0,
            signed_data: SIGNED_DATA,
            content: TST_INFO,
            version: 1,
            about: SIGNATURE.to_vec(),
            time: "20260102030405Z".to_owned(),
            before: Vec::new(),
            typed: Some(TST_INFO),
            digested: None,
            certificates: Vec::new(),
            by,
        }
    }

    fn written(self, certificate: &[u8]) -> Vec<u8> {
        let integer = |value: u8| element(tag::INTEGER, &[value]);
        let sha256_by = || sequence(&[oid(SHA256)]);
        let info = sequence(&[
            integer(self.version),
            oid("1.2.3"),
            sequence(&[sha256_by(), element(tag::OCTET_STRING, &sha256(&self.about))]),
            integer(9),
            element(tag::GENERALIZED_TIME, self.time.as_bytes()),
        ]);
        let digest = self.digested.unwrap_or_else(|| sha256(&info).to_vec());
        let typed = self.typed.map(|typed| (CONTENT_TYPE, oid(typed)));
        let digested =
            (!digest.is_empty()).then(|| (MESSAGE_DIGEST, element(tag::OCTET_STRING, &digest)));
        let attributes = self.before.into_iter().chain(typed).chain(digested);
        let attributes: Vec<u8> = attributes.flat_map(attribute).collect();
        let signature = self.by.signature(&element(tag::SET, &attributes)).unwrap();
        let signer = sequence(&[
            integer(1),
            sequence(&[integer(9)]),
            sha256_by(),
            element(tag::context(0), &attributes),
            sequence(&[oid("1.2.840.10045.4.3.2")]),
            element(tag::OCTET_STRING, &signature),
        ]);
        let certificates = [certificate, &self.certificates].concat();
        let data = sequence(&[
            integer(3),
            element(tag::SET, &sha256_by()),
            sequence(&[
                oid(self.content),
                element(tag::context(0), &element(tag::OCTET_STRING, &info)),
            ]),
            element(tag::context(0), &certificates),
            element(tag::SET, &signer),
        ]);
        sequence(&[
            sequence(&[integer(self.status)]),
            sequence(&[oid(self.signed_data), element(tag::context(0), &data)]),
        ])
    }
}

/// A certificate for timestamps below the authority of a [`Sigstore`], changed.
fn signer(of: &Sigstore, change: impl FnOnce(&mut CertificateParams)) -> (Vec<u8>, SigningKey) {
    of.leaf(|params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::TimeStamping];
        change(params);
    })
}

fn authority(of: &Sigstore, start: u64, end: Option<u64>) -> Authority {
    Authority {
        chain: vec![of.authority.der().to_vec()],
        signers: Vec::new(),
        valid: Period { start: Timestamp(start), end: end.map(Timestamp) },
    }
}

// attack 48
#[test]
fn a_timestamp_tells_when_the_signature_was_there() {
    let sigstore = Sigstore::new();
    let authorities = [authority(&sigstore, AT, Some(AT))];
    for (time, status) in
        [("20260102030405Z", 0), ("20260102030405Z", 1), ("20260102030405.250Z", 0)]
    {
        let (leaf, key) = signer(&sigstore, |_| ());
        let stamp = Stamp { time: time.to_owned(), status, ..Stamp::sound(key) };
        let told = stamp::check(&stamp.written(&leaf), SIGNATURE, &authorities);
        assert_eq!(told, Ok(Timestamp(AT)), "{time} {status}");
    }
}

// attack 48
#[test]
fn a_timestamp_of_which_anything_is_wrong_tells_nothing() {
    let sigstore = Sigstore::new();
    let authorities = [authority(&sigstore, 0, None)];
    let told = |change: fn(&mut Stamp)| {
        let (leaf, key) = signer(&sigstore, |_| ());
        let mut stamp = Stamp::sound(key);
        change(&mut stamp);
        stamp::check(&stamp.written(&leaf), SIGNATURE, &authorities)
    };
    assert_eq!(told(|_| ()), Ok(Timestamp(AT)));
    let something_else = "signs something else";
    let cases: [Case<Stamp>; 15] = [
        ("not granted", |stamp| stamp.status = 2, "not granted"),
        ("no signed data", |stamp| stamp.signed_data = OTHER, "something else"),
        ("no TSTInfo", |stamp| stamp.content = OTHER, "something else"),
        ("version 2", |stamp| stamp.version = 2, "version that is not read"),
        ("another signature", |stamp| stamp.about = b"other".to_vec(), "another signature"),
        ("another type", |stamp| stamp.typed = Some(OTHER), something_else),
        ("no type", |stamp| stamp.typed = None, something_else),
        ("another digest", |stamp| stamp.digested = Some(vec![7; 32]), something_else),
        ("no digest", |stamp| stamp.digested = Some(Vec::new()), something_else),
        ("two types", |stamp| stamp.before = vec![(CONTENT_TYPE, oid(OTHER))], something_else),
        (
            "two digests",
            |stamp| {
                let digest = element(tag::OCTET_STRING, &[7; 32]);
                stamp.before = vec![(MESSAGE_DIGEST, digest)];
            },
            something_else,
        ),
        (
            "two values",
            |stamp| {
                stamp.typed = None;
                stamp.before = vec![(CONTENT_TYPE, [oid(TST_INFO), oid(OTHER)].concat())];
            },
            "the timestamp",
        ),
        (
            "another key",
            |stamp| stamp.by = signing(&KeyPair::generate().unwrap()),
            "no certificate of its authority signed",
        ),
        ("no moment", |stamp| stamp.time = "20260102030405.Z".to_owned(), "a time"),
        (
            "too large",
            |stamp| stamp.certificates = element(tag::OCTET_STRING, &vec![0; 33 << 10]),
            "too large",
        ),
    ];
    for (what, change, wanted) in cases {
        let why = told(change).unwrap_err();
        assert!(why.contains(wanted), "{what}: {why}");
    }
}

// attack 48
#[test]
fn only_a_certificate_for_timestamps_alone_and_of_the_moment_makes_them() {
    let (sigstore, other) = (Sigstore::new(), Sigstore::new());
    let told = |of: &Sigstore, change: fn(&mut CertificateParams)| {
        let (leaf, key) = signer(of, change);
        let stamp = Stamp::sound(key).written(&leaf);
        stamp::check(&stamp, SIGNATURE, &[authority(&sigstore, 0, None)])
    };
    assert_eq!(told(&sigstore, |_| ()), Ok(Timestamp(AT)));
    let cases: [Case<CertificateParams>; 7] = [
        ("for nothing", |leaf| leaf.extended_key_usages.clear(), "no certificate"),
        (
            "for something else",
            |leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning],
            "no certificate",
        ),
        (
            "for more",
            |leaf| leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::CodeSigning),
            "no certificate",
        ),
        ("over", |leaf| around(leaf, 3_600, -1), "valid until"),
        ("not begun", |leaf| around(leaf, -1, 3_600), "valid from"),
        (
            "an authority",
            |leaf| leaf.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            "an end entity",
        ),
        (
            "that signs no data",
            |leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement],
            "usage",
        ),
    ];
    for (what, change, wanted) in cases {
        let why = told(&sigstore, change).unwrap_err();
        assert!(why.contains(wanted), "{what}: {why}");
    }
    let why = told(&other, |_| ()).unwrap_err();
    assert!(why.contains("none issued"), "{why}");
    for (start, end) in [(AT + 1, None), (0, Some(AT - 1))] {
        let (leaf, key) = signer(&sigstore, |_| ());
        let stamp = Stamp::sound(key).written(&leaf);
        let over = [authority(&sigstore, start, end)];
        let why = stamp::check(&stamp, SIGNATURE, &over).unwrap_err();
        assert!(why.contains("good at its moment"), "{start}: {why}");
    }
}

/// The log tells one moment, a timestamp another: the certificate must have been valid at both.
// attack 48
#[test]
fn a_certificate_must_be_valid_at_every_moment_that_is_told() {
    let sigstore = Sigstore::new();
    let mut root = sigstore.root();
    root["timestampAuthorities"] = json!([{
        "certChain": root["certificateAuthorities"][0]["certChain"],
        "validFor": { "start": "2022-04-13T20:06:15Z" },
    }]);
    let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
    let with = |time: &str, (before, after): (i64, i64)| {
        let (leaf, key) = sigstore.leaf(|leaf| around(leaf, before, after));
        let signature = key.signature(COMPONENT).unwrap();
        let (certificate, stamper) = signer(&sigstore, |leaf| around(leaf, 7_200, 7_200));
        let time = time.to_owned();
        let stamp = Stamp { about: signature.clone(), time, ..Stamp::sound(stamper) };
        let mut bundle = sigstore.bundle(&leaf, &signature);
        let stamp = BASE64.encode(&stamp.written(&certificate));
        bundle["verificationMaterial"]["timestampVerificationData"] =
            json!({"rfc3161Timestamps": [{ "signedTimestamp": stamp }]});
        outcome(&root, &bundle)
    };
    assert!(with("20260102030405Z", (60, 60)).is_ok());
    assert!(with("20260102030435Z", (60, 60)).is_ok());
    // The log's moment is within the certificate's time, the timestamp's is not; and the reverse.
    for (time, valid) in [
        ("20260102030605Z", (60, 60)),
        ("20260102030205Z", (60, 60)),
        ("20260102030605Z", (-60, 600)),
        ("20260102030205Z", (600, -60)),
    ] {
        let Err(Doubt::Certificate(why)) = with(time, valid) else { panic!("{time} {valid:?}") };
        assert!(why.contains("valid"), "{why}");
    }
}
