//! Published crates as files: fetched by cargo where they are not there, and read, never built.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::path::PathBuf;
use std::process::Command;

use crate::python::made;

/// The folder of a crate's sources in cargo's own place. None, said aloud, where it cannot be had.
///
/// # Panics
/// The same in continuous integration.
#[must_use]
pub fn sources(name: &str, version: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))?;
    let find = || {
        let registries = std::fs::read_dir(home.join("registry/src")).ok()?;
        let places = registries
            .filter_map(Result::ok)
            .map(|registry| registry.path().join(format!("{name}-{version}")));
        places.into_iter().find(|place| place.join(".cargo-ok").is_file())
    };
    if let Some(found) = find() {
        return Some(found);
    }
    let outside = tempfile::tempdir().unwrap();
    let mut fetch = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    fetch.args(["info", "--quiet", &format!("{name}@{version}")]).current_dir(outside.path());
    made(fetch, &format!("sources of the crate {name}"))?;
    let found = find();
    assert!(found.is_some(), "cargo fetched {name}, and it is nowhere");
    found
}
