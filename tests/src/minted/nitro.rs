//! Attestation documents of an AWS Nitro system: COSE_Sign1 by a module's certificate under a root of the
//! tests' own.

use ciborium::Value;
use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{Signature, SigningKey};
use p384::pkcs8::DecodePrivateKey;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384,
};

/// A root, and a module's key that it certified.
pub struct Nitro {
    /// The root's certificate, DER.
    pub root: Vec<u8>,
    certificate: Vec<u8>,
    key: SigningKey,
}

impl Default for Nitro {
    fn default() -> Self {
        Self::new()
    }
}

impl Nitro {
    /// A system of its own.
    #[must_use]
    pub fn new() -> Self {
        let key = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let mut authority = CertificateParams::default();
        // By its name a host knows whose root is simulated.
        authority.distinguished_name.push(DnType::CommonName, "aws.nitro-enclaves");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = key();
        let root = authority.self_signed(&root_key).unwrap().der().to_vec();
        let mut module = CertificateParams::default();
        module.distinguished_name.push(DnType::CommonName, "i-0123.module");
        module.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let module_key = key();
        let issuer = Issuer::new(authority, root_key);
        let certificate = module.signed_by(&module_key, &issuer).unwrap().der().to_vec();
        let key = SigningKey::from_pkcs8_der(&module_key.serialize_der()).unwrap();
        Self { root, certificate, key }
    }

    /// An enclave's document with these `user_data`. Its PCR0 to PCR2 hold `image` each.
    #[must_use]
    pub fn document(&self, image: [u8; 48], user_data: &[u8]) -> Vec<u8> {
        self.document_with(image, &[("user_data", user_data)])
    }

    /// The same with these of `user_data`, `nonce` and `public_key`.
    #[must_use]
    pub fn document_with(&self, image: [u8; 48], chosen: &[(&str, &[u8])]) -> Vec<u8> {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let register =
            |number: u64| (number.into(), bytes(if number < 3 { &image } else { &[0; 48] }));
        let members = [
            ("module_id", Value::Text("i-0123.module".to_owned())),
            ("digest", Value::Text("SHA384".to_owned())),
            ("timestamp", 1_767_225_600_000_u64.into()),
            ("pcrs", Value::Map((0..16).map(register).collect())),
            ("certificate", bytes(&self.certificate)),
            ("cabundle", Value::Array(vec![bytes(&self.root)])),
        ];
        let chosen = chosen.iter().map(|(name, value)| (*name, bytes(value)));
        let members = members.into_iter().chain(chosen);
        let members = members.map(|(name, value)| (Value::Text(name.to_owned()), value));
        let mut payload = Vec::new();
        ciborium::into_writer(&Value::Map(members.collect()), &mut payload).unwrap();
        let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES384).build();
        CoseSign1Builder::new()
            .protected(protected)
            .payload(payload)
            .create_signature(b"", |message| {
                let signature: Signature = self.key.sign(message);
                signature.to_bytes().to_vec()
            })
            .build()
            .to_tagged_vec()
            .unwrap()
    }
}
