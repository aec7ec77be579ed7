//! What answers by OCSP are believed, and that a real responder's are.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use claviger_tests::service::{Reply, Service};
use proptest::prelude::*;

use super::super::anchors::{Anchor, AnchorSet, Known};
use super::super::ocsp::{self, Response};
use super::super::revocation::{Edition, Revocation, Standing};
use super::super::want::{Validity, Want};
use super::super::x509::Certificate;
use super::super::{Authority, Fault};
use super::mint::{self, NOW, YEAR, moment, pss, rsa, sequence, sign, tlv};
use crate::assemble::thrown_away;
use crate::clock::{FixedClock, Timestamp};
use crate::endorsements::{Endorsements, SourceKind, SourcePlan};
use crate::random::{Random, SystemRandomness};

const HOUR: u64 = 3600;

/// An answer about to be signed.
#[derive(Clone)]
struct Minted {
    serial: Vec<u8>,
    /// By whom the certificate in question was issued, as the answer says.
    issuer: mint::Certificate,
    status: Vec<u8>,
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    extensions: Vec<u8>,
    signer: usize,
    certificates: Vec<Vec<u8>>,
}

fn root() -> mint::Certificate {
    mint::authority("Root", mint::ARK, "Root", mint::ARK)
}

/// The certificate in question, an authority itself.
fn device() -> mint::Certificate {
    mint::authority("Device", mint::ASK, "Root", mint::ARK)
}

/// Whom the root made a responder.
fn responder() -> mint::Certificate {
    let mut responder = mint::authority("Responder", mint::ASVK, "Root", mint::ARK);
    let ocsp_signing = tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 9]);
    responder.extensions =
        vec![(vec![0x55, 0x1d, 0x25], true, sequence(&[ocsp_signing.as_slice()]))];
    responder
}

fn good() -> Vec<u8> {
    vec![0x80, 0]
}

fn revoked(reason: Option<u8>) -> Vec<u8> {
    let reason = reason.map(|code| tlv(0xa0, &[0x0a, 1, code])).unwrap_or_default();
    tlv(0xa1, &[moment(Timestamp(NOW.0 - YEAR)), reason].concat())
}

impl Minted {
    fn new(status: Vec<u8>) -> Self {
        Self {
            serial: device().serial,
            issuer: root(),
            status,
            this_update: Timestamp(NOW.0 - HOUR),
            next_update: Some(Timestamp(NOW.0 + HOUR)),
            extensions: Vec::new(),
            signer: mint::ARK,
            certificates: Vec::new(),
        }
    }

    fn der(&self) -> Vec<u8> {
        // The very bytes of a request's CertID, out of its four sequences.
        let issuer = Certificate::parse(&self.issuer.der()).unwrap();
        let request = ocsp::id::request(&issuer, &self.serial).unwrap();
        let id = (0..4).fold(request.as_slice(), |der, _| {
            let skip = if der[1] == 0x81 { 3 } else { 2 };
            &der[skip..]
        });
        let next = self.next_update.map(|at| tlv(0xa0, &moment(at))).unwrap_or_default();
        let single =
            sequence(&[id, &self.status, &moment(self.this_update), &next, &self.extensions]);
        let tbs =
            sequence(&[&tlv(0xa1, &mint::name("whoever")), &moment(NOW), &tlv(0x30, &single)]);
        let signature = sign(rsa(self.signer), &tbs);
        let certificates = match self.certificates.is_empty() {
            true => Vec::new(),
            false => tlv(0xa0, &tlv(0x30, &self.certificates.concat())),
        };
        let basic = sequence(&[
            &tbs,
            &pss(2, 48),
            &tlv(0x03, &[&[0], signature.as_slice()].concat()),
            &certificates,
        ]);
        let kind = tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = sequence(&[&kind, &tlv(0x04, &basic)]);
        sequence(&[&[0x0a, 1, 0], &tlv(0xa0, &bytes)])
    }
}

/// What the answers say about the device.
fn judged(answers: &[Minted]) -> Result<Option<ocsp::Good>, Fault> {
    let ders: Vec<_> = answers.iter().map(Minted::der).collect();
    let responses = Response::among(&ders);
    assert_eq!(responses.len(), answers.len(), "{:?}", Response::parse(&ders[0]).err());
    let parse = |minted: mint::Certificate| Certificate::parse(&minted.der()).unwrap();
    ocsp::judge(&responses, &parse(root()), &parse(device()), NOW)
}

