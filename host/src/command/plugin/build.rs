//! `plugin build`: a plugin's crate, compiled by the cargo that is there, and made a component.

#[path = "../../../build/flags.rs"]
mod flags;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail, ensure};
use clap::Args;
use flags::TARGET;

use crate::command::files::read_bounded;
use crate::command::out::out;
use crate::escape::Escaped;
use crate::plugin::Package;

#[derive(Debug, Args)]
pub(in crate::command) struct Arguments {
    /// The crate's folder
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// The component's file; NAME.wasm in the crate's folder where absent
    #[arg(long)]
    out: Option<PathBuf>,
    /// Ask no registry for anything
    #[arg(long)]
    offline: bool,
}

/// A component that was built, and what it is called.
pub(super) struct Built {
    pub(super) component: Vec<u8>,
    name: String,
    version: String,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let Built { component, name, version } = build(&arguments.folder, arguments.offline)?;
    let own = || arguments.folder.join(format!("{name}.wasm"));
    let path = arguments.out.clone().unwrap_or_else(own);
    fs::write(&path, &component).with_context(|| path.display().to_string())?;
    let digest = Package::unsigned(component.clone()).hex_digest();
    let size = component.len();
    let line = format!("{name} {version}, {size} bytes, sha256:{digest}: {}", path.display());
    out!("{}", Escaped(&line))?;
    Ok(ExitCode::SUCCESS)
}

/// Compiles the crate and makes a component of it.
pub(super) fn build(folder: &Path, offline: bool) -> anyhow::Result<Built> {
    let manifest = folder.join("Cargo.toml");
    let text = read_bounded(&manifest, 1 << 20)?;
    let text: toml::Table = toml::from_str(&String::from_utf8(text)?)
        .with_context(|| manifest.display().to_string())?;
    let package = text.get("package").and_then(|package| package.get("name"));
    let package = match package.and_then(toml::Value::as_str) {
        Some(package) => package,
        None if text.contains_key("workspace") => bail!(
            "{}: a workspace without a package; name the folder of one of its members",
            manifest.display()
        ),
        None => bail!("{}: no package", manifest.display()),
    };
    // A library may be called otherwise than its package.
    let library = text.get("lib").and_then(|library| library.get("name"));
    let library = library.and_then(toml::Value::as_str).unwrap_or(package);
    let root = workspace(&manifest)?;
    let target = folder.join("target");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--lib", "--release", "--target", TARGET, "--manifest-path"]);
    cargo.arg(&manifest).arg("--target-dir").arg(&target);
    if offline {
        cargo.arg("--offline");
    }
    let whole = fs::canonicalize(folder).with_context(|| folder.display().to_string())?;
    // A member's sources are named from its workspace's root.
    let flags = flags::flags(&[(&root, "workspace"), (&whole, package)]);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags).env_remove("RUSTFLAGS");
    let status = cargo.status().context("cargo does not run")?;
    if !status.success() {
        bail!("cargo failed; where the target is missing: rustup target add {TARGET}");
    }
    let file = format!("{}.wasm", library.replace('-', "_"));
    let module = target.join(TARGET).join("release").join(file);
    let module = read_bounded(&module, 64 << 20)?;
    let component = wit_component::ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| anyhow::anyhow!("it does not make a component: {error:#}"))?;
    let manifest = Package::unsigned(component.clone()).manifest()?;
    ensure!(!manifest.name.is_empty(), "its manifest has no name");
    Ok(Built { component, name: manifest.name, version: manifest.version })
}

/// The root of the workspace that the crate is of, its own folder where it is of none. Its profiles,
/// lints and lock file are the workspace's.
fn workspace(manifest: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
    let found = cargo.arg(manifest).output().context("cargo does not run")?;
    let said = String::from_utf8_lossy(&found.stderr);
    let first = said.lines().next().unwrap_or_default();
    if !found.status.success() && first.contains("workspace when it's not") {
        bail!(
            "{}: it lies inside a workspace that does not list it; name it there under `members` or \
             `exclude`, or give it a `[workspace]` of its own",
            manifest.display()
        );
    }
    ensure!(found.status.success(), "{}: {first}", manifest.display());
    let found: serde_json::Value = serde_json::from_slice(&found.stdout)?;
    let root = found.get("workspace_root").and_then(serde_json::Value::as_str);
    let root = Path::new(root.context("cargo does not say where the workspace is")?);
    fs::canonicalize(root).with_context(|| root.display().to_string())
}
