//! The folders of the corpus: what lies where, and what a case's file may be called.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The folders whose cases lie in them, and the one with a folder for each kind of evidence.
pub(crate) const KINDS: [&str; 5] = ["akv", "appraisal", "ar4si", "ear", "invariants"];

/// A case's file.
pub(crate) struct Found {
    /// `akv`.
    pub(crate) kind: String,
    /// `akv`, `appraisal/snp`.
    pub(crate) folder: String,
    /// The file's name, without its ending: a sentence.
    pub(crate) name: String,
    /// What stands in it.
    pub(crate) text: String,
}

impl Found {
    /// The case; why it is none, in words.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        serde_json::from_str(&self.text).map_err(|error| format!("no case: {error}"))
    }
}

/// Where the corpus is.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
}

/// Every case, by folder and name. Stops at a folder that is none of the corpus or has no case.
pub(crate) fn all() -> Vec<Found> {
    let mut found = Vec::new();
    for kind in folders(&root()) {
        assert!(KINDS.contains(&kind.as_str()), "there are no cases of the kind {kind:?}");
        let path = root().join(&kind);
        match kind.as_str() {
            "appraisal" => {
                for tee in folders(&path) {
                    cases(&path.join(&tee), &kind, &format!("{kind}/{tee}"), &mut found);
                }
            }
            _ => cases(&path, &kind, &kind, &mut found),
        }
    }
    found
}

fn folders(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names: Vec<_> = folders.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn cases(path: &Path, kind: &str, folder: &str, found: &mut Vec<Found>) {
    let mut files: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no case");
    for file in files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let stem = name.strip_suffix(".json").unwrap_or_default();
        assert!(is_sentence(stem), "{folder}/{name}: wanted is a-sentence-in-lower-case.json");
        found.push(Found {
            kind: kind.to_owned(),
            folder: folder.to_owned(),
            name: stem.to_owned(),
            text: std::fs::read_to_string(&file).unwrap(),
        });
    }
}

fn is_sentence(name: &str) -> bool {
    let plain = |word: &str| {
        let mut bytes = word.bytes();
        !word.is_empty() && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    name.split('-').count() > 2 && name.split('-').all(plain)
}
