//! Recorded evidence: where it lies, and what each case's `expected.json` says about it.
//!
//! A case is a folder with that file, evidence, and what goes with it. Nothing here knows a case by
//! its name: files are told apart by content and by what their names say that they are.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use claviger::clock::Timestamp;
use serde_json::Value;

use crate::moment;

/// The file that makes a folder a case.
const EXPECTED: &str = "expected.json";

/// In the name of a file with evidence stands one of these.
const EVIDENCE: [&str; 6] = ["report", "quote", "evidence", "attestation", "token", "claims.cbor"];

/// Files of these kinds hold certificates or revocation lists.
const CERTIFICATES: [&str; 5] = ["der", "pem", "crt", "cer", "crl"];

/// A case's roots are looked for beside it and in as many folders above.
const LEVELS: usize = 5;

/// The folder with recorded evidence: `CLAVIGER_VECTORS`, by default `../shared/vectors`, both taken
/// from the checkout. None, said aloud, where it is not there.
///
/// # Panics
/// Where `CLAVIGER_VECTORS` names it, and in continuous integration, it must be there.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("CLAVIGER_VECTORS").filter(|given| !given.is_empty());
    let needed = given.is_some() || std::env::var_os("CI").is_some();
    let folder = root().join(given.unwrap_or_else(|| "../shared/vectors".into()));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(!needed, "no recorded evidence at {}", folder.display());
    // Not by `eprintln!`, whose words the test harness keeps to itself.
    let skipped =
        format!("SKIPPED: no recorded evidence at {} (set CLAVIGER_VECTORS)\n", folder.display());
    let _ = std::io::stderr().write_all(skipped.as_bytes());
    None
}

/// The checkout.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Every case below a folder, in the order of their names; of one that cannot be read, the reason.
#[must_use]
pub fn cases(folder: &Path) -> Vec<(String, Result<Case, String>)> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    let name = |place: &Path| {
        let relative = place.strip_prefix(folder).unwrap_or(place);
        let named = if relative.as_os_str().is_empty() { folder.file_name() } else { None };
        named.unwrap_or(relative.as_os_str()).to_string_lossy().into_owned()
    };
    found.iter().map(|place| (name(place), Case::read(place))).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.file_name().is_some_and(|name| name == EXPECTED) {
            found.push(folder.to_owned());
        }
    }
}

/// A file of a case.
#[derive(Clone, Debug)]
pub struct File {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// A certificate of the vendor's that a case names.
#[derive(Clone, Debug)]
pub struct Root {
    /// As the case names it: `roots/amd/milan/ark.pem`.
    pub path: String,
    /// What it holds; none where only its name came along.
    pub bytes: Option<Vec<u8>>,
}

/// One folder of recorded evidence.
#[derive(Clone, Debug)]
pub struct Case {
    /// What `expected.json` says.
    pub expected: Value,
    /// The evidence; the same in several forms, perhaps.
    pub evidence: Vec<File>,
    /// Certificates, tables of them, revocation lists.
    pub certificates: Vec<File>,
    /// The vendor's certificates that the case names to be verified against.
    pub roots: Vec<Root>,
    /// What is left: collateral, logs as text, notes.
    pub others: Vec<File>,
}

/// One verification that a case asks for.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The verdict's name: `valid`, `bad_chain`.
    pub verdict: String,
    /// The moment for which everything must be valid; none: any.
    pub at: Option<Timestamp>,
    /// The collateral, in the vendor's own form.
    pub collateral: Option<File>,
}

impl Case {
    fn read(folder: &Path) -> Result<Self, String> {
        let text = fs::read(folder.join(EXPECTED)).map_err(|error| error.to_string())?;
        let expected: Value =
            serde_json::from_slice(&text).map_err(|error| format!("{EXPECTED}: {error}"))?;
        let mut case = Self {
            roots: roots(folder, &expected),
            expected,
            evidence: Vec::new(),
            certificates: Vec::new(),
            others: Vec::new(),
        };
        for file in files(folder)? {
            match case.kind(&file) {
                Kind::Certificates => case.certificates.push(file),
                Kind::Evidence => case.evidence.push(file),
                Kind::Other => case.others.push(file),
            }
        }
        Ok(case)
    }

    /// Every file of the case.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.evidence.iter().chain(&self.certificates).chain(&self.others)
    }

    /// The attester's kind: `snp`.
    #[must_use]
    pub fn tee(&self) -> &str {
        text(&self.expected, "tee")
    }

    /// The verdict of the whole case: `valid`, or `valid/out_of_date_tcb` where each collateral has
    /// one of its own.
    #[must_use]
    pub fn verdict(&self) -> &str {
        match self.expected.get("expected") {
            Some(Value::String(verdict)) => verdict,
            Some(expected) => text(expected, "verdict"),
            None => "",
        }
    }

    /// What there is to verify: once with each collateral, or once without.
    #[must_use]
    pub fn trials(&self) -> Vec<Trial> {
        let of_case = moment_of(&self.expected);
        if self.collateral().is_empty() {
            return vec![Trial {
                verdict: self.verdict().to_owned(),
                at: of_case,
                collateral: None,
            }];
        }
        let verdicts: Vec<&str> = self.verdict().split('/').collect();
        let trial = |(number, entry): (usize, &Value)| Trial {
            verdict: (*verdicts.get(number).or(verdicts.last()).unwrap_or(&"")).to_owned(),
            at: moment_of(entry).or(of_case),
            collateral: self.others.iter().find(|file| file.name == text(entry, "file")).cloned(),
        };
        self.collateral().iter().enumerate().map(trial).collect()
    }

    fn collateral(&self) -> &[Value] {
        self.expected.get("collateral").and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn kind(&self, file: &File) -> Kind {
        let name = file.name.to_lowercase();
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        let pem = file.bytes.trim_ascii_start().starts_with(b"-----BEGIN ");
        if pem || CERTIFICATES.contains(&extension) {
            return Kind::Certificates;
        }
        if self.collateral().iter().any(|entry| text(entry, "file") == file.name) {
            return Kind::Other;
        }
        if EVIDENCE.iter().any(|word| name.contains(word)) {
            return Kind::Evidence;
        }
        // What is left and is no text: a table of certificates, or DER under some other name.
        match std::str::from_utf8(&file.bytes) {
            Ok(_) => Kind::Other,
            Err(_) => Kind::Certificates,
        }
    }
}

