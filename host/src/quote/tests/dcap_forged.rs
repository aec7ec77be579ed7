//! SGX and TDX on simulated hardware: what a forger, an old platform or a careless operator would bring.

use std::sync::{Arc, OnceLock};

use super::super::dcap::{DcapReport, TcbStatus};
use super::super::{
    Authority, AuthorityBuilder, DigestAlgorithm, Examination, Fault, Revocation, Span,
};
use super::mint::NOW;
use crate::claim::Value;
use crate::clock::Timestamp;
use crate::simulated::intel::{
    Intel, QeTemplate, QuoteBody, QuoteTemplate, Revocations, TcbTemplate,
};

const KINDS: [QuoteBody; 5] =
    [QuoteBody::Sgx3, QuoteBody::Sgx5, QuoteBody::Td4, QuoteBody::Td5, QuoteBody::Td15];

fn intel() -> &'static Intel {
    static INTEL: OnceLock<Intel> = OnceLock::new();
    INTEL.get_or_init(|| Intel::mint(NOW).unwrap())
}

/// A quote and all that goes with it, to be changed.
struct Forgery {
    quote: QuoteTemplate,
    tcb: TcbTemplate,
    qe: QeTemplate,
    revoked: Revocations,
}

fn forgery(kind: QuoteBody) -> Forgery {
    let sgx = matches!(kind, QuoteBody::Sgx3 | QuoteBody::Sgx5);
    let (tcb, qe) = if sgx { ("SGX", "QE") } else { ("TDX", "TD_QE") };
    Forgery {
        quote: intel().quote_template(kind, [9; 64]),
        tcb: intel().tcb_template(tcb),
        qe: intel().qe_template(qe),
        revoked: Revocations::default(),
    }
}

fn builder() -> AuthorityBuilder {
    Authority::builder().simulated_root(intel().root())
}

impl Forgery {
    fn attachments(&self) -> Vec<Vec<u8>> {
        let [root, pck] = intel().lists(self.revoked).unwrap();
        let tcb = intel().tcb_info(&self.tcb).unwrap();
        let qe = intel().qe_identity(&self.qe).unwrap();
        vec![qe, root, intel().tcb_signer(), pck, b"a log".to_vec(), tcb]
    }

    fn by(&self, builder: AuthorityBuilder, at: Timestamp) -> Result<DcapReport, Fault> {
        let examination = Examination::new(builder.build().unwrap().into(), at);
        examination.dcap(intel().quote(&self.quote).unwrap(), &self.attachments())
    }

    fn examined(&self) -> Result<DcapReport, Fault> {
        self.by(builder(), NOW)
    }
}

fn fact(report: &DcapReport, end: &str) -> Value {
    let facts = report.statement.facts();
    assert!(super::all_are_of(report.statement.tee().unwrap(), facts));
    facts.iter().find(|fact| fact.name.ends_with(end)).unwrap().value.clone()
}

#[test]
fn simulated_platforms_give_genuine_quotes_of_every_kind_and_say_that_they_are_simulated() {
    for kind in KINDS {
        let report = forgery(kind).examined().unwrap();
        assert_eq!(report.status, TcbStatus::UpToDate, "{kind:?}");
        assert!(report.statement.simulated());
        let field = report.statement.challenge_field().unwrap();
        assert_eq!(report.statement.read(field).unwrap(), [9; 64], "{kind:?}");
        assert!(report.statement.may_bind(field));
        assert_eq!(fact(&report, ".revocation"), Value::Text("checked".into()));
    }
    let genuine = forgery(QuoteBody::Td4).by(Authority::builder(), NOW);
    assert!(matches!(genuine, Err(Fault::Untrusted(_) | Fault::BadSignature)), "{genuine:?}");
}

