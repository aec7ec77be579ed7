//! Time, randomness and the network are injected: the same inputs at the same moment give the same
//! verdict, byte for byte.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use claviger::error::Code;
use claviger::flow::{Caller, Host, Purpose, Wanted};
use claviger::http::{AttestationRequest, Challenge};
use claviger::keys::{RecipientKind, RecipientPrivateKey};
use claviger::random::{Random, RandomnessFailed};
use claviger::simulated::SimulatedGuest;
use claviger_tests::site::{Ground, Guest, NOW, Site, chip, code};
use data_encoding::BASE64URL_NOPAD;

/// Bytes that only look random: a counter through SHA-256.
#[derive(Default)]
struct Counted(AtomicU64);

impl Random for Counted {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomnessFailed> {
        for chunk in buffer.chunks_mut(32) {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            let block = digest(&SHA256, &count.to_be_bytes());
            chunk.copy_from_slice(&block.as_ref()[..chunk.len()]);
        }
        Ok(())
    }
}

/// No source at all.
struct Failing;

impl Random for Failing {
    fn fill(&self, _: &mut [u8]) -> Result<(), RandomnessFailed> {
        Err(RandomnessFailed)
    }
}

async fn counted() -> Site {
    let mut ground = Ground::new();
    ground.random = Arc::new(Counted::default());
    Site::on(ground, |_, _| {}).await
}

/// What a token says, byte for byte.
fn claims(token: &str) -> Vec<u8> {
    let claims = token.split('.').nth(1).unwrap();
    BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()
}

// invariant 11
#[tokio::test]
async fn the_same_inputs_at_the_same_moment_give_the_same_verdict_byte_for_byte() {
    let (one, other) = (counted().await, counted().await);
    let guest = Guest::new();
    let challenges = [one.challenge(&guest), other.challenge(&guest)];
    assert_eq!(challenges[0].nonce, challenges[1].nonce);
    assert_eq!(challenges[0].challenge, challenges[1].challenge);
    // One report for both: its signature differs each time it is made.
    let answer = guest.answer(&challenges[0]);
    let mut verdicts = Vec::new();
    for site in [&one, &other] {
        let attested = site
            .host
            .attest(&guest.caller(), answer.clone().into(), Wanted::default())
            .await
            .unwrap();
        verdicts.push((claims(&attested.token), attested.expires, attested.status));
    }
    assert!(verdicts[0] == verdicts[1]);
    let records = |site: &Site| site.records().last().unwrap().clone();
    assert_eq!(records(&one), records(&other));
}

// invariant 11
#[tokio::test]
async fn the_system_clock_is_nowhere_asked() {
    let site = Site::new().await;
    let guest = Guest::new();
    site.key("k").await;
    for moment in [0, 1, 200] {
        site.at(moment);
        let challenge = site.challenge_for(&guest, "k");
        assert_eq!(challenge.expires, NOW.plus(moment + 300).to_string());
        let attested = site.attest(&guest).await.unwrap();
        assert_eq!(attested.expires, NOW.plus(moment + 300));
        assert!(site.submit(&guest, "k", guest.answer(&challenge)).await.is_ok());
        let record = site.records().last().unwrap().clone();
        assert_eq!(record["time"], NOW.plus(moment).to_string());
    }
    // Long after everything has expired, by the injected clock alone.
    site.at(20 * 365 * 86_400);
    assert_eq!(code(site.release(&guest, "k").await), Code::EvidenceExpired);
}

// invariant 11
#[tokio::test]
async fn without_randomness_nothing_is_issued() {
    let mut ground = Ground::new();
    ground.random = Arc::new(Failing);
    assert!(ground.try_build(ground.plan()).await.is_err());
    let site = Site::new().await;
    let Site { mut ground, host } = site;
    host.close().await.unwrap();
    drop(host);
    ground.random = Arc::new(Failing);
    // Not even over a store that has all its keys: challenges need one of their own.
    assert!(ground.try_build(ground.plan()).await.is_err());
}

// invariant 11
#[tokio::test]
async fn evidence_judged_twice_at_one_moment_is_judged_alike_and_later_by_its_own_time() {
    let site = counted().await;
    let key = RecipientPrivateKey::generate(RecipientKind::P256).unwrap();
    let guest = Guest { key, ..Guest::on(SimulatedGuest::new(chip())) };
    let mut seen = Vec::new();
    for moment in [10, 10, 20] {
        site.at(moment);
        let attested = attest(&site.host, &guest.caller(), &guest).await;
        let mut claims: serde_json::Value = serde_json::from_slice(&claims(&attested)).unwrap();
        for fresh in ["jti", "eat_nonce"] {
            claims[fresh].take();
        }
        claims["submods"]["snp"]["ear_attester_claims"]["snp.report_data"].take();
        seen.push(claims);
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0], seen[2]);
    for moment in ["iat", "exp"] {
        seen[2][moment] = seen[0][moment].clone();
    }
    assert_eq!(seen[0], seen[2]);
}

async fn attest(host: &Host, caller: &Caller, guest: &Guest) -> String {
    let challenge: Challenge = host.challenge(caller, &Purpose::Attestation).unwrap().into();
    let answer: AttestationRequest = guest.answer(&challenge);
    host.attest(caller, answer.into(), Wanted::default()).await.unwrap().token
}
