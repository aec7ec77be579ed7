//! `plugin new`: a crate that builds and is tested, with the SDK and the contract beside it: nothing
//! but wit-bindgen and an allocator comes from a registry.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail, ensure};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use data_encoding::HEXLOWER;

use super::NewKind;
use crate::audit::Digest;
use crate::command::out::out;

/// The SDK's sources and the contract, as they were when this binary was built.
const VENDORED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/vendored.rs"));

const VERIFIER: &[(&str, &str)] = &[
    ("src/lib.rs", include_str!("template/verifier/lib.rs.txt")),
    ("cases/genuine.toml", include_str!("template/verifier/genuine.toml")),
    ("cases/forged.toml", include_str!("template/verifier/forged.toml")),
    ("cases/unknown-key.toml", include_str!("template/verifier/unknown-key.toml")),
    ("README.md", include_str!("template/verifier/README.md")),
];

const KMS: &[(&str, &str)] = &[
    ("src/lib.rs", include_str!("template/kms/lib.rs.txt")),
    ("cases/life-of-a-key.toml", include_str!("template/kms/life-of-a-key.toml")),
    ("README.md", include_str!("template/kms/README.md")),
];

const SHARED: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    (".gitignore", "target/\n*.wasm\n*.sigstore.json\n*.key\n"),
    ("tests/conformance.rs", include_str!("template/conformance.rs.txt")),
];

pub(super) fn run(kind: NewKind, name: &str) -> anyhow::Result<ExitCode> {
    let (prefix, files) = match kind {
        NewKind::Kms => ("kms-", KMS),
        NewKind::Verifier => ("verifier-", VERIFIER),
    };
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let short = name.strip_prefix(prefix).unwrap_or_default();
    let letter = short.starts_with(|first: char| first.is_ascii_lowercase());
    ensure!(
        letter && short.len() <= 32 && short.bytes().all(plain) && !short.ends_with('-'),
        "{name:?}: wanted is {prefix} and a short name of a-z, 0-9 and -"
    );
    let folder = Path::new(name);
    if folder.exists() {
        bail!("{name}: it is there already");
    }
    let fill = |text: &str| {
        text.replace("__NAME__", name)
            .replace("__SHORT__", short)
            .replace("__KIND__", if kind == NewKind::Kms { "kms" } else { "verifier" })
    };
    for (path, text) in SHARED.iter().chain(files) {
        write(&folder.join(path), fill(text).as_bytes())?;
    }
    for (path, bytes) in VENDORED {
        write(&folder.join(path), bytes)?;
    }
    if kind == NewKind::Verifier {
        evidence(&folder.join("cases"))?;
    }
    out!("{name}: written. Next:\n  cd {name}\n  claviger plugin build\n  claviger plugin test")?;
    Ok(ExitCode::SUCCESS)
}

fn write(path: &PathBuf, bytes: &[u8]) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// Evidence of a device that is made up on the spot, and its key: what the template's verifier reads.
fn evidence(cases: &Path) -> anyhow::Result<()> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
        .map_err(|_| anyhow::anyhow!("no randomness"))?;
    let spki: PublicKeyX509Der<'_> =
        pair.public_key().as_der().map_err(|_| anyhow::anyhow!("the key cannot be written"))?;
    let key_id = Digest::of(spki.as_ref());
    // What the device signs: 64 bytes of report data, its firmware's version.
    let mut signed = vec![0x5a; 64];
    signed.extend(7_u32.to_be_bytes());
    let signature = pair
        .sign(&SystemRandom::new(), &signed)
        .map_err(|_| anyhow::anyhow!("the key does not sign"))?;
    let genuine = [&signed, &key_id.0[..], signature.as_ref()].concat();
    let mut forged = genuine.clone();
    if let Some(version) = forged.get_mut(67) {
        *version ^= 1;
    }
    write(&cases.join("device.der"), spki.as_ref())?;
    write(&cases.join("genuine.bin"), &genuine)?;
    write(&cases.join("forged.bin"), &forged)?;
    out!("a device's key was made up for the cases: {}", HEXLOWER.encode(&key_id.0))
}
