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
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use p384::pkcs8::EncodePublicKey;
use sha2::{Digest, Sha256};

/// A platform's key, the instance that it is enrolled as, and a realm's key.
struct Parts {
    cpak: SigningKey,
    instance: [u8; 33],
    rak: SigningKey,
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 48]).unwrap()
}

fn parts(seed: u8) -> Parts {
    let mut instance = [seed; 33];
    instance[0] = 1;
    Parts { cpak: key(seed), instance, rak: key(seed + 100) }
}

fn point(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
}

fn bytes(value: impl Into<Vec<u8>>) -> Value {
    Value::Bytes(value.into())
}

fn encode(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    ciborium::into_writer(value, &mut text).unwrap();
    text
}

fn map(members: Vec<(u64, Value)>) -> Value {
    Value::Map(members.into_iter().map(|(label, value)| (label.into(), value)).collect())
}

fn sign(claims: &Value, by: &SigningKey) -> Vec<u8> {
    let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES384).build();
    let builder = CoseSign1Builder::new().protected(protected).payload(encode(claims));
    let signature = |message: &[u8]| {
        let signature: Signature = by.sign(message);
        signature.to_bytes().to_vec()
    };
    builder.create_signature(b"", signature).build().to_tagged_vec().unwrap()
}

/// Which vouches for the key that is written so.
fn platform(parts: &Parts, rak: &[u8], by: &SigningKey) -> Vec<u8> {
    let component = map(vec![(2, bytes([7; 32])), (5, bytes([8; 32]))]);
    let claims = map(vec![
        (265, "http://arm.com/CCA-SSD/1.0.0".into()),
        (10, bytes(Sha256::digest(rak).to_vec())),
        (2396, bytes([6; 32])),
        (256, bytes(parts.instance)),
        (2401, bytes([5; 4])),
        (2395, 0x3000.into()),
        (2402, "sha-256".into()),
        (2399, Value::Array(vec![component])),
    ]);
    sign(&claims, by)
}

fn realm(rak: &[u8], by: &SigningKey) -> Vec<u8> {
    let claims = map(vec![
        (10, bytes([1; 64])),
        (44235, bytes([2; 64])),
        (44236, "sha-256".into()),
        (44237, bytes(rak)),
        (44238, bytes([3; 32])),
        (44239, Value::Array(vec![bytes([4; 32]); 4])),
        (44240, "sha-256".into()),
    ]);
    sign(&claims, by)
}

fn token(platform: Vec<u8>, realm: Vec<u8>) -> Vec<u8> {
    let collection = map(vec![(44234, bytes(platform)), (44241, bytes(realm))]);
    encode(&Value::Tag(399, collection.into()))
}

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
        let spki = parts.cpak.verifying_key().to_public_key_der().unwrap();
        authority = authority.pin("cca", &parts.instance, spki.as_bytes());
    }
    let authority = Arc::new(authority.build().unwrap());
    let evidence =
        Evidence { tee: "cca".into(), media_type: None, data: token, attachments: Vec::new() };
    runtime.block_on(examine(&plugin, authority, evidence, Timestamp(1_767_225_600)))
}

fn code(token: Vec<u8>) -> Code {
    verify(token).unwrap_err().code
}

/// The key of a realm in both of its spellings.
fn spelled(rak: &SigningKey) -> [Vec<u8>; 2] {
    let point = point(rak);
    let (x, y) = (point[1..49].to_vec(), point[49..].to_vec());
    let key = coset::CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_384, x, y).build();
    [point, key.to_vec().unwrap()]
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
