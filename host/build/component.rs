//! From a crate of this workspace to a WebAssembly component: a cargo inside cargo, in a target
//! directory of its own (so that the outer one's lock is not waited for), then `wit-component`.

#[path = "flags.rs"]
mod flags;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs};

use flags::TARGET;

/// Tells cargo why a build script failed, line by line.
pub(crate) fn end(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Builds the library of `package` and writes it to `out` as a component. `root` is the workspace;
/// `scratch` any directory that cargo made for the outer build.
pub(crate) fn build(root: &Path, package: &str, scratch: &Path, out: &Path) -> Result<(), String> {
    let module = compile(root, package, &target_directory(scratch))?;
    let module = fs::read(&module).map_err(|e| format!("{}: {e}", module.display()))?;
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| format!("{package} does not make a component: {error:#}"))?;
    if fs::read(out).is_ok_and(|present| present == component) {
        return Ok(());
    }
    fs::write(out, component).map_err(|e| format!("{}: {e}", out.display()))
}

/// Adds the target to the toolchain where it is missing.
pub(crate) fn ensure_target() -> Result<(), String> {
    let rustc = env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .output()
        .map_err(|error| format!("rustc does not run: {error}"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    if env::var_os("RUSTUP_TOOLCHAIN").is_none()
        && let Some(toolchain) = sysroot.file_name()
    {
        rustup.arg("--toolchain").arg(toolchain);
    }
    let reason = match rustup.output() {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(format!(
        "the plugins are built for {TARGET}, which this toolchain lacks, and `rustup target add {TARGET}` failed: {reason}"
    ))
}

/// One directory for every profile of the outer build, beside them.
fn target_directory(scratch: &Path) -> PathBuf {
    let outer = scratch.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    outer.unwrap_or(scratch).join("plugins")
}

fn compile(root: &Path, package: &str, target: &Path) -> Result<PathBuf, String> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(root)
        .args(["build", "--locked", "--lib", "--profile", "plugin"])
        .args(["--package", package, "--target", TARGET, "--target-dir"])
        .arg(target);
    scrub(&mut command);
    command.env("CARGO_ENCODED_RUSTFLAGS", flags::flags(&[(root, "claviger")]));
    let output = command.output().map_err(|error| format!("cargo does not run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("building {package} for {TARGET} failed:\n{said}"));
    }
    let file = format!("{}.wasm", package.replace('-', "_"));
    Ok(target.join(TARGET).join("plugin").join(file))
}

/// The outer build's flags, profile and wrappers (clippy's, for one) are not for the inner build.
fn scrub(command: &mut Command) {
    const KEPT: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_HTTP_",
        "CARGO_MAKEFLAGS",
        "CARGO_NET_",
        "CARGO_REGISTR",
        "CARGO_SOURCE_",
        "CARGO_TERM_",
    ];
    const REMOVED: [&str; 9] = [
        "CLIPPY_ARGS",
        "DEBUG",
        "HOST",
        "OPT_LEVEL",
        "PROFILE",
        "RUSTDOCFLAGS",
        "RUSTFLAGS",
        "RUSTC_WORKSPACE_WRAPPER",
        "TARGET",
    ];
    for (name, _) in env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let cargos = name.starts_with("CARGO") && name != "CARGO";
        let kept = KEPT.iter().any(|kept| name.starts_with(kept));
        if (cargos && !kept) || REMOVED.contains(&name) {
            command.env_remove(name);
        }
    }
}
