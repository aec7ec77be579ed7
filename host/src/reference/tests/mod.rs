//! Who may sign what, until when, and what is not read at all.

mod corims;
mod forms;
mod rims;
mod signers;
mod stored;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use data_encoding::BASE64;
use serde_json::{Value as Json, json};

use super::dsse;
use super::signer::{ReferencePlan, SignerPlan, Signers};
use super::{Admitted, Container, Opened, ReferenceError};
use crate::tenant::Tenant;

/// A key that signs.
enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::P256(key) | Self::P384(key) => {
                key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    fn pem(&self) -> Vec<u8> {
        let spki: PublicKeyX509Der<'_> = match self {
            Self::P256(key) | Self::P384(key) => key.public_key().as_der().unwrap(),
            Self::Ed25519(key) => key.public_key().as_der().unwrap(),
        };
        let body = BASE64.encode(spki.as_ref());
        format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n").into_bytes()
    }

    /// A signer of that key who may sign everything of SNP.
    fn plan(&self, name: &str) -> SignerPlan {
        let tees = vec!["snp".to_owned()];
        SignerPlan { name: name.to_owned(), key: self.pem(), tees, ..SignerPlan::default() }
    }
}

fn signers(signers: impl IntoIterator<Item = SignerPlan>) -> Signers {
    let signers = signers.into_iter().collect();
    Signers::new(ReferencePlan { allow_unsigned: false, signers }).unwrap()
}

fn unsigned() -> Signers {
    Signers::new(ReferencePlan { allow_unsigned: true, signers: Vec::new() }).unwrap()
}

fn measurement(byte: u8) -> String {
    format!("{byte:02x}").repeat(48)
}

/// The plain form with one measurement.
fn plain(name: &str, byte: u8) -> Json {
    json!({
        "type": "claviger-reference/1",
        "name": name,
        "tee": "snp",
        "values": [{ "measurement": measurement(byte) }],
    })
}

const PLAIN: &str = "application/vnd.claviger.reference+json";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope around `payload`.
fn envelope(key: &Key, payload_type: &str, payload: &[u8]) -> Json {
    let signature = key.sign(&dsse::encode(payload_type, payload));
    json!({
        "payload": BASE64.encode(payload),
        "payloadType": payload_type,
        "signatures": [{ "keyid": "not looked at", "sig": BASE64.encode(&signature) }],
    })
}

fn admit(
    signers: &Signers,
    container: Container,
    bytes: &[u8],
) -> Result<Admitted, ReferenceError> {
    Opened::read(container, bytes)?.admit(signers, &Tenant::default())
}

fn admit_json(
    signers: &Signers,
    container: Container,
    json: &Json,
) -> Result<Admitted, ReferenceError> {
    admit(signers, container, json.to_string().as_bytes())
}