fn is_good(answer: &Minted) -> bool {
    judged(std::slice::from_ref(answer)).unwrap().is_some()
}

// attack 24
#[test]
fn an_answer_counts_where_the_issuer_or_its_responder_signed_it_now_about_this_certificate() {
    let own = Minted::new(good());
    assert!(is_good(&own));
    let delegated = Minted {
        signer: mint::ASVK,
        certificates: vec![root().der(), responder().der()],
        ..own.clone()
    };
    assert!(is_good(&delegated));

    let mut no_responder = responder();
    no_responder.extensions.clear();
    let mut other_purpose = responder();
    let server = tlv(0x06, &[0x2b, 6, 1, 5, 5, 7, 3, 1]);
    other_purpose.extensions[0].2 = sequence(&[server.as_slice()]);
    let mut past = responder();
    past.not_after = Timestamp(NOW.0 - 1);
    let mut strangers = responder();
    (strangers.issuer, strangers.signer) = ("Root".to_owned(), mint::STRANGER);
    let mut authority = responder();
    authority.extensions.extend(root().extensions);
    for wrong in [no_responder, other_purpose, past, strangers, authority] {
        let wrong = Minted { certificates: vec![wrong.der()], ..delegated.clone() };
        assert!(!is_good(&wrong));
    }
    let other = Minted { serial: vec![9], ..own.clone() };
    let elsewhere = mint::authority("Root", mint::STRANGER, "Root", mint::STRANGER);
    let other_issuer = Minted { issuer: elsewhere, ..own.clone() };
    let stranger = Minted { signer: mint::STRANGER, ..own.clone() };
    let future = Minted { this_update: Timestamp(NOW.0 + 1), ..own.clone() };
    let over = Minted { next_update: Some(Timestamp(NOW.0 - 1)), ..own.clone() };
    let unknown = Minted { status: vec![0x82, 0], ..own.clone() };
    for wrong in [other, other_issuer, stranger, future, over, unknown] {
        assert!(!is_good(&wrong));
    }
}

// attack 24
#[test]
fn of_many_answers_about_one_certificate_a_few_are_looked_into() {
    let forged = Minted { signer: mint::STRANGER, ..Minted::new(good()) };
    let behind = |number: usize| {
        let mut answers = vec![forged.clone(); number];
        answers.push(Minted::new(good()));
        judged(&answers).unwrap().is_some()
    };
    assert!(behind(3));
    assert!(!behind(4));
    // Those that speak of others cost nothing, and do not count.
    let other = Minted { serial: vec![9], ..forged.clone() };
    let mut answers = vec![other; 20];
    answers.push(Minted::new(good()));
    assert!(judged(&answers).unwrap().is_some());
}

// attack 24
#[test]
fn a_revocation_counts_however_old_and_a_hold_until_a_newer_answer() {
    let older = |status| Minted {
        this_update: Timestamp(NOW.0 - YEAR),
        next_update: Some(Timestamp(NOW.0 - YEAR + HOUR)),
        ..Minted::new(status)
    };
    let is_revoked = |answers: &[Minted]| matches!(judged(answers), Err(Fault::Revoked(_)));
    for reason in [None, Some(1), Some(6)] {
        assert!(is_revoked(&[Minted::new(revoked(reason))]), "{reason:?}");
        assert!(is_revoked(&[older(revoked(reason))]), "{reason:?}");
        assert!(is_revoked(&[older(good()), Minted::new(revoked(reason))]), "{reason:?}");
    }
    assert!(is_revoked(&[Minted::new(good()), older(revoked(Some(1)))]));
    assert!(!is_revoked(&[Minted::new(good()), older(revoked(Some(6)))]), "taken off hold");
    let forged = Minted { signer: mint::STRANGER, ..Minted::new(revoked(None)) };
    assert!(!is_revoked(&[Minted::new(good()), forged]));
}

// invariant 6
#[test]
fn an_answer_that_leaves_unsaid_or_says_more_than_is_understood_is_none() {
    let without_end = Minted { next_update: None, ..Minted::new(good()) };
    let critical = mint::extension_list(&[(vec![0x2a, 3], true, vec![5, 0])]);
    let critical = Minted { extensions: tlv(0xa1, &critical), ..Minted::new(good()) };
    for wrong in [without_end, critical, Minted::new(vec![0x83, 0])] {
        assert!(Response::parse(&wrong.der()).is_err());
    }
    let mut refusal = Minted::new(good()).der();
    let place = refusal.windows(3).position(|bytes| bytes == [0x0a, 1, 0]).unwrap();
    refusal[place + 2] = 6;
    assert!(Response::parse(&refusal).is_err());
}

