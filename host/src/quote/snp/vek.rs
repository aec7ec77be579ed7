//! What AMD certifies in a VCEK or VLEK certificate: product, TCB, and chip or provider.
//!
//! Source: AMD VCEK Certificate and KDS Interface Specification (57230), tables "VCEK Certificate"
//! and "VLEK Certificate": extensions under 1.3.6.1.4.1.3704.1.

use super::super::der::{self, Reader, tag};
use super::super::fault::Fault;
use super::super::key::Kind;
use super::super::x509::Certificate;
use super::product::Product;
use super::report::{Cpuid, EndorsementKey, Report};
use super::tcb::Tcb;

/// What a VCEK or VLEK certificate says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Vek {
    pub(crate) key: EndorsementKey,
    pub(crate) product: Product,
    /// With the silicon's stepping where AMD gives it: `Milan-B0`.
    pub(crate) product_name: String,
    pub(crate) tcb: Tcb,
    /// VCEK only: CHIP_ID, 64 bytes; Turin: its first eight.
    pub(crate) hardware_id: Option<Vec<u8>>,
    /// VLEK only: the provider.
    pub(crate) csp_id: Option<String>,
}

/// Extension identifiers: `PREFIX` and the bytes after it.
mod oid {
    /// 1.3.6.1.4.1.3704.1
    const PREFIX: [u8; 8] = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x9c, 0x78, 0x01];

    pub(super) fn under(arcs: &[u8]) -> Vec<u8> {
        [&PREFIX, arcs].concat()
    }

    pub(super) const STRUCT_VERSION: &[u8] = &[1];
    pub(super) const PRODUCT_NAME: &[u8] = &[2];
    pub(super) const BOOTLOADER: &[u8] = &[3, 1];
    pub(super) const TEE: &[u8] = &[3, 2];
    pub(super) const SNP: &[u8] = &[3, 3];
    pub(super) const MICROCODE: &[u8] = &[3, 8];
    pub(super) const FMC: &[u8] = &[3, 9];
    pub(super) const HARDWARE_ID: &[u8] = &[4];
    pub(super) const CSP_ID: &[u8] = &[5];
}

impl Vek {
    /// The kind of endorsement key that a certificate's subject names, if any.
    pub(crate) fn kind(certificate: &Certificate) -> Option<EndorsementKey> {
        match certificate.subject.common_name() {
            Some("SEV-VCEK") => Some(EndorsementKey::Vcek),
            Some("SEV-VLEK") => Some(EndorsementKey::Vlek),
            _ => None,
        }
    }

    /// Reads a VCEK or VLEK certificate. Who issued it is not checked here, but that it names the
    /// issuer of its kind is: VCEKs come from the ASK, VLEKs from the ASVK.
    pub(crate) fn read(certificate: &Certificate) -> Result<Self, Fault> {
        let key = Self::kind(certificate)
            .ok_or_else(|| Fault::untrusted("a certificate that is neither VCEK nor VLEK"))?;
        let product = issuing_product(key, certificate).ok_or_else(|| {
            Fault::Untrusted(format!(
                "{} certificates are not issued by {}",
                certificate.subject, certificate.issuer
            ))
        })?;
        if certificate.key.kind() != Kind::P384 {
            return Err(Fault::unsupported("an endorsement key that is not on P-384"));
        }
        certificate.check_end_entity()?;
        let fields = Fields(certificate);
        if fields.number(oid::STRUCT_VERSION)? > 1 {
            return Err(Fault::unsupported("a VCEK or VLEK certificate of this structure version"));
        }
        let product_name = fields.text(oid::PRODUCT_NAME)?;
        if product_name.split('-').next() != Some(product.name()) {
            return Err(Fault::Untrusted(format!(
                "{} issued a certificate for product {}",
                certificate.issuer,
                product_name.escape_debug()
            )));
        }
        let fmc = match product {
            Product::Turin => Some(fields.number(oid::FMC)?),
            Product::Milan | Product::Genoa => {
                fields.absent(oid::FMC)?;
                None
            }
        };
        let tcb = Tcb {
            fmc,
            bootloader: fields.number(oid::BOOTLOADER)?,
            tee: fields.number(oid::TEE)?,
            snp: fields.number(oid::SNP)?,
            microcode: fields.number(oid::MICROCODE)?,
        };
        let (hardware_id, csp_id) = match key {
            EndorsementKey::Vcek => {
                fields.absent(oid::CSP_ID)?;
                (Some(fields.hardware_id(product)?), None)
            }
            EndorsementKey::Vlek => {
                fields.absent(oid::HARDWARE_ID)?;
                (None, Some(fields.text(oid::CSP_ID)?))
            }
        };
        Ok(Self { key, product, product_name, tcb, hardware_id, csp_id })
    }

