//! The frame of a quote: header, body, signature data and what certifies it, taken apart by lengths that
//! must come out even.

use super::super::fault::Fault;
use super::layout::{self, ENCLAVE_REPORT, HEADER, TD_REPORT_10, TD_REPORT_15};

/// What the body is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An enclave report.
    Sgx,
    /// A TD report of TDX 1.0.
    Td10,
    /// A TD report of TDX 1.5.
    Td15,
}

impl Kind {
    /// The attester's kind.
    pub(crate) fn tee(self) -> &'static str {
        match self {
            Self::Sgx => "sgx",
            Self::Td10 | Self::Td15 => "tdx",
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sgx => ENCLAVE_REPORT,
            Self::Td10 => TD_REPORT_10,
            Self::Td15 => TD_REPORT_15,
        }
    }
}

/// A quote, taken apart; nothing is believed yet.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) version: u16,
    pub(crate) kind: Kind,
    /// Header, body descriptor where there is one, and body: what the attestation key signed.
    pub(crate) signed: &'a [u8],
    /// By the attestation key: r then s, big-endian.
    pub(crate) signature: &'a [u8; 64],
    /// The attestation key: x then y, big-endian.
    pub(crate) key: &'a [u8; 64],
    /// The report of the quoting enclave, which vouches for the attestation key.
    pub(crate) qe_report: &'a [u8; ENCLAVE_REPORT],
    /// By the PCK: r then s, big-endian.
    pub(crate) qe_signature: &'a [u8; 64],
    /// What the quoting enclave authenticates beside the key.
    pub(crate) qe_auth: &'a [u8],
    /// The PCK certificate and its issuers, PEM.
    pub(crate) chain: &'a [u8],
}

const ECDSA_P256: u16 = 2;
const TEE_SGX: u32 = 0;
const TEE_TDX: u32 = 0x81;
const PCK_CHAIN: u16 = 5;
const QE_REPORT: u16 = 6;
/// QE_VENDOR_ID: Intel's.
const INTEL: [u8; 16] = [
    0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07,
];

impl<'a> Frame<'a> {
    /// Takes a quote apart. Zeros may stand behind it: buffers of a fixed size end so.
    pub(crate) fn read(quote: &'a [u8]) -> Result<Self, Fault> {
        let mut rest = Rest(quote);
        let version = rest.u16()?;
        let key_type = rest.u16()?;
        let tee = rest.u32()?;
        rest.take(4)?;
        let vendor = rest.array::<16>()?;
        rest.take(20)?;
        if !(3..=5).contains(&version) {
            return Err(Fault::Unsupported(format!("a quote of version {version}")));
        }
        if key_type != ECDSA_P256 {
            return Err(Fault::Unsupported(format!(
                "a quote by an attestation key of type {key_type}"
            )));
        }
        if *vendor != INTEL {
            return Err(Fault::unsupported("a quote of another vendor's quoting enclave"));
        }
        let kind = kind(version, tee, &mut rest)?;
        rest.take(kind.length())?;
        let signed = quote.get(..layout::body(version) + kind.length()).unwrap_or_default();
        let mut data = rest.sized_u32()?;
        if rest.0.iter().any(|byte| *byte != 0) {
            return Err(Fault::malformed("bytes behind a quote"));
        }
        let (signature, key) = (data.array()?, data.array()?);
        if version >= 4 {
            let (certification, inner) = (data.u16()?, data.sized_u32()?);
            data.finish()?;
            if certification != QE_REPORT {
                return Err(uncertified(certification));
            }
            data = inner;
        }
        let (qe_report, qe_signature) = (data.array()?, data.array()?);
        let qe_auth = data.sized_u16()?.0;
        let (certification, chain) = (data.u16()?, data.sized_u32()?.0);
        data.finish()?;
        if certification != PCK_CHAIN {
            return Err(uncertified(certification));
        }
        Ok(Self { version, kind, signed, signature, key, qe_report, qe_signature, qe_auth, chain })
    }

    /// The body.
    pub(crate) fn body(&self) -> &'a [u8] {
        self.signed.get(layout::body(self.version)..).unwrap_or_default()
    }
}

/// What the header, or from version 5 the body descriptor, says that the body is.
fn kind(version: u16, tee: u32, rest: &mut Rest<'_>) -> Result<Kind, Fault> {
    let kind = match (version, tee) {
        (3, TEE_SGX) => Kind::Sgx,
        (4, TEE_TDX) => Kind::Td10,
        (5, TEE_SGX | TEE_TDX) => {
            let (body, size) = (rest.u16()?, rest.u32()?);
            let kind = match (body, tee) {
                (1, TEE_SGX) => Kind::Sgx,
                (2, TEE_TDX) => Kind::Td10,
                (3, TEE_TDX) => Kind::Td15,
                (1..=3, _) => return Err(Fault::malformed("a quote's body is not of its TEE")),
                _ => return Err(Fault::Unsupported(format!("a quote with a body of type {body}"))),
            };
            if usize::try_from(size) != Ok(kind.length()) {
                return Err(Fault::malformed("a quote's body has another size than its type"));
            }
            kind
        }
        _ => {
            let reason = format!("a quote of version {version} for TEE type {tee:#x}");
            return Err(Fault::Unsupported(reason));
        }
    };
    Ok(kind)
}

fn uncertified(kind: u16) -> Fault {
    Fault::Unsupported(format!("a quote with certification data of type {kind}"))
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Fault> {
        let (taken, rest) = self.0.split_first_chunk().ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(|bytes| u16::from_le_bytes(*bytes))
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    fn sized_u16(&mut self) -> Result<Rest<'a>, Fault> {
        let length = self.u16()?;
        self.take(length.into()).map(Rest)
    }

    fn sized_u32(&mut self) -> Result<Rest<'a>, Fault> {
        let length = usize::try_from(self.u32()?).map_err(|_| short())?;
        self.take(length).map(Rest)
    }

    fn finish(&self) -> Result<(), Fault> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Fault::malformed("a quote's signature data has bytes left over")),
        }
    }
}

fn short() -> Fault {
    Fault::malformed("a quote that ends too early")
}

/// The header must be whole before anything of it is used.
const _: () = assert!(HEADER == 2 + 2 + 4 + 4 + 16 + 20);