/// The root, always the same one: signatures of RSA-PSS differ.
fn anchor() -> &'static [u8] {
    static ANCHOR: OnceLock<Vec<u8>> = OnceLock::new();
    ANCHOR.get_or_init(|| root().der())
}

/// A set whose issuers answer by OCSP; below its root an authority, below that one the device's key.
fn followed(
    rule: Revocation,
    answers: &[Minted],
) -> (Result<Vec<&'static str>, Fault>, Vec<Want>, Vec<Timestamp>) {
    let certificate = Arc::new(Certificate::parse(anchor()).unwrap());
    let set = AnchorSet {
        name: "vendor".into(),
        anchors: vec![Anchor { certificate, simulated: false }],
        pins: Default::default(),
        revocation: rule,
        authorities_only: true,
        answers: true,
    };
    let mut leaf = mint::authority("Leaf", mint::ASVK, "Device", mint::ASK);
    leaf.extensions.clear();
    let ders: Vec<_> = answers.iter().map(Minted::der).collect();
    let (responses, lists, mut wants) = (Response::among(&ders), Edition::default(), Vec::new());
    let known = Known { lists: &lists, responses: &responses };
    let path = set.follow(&[leaf.der(), device().der()], &known, NOW, &mut wants);
    let expires = path.iter().map(|path| path.expires).collect();
    let names = path.map(|path| path.standing.iter().map(Standing::name).collect());
    (names, wants, expires)
}

// attack 24, invariant 6
#[test]
fn where_issuers_answer_by_ocsp_a_chain_needs_answers_and_says_which() {
    let (outcome, wants, _) = followed(Revocation::Required, &[]);
    assert!(matches!(outcome, Err(Fault::Unavailable(_))), "{outcome:?}");
    let want = Want::NvidiaOcsp { issuer: anchor().into(), serial: device().serial };
    assert_eq!(wants, std::slice::from_ref(&want));

    let answer = Minted::new(good());
    let (outcome, wants, expires) = followed(Revocation::Required, std::slice::from_ref(&answer));
    assert_eq!(outcome, Ok(vec!["checked"]));
    assert!(wants.is_empty());
    assert_eq!(expires, [Timestamp(NOW.0 + HOUR)], "no longer than the answer");

    assert_eq!(followed(Revocation::Waived, &[]).0, Ok(vec!["waived"]));
    for rule in [Revocation::Required, Revocation::Waived] {
        let (outcome, ..) = followed(rule, &[answer.clone(), Minted::new(revoked(Some(6)))]);
        let held = matches!(&outcome, Err(Fault::Revoked(_))) || outcome == Ok(vec!["checked"]);
        assert!(held, "{outcome:?}");
        let (outcome, ..) = followed(rule, &[Minted::new(revoked(Some(6)))]);
        assert!(matches!(outcome, Err(Fault::Revoked(_))), "{outcome:?}");
    }

    // The same question at a source: an answer is kept, whatever it says, but it must say something.
    let authority = Authority::builder().build().unwrap();
    let ask = |answer: &Minted| authority.check_endorsement(&want, &[answer.der()], NOW);
    let validity = Validity { from: Timestamp(NOW.0 - HOUR), until: Timestamp(NOW.0 + HOUR) };
    assert_eq!(ask(&answer), Ok(validity));
    assert_eq!(ask(&Minted::new(revoked(Some(6)))), Ok(validity));
    assert!(ask(&Minted { serial: vec![9], ..answer.clone() }).is_err());
    assert!(ask(&Minted { signer: mint::STRANGER, ..answer.clone() }).is_err());
    assert!(ask(&Minted { status: vec![0x82, 0], ..answer.clone() }).is_err());
    assert!(ask(&Minted { next_update: Some(Timestamp(NOW.0 - 1)), ..answer }).is_err());
}

