//! For tests of plugins: the conformance cases and the hostile inputs, on the engine that serves, without
//! a server. What a plugin imports only the host can do, so it runs as the component that it will be.

use std::path::Path;
use std::process::Command;

/// Builds the plugin in `folder` and runs the cases in its folder `cases`, as `claviger plugin test`
/// does. The binary is the one that the environment variable `CLAVIGER` names, or `claviger` on the
/// path.
///
/// # Panics
/// Where a case fails, or there is no `claviger`; with what it printed.
#[track_caller]
#[allow(clippy::panic, reason = "a test stops at the first surprise")]
pub fn conformance(folder: impl AsRef<Path>) {
    let binary = std::env::var_os("CLAVIGER").unwrap_or_else(|| "claviger".into());
    let mut command = Command::new(&binary);
    command.args(["plugin", "test"]).arg(folder.as_ref());
    if std::env::var_os("CARGO_NET_OFFLINE").is_some_and(|offline| offline == "true") {
        command.arg("--offline");
    }
    let ran = match command.output() {
        Ok(ran) => ran,
        Err(error) => panic!("{}: {error}; set CLAVIGER to its path", Path::new(&binary).display()),
    };
    if !ran.status.success() {
        let (said, errors) =
            (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        panic!("the plugin does not pass:\n{said}\n{errors}");
    }
}
