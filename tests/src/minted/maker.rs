//! A certificate authority with a key of P-384, whose certificates are valid around [`NOW`].

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CustomExtension, DnType,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, RevocationReason,
    RevokedCertParams, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use crate::site::NOW;

/// Its certificate, and what it takes to issue others.
pub struct Maker {
    der: Vec<u8>,
    serial: SerialNumber,
    issuer: Issuer<'static, KeyPair>,
}

impl Maker {
    /// One that vouches for itself, with this common name.
    #[must_use]
    pub fn root(name: &str) -> Self {
        let (params, key) = (authority(name), key());
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self::of(der, params, key)
    }

    /// One that this one vouches for.
    #[must_use]
    pub fn authority(&self, name: &str) -> Self {
        let (params, key) = (authority(name), key());
        let der = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        Self::of(der, params, key)
    }

    fn of(der: Vec<u8>, params: CertificateParams, key: KeyPair) -> Self {
        let serial = params.serial_number.clone().unwrap();
        Self { der, serial, issuer: Issuer::new(params, key) }
    }

    /// Its certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> Vec<u8> {
        self.der.clone()
    }

    /// Makes a key and certifies that it may sign.
    #[must_use]
    pub fn device(&self, name: &str, extensions: Vec<CustomExtension>) -> Device {
        let mut params = named(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.custom_extensions = extensions;
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().to_vec();
        let pkcs8 = key.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &pkcs8).unwrap();
        Device { certificate, key }
    }

    /// Its revocation list, DER, with the certificates of these authorities on it.
    #[must_use]
    pub fn list(&self, revoked: &[&Self]) -> Vec<u8> {
        let revoked = revoked.iter().map(|authority| RevokedCertParams {
            serial_number: authority.serial.clone(),
            revocation_time: now() - Duration::hours(2),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: now() - Duration::HOUR,
            next_update: now() + Duration::days(30),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }
}

/// A key with its certificate.
pub struct Device {
    /// DER.
    pub certificate: Vec<u8>,
    key: EcdsaKeyPair,
}

impl Device {
    /// ECDSA with SHA-384, r then s.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()
}

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(NOW.0.cast_signed()).unwrap()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::OrganizationName, "Claviger tests");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now() - Duration::DAY;
    params.not_after = now() + Duration::days(300);
    params.serial_number = Some(SerialNumber::from(serial()));
    params
}

fn serial() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