// attack 43
#[tokio::test]
async fn a_source_is_asked_once_and_its_answer_kept_for_as_long_as_it_says() {
    let want = Want::NvidiaOcsp { issuer: anchor().into(), serial: device().serial };
    let authority = Arc::new(Authority::builder().build().unwrap());
    let supplied = async |answer: Vec<u8>, at: Timestamp| {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(folder.path(), move |_| Reply::ok(answer.clone())).await;
        let (kind, url, ca) = (SourceKind::NvidiaOcsp, service.url.clone(), service.ca.clone());
        let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
        let clock = Arc::new(FixedClock::new(at));
        let store = thrown_away(&random).unwrap();
        let plan = SourcePlan { kind, url, ca };
        let endorsements = Arc::new(Endorsements::new(&[plan], store, clock).unwrap());
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let wants = BTreeSet::from([want.clone()]);
            outcomes.push(endorsements.supply(&authority, wants).await.map_err(|e| e.to_string()));
        }
        (outcomes, service.asked())
    };
    for status in [good(), revoked(Some(6))] {
        let answer = Minted::new(status).der();
        let (outcomes, asked) = supplied(answer.clone(), NOW).await;
        assert_eq!(outcomes, [Ok(vec![answer.clone()]), Ok(vec![answer])]);
        assert_eq!(asked, ["/"]);
    }
    let forged = Minted { signer: mint::STRANGER, ..Minted::new(good()) };
    for (wrong, at) in [(forged, NOW), (Minted::new(good()), Timestamp(NOW.0 + 2 * HOUR))] {
        let (outcomes, _) = supplied(wrong.der(), at).await;
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
    }
}

fn run(folder: &Path, arguments: &str) -> bool {
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).current_dir(folder);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// OpenSSL reads our request, and we read its response.
#[test]
fn a_responder_of_openssl_understands_and_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    if !run(folder.path(), "version") {
        assert!(std::env::var_os("CI").is_none(), "openssl is needed");
        eprintln!("SKIPPED: no openssl");
        return;
    }
    let extensions = "[ca]\nbasicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
        [ocsp]\nextendedKeyUsage=critical,OCSPSigning\n[req]\ndistinguished_name=dn\n[dn]\n";
    std::fs::write(at("x.cnf"), extensions).unwrap();
    for line in [
        "ecparam -name secp384r1 -genkey -noout -out ca.key",
        "req -x509 -new -key ca.key -sha384 -subj /CN=Authority -days 30 -config x.cnf -extensions ca -out ca.pem",
        "ecparam -name secp384r1 -genkey -noout -out one.key",
        "req -new -key one.key -sha384 -subj /CN=One -config x.cnf -out one.csr",
        "x509 -req -in one.csr -CA ca.pem -CAkey ca.key -set_serial 0x41ad48 -sha384 -days 30 -extfile x.cnf -extensions ca -out one.pem",
        "req -new -key one.key -sha384 -subj /CN=Responder -config x.cnf -out responder.csr",
        "x509 -req -in responder.csr -CA ca.pem -CAkey ca.key -set_serial 7 -sha384 -days 30 -extfile x.cnf -extensions ocsp -out responder.pem",
        "x509 -in ca.pem -outform DER -out ca.der",
        "x509 -in one.pem -outform DER -out one.der",
    ] {
        assert!(run(folder.path(), line), "openssl {line}");
    }
    let read = |name: &str| Certificate::parse(&std::fs::read(at(name)).unwrap()).unwrap();
    let (issuer, issued) = (read("ca.der"), read("one.der"));
    let request = ocsp::id::request(&issuer, &issued.serial).unwrap();
    std::fs::write(at("request.der"), request).unwrap();
    let now = Timestamp(std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() + 60);
    let answer = |signer: &str, line: &str| {
        std::fs::write(at("index.txt"), line).unwrap();
        let line = format!(
            "ocsp -index index.txt -CA ca.pem -rsigner {signer}.pem -rkey {signer}.key -rmd sha384 -reqin request.der -ndays 1 -respout response.der"
        );
        assert!(run(folder.path(), &line), "openssl {line}");
        let response = std::fs::read(at("response.der")).unwrap();
        let responses = Response::among(&[response]);
        assert_eq!(responses.len(), 1);
        ocsp::judge(&responses, &issuer, &issued, now)
    };
    std::fs::copy(at("one.key"), at("responder.key")).unwrap();
    for signer in ["ca", "responder"] {
        let good = answer(signer, "V\t491231235959Z\t\t41AD48\tunknown\t/CN=One\n").unwrap();
        assert!(good.is_some_and(|good| good.until.0 > now.0), "{signer}");
        let held = "R\t491231235959Z\t240101000000Z,certificateHold\t41AD48\tunknown\t/CN=One\n";
        assert!(matches!(answer(signer, held), Err(Fault::Revoked(_))), "{signer}");
        let none = answer(signer, "V\t491231235959Z\t\t99\tunknown\t/CN=Other\n");
        assert_eq!(none, Ok(None), "{signer}: it does not know it");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
        let _ = Response::parse(&bytes);
    }
}
