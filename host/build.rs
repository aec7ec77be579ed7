//! Builds the plugins that are bundled into the binary, and lists them for `plugin/bundled.rs`.

#[path = "build/component.rs"]
mod component;

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// The bundled plugins, by their folders under `plugins/`.
const BUNDLED: [&str; 12] = [
    "kms-azure",
    "kms-local",
    "kms-vault",
    "verifier-az-snp",
    "verifier-az-tdx",
    "verifier-cca",
    "verifier-nitro",
    "verifier-nvidia",
    "verifier-sgx",
    "verifier-snp",
    "verifier-tdx",
    "verifier-tpm",
];

/// What the plugins are built from, beside their own folders.
const SHARED: [&str; 5] = ["Cargo.lock", "Cargo.toml", "plugins/azure-vtpm", "plugins/sdk", "wit"];

fn main() -> ExitCode {
    component::end(run())
}

fn run() -> Result<(), String> {
    let out = env::var("OUT_DIR").map_err(|e| format!("OUT_DIR: {e}"))?;
    let out = Path::new(&out);
    let host = env::var("CARGO_MANIFEST_DIR").map_err(|e| format!("CARGO_MANIFEST_DIR: {e}"))?;
    let root = Path::new(&host).parent().ok_or("the host's crate has no workspace around it")?;

    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    for path in SHARED {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }

    component::ensure_target()?;
    let mut list = String::from("&[");
    for name in BUNDLED {
        let source = root.join("plugins").join(name);
        for part in ["Cargo.toml", "src"] {
            println!("cargo::rerun-if-changed={}", source.join(part).display());
        }
        let file = format!("{name}.wasm");
        component::build(root, &format!("claviger-{name}"), out, &out.join(&file))?;
        write!(
            list,
            "({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{file}\")) as &[u8]),"
        )
        .map_err(|e| e.to_string())?;
    }
    list.push(']');
    let list_file = out.join("bundled.rs");
    fs::write(&list_file, list).map_err(|e| format!("{}: {e}", list_file.display()))
}
