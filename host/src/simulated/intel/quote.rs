//! Quotes of a simulated platform, versions 3 to 5.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;

use super::super::SimulationError;
use super::Intel;
use super::collateral::QE_SIGNER;
use super::issue::PckTemplate;

/// What a quote is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QuoteBody {
    /// An enclave, version 3.
    Sgx3,
    /// A TD of TDX 1.0, version 4.
    Td4,
    /// An enclave, version 5.
    Sgx5,
    /// A TD of TDX 1.0, version 5.
    Td5,
    /// A TD of TDX 1.5, version 5.
    Td15,
}

/// A quote to be signed.
#[derive(Clone, Debug)]
pub struct QuoteTemplate {
    /// What it is about.
    pub kind: QuoteBody,
    /// The body; enclave report or TD report.
    pub body: Vec<u8>,
    /// The quoting enclave's report but REPORTDATA.
    pub qe_report: Vec<u8>,
    /// What the quoting enclave authenticates beside the key.
    pub qe_auth: Vec<u8>,
    /// The PCK certificate.
    pub pck: PckTemplate,
}

impl Intel {
    /// A quote that a genuine platform would make, with this REPORTDATA.
    #[must_use]
    pub fn quote_template(&self, kind: QuoteBody, report_data: [u8; 64]) -> QuoteTemplate {
        let (length, at) = match kind {
            QuoteBody::Sgx3 | QuoteBody::Sgx5 => (384, 320),
            QuoteBody::Td4 | QuoteBody::Td5 => (584, 520),
            QuoteBody::Td15 => (648, 520),
        };
        let mut body = vec![0; length];
        put(&mut body, at, &report_data);
        match length {
            // ATTRIBUTES: initialised, 64 bits.
            384 => put(&mut body, 48, &[5]),
            _ => {
                // TEE_TCB_SVN: module SVN 7, module version 1, the rest 7. TDATTRIBUTES: SEPT_VE_DISABLE.
                let svn = [7, 1, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7];
                put(&mut body, 0, &svn);
                put(&mut body, 123, &[0x10]);
                put(&mut body, 136, &[0x3d; 48]);
                if length == 648 {
                    put(&mut body, 584, &svn);
                }
            }
        }
        let mut qe_report = vec![0; 384];
        put(&mut qe_report, 48, &[0x11]);
        put(&mut qe_report, 128, &QE_SIGNER);
        put(&mut qe_report, 256, &[2, 0, 6, 0]);
        let (qe_auth, pck) = ((0..32).collect(), self.pck_template());
        QuoteTemplate { kind, body, qe_report, qe_auth, pck }
    }

    /// Signs a quote.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn quote(&self, template: &QuoteTemplate) -> Result<Vec<u8>, SimulationError> {
        let (version, tee, body_type): (u16, u32, Option<u16>) = match template.kind {
            QuoteBody::Sgx3 => (3, 0, None),
            QuoteBody::Td4 => (4, 0x81, None),
            QuoteBody::Sgx5 => (5, 0, Some(1)),
            QuoteBody::Td5 => (5, 0x81, Some(2)),
            QuoteBody::Td15 => (5, 0x81, Some(3)),
        };
        let mut quote = Vec::new();
        quote.extend(version.to_le_bytes());
        quote.extend(2_u16.to_le_bytes());
        quote.extend(tee.to_le_bytes());
        quote.extend([0; 4]);
        quote.extend([
            0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f,
            0x06, 0x07,
        ]);
        quote.extend([0; 20]);
        if let Some(body_type) = body_type {
            quote.extend(body_type.to_le_bytes());
            quote.extend(length(&template.body));
        }
        quote.extend(&template.body);
        let mut data = self.attestation.sign_fixed(&quote)?;
        data.extend(self.attestation.point());
        let certified = self.certification(template)?;
        if version >= 4 {
            data.extend(6_u16.to_le_bytes());
            data.extend(length(&certified));
        }
        data.extend(certified);
        quote.extend(length(&data));
        quote.extend(data);
        Ok(quote)
    }

    /// The quoting enclave's report, its signature, and the PCK's chain.
    fn certification(&self, template: &QuoteTemplate) -> Result<Vec<u8>, SimulationError> {
        let mut report = template.qe_report.clone();
        let named = [self.attestation.point(), template.qe_auth.clone()].concat();
        put(&mut report, 320, digest(&SHA256, &named).as_ref());
        let mut data = report.clone();
        data.extend(self.pck.sign_fixed(&report)?);
        data.extend(u16::try_from(template.qe_auth.len()).unwrap_or(0).to_le_bytes());
        data.extend(&template.qe_auth);
        let certificates = [self.pck(&template.pck)?, self.authority(), self.root()];
        let chain: String = certificates.iter().map(|der| pem(der)).collect();
        data.extend(5_u16.to_le_bytes());
        data.extend(length(chain.as_bytes()));
        data.extend(chain.into_bytes());
        Ok(data)
    }
}

/// A certificate in PEM.
fn pem(der: &[u8]) -> String {
    let body = BASE64.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    for (to, from) in bytes.iter_mut().skip(at).zip(value) {
        *to = *from;
    }
}
