//! Programs of others in Python: a virtual environment for each set of packages, made where it is not there.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The interpreter of an environment below `base` with these packages; none, said aloud, where it cannot
/// be made.
///
/// # Panics
/// The same in continuous integration.
#[must_use]
pub fn environment(base: &Path, name: &str, requirements: &Path) -> Option<PathBuf> {
    let folder = base.join(name);
    let (interpreter, ready) = (folder.join("bin/python"), folder.join("ready"));
    let wanted = std::fs::read(requirements).unwrap();
    if std::fs::read(&ready).is_ok_and(|made| made == wanted) {
        return Some(interpreter);
    }
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&folder);
    let mut pip = Command::new(&interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(requirements);
    made(venv, "Python environment")?;
    made(pip, "Python packages")?;
    std::fs::write(&ready, wanted).unwrap();
    Some(interpreter)
}

/// Runs what makes something. None, said aloud, where it cannot be made.
///
/// # Panics
/// The same in continuous integration.
#[must_use]
pub fn made(mut command: Command, what: &str) -> Option<()> {
    let why = match command.output() {
        Ok(output) if output.status.success() => return Some(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("CI").is_none(), "no {what}: {why}");
    // Not by `eprintln!`, whose words the test harness keeps to itself.
    let skipped = format!("SKIPPED: no {what}: {}\n", why.trim());
    let _ = std::io::stderr().write_all(skipped.as_bytes());
    None
}
