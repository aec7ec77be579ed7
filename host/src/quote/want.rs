//! What a check did without and would have needed, named by what evidence says of itself. Whoever made
//! the evidence up may have made this up too: it is data to look up, never an address.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;

use super::algorithm::DigestAlgorithm;
use super::authority::Authority;
use super::crl::Crl;
use super::dcap;
use super::fault::Fault;
use super::ocsp;
use super::snp::product::Product;
use super::snp::report::EndorsementKey;
use super::snp::tcb::Tcb;
use super::snp::vek::Vek;
use super::x509::Certificate;
use crate::clock::Timestamp;

/// An endorsement.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Want {
    /// The revocation list of a product line's root.
    AmdCrl(Product),
    /// The VCEK certificate of a chip at a TCB.
    AmdVcek {
        /// The product line.
        product: Product,
        /// CHIP_ID, 64 bytes; of Turin the first eight count.
        chip_id: [u8; 64],
        /// REPORTED_TCB, 8 bytes as in the report.
        tcb: [u8; 8],
    },
    /// The revocation list of one of the authorities that certify platforms.
    IntelPckCrl(IntelAuthority),
    /// The identity of the quoting enclave.
    IntelQeIdentity(IntelTee),
    /// The revocation list of Intel's root.
    IntelRootCrl,
    /// TCB info of a kind of platform.
    IntelTcbInfo {
        /// For which kind of TEE.
        tee: IntelTee,
        /// The kind of platform.
        fmspc: [u8; 6],
    },
    /// What an issuer of NVIDIA's answers about a certificate.
    NvidiaOcsp {
        /// The issuer's certificate in DER, which led to an anchor.
        issuer: Arc<[u8]>,
        /// The content of the certificate's serial number.
        serial: Vec<u8>,
    },
}

impl Want {
    /// Every revocation list that there is to want.
    pub(crate) fn lists() -> impl Iterator<Item = Self> {
        let intels = IntelAuthority::ALL.into_iter().map(Self::IntelPckCrl);
        let amds = Product::ALL.into_iter().map(Self::AmdCrl);
        intels.chain([Self::IntelRootCrl]).chain(amds)
    }
}

/// Intel's kinds of TEE.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IntelTee {
    /// Enclaves.
    Sgx,
    /// Trust domains.
    Tdx,
}

impl IntelTee {
    /// `sgx`, `tdx`: in paths as well.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgx => "sgx",
            Self::Tdx => "tdx",
        }
    }
}

/// Intel's authorities that certify platforms.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum IntelAuthority {
    /// Of platforms with several packages.
    Platform,
    /// Of single processors.
    Processor,
}

impl IntelAuthority {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Platform, Self::Processor];

    /// As its certificate calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "Intel SGX PCK Platform CA",
            Self::Processor => "Intel SGX PCK Processor CA",
        }
    }

    /// As Intel's service calls it.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }
}

/// For when an endorsement holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    /// The first moment.
    pub from: Timestamp,
    /// The last.
    pub until: Timestamp,
}

impl Want {
    /// The request that asks for it by OCSP (RFC 6960 section 4.1); none where it is asked for otherwise.
    pub(crate) fn ocsp_request(&self) -> Option<Vec<u8>> {
        let Self::NvidiaOcsp { issuer, serial } = self else { return None };
        ocsp::id::request(&Certificate::parse(issuer).ok()?, serial).ok()
    }

    /// CHIP_ID as AMD's services write it: of Turin eight bytes (AMD 57230, section 4.1).
    #[must_use]
    pub fn hardware_id(product: Product, chip_id: &[u8; 64]) -> String {
        let length = if product == Product::Turin { 8 } else { 64 };
        HEXLOWER.encode(chip_id.get(..length).unwrap_or_default())
    }
}

impl fmt::Display for Want {
    /// `amd/Genoa/crl`, `amd/Genoa/vcek/<chip>/<tcb>`: a name in the store as well.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AmdCrl(product) => write!(f, "amd/{product}/crl"),
            Self::AmdVcek { product, chip_id, tcb } => {
                let chip = Self::hardware_id(*product, chip_id);
                write!(f, "amd/{product}/vcek/{chip}/{}", HEXLOWER.encode(tcb))
            }
            Self::IntelPckCrl(issuer) => write!(f, "intel/{}/crl", issuer.short_name()),
            Self::IntelQeIdentity(tee) => write!(f, "intel/{}/qe-identity", tee.name()),
            Self::IntelRootCrl => f.write_str("intel/root/crl"),
            Self::IntelTcbInfo { tee, fmspc } => {
                write!(f, "intel/{}/tcb-info/{}", tee.name(), HEXLOWER.encode(fmspc))
            }
            Self::NvidiaOcsp { issuer, serial } => {
                let issuer = DigestAlgorithm::Sha256.digest(issuer);
                let issuer = HEXLOWER.encode(issuer.as_ref());
                write!(f, "nvidia/ocsp/{issuer}/{}", HEXLOWER.encode(serial))
            }
        }
    }
}

