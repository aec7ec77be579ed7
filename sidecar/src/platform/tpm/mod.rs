//! TPM 2.0: a quote by an attestation key that the configuration names, as `verifier-tpm` reads it.

pub(super) mod azure;
mod commands;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use claviger_client::{Evidence, PlatformError};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use super::Attester;
use commands::Quote;
pub(super) use commands::Tpm;

/// Speaks to a TPM: a device, or `tcp:host:port` of a simulator.
pub(super) fn open(place: &str) -> Result<Tpm, PlatformError> {
    Tpm::open(place)
}

/// Bytes of the largest event log that is sent along.
const LARGEST: u64 = 1 << 20;

/// A TPM with its key.
pub(super) struct TpmAttester {
    pub(super) tpm: Mutex<Tpm>,
    /// Handle of the attestation key.
    pub(super) key: u32,
    /// Files with certificates of the key, PEM, its own first; none: its public area is sent.
    pub(super) certificates: Vec<PathBuf>,
    pub(super) event_log: PathBuf,
}

impl TpmAttester {
    /// The kernel's resource manager.
    pub(super) const PATH: &str = "/dev/tpmrm0";
    /// The firmware's event log.
    pub(super) const EVENT_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";
}

impl Attester for TpmAttester {
    fn name(&self) -> &'static str {
        "tpm"
    }

    fn room(&self) -> usize {
        32
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let mut tpm = self.tpm.lock().unwrap_or_else(PoisonError::into_inner);
        let quote = tpm.quote(self.key, data)?;
        let (name, key) = if self.certificates.is_empty() {
            ("ak_public", json!(BASE64.encode(&tpm.public(self.key)?)))
        } else {
            let read: Result<Vec<_>, _> =
                self.certificates.iter().map(std::fs::read_to_string).collect();
            let read = read.map_err(|error| PlatformError::new("tpm", error))?;
            ("ak_certificates", json!(read))
        };
        let body = json!({
            "quote": BASE64.encode(&quote.message),
            "signature": BASE64.encode(&quote.signature),
            "pcrs": {"sha256": registers(&quote)},
            name: key,
        });
        let mut evidence = Evidence::new("tpm", "application/json", body.to_string().into_bytes());
        attach_log(&mut evidence, &self.event_log);
        Ok(evidence)
    }
}

/// Register by register, in hexadecimal.
fn registers(quote: &Quote) -> BTreeMap<String, String> {
    let values = quote.pcrs.iter().enumerate();
    values.map(|(number, value)| (number.to_string(), HEXLOWER.encode(value))).collect()
}

/// The event log, where there is one.
fn attach_log(evidence: &mut Evidence, path: &std::path::Path) {
    if let Ok(log) = super::read_bounded(path, LARGEST)
        && !log.is_empty()
    {
        evidence.attachments.push(log);
    }
}