    /// Whether a report that names `signing_key` can be one of this key: its kind, product, TCB and
    /// chip.
    pub(crate) fn check_report(
        &self,
        report: &Report,
        signing_key: EndorsementKey,
    ) -> Result<(), Misfit> {
        if signing_key != self.key {
            return Err(Misfit::Key(self.key));
        }
        if let Some(Cpuid { family, model, .. }) = report.cpuid {
            let product =
                Product::of_cpu(family, model).ok_or(Misfit::Processor { family, model })?;
            if product != self.product {
                return Err(Misfit::Product { report: product, certificate: self.product });
            }
        }
        self.check_tcb(Tcb::from_bytes(self.product, report.reported_tcb))?;
        self.check_chip(report)
    }

    /// Field by field, so that the fault can name the field.
    fn check_tcb(&self, reported: Tcb) -> Result<(), Misfit> {
        let fields = [
            ("fmc", reported.fmc, self.tcb.fmc),
            ("bootloader", Some(reported.bootloader), Some(self.tcb.bootloader)),
            ("tee", Some(reported.tee), Some(self.tcb.tee)),
            ("snp", Some(reported.snp), Some(self.tcb.snp)),
            ("microcode", Some(reported.microcode), Some(self.tcb.microcode)),
        ];
        match fields.into_iter().find(|(_, reported, certified)| reported != certified) {
            Some((field, reported, certified)) => Err(Misfit::Tcb { field, reported, certified }),
            None => Ok(()),
        }
    }

    /// A masked CHIP_ID (all zeros) cannot be compared: the facts say so, and policy decides. The
    /// signature still proves that the certified chip made the report.
    fn check_chip(&self, report: &Report) -> Result<(), Misfit> {
        let Some(hardware_id) = &self.hardware_id else {
            return Ok(());
        };
        let rest = report.chip_id.strip_prefix(hardware_id.as_slice());
        let same = rest.is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
        match same || report.chip_id_masked() {
            true => Ok(()),
            false => Err(Misfit::Chip),
        }
    }
}

/// Why a report is none of a key's. Put into words only where somebody hears of it: many keys may be
/// tried.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Misfit {
    Chip,
    /// The kind of key that the certificate is of.
    Key(EndorsementKey),
    Processor {
        family: u8,
        model: u8,
    },
    Product {
        report: Product,
        certificate: Product,
    },
    Tcb {
        field: &'static str,
        reported: Option<u8>,
        certified: Option<u8>,
    },
}

impl From<Misfit> for Fault {
    fn from(misfit: Misfit) -> Self {
        match misfit {
            Misfit::Chip => Self::untrusted("chip_id in the report is not the certificate's chip"),
            Misfit::Key(key) => Self::Untrusted(format!(
                "SIGNING_KEY does not name the {} whose certificate came with the report",
                key.name()
            )),
            Misfit::Processor { family, model } => {
                Self::Unsupported(format!("a processor of family {family:#x}, model {model:#x}"))
            }
            Misfit::Product { report, certificate } => Self::Untrusted(format!(
                "the report is of {report}, the certificate of {certificate}"
            )),
            Misfit::Tcb { field, reported, certified } => {
                let number = |value: Option<u8>| value.map_or("none".to_owned(), |v| v.to_string());
                Self::Untrusted(format!(
                    "reported_tcb.{field} is {} in the report and {} in the certificate",
                    number(reported),
                    number(certified)
                ))
            }
        }
    }
}