enum Kind {
    Certificates,
    Evidence,
    Other,
}

/// The files beside `expected.json`, in the order of their names.
fn files(folder: &Path) -> Result<Vec<File>, String> {
    let entries = fs::read_dir(folder).map_err(|error| error.to_string())?;
    let mut paths: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|p| p.is_file()).collect();
    paths.sort();
    let paths = paths.iter().filter(|path| path.file_name().is_some_and(|name| name != EXPECTED));
    paths.map(|path| read(path)).collect()
}

/// The roots that a case names, by paths from a folder above it.
fn roots(folder: &Path, expected: &Value) -> Vec<Root> {
    let named = expected.get("roots").and_then(Value::as_array);
    let find = |path: &str| {
        let mut places = folder.ancestors().take(LEVELS).map(|above| above.join(path));
        Root { path: path.to_owned(), bytes: places.find_map(|place| fs::read(place).ok()) }
    };
    named.into_iter().flatten().filter_map(Value::as_str).map(find).collect()
}

fn read(path: &Path) -> Result<File, String> {
    let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(File { name, bytes })
}

/// When a case or a collateral is to be verified: the moment that it names, or one in its window.
fn moment_of(entry: &Value) -> Option<Timestamp> {
    let end = |name: &str| {
        let window = entry.get("window")?;
        window.get(name)?.as_str().and_then(moment::parse)
    };
    moment::parse(text(entry, "verify_time"))
        .or_else(|| moment::inside(end("not_before"), end("not_after")))
}

fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object.get(member).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(expected: &str, files: &[(&str, &[u8])]) -> Case {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(EXPECTED), expected).unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        let mut found = cases(folder.path());
        assert_eq!(found.len(), 1);
        found.remove(0).1.unwrap()
    }

    fn names(files: &[File]) -> Vec<&str> {
        files.iter().map(|file| file.name.as_str()).collect()
    }

    #[test]
    fn files_are_told_apart_by_content_and_name() {
        let case = case(
            r#"{"tee": "snp", "expected": {"verdict": "valid"}}"#,
            &[
                ("report.bin", &[3, 0, 0, 0]),
                ("evidence.json", b"{}"),
                ("vcek.der", &[0x30, 0]),
                ("chain.txt", b"\n-----BEGIN CERTIFICATE-----"),
                ("certs.bin", &[0xff, 0xfe]),
                ("README", b"words"),
            ],
        );
        assert_eq!(names(&case.evidence), ["evidence.json", "report.bin"]);
        assert_eq!(names(&case.certificates), ["certs.bin", "chain.txt", "vcek.der"]);
        assert_eq!(names(&case.others), ["README"]);
    }

    #[test]
    fn each_collateral_is_a_trial_with_its_own_verdict_and_moment() {
        let expected = r#"{
            "tee": "tdx", "expected": {"verdict": "valid/out_of_date_tcb"},
            "collateral": [
                {"file": "report-1.json", "verify_time": "2025-07-22T09:13:34Z"},
                {"file": "report-2.json",
                 "window": {"not_before": "2026-06-01", "not_after": "2026-06-03"}}
            ]
        }"#;
        let case = case(expected, &[("report-1.json", b"1"), ("report-2.json", b"2")]);
        let [first, second] = case.trials().try_into().unwrap();
        assert_eq!((first.verdict.as_str(), second.verdict.as_str()), ("valid", "out_of_date_tcb"));
        assert_eq!(first.at, moment::parse("2025-07-22T09:13:34Z"));
        assert_eq!(second.at, moment::parse("2026-06-02"));
        assert_eq!(second.collateral.unwrap().bytes, b"2");
        assert!(case.evidence.is_empty());
    }

    #[test]
    fn roots_are_found_above_the_case() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("snp/case");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join(EXPECTED), r#"{"roots": ["roots/ark.pem"]}"#).unwrap();
        let read = || cases(folder.path()).remove(0);
        assert_eq!(read().0, "snp/case");
        assert_eq!(read().1.unwrap().roots[0].bytes, None);
        fs::create_dir(folder.path().join("roots")).unwrap();
        fs::write(folder.path().join("roots/ark.pem"), "root").unwrap();
        assert_eq!(read().1.unwrap().roots[0].bytes.as_deref(), Some(&b"root"[..]));
    }

    #[test]
    fn a_case_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(EXPECTED), "{").unwrap();
        assert!(cases(folder.path()).remove(0).1.is_err());
    }
}
