//! Recorded evidence: where it lies and how its cases are read.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::snp::Product;
use super::super::{Authority, Revocation};
use crate::clock::Timestamp;

/// One folder of recorded SNP evidence.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) expected: Value,
    pub(super) report: Option<Vec<u8>>,
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) at: Timestamp,
    pub(super) products: Vec<Product>,
}

impl Case {
    pub(super) fn verdict(&self) -> &str {
        self.expected["expected"]["verdict"].as_str().unwrap()
    }

    /// Trusts the product lines whose roots the case names; revocation waived, for want of lists.
    pub(super) fn authority(&self) -> Authority {
        Authority::builder()
            .products(&self.products)
            .revocation(Revocation::Waived)
            .build()
            .unwrap()
    }
}

/// The folder, where it is there. In continuous integration it must be.
pub(super) fn folder() -> Option<PathBuf> {
    let given = std::env::var("CLAVIGER_VECTORS").ok();
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let folder = PathBuf::from(given.as_deref().unwrap_or(default));
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").is_err(), "no recorded evidence at {}", folder.display());
    eprintln!("SKIPPED: no recorded evidence at {} (set CLAVIGER_VECTORS)", folder.display());
    None
}

/// Every SNP case.
pub(super) fn cases() -> Vec<Case> {
    let Some(folder) = folder() else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder.join("snp")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.iter().map(|folder| read(folder)).collect()
}

/// A genuine case with a report.
pub(super) fn genuine() -> Option<Case> {
    cases().into_iter().find(|case| case.verdict() == "valid" && case.report.is_some())
}

fn read(folder: &Path) -> Case {
    let expected: Value =
        serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
    let mut certificates = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "der" || kind == "pem") {
            certificates.push(fs::read(path).unwrap());
        }
    }
    let start = expected["window"]["not_before"].as_str().unwrap().replace(' ', "T");
    let start = if start.ends_with('Z') { start } else { format!("{start}Z") };
    let roots = expected["roots"].to_string().to_lowercase();
    let named = |product: &Product| roots.contains(&product.name().to_lowercase());
    Case {
        name: folder.file_name().unwrap().to_string_lossy().into_owned(),
        report: fs::read(folder.join("report.bin")).ok(),
        certificates,
        at: Timestamp::parse(&start).unwrap(),
        products: Product::ALL.into_iter().filter(named).collect(),
        expected,
    }
}
