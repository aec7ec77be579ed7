//! An endorsement key with its certificate: signs attestation reports as the firmware does.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

use x509_parser::prelude::{FromDer, X509Certificate};

use super::SimulationError;
use super::pem::{Document, Writer};
use super::report::{REPORT_LENGTH, ReportTemplate, SIGNED_BY_VCEK, SIGNED_BY_VLEK, SIGNED_LENGTH};
use crate::quote::snp::product::Product;
use crate::quote::snp::tcb::Tcb;
use crate::secret::Secret;

/// Which of AMD's two kinds of endorsement key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndorsementKey {
    /// Versioned chip endorsement key, below the ASK.
    Vcek,
    /// Versioned loaded endorsement key, below the ASVK.
    Vlek,
}

impl EndorsementKey {
    fn name(self) -> &'static str {
        match self {
            Self::Vcek => "VCEK",
            Self::Vlek => "VLEK",
        }
    }
}

/// A P-384 key, its certificate, and the platform whose reports it signs. Clones share the key.
#[derive(Clone)]
pub struct Endorser {
    certificate: Vec<u8>,
    key: Arc<EcdsaKeyPair>,
    platform: Platform,
}

/// What a sound report of an endorser's platform says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Platform {
    pub(super) kind: EndorsementKey,
    pub(super) product: Product,
    pub(super) tcb: Tcb,
    pub(super) chip_id: [u8; 64],
}

impl Endorser {
    /// Makes a key and has `certify` turn its SubjectPublicKeyInfo into a certificate.
    pub(super) fn mint(
        platform: Platform,
        certify: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Self, SimulationError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING)
            .map_err(|_| SimulationError::Provider)?;
        let public_key: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| SimulationError::Provider)?;
        let certificate = certify(public_key.as_ref());
        Ok(Self { certificate, key: Arc::new(key), platform })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Which kind of key it is.
    #[must_use]
    pub fn kind(&self) -> EndorsementKey {
        self.platform.kind
    }

    /// The product of its platform.
    #[must_use]
    pub fn product(&self) -> Product {
        self.platform.product
    }

    /// A sound report of a guest on this platform: its product, TCB version, chip and kind of key.
    #[must_use]
    pub fn report(&self) -> ReportTemplate {
        let mut report = ReportTemplate::of(self.platform.product).with_tcb(self.platform.tcb);
        report.chip_id = self.platform.chip_id;
        report.key_info = match self.platform.kind {
            EndorsementKey::Vcek => SIGNED_BY_VCEK,
            EndorsementKey::Vlek => SIGNED_BY_VLEK,
        };
        report
    }

    /// The signed report.
    #[must_use]
    pub fn sign(&self, report: &ReportTemplate) -> [u8; REPORT_LENGTH] {
        self.sign_raw(&report.to_bytes())
    }

    /// Signs a report's first 672 bytes as they are, for reports altered by hand. The signature is
    /// R and S, each little endian in 72 bytes, then zeros (56860, table "Signature").
    #[must_use]
    #[expect(clippy::expect_used, reason = "a whole key: only a broken provider refuses")]
    pub fn sign_raw(&self, signed: &[u8; SIGNED_LENGTH]) -> [u8; REPORT_LENGTH] {
        let signature =
            self.key.sign(&SystemRandom::new(), signed).expect("a P-384 key signs any message");
        let (r, s) = signature.as_ref().split_at(signature.as_ref().len() / 2);
        let component = |number: &[u8]| {
            let mut field = [0; 72];
            for (place, byte) in field.iter_mut().zip(number.iter().rev()) {
                *place = *byte;
            }
            field
        };
        let whole = [signed.as_slice(), &component(r), &component(s)].concat();
        let mut report = [0; REPORT_LENGTH];
        for (place, byte) in report.iter_mut().zip(whole) {
            *place = byte;
        }
        report
    }

    /// The whole endorser as text, private key included.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn to_pem(&self) -> Result<Secret, SimulationError> {
        let key = self.key.to_pkcs8v1().map_err(|_| SimulationError::Provider)?;
        let tcb = self.platform.tcb.to_bytes(self.platform.product);
        let mut text = Writer::new();
        text.header("Endorser", self.platform.kind.name());
        text.header("Product", self.platform.product.name());
        text.header("TCB", &data_encoding::HEXLOWER.encode(&tcb));
        text.header("Chip", &data_encoding::HEXLOWER.encode(&self.platform.chip_id));
        text.block("CERTIFICATE", &self.certificate);
        text.block("PRIVATE KEY", key.as_ref());
        Ok(text.finish())
    }

    /// Reads what [`Endorser::to_pem`] wrote.
    ///
    /// # Errors
    /// Where the text is anything else.
    pub fn from_pem(text: &str) -> Result<Self, SimulationError> {
        let document = Document::parse(text)?;
        let kind = match document.header("Endorser")? {
            "VCEK" => EndorsementKey::Vcek,
            "VLEK" => EndorsementKey::Vlek,
            other => return Err(SimulationError::Malformed(format!("endorser {other:?}"))),
        };
        let product = document.product()?;
        let platform = Platform {
            kind,
            product,
            tcb: Tcb::from_bytes(product, document.bytes("TCB")?),
            chip_id: document.bytes("Chip")?,
        };
        let [certificate, key] = document.blocks(["CERTIFICATE", "PRIVATE KEY"])?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key)
            .map_err(|error| SimulationError::Malformed(format!("private key: {error}")))?;
        let public_key: PublicKeyX509Der<'_> =
            key.public_key().as_der().map_err(|_| SimulationError::Provider)?;
        certified(certificate, public_key.as_ref())?;
        Ok(Self { certificate: certificate.to_vec(), key: Arc::new(key), platform })
    }
}

/// Checks that `certificate` is about `public_key` (SubjectPublicKeyInfo in DER): a file whose
/// parts were mixed up would only show much later, as evidence that nobody accepts.
pub(super) fn certified(certificate: &[u8], public_key: &[u8]) -> Result<(), SimulationError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) if parsed.public_key().raw == public_key => Ok(()),
        Ok(_) => Err(SimulationError::Malformed("a certificate is about another key".into())),
        Err(error) => Err(SimulationError::Malformed(format!("certificate: {error}"))),
    }
}

impl fmt::Debug for Endorser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endorser").field("platform", &self.platform).finish_non_exhaustive()
    }
}
