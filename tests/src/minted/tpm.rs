//! A TPM of software: one attestation key, 24 PCRs of SHA-256, and whatever quote it is asked for.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

/// A TPM with one key.
pub struct Tpm {
    key: Arc<EcdsaKeyPair>,
    /// The bank of SHA-256.
    pub pcrs: Vec<[u8; 32]>,
}

/// A quote that may be anything but honest.
#[derive(Clone)]
pub struct Quote {
    /// TPM_GENERATED_VALUE, where a TPM made it.
    pub magic: u32,
    /// TPM_ST_ATTEST_QUOTE, where it is a quote.
    pub kind: u16,
    /// What it was asked with.
    pub extra_data: Vec<u8>,
    /// The PCRs.
    pub selected: Vec<u32>,
}

impl Default for Quote {
    fn default() -> Self {
        let selected = (0..24).collect();
        Self { magic: 0xff54_4347, kind: 0x8018, extra_data: vec![7; 32], selected }
    }
}

/// SHA-256.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

impl Default for Tpm {
    fn default() -> Self {
        Self::new()
    }
}

impl Tpm {
    /// With a fresh key, and PCRs of zeros.
    #[must_use]
    pub fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { key: key.into(), pcrs: vec![[0; 32]; 24] }
    }

    /// With a key in PKCS#8.
    #[must_use]
    pub fn with(key: &[u8]) -> Self {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key).unwrap();
        Self { key: key.into(), ..Self::new() }
    }

    /// The same TPM with other values in its PCRs.
    #[must_use]
    pub fn with_pcrs(&self, pcrs: Vec<[u8; 32]>) -> Self {
        Self { key: Arc::clone(&self.key), pcrs }
    }

    /// Extends the PCRs by all that a log says.
    #[must_use]
    pub fn started_by(entries: impl Iterator<Item = (usize, [u8; 32])>) -> Self {
        let mut tpm = Self::new();
        for (index, entry) in entries {
            tpm.pcrs[index] = sha256(&[tpm.pcrs[index], entry].concat());
        }
        tpm
    }

    /// DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        let key: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        key.as_ref().to_vec()
    }

    /// x and y of the public key, 32 bytes each.
    #[must_use]
    pub fn coordinates(&self) -> [Vec<u8>; 2] {
        let point = self.key.public_key().as_ref();
        [point[1..33].to_vec(), point[33..].to_vec()]
    }

    /// TPMS_ATTEST.
    #[must_use]
    pub fn message(&self, quote: &Quote) -> Vec<u8> {
        let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        let mut bitmap = [0_u8; 3];
        let mut values = Vec::new();
        for index in &quote.selected {
            bitmap[*index as usize / 8] |= 1 << (index % 8);
            values.extend(self.pcrs[*index as usize]);
        }
        let mut message = [&quote.magic.to_be_bytes()[..], &quote.kind.to_be_bytes()].concat();
        message.extend(sized(&[0x22; 34]));
        message.extend(sized(&quote.extra_data));
        message.extend([0; 8 + 4 + 4]);
        message.push(1);
        message.extend([0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0x0b, 3]);
        message.extend(bitmap);
        message.extend(sized(&sha256(&values)));
        message
    }

    /// TPMT_SIGNATURE.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), message).unwrap();
        let (r, s) = signature.as_ref().split_at(32);
        [&[0, 0x18, 0, 0x0b, 0, 32][..], r, &[0, 32], s].concat()
    }

    /// Evidence of a quote, in the documented form.
    #[must_use]
    pub fn evidence(&self, quote: &Quote) -> Value {
        let message = self.message(quote);
        let value =
            |index: &u32| (index.to_string(), HEXLOWER.encode(&self.pcrs[*index as usize]).into());
        let pcrs: serde_json::Map<String, Value> = quote.selected.iter().map(value).collect();
        json!({
            "quote": BASE64.encode(&message),
            "signature": BASE64.encode(&self.sign(&message)),
            "ak_public": BASE64.encode(&self.public_key()),
            "pcrs": { "sha256": pcrs },
        })
    }
}
