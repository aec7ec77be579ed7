//! Keys that a certificate leads to an anchor of the operator's, or does not.

use std::sync::{Arc, LazyLock};

use claviger::claim::Value;
use claviger::error::Code;
use claviger::quote::{Authority, Revocation};
use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use super::bench::Bench;
use claviger_tests::minted::tpm::{Quote, Tpm};

static BENCH: LazyLock<Bench> = LazyLock::new(|| Bench::of("verifier-tpm"));

/// tcg-kp-AIKCertificate.
const AK: &[u64] = &[2, 23, 133, 8, 3];

/// Who certifies TPMs' keys: its certificate, and what it takes to issue others.
struct Maker {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Maker {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Maker of TPMs");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    fn certify(&self, key: &KeyPair, purpose: ExtendedKeyUsagePurpose) -> Vec<u8> {
        leaf(purpose).signed_by(key, &self.issuer).unwrap().der().to_vec()
    }

    fn trusted(&self) -> Arc<Authority> {
        let builder = Authority::builder().revocation(Revocation::Waived);
        Arc::new(builder.anchor("tpm", self.der.clone()).build().unwrap())
    }
}

fn leaf(purpose: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "AK");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![purpose];
    params
}

fn outcome(maker: &Maker, tpm: &Tpm, certificate: &[u8]) -> Result<Option<Value>, Code> {
    let mut evidence = tpm.evidence(&Quote::default());
    evidence["ak_certificates"] = vec![BASE64.encode(certificate)].into();
    let verified = BENCH.verify(&maker.trusted(), &evidence.to_string());
    let verified = verified.map_err(|refusal| refusal.code)?;
    let mut claims = verified.claims().iter();
    Ok(claims.find(|claim| claim.name == "tpm.ak").map(|claim| claim.value.clone()))
}

#[test]
fn a_key_that_its_maker_certified_is_believed() {
    let (maker, key) = (Maker::new(), KeyPair::generate().unwrap());
    let tpm = Tpm::with(&key.serialize_der());
    let mut certificate = maker.certify(&key, ExtendedKeyUsagePurpose::Other(AK.to_vec()));
    assert_eq!(outcome(&maker, &tpm, &certificate), Ok(Some(Value::Text("certified".into()))));
    // As it lies in an NV index.
    certificate.extend([0; 3000]);
    assert!(outcome(&maker, &tpm, &certificate).is_ok());
}

// attack 14
#[test]
fn a_key_that_certified_itself_or_is_of_another_maker_is_refused() {
    let (maker, other) = (Maker::new(), Maker::new());
    let key = KeyPair::generate().unwrap();
    let tpm = Tpm::with(&key.serialize_der());
    let purpose = || ExtendedKeyUsagePurpose::Other(AK.to_vec());
    let mut itself = leaf(purpose());
    itself.distinguished_name.push(DnType::CommonName, "Maker of TPMs");
    let itself = itself.self_signed(&key).unwrap().der().to_vec();
    for certificate in [itself, other.certify(&key, purpose())] {
        let refused = outcome(&maker, &tpm, &certificate);
        let codes = [Code::EvidenceUntrusted, Code::EvidenceSignature];
        assert!(refused.is_err_and(|code| codes.contains(&code)));
    }
    // The certificate of another TPM's key.
    let another = KeyPair::generate().unwrap();
    let certificate = maker.certify(&another, purpose());
    assert_eq!(outcome(&maker, &tpm, &certificate), Err(Code::EvidenceUntrusted));
}

#[test]
fn a_servers_certificate_of_the_same_authority_is_not_a_tpms() {
    let (maker, key) = (Maker::new(), KeyPair::generate().unwrap());
    let tpm = Tpm::with(&key.serialize_der());
    let certificate = maker.certify(&key, ExtendedKeyUsagePurpose::ServerAuth);
    assert_eq!(outcome(&maker, &tpm, &certificate), Err(Code::EvidenceUntrusted));
}
