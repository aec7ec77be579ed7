//! Forged hardware for tests: just enough DER and report layout to make each case wrong in one way.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA384,
};
use time::OffsetDateTime;

use super::super::snp::{EndorsementKey, Product, Tcb};
use super::super::{Authority, AuthorityBuilder, Revocation};
use crate::clock::Timestamp;

/// 2026-01-01T00:00:00Z, when all of it is valid.
pub(super) const NOW: Timestamp = Timestamp(1_767_225_600);
pub(super) const YEAR: u64 = 31_557_600;

/// A value with a tag and a length.
pub(super) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length @ 0x80..=0xff => out.extend_from_slice(&[0x81, length as u8]),
        length => {
            out.push(0x82);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub(super) fn name(common_name: &str) -> Vec<u8> {
    let attribute =
        sequence(&[&tlv(0x06, &[0x55, 0x04, 0x03]), &tlv(0x0c, common_name.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

pub(super) fn moment(at: Timestamp) -> Vec<u8> {
    let at = OffsetDateTime::from_unix_timestamp(at.0 as i64).unwrap();
    let text = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    tlv(0x18, text.as_bytes())
}

/// RSASSA-PSS with the given hash arc (2 is SHA-384) and salt length.
pub(super) fn pss(hash: u8, salt: u8) -> Vec<u8> {
    let sha2 = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash];
    let sha2 = sequence(&[&tlv(0x06, &sha2), &[5, 0]]);
    let mgf1 = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    let mgf1 = sequence(&[&tlv(0x06, &mgf1), &sha2]);
    let parameters = sequence(&[
        &tlv(0xa0, &sha2),
        &tlv(0xa1, &mgf1),
        &tlv(0xa2, &tlv(0x02, &[salt])),
        &tlv(0xa3, &tlv(0x02, &[1])),
    ]);
    let pss = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
    sequence(&[&tlv(0x06, &pss), &parameters])
}

/// An RSA key; a number names the same key every time.
pub(super) fn rsa(number: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 4] = [const { OnceLock::new() }; 4];
    KEYS[number].get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

pub(super) const ARK: usize = 0;
pub(super) const ASK: usize = 1;
pub(super) const ASVK: usize = 2;
pub(super) const STRANGER: usize = 3;

/// The key of every forged chip.
pub(super) fn chip_key() -> &'static EcdsaKeyPair {
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| {
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new()).unwrap();
        EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref()).unwrap()
    })
}

fn rsa_spki(key: &RsaKeyPair) -> Vec<u8> {
    AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(key.public_key())
        .unwrap()
        .as_ref()
        .to_vec()
}

pub(super) fn sign(key: &RsaKeyPair, message: &[u8]) -> Vec<u8> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), message, &mut signature).unwrap();
    signature
}

/// An extension: the content octets of its identifier, critical or not, its value.
pub(super) type Extension = (Vec<u8>, bool, Vec<u8>);

pub(super) fn extension_list(extensions: &[Extension]) -> Vec<u8> {
    let list: Vec<Vec<u8>> = extensions
        .iter()
        .map(|(oid, critical, value)| {
            let flag = if *critical { tlv(0x01, &[0xff]) } else { Vec::new() };
            sequence(&[&tlv(0x06, oid), &flag, &tlv(0x04, value)])
        })
        .collect();
    tlv(0x30, &list.concat())
}

/// A certificate about to be signed.
#[derive(Clone)]
pub(super) struct Certificate {
    pub(super) serial: Vec<u8>,
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) spki: Vec<u8>,
    pub(super) extensions: Vec<Extension>,
    pub(super) algorithm: Vec<u8>,
    pub(super) signer: usize,
}

impl Certificate {
    pub(super) fn der(&self) -> Vec<u8> {
        let validity = sequence(&[&moment(self.not_before), &moment(self.not_after)]);
        let tbs = sequence(&[
            &tlv(0xa0, &tlv(0x02, &[2])),
            &tlv(0x02, &self.serial),
            &self.algorithm,
            &name(&self.issuer),
            &validity,
            &name(&self.subject),
            &self.spki,
            &tlv(0xa3, &extension_list(&self.extensions)),
        ]);
        let signature = sign(rsa(self.signer), &tbs);
        sequence(&[&tbs, &self.algorithm, &tlv(0x03, &[&[0], signature.as_slice()].concat())])
    }

