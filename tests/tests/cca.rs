//! Arm CCA tokens that are put together of sound parts of others: through the bundled verifier, over
//! the custody operations, to the gate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

use std::sync::Arc;

use ciborium::Value;
use claviger::clock::Timestamp;
use claviger::error::{Code, Refusal};
use claviger::flow::{Evidence, Verified, examine};
use claviger::plugin::{Engine, EngineSettings, Manifest, Settings, VerifierPlugin, bundled};
use claviger::quote::{Authority, Revocation};
use claviger_tests::minted::cca::{bytes, encode, map, parts, platform, point, spelled, token};

/// By an operator who enrolled platforms 1 and 2.
fn verify(token: Vec<u8>) -> Result<Verified, Refusal> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let engine = Engine::new(EngineSettings { instances: 2, ..EngineSettings::default() }).unwrap();
    let (name, component) =
        bundled::BUNDLED.iter().find(|(name, _)| *name == "verifier-cca").unwrap();
    let manifest = Manifest::read(component).unwrap();
    let anchors = Arc::new(manifest.anchors.into_iter().collect());
    let settings = Settings { anchors, ..Settings::default() };
    let plugin = VerifierPlugin::load(&engine, name, component, settings).unwrap();
    let mut authority = Authority::builder().revocation(Revocation::Waived);
    for parts in [parts(1), parts(2)] {
        authority = authority.pin("cca", &parts.instance, parts.enrolled());
    }
    let authority = Arc::new(authority.build().unwrap());
    let evidence =
        Evidence { tee: "cca".into(), media_type: None, data: token, attachments: Vec::new() };
    runtime.block_on(examine(&plugin, authority, evidence, Timestamp(1_767_225_600)))
}

fn realm(rak: &[u8], by: &p384::ecdsa::SigningKey) -> Vec<u8> {
    claviger_tests::minted::cca::realm(rak, [1; 64], by)
}

fn code(token: Vec<u8>) -> Code {
    verify(token).unwrap_err().code
}

#[test]
fn a_sound_token_is_genuine_with_the_key_in_either_spelling() {
    let parts = parts(1);
    for rak in spelled(&parts.rak) {
        let sound = token(platform(&parts, &rak, &parts.cpak), realm(&rak, &parts.rak));
        let verified = verify(sound).unwrap();
        assert!(verified.claims().iter().any(|claim| claim.name == "cca.rim"));
        assert_eq!(verified.path().len(), 7, "{:?}", verified.path());
    }
}

// attack 14
#[test]
fn a_realm_of_another_platform_is_not_vouched_for() {
    let (one, other) = (parts(1), parts(2));
    let (rak, stranger) = (point(&one.rak), point(&other.rak));
    let mixed = token(platform(&one, &rak, &one.cpak), realm(&stranger, &other.rak));
    assert_eq!(code(mixed), Code::EvidenceUntrusted);
    // The key of one, in a token that the other signed.
    let forged = token(platform(&one, &rak, &one.cpak), realm(&rak, &other.rak));
    assert_eq!(code(forged), Code::EvidenceSignature);
}

#[test]
fn a_platform_that_is_not_enrolled_is_untrusted_and_so_is_the_name_of_another() {
    let stranger = parts(3);
    let rak = point(&stranger.rak);
    let unknown = token(platform(&stranger, &rak, &stranger.cpak), realm(&rak, &stranger.rak));
    assert_eq!(code(unknown), Code::EvidenceUntrusted);
    let named = token(platform(&parts(1), &rak, &stranger.cpak), realm(&rak, &stranger.rak));
    assert_eq!(code(named), Code::EvidenceSignature);
    // Enrolled, but under another name.
    let renamed = token(platform(&parts(1), &rak, &parts(2).cpak), realm(&rak, &stranger.rak));
    assert_eq!(code(renamed), Code::EvidenceSignature);
}

#[test]
fn a_platform_token_alone_or_in_the_realms_place_is_refused() {
    let parts = parts(1);
    let rak = point(&parts.rak);
    let alone = platform(&parts, &rak, &parts.cpak);
    assert_eq!(code(alone.clone()), Code::EvidenceMalformed);
    let half = encode(&Value::Tag(399, map(vec![(44234, bytes(alone.clone()))]).into()));
    assert_eq!(code(half), Code::EvidenceMalformed);
    assert!(verify(token(alone.clone(), alone.clone())).is_err());
    assert!(verify(token(realm(&rak, &parts.rak), alone)).is_err());
}
