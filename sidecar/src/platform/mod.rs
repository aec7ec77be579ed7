//! Where evidence comes from: one file per interface, and what of them is there.

mod command;
mod device;
mod nitro;
pub(crate) mod sev_guest;
mod tpm;
mod tsm;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use claviger_client::{Evidence, Gathering, Platform, PlatformError, ReportData};
use serde::Deserialize;

use crate::context::SecurityContext;
use crate::metadata::{self, Metadata};

/// An interface that makes evidence. Calls may take a while; they are made on threads that may wait.
pub(crate) trait Attester: Send + Sync {
    /// Its name, for people and `/status`.
    fn name(&self) -> &'static str;

    /// Bytes of report data that it carries: 64, or 32 where there is no room for more.
    fn room(&self) -> usize {
        64
    }

    /// Evidence that carries these bytes, zeros behind them.
    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError>;
}

/// The platform that the sidecar stands on.
#[derive(Clone)]
pub(crate) struct Ground {
    attester: Arc<dyn Attester>,
    /// What the workload was started with beside its image.
    init_data: Option<Arc<[u8]>>,
}

impl Ground {
    fn on(attester: Arc<dyn Attester>) -> Self {
        Self { attester, init_data: None }
    }

    /// With init data, whose digest the hardware signs: they go along with evidence for a Claviger host.
    pub(crate) fn with_init_data(self, init_data: Option<Vec<u8>>) -> Self {
        Self { init_data: init_data.map(Arc::from), ..self }
    }

    /// Evidence over bytes of the caller's choice.
    pub(crate) async fn gather(&self, data: Vec<u8>) -> Result<Evidence, PlatformError> {
        let attester = Arc::clone(&self.attester);
        let name = attester.name();
        tokio::task::spawn_blocking(move || attester.gather(&data))
            .await
            .map_err(|error| PlatformError::new(name, error))?
    }
}

impl Platform for Ground {
    fn name(&self) -> &str {
        self.attester.name()
    }

    fn evidence<'a>(&'a self, report_data: &'a ReportData) -> Gathering<'a> {
        let data = match self.attester.room() {
            64.. => report_data.sha512().to_vec(),
            _ => report_data.sha256().to_vec(),
        };
        Box::pin(async {
            let mut evidence = self.gather(data).await?;
            // There is room for their digest (HOST_DATA, MRCONFIGID) where the host's verifiers look for it.
            let vouched = ["snp", "tdx"].contains(&&*evidence.tee);
            if let Some(init_data) = self.init_data.as_ref().filter(|_| vouched) {
                evidence.attachments.push(init_data.to_vec());
            }
            Ok(evidence)
        })
    }
}

/// Which interface is used; section `platform` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct PlatformSettings {
    /// One of [`Kind`]; `auto`: the first that is there.
    pub(crate) kind: Kind,
    /// The device, folder or `tcp:host:port` instead of the usual one.
    pub(crate) path: Option<PathBuf>,
    /// The event log instead of the usual one.
    pub(crate) event_log: Option<PathBuf>,
    /// Handle of the TPM's attestation key, for `tpm`.
    pub(crate) ak_handle: Option<u32>,
    /// Files with the certificates of that key, PEM, its own first.
    pub(crate) ak_certificates: Vec<PathBuf>,
    /// The metadata service of Azure instead of the usual one.
    pub(crate) metadata: Option<String>,
    /// The file with init data, instead of the security policy of a confidential container group.
    init_data: Option<PathBuf>,
}

/// Bytes of the largest init data.
const LARGEST_INIT_DATA: u64 = 64 << 10;

impl PlatformSettings {
    /// Init data: the file that is configured, or a group's security policy.
    pub(crate) fn init_data(
        &self,
        context: &SecurityContext,
    ) -> Result<Option<Vec<u8>>, PlatformError> {
        let Some(path) = &self.init_data else { return Ok(context.policy()) };
        let read = read_bounded(path, LARGEST_INIT_DATA);
        read.map(Some).map_err(|error| {
            PlatformError::new("init data", format!("{}: {error}", path.display()))
        })
    }
}

/// Interfaces by their names in the configuration.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The first of the following that is there, but for `tpm`.
    #[default]
    Auto,
    /// The vTPM of an Azure confidential VM.
    Azure,
    /// The Nitro Security Module.
    Nitro,
    /// SNP by its device.
    SevGuest,
    /// A TPM 2.0 with an attestation key.
    Tpm,
    /// SNP or TDX by configfs.
    Tsm,
}