    /// Replaces, or with `None` removes, an extension.
    pub(super) fn set(&mut self, oid: &[u8], value: Option<Vec<u8>>) {
        self.extensions.retain(|(known, _, _)| known != oid);
        self.extensions.extend(value.map(|value| (oid.to_vec(), false, value)));
    }
}

/// The content octets of 1.3.6.1.4.1.3704.1 and these arcs.
pub(super) fn amd(arcs: &[u8]) -> Vec<u8> {
    [&[0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01], arcs].concat()
}

pub(super) const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
pub(super) const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];

/// A certificate authority's certificate.
pub(super) fn authority(subject: &str, key: usize, issuer: &str, signer: usize) -> Certificate {
    Certificate {
        serial: vec![1, key as u8],
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        not_before: Timestamp(NOW.0 - YEAR),
        not_after: Timestamp(NOW.0 + 10 * YEAR),
        spki: rsa_spki(rsa(key)),
        extensions: vec![
            (BASIC_CONSTRAINTS.to_vec(), true, sequence(&[&tlv(0x01, &[0xff])])),
            (KEY_USAGE.to_vec(), true, tlv(0x03, &[1, 0x06])),
        ],
        algorithm: pss(2, 48),
        signer,
    }
}

pub(super) fn ark(product: Product) -> Certificate {
    let name = format!("ARK-{product}");
    authority(&name, ARK, &name, ARK)
}

pub(super) fn ask(product: Product) -> Certificate {
    authority(&format!("SEV-{product}"), ASK, &format!("ARK-{product}"), ARK)
}

pub(super) fn asvk(product: Product) -> Certificate {
    authority(&format!("SEV-VLEK-{product}"), ASVK, &format!("ARK-{product}"), ARK)
}

pub(super) fn integer(value: u8) -> Vec<u8> {
    match value {
        0..=0x7f => tlv(0x02, &[value]),
        _ => tlv(0x02, &[0, value]),
    }
}

/// A P-384 SubjectPublicKeyInfo of the chip key.
pub(super) fn chip_spki() -> Vec<u8> {
    let oids =
        [tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1]), tlv(0x06, &[0x2b, 0x81, 4, 0, 0x22])];
    let point = [&[0], chip_key().public_key().as_ref()].concat();
    sequence(&[&tlv(0x30, &oids.concat()), &tlv(0x03, &point)])
}

/// The VCEK or VLEK certificate that goes with a report.
pub(super) fn vek(key: EndorsementKey, product: Product, report: &Report) -> Certificate {
    let (subject, issuer, signer) = match key {
        EndorsementKey::Vcek => ("SEV-VCEK", format!("SEV-{product}"), ASK),
        EndorsementKey::Vlek => ("SEV-VLEK", format!("SEV-VLEK-{product}"), ASVK),
    };
    let tcb = report.reported_tcb;
    let mut extensions = vec![
        (amd(&[1]), false, integer(0)),
        (amd(&[2]), false, tlv(0x16, product.name().as_bytes())),
        (amd(&[3, 1]), false, integer(tcb.bootloader)),
        (amd(&[3, 2]), false, integer(tcb.tee)),
        (amd(&[3, 3]), false, integer(tcb.snp)),
        (amd(&[3, 8]), false, integer(tcb.microcode)),
    ];
    if let Some(fmc) = tcb.fmc {
        extensions.push((amd(&[3, 9]), false, integer(fmc)));
    }
    extensions.push(match key {
        EndorsementKey::Vcek => {
            let length = if product == Product::Turin { 8 } else { 64 };
            (amd(&[4]), false, report.chip_id[..length].to_vec())
        }
        EndorsementKey::Vlek => (amd(&[5]), false, tlv(0x16, b"CN=provider")),
    });
    Certificate {
        serial: vec![0],
        issuer,
        subject: subject.to_owned(),
        not_before: Timestamp(NOW.0 - YEAR),
        not_after: Timestamp(NOW.0 + YEAR),
        spki: chip_spki(),
        extensions,
        algorithm: pss(2, 48),
        signer,
    }
}

