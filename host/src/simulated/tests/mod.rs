//! What is minted is held against independent readers: x509-parser, `rsa`, `p384`, `sev`, and
//! AMD's own certificates.

mod certificates;
mod evidence;
mod mirror;
mod reports;
mod text;

use std::sync::OnceLock;

use rsa::pkcs8::DecodePublicKey;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use sha2::Sha384;
use x509_parser::prelude::*;

use super::Family;
use crate::clock::Timestamp;
use crate::quote::snp::product::Product;

/// The moment at which the shared families are minted: 2026-11-24T04:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp(1_795_492_800);

/// A product's family, made once in a test process: three RSA-4096 keys take seconds.
pub(crate) fn family(product: Product) -> &'static Family {
    static FAMILIES: [OnceLock<Family>; 3] = [const { OnceLock::new() }; 3];
    let index = Product::ALL.iter().position(|one| *one == product).unwrap();
    FAMILIES[index].get_or_init(|| Family::mint(product, NOW).unwrap())
}

fn certificate(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap();
    assert!(rest.is_empty(), "bytes behind the certificate");
    certificate
}

fn revocation_list(der: &[u8]) -> CertificateRevocationList<'_> {
    let (rest, list) = CertificateRevocationList::from_der(der).unwrap();
    assert!(rest.is_empty(), "bytes behind the list");
    list
}

/// Whether the RSA key in `issuer` signed `signed`: RSASSA-PSS, SHA-384, MGF1 SHA-384, salt 48.
fn signed_by(issuer: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let issuer = certificate(issuer);
    let key = rsa::PublicKey::from_public_key_der(issuer.public_key().raw).unwrap();
    let signature = Signature::try_from(signature).unwrap();
    VerifyingKey::<Sha384>::new_with_salt_len(key, 48).verify(signed, &signature).is_ok()
}

fn issued_by(issuer: &[u8], der: &[u8]) -> bool {
    let subject = certificate(der);
    subject.issuer().as_raw() == certificate(issuer).subject().as_raw()
        && signed_by(issuer, subject.tbs_certificate.as_ref(), &subject.signature_value.data)
}
