//! The host, not the plugin, compares challenge, recipient key and purpose with the signed bytes.

use aws_lc_rs::digest::{SHA512, digest};
use claviger::error::Code;
use claviger::flow::Wanted;
use claviger::http::Challenge;
use claviger::keys::{RecipientKind, RecipientPrivateKey, UnwrapError};
use claviger_tests::site::{Guest, Site, code};

/// What comes of a report with this report data.
async fn outcome(
    site: &Site,
    guest: &Guest,
    report_data: impl FnOnce(&Challenge) -> [u8; 64],
) -> Result<(), Code> {
    let challenge = site.challenge_for(guest, "k");
    let report = guest.hardware.report(report_data(&challenge)).to_vec();
    let answer = guest.answer_with(&challenge, report);
    site.submit(guest, "k", answer).await.map(drop).map_err(|refusal| refusal.code)
}

// attacks 1 and 8, invariant 2
#[tokio::test]
async fn evidence_without_the_challenge_in_its_report_data_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let older = site.challenge_for(&guest, "k");
    let not_bound = Err(Code::EvidenceNotBound);
    assert_eq!(outcome(&site, &guest, |_| [0; 64]).await, not_bound);
    assert_eq!(outcome(&site, &guest, |_| [0xff; 64]).await, not_bound);
    assert_eq!(outcome(&site, &guest, |_| guest.report_data(&older)).await, not_bound);
    let nonce_and_zeros = |challenge: &Challenge| {
        let mut data = [0; 64];
        data[..32].copy_from_slice(&challenge.nonce.0);
        data
    };
    assert_eq!(outcome(&site, &guest, nonce_and_zeros).await, not_bound);
    for bit in [0, 255, 256, 511] {
        let one_bit_off = |challenge: &Challenge| {
            let mut data = guest.report_data(challenge);
            data[bit / 8] ^= 1 << (bit % 8);
            data
        };
        assert_eq!(outcome(&site, &guest, one_bit_off).await, not_bound, "bit {bit}");
    }
    for kept in [0, 1, 32, 63] {
        let cut = |challenge: &Challenge| {
            let mut data = guest.report_data(challenge);
            data[kept..].fill(0);
            data
        };
        assert_eq!(outcome(&site, &guest, cut).await, not_bound, "{kept} bytes");
    }
    assert_eq!(site.releases(), 0);
    assert_eq!(outcome(&site, &guest, |challenge| guest.report_data(challenge)).await, Ok(()));
}

// attack 8
#[tokio::test]
async fn a_report_cut_off_before_or_behind_its_report_data_is_no_report() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    for length in [0, 1, 0x50, 0x8f, 0x90, 0x2a0, 1183] {
        let challenge = site.challenge_for(&guest, "k");
        let mut report = guest.report(&challenge);
        report.truncate(length);
        let answer = guest.answer_with(&challenge, report);
        assert_eq!(code(site.submit(&guest, "k", answer).await), Code::EvidenceMalformed);
    }
}

// attack 9
#[tokio::test]
async fn a_digest_over_fields_without_their_lengths_does_not_bind() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let run_together = |challenge: &Challenge| {
        let fields: [&[u8]; 6] = [
            b"claviger report data 1",
            challenge.host.as_bytes(),
            b"default",
            challenge.purpose.as_bytes(),
            &challenge.nonce.0,
            &guest.key.thumbprint(),
        ];
        digest(&SHA512, &fields.concat()).as_ref().try_into().unwrap()
    };
    assert_eq!(outcome(&site, &guest, run_together).await, Err(Code::EvidenceNotBound));
}

// attacks 1 and 12, invariant 2
#[tokio::test]
async fn evidence_made_for_another_host_tenant_or_purpose_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    let made_for = async |change: fn(&mut Challenge)| {
        let with_change = |challenge: &Challenge| {
            let mut other = challenge.clone();
            change(&mut other);
            guest.report_data(&other)
        };
        outcome(&site, &guest, with_change).await
    };
    assert_eq!(made_for(|_| ()).await, Ok(()));
    for change in [
        (|challenge| challenge.host = "claviger-tes".into()) as fn(&mut Challenge),
        |challenge| challenge.host.clear(),
        |challenge| challenge.purpose = "attestation".into(),
        |challenge| challenge.purpose = "release:K".into(),
        |challenge| challenge.purpose = "release:*".into(),
        |challenge| challenge.purpose = "release:k2".into(),
        |challenge| challenge.purpose.clear(),
    ] {
        assert_eq!(made_for(change).await, Err(Code::EvidenceNotBound));
    }
    let stranger = Guest::new().of(&claviger_tests::site::tenant("other"));
    let of_another_tenant = |challenge: &Challenge| stranger.report_data(challenge);
    assert_eq!(outcome(&site, &guest, of_another_tenant).await, Err(Code::EvidenceNotBound));
}

// attack 12
#[tokio::test]
async fn a_challenge_for_one_purpose_is_refused_for_another() {
    let site = Site::new().await;
    let guest = Guest::new();
    site.key("k").await;
    site.key("k2").await;
    let for_a_token = guest.answer(&site.challenge(&guest));
    assert_eq!(code(site.submit(&guest, "k", for_a_token).await), Code::ChallengeInvalid);
    let for_k = site.challenge_for(&guest, "k");
    let refused = site.submit(&guest, "k2", guest.answer(&for_k)).await;
    assert_eq!(code(refused), Code::ChallengeInvalid);
    let refused =
        site.host.attest(&guest.caller(), guest.answer(&for_k).into(), Wanted::default()).await;
    assert_eq!(code(refused), Code::ChallengeInvalid);
    // Not spent by all that: it was never theirs.
    assert!(site.submit(&guest, "k", guest.answer(&for_k)).await.is_ok());
}

// attack 10, invariant 2
#[tokio::test]
async fn evidence_relayed_with_another_recipient_key_is_refused() {
    let site = Site::new().await;
    let (guest, _) = (Guest::new(), site.key("k").await);
    for kind in [RecipientKind::X25519, RecipientKind::P256] {
        let thief = RecipientPrivateKey::generate(kind).unwrap();
        let mut answer = guest.answer(&site.challenge_for(&guest, "k"));
        answer.recipient = thief.jwk().as_object().unwrap().clone();
        assert_eq!(code(site.submit(&guest, "k", answer).await), Code::EvidenceNotBound);
    }
    assert_eq!(site.releases(), 0);
}

// attack 10, invariant 4
#[tokio::test]
async fn evidence_relayed_as_it_is_gets_what_the_relay_cannot_open() {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let relayed = site.release(&guest, "k").await.unwrap();
    let thief = Guest::new();
    let opened = thief.key.unwrap(&relayed.jwe);
    assert_eq!(opened.unwrap_err(), UnwrapError::WrongRecipient);
    assert_eq!(guest.open(&relayed.jwe), material);
}