/// A report about to be signed.
#[derive(Clone)]
pub(super) struct Report {
    pub(super) version: u32,
    pub(super) product: Product,
    pub(super) reported_tcb: Tcb,
    pub(super) chip_id: [u8; 64],
    pub(super) signature_algorithm: u32,
    pub(super) key_info: u32,
    pub(super) vmpl: u32,
    pub(super) report_data: [u8; 64],
    pub(super) host_data: [u8; 32],
}

impl Report {
    pub(super) fn of(product: Product) -> Self {
        let turin = product == Product::Turin;
        let mut chip_id = [0; 64];
        chip_id[..8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        if !turin {
            chip_id[63] = 9;
        }
        Self {
            version: 3,
            product,
            reported_tcb: Tcb {
                fmc: turin.then_some(1),
                bootloader: 4,
                tee: 1,
                snp: 22,
                microcode: 213,
            },
            chip_id,
            signature_algorithm: 1,
            key_info: 0,
            vmpl: 0,
            report_data: [0x33; 64],
            host_data: [0x44; 32],
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0u8; 0x2a0];
        let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
        put(0, &self.version.to_le_bytes());
        put(0x08, &0x3_0000u64.to_le_bytes());
        put(0x30, &self.vmpl.to_le_bytes());
        put(0x34, &self.signature_algorithm.to_le_bytes());
        put(0x48, &self.key_info.to_le_bytes());
        put(0x50, &self.report_data);
        put(0xc0, &self.host_data);
        put(0x180, &self.reported_tcb.to_bytes(self.product));
        if self.version >= 3 {
            put(
                0x188,
                match self.product {
                    Product::Milan => &[0x19, 0x01, 1],
                    Product::Genoa => &[0x19, 0x11, 1],
                    Product::Turin => &[0x1a, 0x02, 1],
                },
            );
        }
        put(0x1a0, &self.chip_id);
        bytes
    }

    pub(super) fn signed(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        let signature = chip_key().sign(&SystemRandom::new(), &bytes).unwrap();
        for number in signature.as_ref().chunks(48) {
            bytes.extend(number.iter().rev());
            bytes.extend_from_slice(&[0; 24]);
        }
        bytes.resize(1184, 0);
        bytes
    }
}

/// A revocation list about to be signed.
#[derive(Clone)]
pub(super) struct Crl {
    pub(super) issuer: String,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Option<Timestamp>,
    pub(super) number: u8,
    pub(super) revoked: Vec<Vec<u8>>,
    pub(super) extensions: Vec<Extension>,
    pub(super) signer: usize,
}

impl Crl {
    pub(super) fn of(product: Product) -> Self {
        Self {
            issuer: format!("ARK-{product}"),
            this_update: Timestamp(NOW.0 - 86_400),
            next_update: Some(Timestamp(NOW.0 + 86_400)),
            number: 5,
            revoked: vec![vec![0x42]],
            extensions: Vec::new(),
            signer: ARK,
        }
    }

    pub(super) fn der(&self) -> Vec<u8> {
        let entries: Vec<Vec<u8>> = self
            .revoked
            .iter()
            .map(|serial| sequence(&[&tlv(0x02, serial), &moment(self.this_update)]))
            .collect();
        let mut extensions = vec![(vec![0x55, 0x1d, 0x14], false, integer(self.number))];
        extensions.extend(self.extensions.iter().cloned());
        let entries = match entries.is_empty() {
            true => Vec::new(),
            false => tlv(0x30, &entries.concat()),
        };
        let tbs = sequence(&[
            &tlv(0x02, &[1]),
            &pss(2, 48),
            &name(&self.issuer),
            &moment(self.this_update),
            &self.next_update.map(moment).unwrap_or_default(),
            &entries,
            &tlv(0xa0, &extension_list(&extensions)),
        ]);
        let signature = sign(rsa(self.signer), &tbs);
        sequence(&[&tbs, &pss(2, 48), &tlv(0x03, &[&[0], signature.as_slice()].concat())])
    }
}

/// Trusts the forged root, which everything forged here may lead to; revocation waived.
pub(super) fn trusting(product: Product) -> AuthorityBuilder {
    Authority::builder().simulated_root(ark(product).der()).revocation(Revocation::Waived)
}