/// Opens the interface that is configured, or finds one. `development`: a program that makes evidence.
pub(crate) fn find(
    settings: &PlatformSettings,
    development: Option<&[String]>,
) -> Result<Ground, PlatformError> {
    if let Some(command) = development {
        return Ok(Ground::on(Arc::new(command::Program::new(command.to_vec()))));
    }
    let order = match settings.kind {
        Kind::Auto => &[Kind::Azure, Kind::Tsm, Kind::SevGuest, Kind::Nitro][..],
        ref named => std::slice::from_ref(named),
    };
    let mut reasons = Vec::new();
    for kind in order {
        match open(*kind, settings) {
            Ok(attester) => return Ok(Ground::on(attester)),
            Err(error) => reasons.push(error.to_string()),
        }
    }
    if Path::new("/dev/tdx_guest").exists() {
        reasons.push(
            "/dev/tdx_guest alone gives reports that only this machine can check: \
             quotes need configfs-tsm (Linux 6.7)"
                .to_owned(),
        );
    }
    Err(PlatformError::new("no trusted execution environment is found", reasons.join("; ")))
}

fn open(kind: Kind, settings: &PlatformSettings) -> Result<Arc<dyn Attester>, PlatformError> {
    let path = |usual: &str| settings.path.clone().unwrap_or_else(|| PathBuf::from(usual));
    let log = |usual: &str| settings.event_log.clone().unwrap_or_else(|| PathBuf::from(usual));
    let place = || path(tpm::TpmAttester::PATH).to_string_lossy().into_owned();
    Ok(match kind {
        Kind::Auto => return Err(PlatformError::new("platform", "none")),
        Kind::Azure => {
            let url = settings.metadata.as_deref().unwrap_or(metadata::URL);
            let (tpm, metadata) = (tpm::open(&place())?, Metadata::new(url)?);
            let found = tpm::azure::AzureVm::find(tpm, metadata, log(tpm::TpmAttester::EVENT_LOG));
            Arc::new(
                found.ok_or_else(|| {
                    PlatformError::new("azure", "the TPM is not a confidential VM's")
                })?,
            )
        }
        Kind::Nitro => Arc::new(nitro::Nitro::open(&path(nitro::Nitro::PATH))?),
        Kind::SevGuest => Arc::new(sev_guest::SevGuest::open(&path(sev_guest::SevGuest::PATH))?),
        Kind::Tpm => Arc::new(tpm::TpmAttester {
            tpm: Mutex::new(tpm::open(&place())?),
            key: settings.ak_handle.ok_or_else(|| {
                PlatformError::new("tpm", "`platform.ak_handle` is not configured")
            })?,
            certificates: settings.ak_certificates.clone(),
            event_log: log(tpm::TpmAttester::EVENT_LOG),
        }),
        Kind::Tsm => {
            let root = path(tsm::Tsm::PATH);
            if !root.is_dir() {
                let reason = format!("{} is not there", root.display());
                return Err(PlatformError::new("configfs-tsm", reason));
            }
            Arc::new(tsm::Tsm::new(&root, &log(tsm::Tsm::EVENT_LOG)))
        }
    })
}

/// A file, unless it is larger than that.
fn read_bounded(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(largest.saturating_add(1)).read_to_end(&mut content)?;
    match u64::try_from(content.len()) {
        Ok(length) if length <= largest => Ok(content),
        _ => Err(io::Error::other("too large")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fake: it signs nothing.
    struct Fake(&'static str);

    impl Attester for Fake {
        fn name(&self) -> &'static str {
            "fake"
        }

        fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
            Ok(Evidence::new(self.0, "x", data.to_vec()))
        }
    }

    #[tokio::test]
    async fn init_data_go_along_with_a_report_that_has_room_for_their_digest() {
        let folder = tempfile::tempdir().unwrap();
        let context = SecurityContext::new(Some(folder.path()));
        std::fs::write(folder.path().join("security-policy-base64"), "cG9saWN5").unwrap();
        let given = folder.path().join("initdata.toml");
        std::fs::write(&given, "algorithm = \"sha256\"").unwrap();
        let usual = PlatformSettings::default();
        let named = PlatformSettings { init_data: Some(given.clone()), ..usual.clone() };
        let missing =
            PlatformSettings { init_data: Some(folder.path().join("none")), ..usual.clone() };
        assert!(missing.init_data(&context).is_err());
        let data = ReportData::new("host", "default", "attestation", &[1; 32], &[2; 32]);
        for (settings, tee, wanted) in [
            (&usual, "snp", vec![b"policy".to_vec()]),
            (&named, "snp", vec![std::fs::read(&given).unwrap()]),
            (&usual, "tdx", vec![b"policy".to_vec()]),
            (&usual, "nitro", Vec::new()),
        ] {
            let ground = Ground::on(Arc::new(Fake(tee)));
            let ground = ground.with_init_data(settings.init_data(&context).unwrap());
            assert_eq!(ground.evidence(&data).await.unwrap().attachments, wanted, "{tee}");
        }
    }
}