impl Authority {
    /// Checks that `parts` are what is wanted, with the certificates of who signed it, made by whom this authority trusts, and valid at a
    /// moment; answers for when they hold.
    ///
    /// # Errors
    /// [`Fault`]: it is another chip's, nobody trusted signed it, or its time is not now.
    pub fn check_endorsement(
        &self,
        want: &Want,
        parts: &[Vec<u8>],
        at: Timestamp,
    ) -> Result<Validity, Fault> {
        match (want, parts) {
            (Want::AmdCrl(product), [list]) => self.check_crl(*product, list, at),
            (Want::AmdVcek { product, chip_id, tcb }, [leaf]) => {
                self.check_vcek(*product, chip_id, *tcb, leaf, at)
            }
            (Want::NvidiaOcsp { issuer, serial }, [response]) => {
                ocsp::check_answer(response, issuer, serial, at)
            }
            (Want::AmdCrl(_) | Want::AmdVcek { .. } | Want::NvidiaOcsp { .. }, _) => {
                Err(Fault::malformed("an answer in several parts"))
            }
            _ => dcap::wanted::check(self, want, parts, at),
        }
    }

    /// Keeps a revocation list that was had: whom it names is revoked from then on, whatever older list comes
    /// with evidence. `parts` and `at` as in [`Authority::check_endorsement`]; what is no list is passed over.
    ///
    /// # Errors
    /// Where it is not what was asked for.
    pub(crate) fn learn(&self, want: &Want, parts: &[Vec<u8>], at: Timestamp) -> Result<(), Fault> {
        if let (Want::AmdCrl(_), [list]) = (want, parts) {
            self.add_crl(list)?;
        }
        if let Some(issued) = dcap::wanted::list(self, want, parts, at)? {
            self.lists.keep(issued.issuer, &issued.list);
        }
        Ok(())
    }

    fn check_crl(&self, product: Product, der: &[u8], at: Timestamp) -> Result<Validity, Fault> {
        let list = Crl::parse(der)?;
        let mut fault = Fault::Untrusted(format!("a revocation list of {}", list.issuer));
        for family in self.families.iter().filter(|family| family.product == product) {
            match list.check_issued_by(&family.root) {
                Ok(()) => {
                    let validity = Validity { from: list.this_update, until: list.next_update };
                    return validity.at(at);
                }
                Err(reason) => fault = reason,
            }
        }
        Err(fault)
    }

    fn check_vcek(
        &self,
        product: Product,
        chip_id: &[u8; 64],
        tcb: [u8; 8],
        der: &[u8],
        at: Timestamp,
    ) -> Result<Validity, Fault> {
        let leaf = Certificate::parse(der)?;
        let vek = Vek::read(&leaf)?;
        let other = |what| Err(Fault::Untrusted(format!("the certificate is of another {what}")));
        if vek.key != EndorsementKey::Vcek || vek.product != product {
            return other("kind or product");
        }
        let hardware_id = vek.hardware_id.as_deref().unwrap_or_default();
        if hardware_id.is_empty() || !chip_id.starts_with(hardware_id) {
            return other("chip");
        }
        if vek.tcb != Tcb::from_bytes(product, tcb) {
            return other("TCB");
        }
        let issued =
            self.families.iter().filter(|family| family.product == product).any(|family| {
                let mut issuers = family.authorities(EndorsementKey::Vcek);
                issuers.any(|issuer| leaf.check_issued_by(issuer).is_ok())
            });
        if !issued {
            return Err(Fault::Untrusted(format!("{} did not issue it", leaf.issuer)));
        }
        Validity { from: leaf.not_before, until: leaf.not_after }.at(at)
    }
}

impl Validity {
    pub(super) fn at(self, at: Timestamp) -> Result<Self, Fault> {
        match (self.from..=self.until).contains(&at) {
            true => Ok(self),
            false => Err(Fault::Expired(format!(
                "it is valid from {} to {}, and not at {at}",
                self.from, self.until
            ))),
        }
    }
}