// attack 46
#[test]
fn what_the_measurements_hold_vouches_for_nothing_even_where_it_is_a_digest() {
    const BLOB: &[u8] = b"blob";
    for kind in KINDS {
        let sgx = matches!(kind, QuoteBody::Sgx3 | QuoteBody::Sgx5);
        let body = match kind {
            QuoteBody::Sgx3 | QuoteBody::Td4 => 48,
            _ => 54,
        };
        // MRENCLAVE, MRSIGNER; MRSEAM, MRTD, and MRCONFIGID, of which who launches says what it is.
        let fields: &[(usize, bool)] = match sgx {
            true => &[(64, false), (128, false)],
            false => &[(16, false), (136, false), (184, true)],
        };
        let (digest, length) = match sgx {
            true => (DigestAlgorithm::Sha256, 32),
            false => (DigestAlgorithm::Sha384, 48),
        };
        let hash = digest.digest(BLOB);
        for (at, vouches) in fields {
            // MRSEAM is the module's, which is looked at; there the span alone has to do.
            let mut forged = forgery(kind);
            if *at != 16 {
                forged.quote.body[*at..*at + length].copy_from_slice(hash.as_ref());
            }
            let examination = Examination::new(builder().build().unwrap().into(), NOW);
            let quote = intel().quote(&forged.quote).unwrap();
            let report = examination.dcap(quote, &forged.attachments()).unwrap();
            let (start, length) = (u32::try_from(body + at), u32::try_from(length));
            let span = Span { start: start.unwrap(), length: length.unwrap() };
            let vouched = examination.vouch(&report.statement, span, digest, BLOB.to_vec());
            match (vouches, vouched) {
                (true, Ok(vouched)) => assert!(!vouched.may_bind(Span { start: 0, length: 4 })),
                (false, Err(Fault::Untrusted(why))) if why.contains("holds no digest") => {}
                (_, other) => panic!("{kind:?} {at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_platform_that_is_out_of_date_is_genuine_and_says_so() {
    for (status, expected) in [
        ("OutOfDate", TcbStatus::OutOfDate),
        ("SWHardeningNeeded", TcbStatus::SWHardeningNeeded),
        ("ConfigurationNeeded", TcbStatus::ConfigurationNeeded),
        ("OutOfDateConfigurationNeeded", TcbStatus::OutOfDateConfigurationNeeded),
    ] {
        let mut old = forgery(QuoteBody::Td4);
        old.tcb.status = status;
        assert_eq!(old.examined().unwrap().status, expected);
        old.tcb.status = "UpToDate";
        old.qe.status = "OutOfDate";
        assert_eq!(old.examined().unwrap().status, TcbStatus::OutOfDate);
        old.qe.status = "UpToDate";
        old.tcb.module_status = "OutOfDate";
        assert_eq!(old.examined().unwrap().status, TcbStatus::OutOfDate);
    }
    let mut below = forgery(QuoteBody::Sgx3);
    below.quote.pck.components[15] = 6;
    let report = below.examined().unwrap();
    assert_eq!(report.status, TcbStatus::OutOfDate);
    assert_eq!(report.advisories, ["SIMULATED-SA-1"]);
}

// attacks 29, 32
#[test]
fn a_platform_below_every_level_is_refused_as_outdated_and_a_revoked_one_as_revoked() {
    for part in 0..16 {
        let mut below = forgery(QuoteBody::Sgx3);
        below.quote.pck.components[part] = 4;
        assert!(matches!(below.examined(), Err(Fault::Outdated(_))), "{part}");
        let mut below = forgery(QuoteBody::Td4);
        below.quote.body[part] = if part == 0 { 2 } else { 4 };
        // Byte 1 is the module's version, and no module of version 4 is known.
        assert!(matches!(below.examined(), Err(Fault::Outdated(_))), "{part}");
        let mut below = forgery(QuoteBody::Td15);
        below.quote.body[584 + part] = if part == 0 { 2 } else { 4 };
        assert!(matches!(below.examined(), Err(Fault::Outdated(_))), "{part}");
    }
    let mut below = forgery(QuoteBody::Sgx3);
    below.quote.pck.pce_svn = 10;
    assert!(matches!(below.examined(), Err(Fault::Outdated(_))));
    let mut below = forgery(QuoteBody::Sgx3);
    below.qe.svn = 7;
    assert!(matches!(below.examined(), Err(Fault::Outdated(_))));
    for kind in [QuoteBody::Td4, QuoteBody::Td15] {
        let mut revoked = forgery(kind);
        revoked.tcb.status = "Revoked";
        assert!(matches!(revoked.examined(), Err(Fault::Revoked(_))));
        let mut revoked = forgery(kind);
        revoked.tcb.module_status = "Revoked";
        assert!(matches!(revoked.examined(), Err(Fault::Revoked(_))));
        let mut revoked = forgery(kind);
        revoked.qe.status = "Revoked";
        assert!(matches!(revoked.examined(), Err(Fault::Revoked(_))));
    }
}

#[test]
fn a_domain_launched_on_an_older_module_than_runs_is_advised_to_be_launched_anew() {
    let mut old = forgery(QuoteBody::Td15);
    old.quote.body[2] = 5;
    let report = old.examined().unwrap();
    assert_eq!(report.status, TcbStatus::TDRelaunchAdvised);
    assert_eq!(fact(&report, ".running_status"), Value::Text("UpToDate".into()));
    // The other way round it is as it was launched.
    let mut new = forgery(QuoteBody::Td15);
    new.quote.body[586] = 5;
    assert_eq!(new.examined().unwrap().status, TcbStatus::UpToDate);
}

// attacks 29, 30
#[test]
fn another_enclave_with_a_pck_signature_is_no_quoting_enclave() {
    let edits: [fn(&mut Vec<u8>); 5] = [
        |report| report[128] ^= 1,
        |report| report[256] = 1,
        |report| report[16] = 1,
        |report| report[48] ^= 0x20,
        |report| report[48] |= 2,
    ];
    for kind in KINDS {
        for (number, edit) in edits.iter().enumerate() {
            let mut other = forgery(kind);
            edit(&mut other.quote.qe_report);
            assert!(matches!(other.examined(), Err(Fault::Untrusted(_))), "{kind:?} {number}");
        }
        let mut tail = forgery(kind);
        // Behind the digest of the key there are zeros, and nothing else.
        tail.quote.qe_report[383] = 1;
        assert!(matches!(tail.examined(), Err(Fault::Untrusted(_))), "{kind:?}");
    }
    // Debugged, it is none even where nobody asks who it is.
    let mut debugged = forgery(QuoteBody::Sgx3);
    debugged.quote.qe_report[48] |= 2;
    debugged.qe.id = "QVE";
    let outcome = debugged.by(builder().waive_qe_identity(), NOW);
    assert!(matches!(outcome, Err(Fault::Untrusted(_))), "{outcome:?}");
}

// attack 33
#[test]
fn the_tdx_module_must_be_the_one_that_tcb_info_describes() {
    for at in [64, 111, 112, 119] {
        let mut other = forgery(QuoteBody::Td4);
        other.quote.body[at] = 1;
        assert!(matches!(other.examined(), Err(Fault::Untrusted(_))), "{at}");
    }
}

// attack 32
#[test]
fn collateral_of_another_platform_kind_or_time_is_none() {
    for kind in KINDS {
        let mut other = forgery(kind);
        other.tcb.fmspc[5] ^= 1;
        assert!(matches!(other.examined(), Err(Fault::Unavailable(_))), "{kind:?}");
        let mut other = forgery(kind);
        other.quote.pck.pce_id[1] = 1;
        assert!(matches!(other.examined(), Err(Fault::Unavailable(_))), "{kind:?}");
        let sgx = matches!(kind, QuoteBody::Sgx3 | QuoteBody::Sgx5);
        let mut swapped = forgery(kind);
        swapped.tcb.id = if sgx { "TDX" } else { "SGX" };
        assert!(matches!(swapped.examined(), Err(Fault::Unavailable(_))), "{kind:?}");
        let mut swapped = forgery(kind);
        swapped.qe.id = if sgx { "TD_QE" } else { "QE" };
        assert!(matches!(swapped.examined(), Err(Fault::Unavailable(_))), "{kind:?}");
        for (issued, next) in [(NOW.plus(1), NOW.plus(9)), (Timestamp(0), Timestamp(NOW.0 - 1))] {
            let mut old = forgery(kind);
            (old.tcb.issued, old.tcb.next) = (issued, next);
            assert!(matches!(old.examined(), Err(Fault::Expired(_))), "{kind:?}");
            let mut old = forgery(kind);
            (old.qe.issued, old.qe.next) = (issued, next);
            assert!(matches!(old.examined(), Err(Fault::Expired(_))), "{kind:?}");
        }
    }
}

// attack 31
#[test]
fn whoever_is_revoked_vouches_for_nothing() {
    for revoked in [
        Revocations { pck: true, ..Revocations::default() },
        Revocations { authority: true, ..Revocations::default() },
        Revocations { tcb_signer: true, ..Revocations::default() },
    ] {
        let forgery = Forgery { revoked, ..forgery(QuoteBody::Td15) };
        assert!(matches!(forgery.examined(), Err(Fault::Revoked(_))), "{revoked:?}");
        // A list that is there counts, waived or not.
        let waived = forgery.by(builder().revocation(Revocation::Waived), NOW);
        assert!(matches!(waived, Err(Fault::Revoked(_))), "{revoked:?}");
    }
}

// attack 24
#[test]
fn what_is_missing_is_named_and_what_is_waived_is_told() {
    let forgery = forgery(QuoteBody::Td4);
    let quote = intel().quote(&forgery.quote).unwrap();
    let attachments = forgery.attachments();
    let examined = |builder: AuthorityBuilder, without: &[usize]| {
        let kept = attachments.iter().enumerate().filter(|(at, _)| !without.contains(at));
        let kept: Vec<Vec<u8>> = kept.map(|(_, one)| one.clone()).collect();
        let examination = Examination::new(builder.build().unwrap().into(), NOW);
        examination.dcap(quote.clone(), &kept)
    };
    for (at, named) in [
        (0, "QE identity"),
        (1, "Intel SGX Root CA"),
        (2, "certificate that signs"),
        (3, "Platform CA"),
        (5, "TCB info"),
    ] {
        let outcome = examined(builder(), &[at]);
        let Err(Fault::Unavailable(what)) = &outcome else { panic!("{at}: {outcome:?}") };
        assert!(what.contains(named), "{what}");
        // The operator has it.
        let supplied = builder().collateral(attachments[at].clone());
        assert!(examined(supplied, &[at]).is_ok(), "{named}");
    }
    let waived = examined(builder().revocation(Revocation::Waived), &[1, 3]).unwrap();
    assert_eq!(fact(&waived, ".revocation"), Value::Text("waived".into()));
    let waived = examined(builder().waive_qe_identity(), &[0]).unwrap();
    assert_eq!(fact(&waived, ".qe_status"), Value::Text("waived".into()));
    assert!(waived.statement.path().iter().any(|step| step.detail.contains("WAIVED")));
}

// attacks 32, 44
#[test]
fn a_newer_evaluation_of_the_operators_is_not_undone_by_an_older_one_that_came_along() {
    let mut newer = forgery(QuoteBody::Sgx3);
    newer.tcb.evaluation = 18;
    newer.tcb.status = "OutOfDate";
    let [.., tcb] = newer.attachments().try_into().map(|all: [Vec<u8>; 6]| all).unwrap();
    let report = forgery(QuoteBody::Sgx3).by(builder().collateral(tcb), NOW).unwrap();
    assert_eq!(report.status, TcbStatus::OutOfDate);
}

// attacks 31, 32
#[test]
fn collateral_that_another_key_signed_is_none() {
    let other = Intel::mint(NOW).unwrap();
    let mine = forgery(QuoteBody::Td4);
    let quote = intel().quote(&mine.quote).unwrap();
    let mut attachments = mine.attachments();
    attachments[5] = other.tcb_info(&mine.tcb).unwrap();
    let examined = |builder: AuthorityBuilder, attachments: &[Vec<u8>]| {
        let examination = Examination::new(builder.build().unwrap().into(), NOW);
        examination.dcap(quote.clone(), attachments)
    };
    let outcome = examined(builder(), &attachments);
    assert!(matches!(outcome, Err(Fault::BadSignature)), "{outcome:?}");
    // With its own signer, below a root that is trusted as well.
    attachments[2] = other.tcb_signer();
    let both = builder().simulated_root(other.root()).revocation(Revocation::Waived);
    let outcome = examined(both, &attachments);
    assert!(matches!(outcome, Err(Fault::Untrusted(_) | Fault::BadSignature)), "{outcome:?}");
    // A PCK signs reports, no collateral; whoever signs collateral is no platform.
    let mut named = forgery(QuoteBody::Td4);
    named.quote.pck.name = "Intel SGX TCB Signing";
    assert!(matches!(named.examined(), Err(Fault::Untrusted(_))));
}

// attack 43
#[test]
fn the_cache_answers_as_if_there_were_none() {
    let authority = Arc::new(builder().build().unwrap());
    let at = |at| Examination::new(Arc::clone(&authority), at);
    let good = forgery(QuoteBody::Td4);
    let quote = intel().quote(&good.quote).unwrap();
    let attachments = good.attachments();
    let first = at(NOW).dcap(quote.clone(), &attachments).unwrap();
    let until = first.statement.expires();
    for moment in [NOW, until, NOW] {
        assert!(at(moment).dcap(quote.clone(), &attachments).is_ok());
    }
    assert!(at(until.plus(1)).dcap(quote.clone(), &attachments).is_err());
    assert!(at(Timestamp(NOW.0 - 200_000)).dcap(quote.clone(), &attachments).is_err());
    // Revoked meanwhile, by a list that the operator adds.
    let [root, _] =
        intel().lists(Revocations { authority: true, ..Revocations::default() }).unwrap();
    assert!(authority.add_crl(&root).unwrap());
    let outcome = at(NOW).dcap(quote, &attachments);
    assert!(matches!(outcome, Err(Fault::Revoked(_))), "{outcome:?}");
}

// attack 28
#[test]
fn a_frame_of_another_kind_is_refused() {
    let examined = |kind, edits: &[(usize, u8)]| {
        let mut quote = intel().quote(&forgery(kind).quote).unwrap();
        for (at, to) in edits {
            quote[*at] = *to;
        }
        let examination = Examination::new(builder().build().unwrap().into(), NOW);
        examination.dcap(quote, &forgery(kind).attachments()).unwrap_err()
    };
    let unsupported = |fault: Fault| matches!(fault, Fault::Unsupported(_));
    let malformed = |fault: Fault| matches!(fault, Fault::Malformed(_));
    for kind in KINDS {
        assert!(unsupported(examined(kind, &[(0, 2)])), "{kind:?}, version");
        assert!(unsupported(examined(kind, &[(0, 6)])), "{kind:?}, version");
        assert!(unsupported(examined(kind, &[(2, 3)])), "{kind:?}, key of P-384");
        assert!(unsupported(examined(kind, &[(4, 0x82)])), "{kind:?}, TEE");
        assert!(unsupported(examined(kind, &[(12, 0)])), "{kind:?}, vendor");
    }
    assert!(unsupported(examined(QuoteBody::Sgx3, &[(4, 0x81)])));
    assert!(unsupported(examined(QuoteBody::Td4, &[(4, 0)])));
    assert!(unsupported(examined(QuoteBody::Td15, &[(48, 4)])));
    for (kind, edits) in [
        (QuoteBody::Td15, &[(4, 0)][..]),
        (QuoteBody::Sgx5, &[(4, 0x81)]),
        (QuoteBody::Td15, &[(48, 2)]),
        (QuoteBody::Td5, &[(48, 3)]),
        (QuoteBody::Td5, &[(50, 0)]),
    ] {
        assert!(malformed(examined(kind, edits)), "{kind:?} {edits:?}");
    }
}

proptest::proptest! {
    // attacks 27, 35
    #[test]
    fn no_quote_and_no_collateral_make_it_panic(
        mut quote in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..900),
        version in 3_u8..6,
        json in r#"\{"(tcbInfo|enclaveIdentity|tcb_info)":[{}"a0:,]{0,20},"signature":"0a"\}"#,
    ) {
        if let [first, second, ..] = quote.as_mut_slice() {
            (*first, *second) = (version, 0);
        }
        let examination = Examination::new(builder().build().unwrap().into(), NOW);
        let _ = examination.dcap(quote, &[json.into_bytes()]);
        let genuine = intel().quote(&forgery(QuoteBody::Td4).quote).unwrap();
        let _ = examination.dcap(genuine, &[]);
    }
}