/// The product whose ASK (for a VCEK) or ASVK (for a VLEK) the certificate names as its issuer.
fn issuing_product(key: EndorsementKey, certificate: &Certificate) -> Option<Product> {
    let issuer = certificate.issuer.common_name()?;
    Product::ALL.into_iter().find(|product| issuer == authority_name(key, *product))
}

/// The common name of the authority between a product's ARK and its keys of this kind.
pub(crate) fn authority_name(key: EndorsementKey, product: Product) -> String {
    match key {
        EndorsementKey::Vcek => format!("SEV-{product}"),
        EndorsementKey::Vlek => format!("SEV-VLEK-{product}"),
    }
}

/// AMD's extensions of one certificate. That none comes twice is checked for all extensions.
struct Fields<'a>(&'a Certificate);

impl<'a> Fields<'a> {
    fn value(&self, arcs: &[u8]) -> Result<&'a [u8], Fault> {
        let value = self.0.extensions.get(&oid::under(arcs));
        value.ok_or_else(|| {
            Fault::Malformed(format!("a certificate without AMD's extension {}", dotted(arcs)))
        })
    }

    fn absent(&self, arcs: &[u8]) -> Result<(), Fault> {
        match self.0.extensions.get(&oid::under(arcs)) {
            None => Ok(()),
            Some(_) => Err(Fault::Malformed(format!(
                "AMD's extension {} in a certificate of another kind",
                dotted(arcs)
            ))),
        }
    }

    /// An INTEGER in one byte's range.
    fn number(&self, arcs: &[u8]) -> Result<u8, Fault> {
        let number = der_value(self.value(arcs)?, tag::INTEGER).and_then(der::small);
        number.ok().and_then(|number| u8::try_from(number).ok()).ok_or_else(|| bad(arcs))
    }

    /// An IA5String.
    fn text(&self, arcs: &[u8]) -> Result<String, Fault> {
        let content = der_value(self.value(arcs)?, tag::IA5).map_err(|_| bad(arcs))?;
        let printable = content.iter().all(|byte| (0x20..0x7f).contains(byte));
        match std::str::from_utf8(content) {
            Ok(text) if printable && !text.is_empty() => Ok(text.to_owned()),
            _ => Err(bad(arcs)),
        }
    }

    /// The chip's id: bare bytes in AMD's certificates, an OCTET STRING by the specification.
    fn hardware_id(&self, product: Product) -> Result<Vec<u8>, Fault> {
        let length = match product {
            Product::Turin => 8,
            Product::Milan | Product::Genoa => 64,
        };
        let value = self.value(oid::HARDWARE_ID)?;
        let bytes = match value.len() == length {
            true => value,
            false => der_value(value, tag::OCTET_STRING).map_err(|_| bad(oid::HARDWARE_ID))?,
        };
        match bytes.len() == length {
            true => Ok(bytes.to_vec()),
            false => Err(bad(oid::HARDWARE_ID)),
        }
    }
}

/// The content of the one value that fills an extension.
fn der_value(value: &[u8], tag: u8) -> der::Result<&[u8]> {
    let mut reader = Reader::new(value);
    let element = reader.expect(tag)?;
    reader.finish()?;
    Ok(element.content)
}

fn bad(arcs: &[u8]) -> Fault {
    Fault::Malformed(format!("AMD's certificate extension {}", dotted(arcs)))
}

fn dotted(arcs: &[u8]) -> String {
    arcs.iter().fold("1.3.6.1.4.1.3704.1".to_owned(), |text, arc| format!("{text}.{arc}"))
}
