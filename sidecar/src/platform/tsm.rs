//! SNP and TDX by configfs-tsm (Linux 6.7 and later, `Documentation/ABI/testing/configfs-tsm`): a
//! folder is made, report data are written into it, a report is read from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use claviger_client::{Evidence, PlatformError};

use super::{Attester, sev_guest};

/// Bytes of the largest report or certificate table that is read.
const LARGEST: u64 = 1 << 20;

/// The interface, wherever it is mounted.
pub(super) struct Tsm {
    root: PathBuf,
    event_log: PathBuf,
}

impl Tsm {
    pub(super) const PATH: &str = "/sys/kernel/config/tsm/report";
    /// Where ACPI's event log of a confidential VM is (CCEL).
    pub(super) const EVENT_LOG: &str = "/sys/firmware/acpi/tables/data/CCEL";

    pub(super) fn new(root: &Path, event_log: &Path) -> Self {
        Self { root: root.to_owned(), event_log: event_log.to_owned() }
    }
}

impl Attester for Tsm {
    fn name(&self) -> &'static str {
        "configfs-tsm"
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let entry = Entry::make(&self.root)?;
        let mut evidence = entry.report(data)?;
        if evidence.tee == "tdx"
            && let Ok(log) = super::read_bounded(&self.event_log, LARGEST)
        {
            evidence.attachments.push(log);
        }
        Ok(evidence)
    }
}

/// One folder of a request; removed when dropped.
struct Entry(PathBuf);

impl Drop for Entry {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

impl Entry {
    /// A folder that nobody else writes to.
    fn make(root: &Path) -> Result<Self, PlatformError> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("claviger-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(|error| failed("mkdir", &error))?;
        Ok(Self(path))
    }

    /// Writes the report data and reads report and certificates. Somebody else's write in between
    /// would show in `generation`.
    fn report(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let mut inblob = [0; 64];
        for (to, from) in inblob.iter_mut().zip(data) {
            *to = *from;
        }
        fs::write(self.0.join("inblob"), inblob).map_err(|error| failed("inblob", &error))?;
        let generation = self.read("generation")?;
        let provider = self.read("provider")?;
        let outblob = self.read("outblob")?;
        let certificates = self.read("auxblob").unwrap_or_default();
        if self.read("generation")? != generation {
            return Err(PlatformError::new("configfs-tsm", "the report was asked for by another"));
        }
        let mut evidence = match provider.trim_ascii_end() {
            b"sev_guest" => Evidence::new("snp", sev_guest::MEDIA_TYPE, outblob),
            b"tdx_guest" => Evidence::new("tdx", "application/vnd.intel.tdx-quote", outblob),
            _ => return Err(PlatformError::new("configfs-tsm", "an unknown provider")),
        };
        if !certificates.is_empty() {
            evidence.attachments.push(certificates);
        }
        Ok(evidence)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, PlatformError> {
        super::read_bounded(&self.0.join(name), LARGEST).map_err(|error| failed(name, &error))
    }
}

fn failed(what: &str, error: &std::io::Error) -> PlatformError {
    PlatformError::new("configfs-tsm", format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fake of the kernel's side: a folder with files as configfs would show them. It makes no
    /// report of what is written, and counts no generations by itself.
    fn fake(entry: &Entry, provider: &str, outblob: &[u8]) {
        for (name, content) in [
            ("generation", b"1\n".as_slice()),
            ("provider", provider.as_bytes()),
            ("outblob", outblob),
        ] {
            fs::write(entry.0.join(name), content).unwrap();
        }
    }

    #[test]
    fn what_is_asked_for_is_written_and_what_is_there_is_read() {
        let root = tempfile::tempdir().unwrap();
        for (provider, tee) in [("sev_guest\n", "snp"), ("tdx_guest\n", "tdx")] {
            let entry = Entry::make(root.path()).unwrap();
            fake(&entry, provider, b"report");
            fs::write(entry.0.join("auxblob"), b"certificates").unwrap();
            let evidence = entry.report(&[7; 32]).unwrap();
            let written = fs::read(entry.0.join("inblob")).unwrap();
            assert_eq!(written, [[7; 32], [0; 32]].concat());
            assert_eq!(evidence.tee, tee);
            assert_eq!(evidence.data, b"report");
            assert_eq!(evidence.attachments, [b"certificates".to_vec()]);
        }
    }

    #[test]
    fn an_unknown_provider_and_a_missing_file_are_errors() {
        let root = tempfile::tempdir().unwrap();
        let entry = Entry::make(root.path()).unwrap();
        assert!(entry.report(&[0; 64]).is_err());
        fake(&entry, "arm_cca_guest\n", b"token");
        assert!(entry.report(&[0; 64]).is_err());
        assert!(
            Tsm::new(Path::new("/nonexistent"), Path::new("/nonexistent")).gather(&[]).is_err()
        );
    }

    /// Somebody else asks between our request and its answer: the fake's `outblob` is a pipe, whose
    /// writer raises the generation as soon as it is read.
    #[test]
    fn a_report_that_another_asked_for_is_not_taken() {
        let root = tempfile::tempdir().unwrap();
        let entry = Entry::make(root.path()).unwrap();
        fake(&entry, "sev_guest\n", b"");
        let (outblob, generation) = (entry.0.join("outblob"), entry.0.join("generation"));
        fs::remove_file(&outblob).unwrap();
        let mode = rustix::fs::Mode::from(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &outblob, rustix::fs::FileType::Fifo, mode, 0)
            .unwrap();
        let other = std::thread::spawn(move || {
            use std::io::Write;
            let mut outblob = fs::File::options().write(true).open(outblob).unwrap();
            fs::write(generation, b"2\n").unwrap();
            outblob.write_all(b"report").unwrap();
        });
        let error = entry.report(&[7; 64]).unwrap_err();
        other.join().unwrap();
        assert!(error.to_string().contains("asked for by another"), "{error}");
    }
}
