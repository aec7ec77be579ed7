//! A token of Arm CCA: the platform's, and the realm's by the key whose digest the platform's holds.

use ciborium::Value;
use claviger::quote::{
    DigestAlgorithm, Examination, KeyEncoding, SignatureAlgorithm, Signer, Span,
};
use claviger_tests::vectors::Case;
use coset::{
    CborSerializable, CoseSign1, RegisteredLabelWithPrivate, TaggedCborSerializable, iana,
};
use data_encoding::HEXLOWER;

use super::{Signed, each_bit};

/// Members of the token and claims of its parts (draft-ffm-rats-cca-token).
const PLATFORM: i128 = 44_234;
const REALM: i128 = 44_241;
const CHALLENGE: i128 = 10;
const PUBLIC_KEY: i128 = 44_237;

pub(super) fn exhaust(case: &Case, examination: &Examination) -> Option<Result<usize, String>> {
    let token = &case.evidence.iter().find(|file| file.name.ends_with(".cbor"))?.bytes;
    let token: Value = ciborium::from_reader(token.as_slice()).ok()?;
    let (_, parts) = token.as_tag()?;
    let part = |name| sign1(member(parts, name)?.as_bytes()?);
    let (platform, realm) = (part(PLATFORM)?, part(REALM)?);
    let instance = case.expected.pointer("/fields/instance_id")?.as_str()?;
    let by = examination.pinned("cca", &HEXLOWER.decode(instance.as_bytes()).ok()?).unwrap();
    let claims =
        |one: &CoseSign1| -> Option<Value> { ciborium::from_reader(one.payload.as_deref()?).ok() };
    let (of_platform, of_realm) = (claims(&platform)?, claims(&realm)?);
    let challenge = member(&of_platform, CHALLENGE)?.as_bytes()?;
    let key = member(&of_realm, PUBLIC_KEY)?.as_bytes()?;
    let platform = signed(by, &platform)?;
    let statement = platform.statement(examination);
    let at = platform.message.windows(challenge.len()).position(|bytes| bytes == challenge)?;
    let span = |start: usize, length: usize| Span { start: start as u32, length: length as u32 };
    let at = span(at, challenge.len());
    let digest = match challenge.len() {
        32 => DigestAlgorithm::Sha256,
        48 => DigestAlgorithm::Sha384,
        _ => DigestAlgorithm::Sha512,
    };
    let vouched = examination.vouch(&statement, at, digest, key.clone()).unwrap();
    let encoding = if key.first() == Some(&4) { KeyEncoding::Sec1 } else { KeyEncoding::CoseKey };
    let by = examination.adopt(&vouched, span(0, key.len()), encoding).unwrap();
    let realm = signed(by, &realm)?;
    Some((|| {
        let keys = each_bit("realm's key", key, |key| {
            examination.vouch(&statement, at, digest, key.to_vec()).is_ok()
        })?;
        Ok(keys + platform.exhaust(examination)? + realm.exhaust(examination)?)
    })())
}

fn sign1(bytes: &[u8]) -> Option<CoseSign1> {
    CoseSign1::from_tagged_slice(bytes).or(CoseSign1::from_slice(bytes)).ok()
}

fn signed(by: Signer, one: &CoseSign1) -> Option<Signed> {
    let algorithm = match one.protected.header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => {
            SignatureAlgorithm::EcdsaP256Sha256
        }
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES384)) => {
            SignatureAlgorithm::EcdsaP384Sha384
        }
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES512)) => {
            SignatureAlgorithm::EcdsaP521Sha512
        }
        _ => return None,
    };
    let (message, signature) = (one.tbs_data(&[]), one.signature.clone());
    Some(Signed { by, algorithm, message, signature })
}

fn member(map: &Value, name: i128) -> Option<&Value> {
    let is = |key: &Value| key.as_integer().is_some_and(|key| i128::from(key) == name);
    map.as_map()?.iter().find(|(key, _)| is(key)).map(|(_, value)| value)
}
