//! Arm CCA tokens (draft-ffm-rats-cca-token, RMM 1.0): a platform's, which vouches for the key of a realm's.

use ciborium::Value;
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use p384::pkcs8::EncodePublicKey;
use sha2::{Digest, Sha256};

/// A platform's key, the instance that it is enrolled as, and a realm's key.
pub struct Parts {
    /// CPAK, which signs platform tokens.
    pub cpak: SigningKey,
    /// The name under which the platform is enrolled.
    pub instance: [u8; 33],
    /// RAK, which signs realm tokens.
    pub rak: SigningKey,
}

impl Parts {
    /// DER SubjectPublicKeyInfo of the CPAK, for whoever enrolls the platform.
    #[must_use]
    pub fn enrolled(&self) -> Vec<u8> {
        self.cpak.verifying_key().to_public_key_der().unwrap().as_bytes().to_vec()
    }

    /// A token of a realm that was asked with these 64 bytes, on a platform in this state of its life
    /// (0x3000: secured).
    #[must_use]
    pub fn token_of(&self, lifecycle: u64, challenge: [u8; 64]) -> Vec<u8> {
        let rak = point(&self.rak);
        let platform = platform_in(lifecycle, self, &rak, &self.cpak);
        token(platform, realm(&rak, challenge, &self.rak))
    }
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_slice(&[seed; 48]).unwrap()
}

/// A platform with its realm.
#[must_use]
pub fn parts(seed: u8) -> Parts {
    let mut instance = [seed; 33];
    instance[0] = 1;
    Parts { cpak: key(seed), instance, rak: key(seed + 100) }
}

/// SEC 1, uncompressed.
#[must_use]
pub fn point(key: &SigningKey) -> Vec<u8> {
    key.verifying_key().to_sec1_point(false).as_bytes().to_vec()
}

/// A byte string.
pub fn bytes(value: impl Into<Vec<u8>>) -> Value {
    Value::Bytes(value.into())
}

/// In CBOR.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    ciborium::into_writer(value, &mut text).unwrap();
    text
}

/// A map with integer labels.
#[must_use]
pub fn map(members: Vec<(u64, Value)>) -> Value {
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

/// A platform token, which vouches for the key that is written so.
#[must_use]
pub fn platform(parts: &Parts, rak: &[u8], by: &SigningKey) -> Vec<u8> {
    platform_in(0x3000, parts, rak, by)
}

fn platform_in(lifecycle: u64, parts: &Parts, rak: &[u8], by: &SigningKey) -> Vec<u8> {
    let component = map(vec![(2, bytes([7; 32])), (5, bytes([8; 32]))]);
    let claims = map(vec![
        (265, "http://arm.com/CCA-SSD/1.0.0".into()),
        (10, bytes(Sha256::digest(rak).to_vec())),
        (2396, bytes([6; 32])),
        (256, bytes(parts.instance)),
        (2401, bytes([5; 4])),
        (2395, lifecycle.into()),
        (2402, "sha-256".into()),
        (2399, Value::Array(vec![component])),
    ]);
    sign(&claims, by)
}

/// A realm token over a challenge.
#[must_use]
pub fn realm(rak: &[u8], challenge: [u8; 64], by: &SigningKey) -> Vec<u8> {
    let claims = map(vec![
        (10, bytes(challenge)),
        (44235, bytes([2; 64])),
        (44236, "sha-256".into()),
        (44237, bytes(rak)),
        (44238, bytes([3; 32])),
        (44239, Value::Array(vec![bytes([4; 32]); 4])),
        (44240, "sha-256".into()),
    ]);
    sign(&claims, by)
}

/// Both together.
#[must_use]
pub fn token(platform: Vec<u8>, realm: Vec<u8>) -> Vec<u8> {
    let collection = map(vec![(44234, bytes(platform)), (44241, bytes(realm))]);
    encode(&Value::Tag(399, collection.into()))
}

/// The key of a realm in both of its spellings.
#[must_use]
pub fn spelled(rak: &SigningKey) -> [Vec<u8>; 2] {
    let point = point(rak);
    let (x, y) = (point[1..49].to_vec(), point[49..].to_vec());
    let key = coset::CoseKeyBuilder::new_ec2_pub_key(iana::EllipticCurve::P_384, x, y).build();
    [point, key.to_vec().unwrap()]
}
