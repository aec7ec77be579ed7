//! `plugin keygen|sign|verify`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};

use crate::command::REFUSED;
use crate::command::files::read_bounded;
use crate::command::out::{out, verdict};
use crate::escape::Escaped;
use crate::plugin::Package;
use crate::plugin::package::{LARGEST_COMPONENT, LARGEST_SIGNATURE};
use crate::plugin::signature::key::SigningKey;
use crate::plugin::verification::Verification;
use crate::random::SystemRandomness;
use crate::secret::Secret;
use crate::store::private_file;

/// The largest file with a private key, in bytes.
const LARGEST_KEY: u64 = 16 << 10;

pub(super) fn keygen(path: &Path) -> anyhow::Result<ExitCode> {
    ensure!(!path.exists(), "{}: it is there already", path.display());
    let pem = SigningKey::generate()?;
    let key = SigningKey::read(&pem)?;
    private_file::create(path, &pem, &SystemRandomness::default())?;
    let mut public = path.as_os_str().to_owned();
    public.push(".pub");
    fs::write(&public, key.public_pem())
        .with_context(|| Path::new(&public).display().to_string())?;
    out!("{}\n{}", path.display(), Path::new(&public).display())?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn sign(component: &Path, key: &Path) -> anyhow::Result<ExitCode> {
    let pem = read_private(key)?;
    let key = SigningKey::read(&pem).with_context(|| key.display().to_string())?;
    let bytes = read_bounded(component, u64::try_from(LARGEST_COMPONENT)?)?;
    // What is no plugin is not signed by mistake.
    let manifest = Package::unsigned(bytes.clone()).manifest()?;
    let signature = key.sign(&bytes)?;
    for path in Package::signature_paths(component) {
        let present = match fs::exists(&path)? {
            true => Some(read_bounded(&path, u64::try_from(LARGEST_SIGNATURE)?)?),
            false => None,
        };
        match present {
            Some(present) if !same_signer(&present, &signature) => {}
            _ => {
                fs::write(&path, &signature).with_context(|| path.display().to_string())?;
                let line =
                    format!("{} {} is signed: {}", manifest.name, manifest.version, path.display());
                out!("{}", Escaped(&line))?;
                return Ok(ExitCode::SUCCESS);
            }
        }
    }
    bail!("{}: it has as many signatures as there may be", component.display())
}

/// Whether two signatures are by the same key: the newer one takes the older one's place.
fn same_signer(one: &[u8], other: &[u8]) -> bool {
    let hint = |bundle: &[u8]| {
        let bundle: Option<serde_json::Value> = serde_json::from_slice(bundle).ok();
        bundle.and_then(|bundle| bundle.pointer("/verificationMaterial/publicKey/hint").cloned())
    };
    hint(one).is_some() && hint(one) == hint(other)
}

pub(super) fn verify(plugin: &Path, verification: &Path) -> anyhow::Result<ExitCode> {
    let package = super::package(plugin)?;
    let manifest = package.manifest()?;
    let verification = Verification::read(verification)?;
    let (line, code) = match verification.admit(&manifest, &package, None) {
        Ok(signers) => {
            let signers: Vec<_> = signers.into_iter().collect();
            let by = match signers.is_empty() {
                true => "by its digest".to_owned(),
                false => format!("signed by {}", signers.join(", ")),
            };
            (format!("let in, {by}"), ExitCode::SUCCESS)
        }
        Err(why) => (format!("not let in: {why}"), ExitCode::from(REFUSED)),
    };
    let line =
        format!("{} {} sha256:{}: {line}", manifest.name, manifest.version, package.hex_digest());
    verdict(out!("{}", Escaped(&line)), code)
}

fn read_private(path: &Path) -> anyhow::Result<Secret> {
    let read = private_file::read(path, LARGEST_KEY)?;
    read.with_context(|| format!("{}: it is missing", path.display()))
}
