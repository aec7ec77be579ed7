//! Unknown is no: what is not defined, missing, unavailable or in doubt is refused, with a code that
//! says which.

use claviger::error::Code;
use claviger::flow::Submission;
use claviger_tests::site::{Guest, Site, code};

// attack 54, invariant 6
#[tokio::test]
async fn without_a_reference_value_no_measurement_is_approved() {
    let site = Site::with(|_, plan| plan.snp.measurements.clear()).await;
    site.key("k").await;
    let guest = Guest::new();
    assert_eq!(site.attest(&guest).await.unwrap().status, "warning");
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
    for almost in [vec![0xc1; 47], vec![0xc1; 49], Vec::new()] {
        let site = Site::with(|_, plan| plan.snp.measurements = vec![almost]).await;
        site.key("k").await;
        assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
    }
}

/// What comes of an answer that was changed.
async fn changed(site: &Site, change: impl FnOnce(&mut Submission)) -> Code {
    let guest = Guest::new();
    let challenge = site.challenge_for(&guest, "k");
    let mut submission: Submission = guest.answer(&challenge).into();
    change(&mut submission);
    code(site.submit(&guest, "k", submission).await)
}

// invariant 6
#[tokio::test]
async fn evidence_that_nobody_reads_is_refused() {
    let site = Site::new().await;
    site.key("k").await;
    for tee in ["", "tdx", "SNP", "snp ", "snp\n", "sample", "none"] {
        let refused = changed(&site, |s| s.evidence.tee = tee.to_owned()).await;
        assert_eq!(refused, Code::EvidenceUnsupported, "{tee:?}");
    }
    for media_type in ["", "text/plain", "application/vnd.amd.sev-snp-report; v=2"] {
        let refused = changed(&site, |s| s.evidence.media_type = Some(media_type.to_owned())).await;
        assert_eq!(refused, Code::EvidenceUnsupported, "{media_type:?}");
    }
}

// attack 35, invariant 6
#[tokio::test]
async fn evidence_in_doubt_is_refused() {
    let site = Site::new().await;
    site.key("k").await;
    let json = |text: &'static str| {
        move |s: &mut Submission| {
            s.evidence.media_type = Some("application/json".to_owned());
            s.evidence.data = text.as_bytes().to_vec();
        }
    };
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"attestation_report":""}"#,
        r#"{"attestation_report":"AA==","attestation_report":"AA=="}"#,
        r#"{"attestation_report":"AAAA"} x"#,
        r#"{"attestation_report":"\ud800"}"#,
    ] {
        assert_eq!(changed(&site, json(text)).await, Code::EvidenceMalformed, "{text}");
    }
    let deep = "[".repeat(100_000);
    let deep = changed(&site, move |s| {
        s.evidence.media_type = Some("application/json".to_owned());
        s.evidence.data = deep.into_bytes();
    });
    assert_eq!(deep.await, Code::EvidenceMalformed);
    // Without its certificate a report is not checked.
    let alone = changed(&site, |s| s.evidence.attachments.clear()).await;
    assert_eq!(alone, Code::EndorsementsUnavailable);
    assert_eq!(site.releases(), 0);
}

// attacks 35 and 36, invariant 6
#[tokio::test]
async fn what_comes_with_evidence_and_is_not_understood_counts_for_nothing() {
    let site = Site::new().await;
    site.key("k").await;
    let guest = Guest::new();
    let garbage = [
        b"garbage".to_vec(),
        Vec::new(),
        vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        vec![0x30; 4096],
        b"-----BEGIN CERTIFICATE-----\nAAAA".to_vec(),
        [b"\x30\x03\x02\x01\x01".as_slice(), &[0xff; 100]].concat(),
    ];
    for piece in &garbage {
        let instead = changed(&site, |s| s.evidence.attachments = vec![piece.clone()]).await;
        assert!(
            matches!(instead, Code::EndorsementsUnavailable | Code::EvidenceMalformed),
            "{instead}"
        );
    }
    // Who submits it could have left it out: beside what is needed it changes nothing.
    let challenge = site.challenge_for(&guest, "k");
    let mut submission: Submission = guest.answer(&challenge).into();
    submission.evidence.attachments.extend(garbage);
    assert!(site.submit(&guest, "k", submission).await.is_ok());
}

// attack 45, invariant 7
#[tokio::test]
async fn a_flood_of_certificates_is_refused_and_not_worked_off() {
    let site = Site::new().await;
    site.key("k").await;
    let many: Vec<Vec<u8>> =
        (0..20).map(|_| claviger_tests::site::chip().certificate().to_vec()).collect();
    let refused = changed(&site, move |s| s.evidence.attachments = many).await;
    assert!(matches!(refused, Code::EvidenceMalformed | Code::EvidenceUntrusted), "{refused}");
    let empty = changed(&site, |s| s.evidence.attachments = vec![Vec::new(); 10_000]).await;
    assert_eq!(empty, Code::EndorsementsUnavailable);
    site.still_serves("after").await;
}
