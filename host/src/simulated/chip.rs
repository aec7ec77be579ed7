//! Endorsement keys' certificates: a chip's VCEK, a cloud provider's VLEK.
//!
//! Source: AMD 57230, chapter 3, and AMD's own certificates for the order of the extensions.

use aws_lc_rs::digest::{SHA512, digest};

use super::algorithm::Algorithm;
use super::certificate::CertificateTemplate;
use super::extension::Extension;
use super::name::Name;
use super::oid;
use crate::clock::Timestamp;
use crate::quote::snp::product::Product;
use crate::quote::snp::tcb::Tcb;

const YEAR: u64 = 365 * 86_400;
/// How long before its family's minting moment an endorsement key was certified.
const AGE: u64 = 86_400;

/// A chip at one TCB version, as its VCEK's certificate describes it.
#[derive(Clone, Debug)]
pub struct ChipTemplate {
    /// Decides which extensions there are and how the report lays out its TCB versions.
    pub product: Product,
    /// The product name in the certificate: `Milan-B0`, `Genoa`, `Turin`.
    pub product_name: String,
    /// The TCB version that the key was derived for.
    pub tcb: Tcb,
    /// The chip's identity: 64 bytes, on Turin 8.
    pub hardware_id: Vec<u8>,
    /// First second of the validity.
    pub not_before: Timestamp,
    /// Last second of the validity; AMD gives seven years.
    pub not_after: Timestamp,
}

impl ChipTemplate {
    /// Chip number 0 of `product`, certified a day before `at`.
    #[must_use]
    pub fn of(product: Product, at: Timestamp) -> Self {
        let not_before = Timestamp(at.0.saturating_sub(AGE));
        Self {
            product,
            product_name: match product {
                Product::Milan => "Milan-B0".into(),
                Product::Genoa | Product::Turin => product.name().into(),
            },
            tcb: current_tcb(product),
            hardware_id: hardware_id(product, 0),
            not_before,
            not_after: not_before.plus(7 * YEAR),
        }
    }

    /// The identity as the report writes it: filled up with zeros to 64 bytes, or cut there.
    #[must_use]
    pub fn chip_id(&self) -> [u8; 64] {
        let mut id = [0; 64];
        for (place, byte) in id.iter_mut().zip(&self.hardware_id) {
            *place = *byte;
        }
        id
    }

    /// The certificate of `public_key` (SubjectPublicKeyInfo in DER).
    #[must_use]
    pub fn certificate(&self, public_key: &[u8]) -> CertificateTemplate {
        let mut extensions = described(self.product, &self.product_name, self.tcb);
        extensions.push(Extension::hardware_id(&self.hardware_id));
        CertificateTemplate {
            version: 2,
            serial: 0,
            issuer: Name::simulated(super::Role::Ask.common_name(self.product)),
            subject: Name::simulated("SEV-VCEK"),
            not_before: self.not_before,
            not_after: self.not_after,
            public_key: public_key.to_vec(),
            extensions,
            algorithm: Algorithm::AMD,
            declared_inside: None,
            declared_outside: None,
        }
    }
}

/// A cloud provider's key at one TCB version, as its VLEK's certificate describes it.
#[derive(Clone, Debug)]
pub struct ProviderTemplate {
    /// Decides which extensions there are and how the report lays out its TCB versions.
    pub product: Product,
    /// The product name in the certificate: `Milan`, `Genoa`, `Turin`.
    pub product_name: String,
    /// The TCB version that the key was derived for.
    pub tcb: Tcb,
    /// The provider: `CN=cc-us-east-2.amazonaws.com` in a real one.
    pub csp_id: String,
    /// First second of the validity.
    pub not_before: Timestamp,
    /// Last second of the validity; AMD gives one year.
    pub not_after: Timestamp,
}

impl ProviderTemplate {
    /// A simulated provider's key for `product`, certified a day before `at`.
    #[must_use]
    pub fn of(product: Product, at: Timestamp) -> Self {
        let not_before = Timestamp(at.0.saturating_sub(AGE));
        Self {
            product,
            product_name: product.name().into(),
            tcb: current_tcb(product),
            csp_id: "CN=cc-nowhere-1.simulated.invalid".into(),
            not_before,
            not_after: not_before.plus(YEAR),
        }
    }

    /// The certificate of `public_key` (SubjectPublicKeyInfo in DER).
    #[must_use]
    pub fn certificate(&self, public_key: &[u8]) -> CertificateTemplate {
        let mut extensions = described(self.product, &self.product_name, self.tcb);
        extensions.push(Extension::text(oid::AMD_CSP_ID, &self.csp_id));
        CertificateTemplate {
            version: 2,
            serial: 0,
            issuer: Name::simulated(super::Role::Asvk.common_name(self.product)),
            subject: Name::simulated("SEV-VLEK"),
            not_before: self.not_before,
            not_after: self.not_after,
            public_key: public_key.to_vec(),
            extensions,
            algorithm: Algorithm::AMD,
            declared_inside: None,
            declared_outside: None,
        }
    }
}

/// The identity of the simulated chip with a number: 64 bytes, on Turin 8; the same every time.
#[must_use]
pub fn hardware_id(product: Product, number: u64) -> Vec<u8> {
    let label = format!("claviger simulated {product} chip {number}");
    let hash = digest(&SHA512, label.as_bytes());
    let length = match product {
        Product::Milan | Product::Genoa => 64,
        Product::Turin => 8,
    };
    hash.as_ref().iter().copied().take(length).collect()
}

/// The TCB version of simulated chips. No two parts are alike and none is zero, so that a part
/// read from another's place shows, and every part can be one lower.
#[must_use]
pub fn current_tcb(product: Product) -> Tcb {
    match product {
        Product::Milan => Tcb { fmc: None, bootloader: 4, tee: 1, snp: 27, microcode: 222 },
        Product::Genoa => Tcb { fmc: None, bootloader: 10, tee: 2, snp: 29, microcode: 84 },
        Product::Turin => Tcb { fmc: Some(3), bootloader: 5, tee: 1, snp: 7, microcode: 71 },
    }
}

/// The extensions that VCEK and VLEK share.
fn described(product: Product, product_name: &str, tcb: Tcb) -> Vec<Extension> {
    let level = Extension::level;
    let name = Extension::text(oid::AMD_PRODUCT_NAME, product_name);
    match product {
        Product::Milan | Product::Genoa => vec![
            level(oid::AMD_STRUCTURE_VERSION, 0),
            name,
            level(oid::AMD_BOOTLOADER, tcb.bootloader),
            level(oid::AMD_TEE, tcb.tee),
            level(oid::AMD_SPL4, 0),
            level(oid::AMD_SPL5, 0),
            level(oid::AMD_SPL6, 0),
            level(oid::AMD_SPL7, 0),
            level(oid::AMD_SNP, tcb.snp),
            level(oid::AMD_MICROCODE, tcb.microcode),
        ],
        Product::Turin => vec![
            level(oid::AMD_STRUCTURE_VERSION, 1),
            name,
            level(oid::AMD_FMC, tcb.fmc.unwrap_or(0)),
            level(oid::AMD_BOOTLOADER, tcb.bootloader),
            level(oid::AMD_TEE, tcb.tee),
            level(oid::AMD_SNP, tcb.snp),
            level(oid::AMD_SPL5, 0),
            level(oid::AMD_SPL6, 0),
            level(oid::AMD_SPL7, 0),
            level(oid::AMD_MICROCODE, tcb.microcode),
        ],
    }
}
