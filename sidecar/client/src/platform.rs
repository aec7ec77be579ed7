//! Where evidence comes from.

use std::future::Future;
use std::pin::Pin;

use crate::report_data::ReportData;

/// Evidence as it leaves the attester.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// The kind of attester: `snp`, `tdx`, `az-snp`, `tpm`, `nitro`.
    pub tee: String,
    /// The media type of `data`.
    pub media_type: String,
    /// The evidence itself.
    pub data: Vec<u8>,
    /// Certificates and event logs that go with it, in any order.
    pub attachments: Vec<Vec<u8>>,
}

impl Evidence {
    /// Evidence without attachments.
    #[must_use]
    pub fn new(tee: &str, media_type: &str, data: Vec<u8>) -> Self {
        Self {
            tee: tee.to_owned(),
            media_type: media_type.to_owned(),
            data,
            attachments: Vec::new(),
        }
    }
}

/// Why there is no evidence.
#[derive(Debug, thiserror::Error)]
#[error("{platform}: {reason}")]
pub struct PlatformError {
    /// Which platform.
    pub platform: String,
    /// What happened.
    pub reason: String,
}

impl PlatformError {
    /// An error of this platform.
    pub fn new(platform: &str, reason: impl std::fmt::Display) -> Self {
        Self { platform: platform.to_owned(), reason: reason.to_string() }
    }
}

/// What a call of [`Platform::evidence`] comes to.
pub type Gathering<'a> = Pin<Box<dyn Future<Output = Result<Evidence, PlatformError>> + Send + 'a>>;

/// A trusted execution environment that tells about itself.
pub trait Platform: Send + Sync {
    /// Its name, for people.
    fn name(&self) -> &str;

    /// Evidence that carries these report data.
    fn evidence<'a>(&'a self, report_data: &'a ReportData) -> Gathering<'a>;

    /// Evidence of further attesters of the same workload, such as GPUs, each over the same report
    /// data; the evidence proper then vouches for them.
    fn companions<'a>(
        &'a self,
        _report_data: &'a ReportData,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Evidence>, PlatformError>> + Send + 'a>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
