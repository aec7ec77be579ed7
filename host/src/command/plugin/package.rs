//! `plugin annotate|save|load|push|pull`: components and what goes with them, in files, archives and registries.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;

use crate::command::files::{read_bounded, read_token};
use crate::command::out::{out, verdict};
use crate::command::{REFUSED, block_on};
use crate::escape::Escaped;
use crate::plugin::registry::{Access, Reference, Repository};
use crate::plugin::verification::Verification;
use crate::plugin::{Package, annotate};

/// Where Debian and its kin keep the authorities that they trust.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

#[derive(Debug, Args)]
pub(in crate::command) struct Registry {
    /// `REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]`
    reference: Reference,
    /// The certificate authorities of the registry, PEM; those of the system where absent. A registry
    /// on this machine is asked without TLS unless they are given
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Who asks
    #[arg(long, requires = "password_file")]
    username: Option<String>,
    /// A file with his password or token in its first line
    #[arg(long, requires = "username")]
    password_file: Option<PathBuf>,
}

impl Registry {
    fn open(self) -> anyhow::Result<(Repository, Reference)> {
        let system = Path::new(SYSTEM_AUTHORITIES);
        let ca = match (&self.ca, self.reference.is_local()) {
            (Some(ca), _) => Some(ca.as_path()),
            (None, true) => None,
            (None, false) => Some(system),
        };
        let authorities = ca.map(|path| read_bounded(path, 4 << 20)).transpose()?;
        let password = self.password_file.as_deref().map(read_token).transpose()?;
        let access = Access { authorities, credentials: self.username.zip(password) };
        let repository = Repository::new(self.reference.clone(), access)?;
        Ok((repository, self.reference))
    }
}

/// The component with the manifest inside.
pub(super) fn annotate(component: &Path, manifest: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let read =
        |path: &Path, most| read_bounded(path, most).with_context(|| path.display().to_string());
    let annotated = annotate::annotate(read(component, 64 << 20)?, &read(manifest, 64 << 10)?)?;
    fs::write(out, annotated).with_context(|| out.display().to_string())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn save(component: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let package = super::package(component)?;
    package.manifest()?;
    fs::write(out, package.to_archive()).with_context(|| out.display().to_string())?;
    told(&package, "saved")
}

pub(super) fn load(archive: &Path, out: &Path) -> anyhow::Result<ExitCode> {
    let package = super::package(archive)?;
    write(&package, out)?;
    told(&package, "loaded")
}

pub(super) fn push(plugin: &Path, registry: Registry) -> anyhow::Result<ExitCode> {
    let package = super::package(plugin)?;
    package.manifest()?;
    let (repository, reference) = registry.open()?;
    let digest = block_on(async { Ok(repository.push(&package).await?) })?;
    told(&package, &format!("pushed: {}/{}@{digest}", reference.registry, reference.repository))
}

pub(super) fn pull(
    registry: Registry,
    out: &Path,
    verification: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let (repository, reference) = registry.open()?;
    let (package, digest) = block_on(async { Ok(repository.pull().await?) })?;
    if let Some(file) = verification {
        let admitted = Verification::read(file)?.admit(&package.manifest()?, &package, None);
        if let Err(why) = admitted {
            let line = format!("{reference} ({digest}) is not let in: {why}");
            return verdict(out!("{}", Escaped(&line)), ExitCode::from(REFUSED));
        }
    }
    write(&package, out)?;
    told(&package, &format!("pulled: {}/{}@{digest}", reference.registry, reference.repository))
}

/// The component, and its signatures beside it; older ones go.
fn write(package: &Package, out: &Path) -> anyhow::Result<()> {
    package.manifest()?;
    fs::write(out, &package.component).with_context(|| out.display().to_string())?;
    let mut signatures = package.signatures.iter();
    for path in Package::signature_paths(out) {
        match signatures.next() {
            Some(signature) => fs::write(&path, signature),
            None if path.exists() => fs::remove_file(&path),
            None => Ok(()),
        }
        .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn told(package: &Package, what: &str) -> anyhow::Result<ExitCode> {
    let manifest = package.manifest()?;
    let line = format!(
        "{} {} sha256:{}, {} signatures: {what}",
        manifest.name,
        manifest.version,
        package.hex_digest(),
        package.signatures.len()
    );
    out!("{}", Escaped(&line))?;
    Ok(ExitCode::SUCCESS)
}
