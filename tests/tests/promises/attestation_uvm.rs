//! A compliance status of the utility VM around a container: said by an endorsement whose signature leads to an
//! anchor of the operator's.

use claviger::assemble::AnchorPlan;
use claviger::error::Code;
use claviger::flow::{AttestationRules, MaaRequest, UvmRule};
use claviger_tests::site::{NOW, Site};
use coset::TaggedCborSerializable;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::json;

use crate::attestation::{URL, claims, guest, refused, sha256, sound};

/// Who signs endorsements of utility VMs: an authority, and a key of its for that usage.
struct Maker {
    root: Vec<u8>,
    leaf: Vec<u8>,
    key: aws_lc_rs::signature::RsaKeyPair,
}

impl Maker {
    const USAGE: &str = "1.3.6.1.4.1.311.76.59.1.2";

    fn new() -> Self {
        let moment = |seconds: u64| {
            time::OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).unwrap()).unwrap()
        };
        let parameters = || {
            let mut parameters = rcgen::CertificateParams::default();
            parameters.not_before = moment(NOW.0 - 86_400);
            parameters.not_after = moment(NOW.0 + 86_400);
            parameters
        };
        let root_key = rcgen::KeyPair::generate().unwrap();
        let mut authority = parameters();
        authority.distinguished_name.push(rcgen::DnType::CommonName, "endorsements");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        let root = authority.self_signed(&root_key).unwrap().der().to_vec();
        let size = rcgen::RsaKeySize::_2048;
        let key = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size).unwrap();
        let mut leaf = parameters();
        leaf.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
        let usage = Self::USAGE.split('.').map(|arc| arc.parse().unwrap()).collect();
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::Other(usage)];
        let issuer = rcgen::Issuer::new(authority, root_key);
        let leaf = leaf.signed_by(&key, &issuer).unwrap().der().to_vec();
        let key = aws_lc_rs::signature::RsaKeyPair::from_pkcs8(&key.serialize_der()).unwrap();
        Self { root, leaf, key }
    }

    fn did(&self) -> String {
        let fingerprint = BASE64URL_NOPAD.encode(&sha256(&self.root));
        format!("did:x509:0:sha256:{fingerprint}::eku:{}", Self::USAGE)
    }

    fn endorses(&self, measurement: &[u8], svn: &str) -> Vec<u8> {
        self.endorses_as(&self.did(), measurement, svn)
    }

    fn endorses_as(&self, did: &str, measurement: &[u8], svn: &str) -> Vec<u8> {
        let payload = json!({
            "x-ms-sevsnpvm-guestsvn": svn,
            "x-ms-sevsnpvm-launchmeasurement": HEXLOWER.encode(measurement),
        });
        let chain = [&self.leaf, &self.root].map(|der| ciborium::Value::Bytes(der.clone()));
        let header = coset::HeaderBuilder::new()
            .algorithm(coset::iana::Algorithm::PS384)
            .value(33, ciborium::Value::Array(chain.into()))
            .value(391, did.into())
            .value(392, "ContainerPlat-AMD-UVM".into())
            .build();
        let sign = |message: &[u8]| {
            let mut signature = vec![0; self.key.public_modulus_len()];
            let random = aws_lc_rs::rand::SystemRandom::new();
            let scheme = &aws_lc_rs::signature::RSA_PSS_SHA384;
            self.key.sign(scheme, &random, message, &mut signature).unwrap();
            signature
        };
        coset::CoseSign1Builder::new()
            .protected(header)
            .payload(payload.to_string().into_bytes())
            .create_signature(b"", sign)
            .build()
            .to_tagged_vec()
            .unwrap()
    }
}

// invariant 1
#[tokio::test]
async fn a_compliance_status_stands_on_a_signature_below_a_configured_anchor() {
    let (maker, stranger, guest) = (Maker::new(), Maker::new(), guest());
    let site = Site::with(|_, plan| {
        let set = "azure-uvm".to_owned();
        plan.unpublished_revocation.insert(set.clone());
        plan.anchors.push(AnchorPlan { set, key_id: None, bytes: maker.root.clone() });
    })
    .await;
    let rule = |maker: &Maker, min_svn| UvmRule {
        anchors: "azure-uvm".to_owned(),
        issuer: maker.did(),
        feed: "ContainerPlat-AMD-UVM".to_owned(),
        min_svn,
        status: "azure-compliant-uvm".to_owned(),
    };
    let by = async |uvm: Vec<UvmRule>, endorsement: Vec<u8>| {
        let rules = AttestationRules { uvm, ..AttestationRules::default() };
        let request = MaaRequest { uvm: vec![endorsement], ..sound(&guest) };
        site.host.maa_attest(&guest.caller(), URL, request, &rules).await
    };
    let measurement = guest.hardware.template.measurement;
    let sound = maker.endorses(&measurement, "22");
    let said = claims(&by(vec![rule(&maker, 22)], sound.clone()).await.unwrap().token);
    assert_eq!(said["x-ms-compliance-status"], "azure-compliant-uvm");
    assert_eq!(said["x-ms-sevsnpvm-guestsvn"], 22);
    let said = claims(&by(Vec::new(), sound.clone()).await.unwrap().token);
    assert!(said.get("x-ms-compliance-status").is_none());
    let mut forged = sound.clone();
    *forged.last_mut().unwrap() ^= 1;
    // Of another feed; of an issuer with that fingerprint, for another usage; of an issuer that is not in
    // the chain; of a list in which there is another, too.
    let feed = UvmRule { feed: "Other".to_owned(), ..rule(&maker, 0) };
    let other_usage = maker.did().replace("76.59.1.2", "76.59.1.3");
    for (claimed, rules) in [
        (maker.did(), vec![feed]),
        (other_usage.clone(), vec![UvmRule { issuer: other_usage, ..rule(&maker, 0) }]),
        (stranger.did(), vec![rule(&stranger, 0)]),
        (stranger.did(), vec![rule(&maker, 0)]),
    ] {
        let endorsement = maker.endorses_as(&claimed, &measurement, "22");
        assert_eq!(refused(by(rules, endorsement).await), Code::EvidenceUntrusted, "{claimed}");
    }
    let twice = MaaRequest { uvm: vec![sound.clone(), sound.clone()], ..self::sound(&guest) };
    let rules = AttestationRules { uvm: vec![rule(&maker, 0)], ..AttestationRules::default() };
    let twice = site.host.maa_attest(&guest.caller(), URL, twice, &rules).await;
    assert_eq!(refused(twice), Code::EvidenceUntrusted);
    for (rules, endorsement) in [
        (vec![rule(&maker, 23)], sound.clone()),
        (vec![rule(&stranger, 0)], sound),
        (vec![rule(&maker, 0)], forged),
        (vec![rule(&maker, 0)], maker.endorses(&[7; 48], "22")),
        (vec![rule(&stranger, 0)], stranger.endorses(&measurement, "22")),
        (vec![rule(&maker, 0)], b"none".to_vec()),
    ] {
        assert_eq!(refused(by(rules, endorsement).await), Code::EvidenceUntrusted);
    }
}
