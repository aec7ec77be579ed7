//! The binary, run to its end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) output: String,
    pub(crate) errors: String,
}

/// The binary in an environment of its own, so that nothing of this one's gets in: the one that was built
/// with the tests, or the one that `CLAVIGER_BINARY` names.
pub(crate) fn binary() -> Command {
    let own = || env!("CARGO_BIN_EXE_claviger").into();
    let mut command = Command::new(std::env::var_os("CLAVIGER_BINARY").unwrap_or_else(own));
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs it with these arguments, and waits for its end.
pub(crate) fn claviger<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ran {
    let output = binary().args(arguments).output().unwrap();
    Ran {
        code: output.status.code(),
        output: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Whether `audit verify` finds the log of this state sound, and what it says.
pub(crate) fn verified(state: &Path) -> Result<String, String> {
    let ran =
        claviger([OsStr::new("audit"), OsStr::new("verify"), state.join("audit").as_os_str()]);
    let said = format!("{}{}", ran.output, ran.errors);
    if ran.code == Some(0) && ran.output.starts_with("verified: ") { Ok(said) } else { Err(said) }
}
