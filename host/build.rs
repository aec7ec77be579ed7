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
    fs::write(&list_file, list).map_err(|e| format!("{}: {e}", list_file.display()))?;
    vendored(root, out)
}

/// Lists what `plugin new` writes beside a plugin: the SDK with a manifest of its own, and the contract.
fn vendored(root: &Path, out: &Path) -> Result<(), String> {
    let mut files = Vec::new();
    let (sdk, wit) = (root.join("plugins/sdk"), root.join("wit"));
    walk(&sdk.join("src"), Path::new("vendor/claviger-plugin-sdk/src"), &mut files)?;
    walk(&wit, Path::new("wit"), &mut files)?;
    let read =
        |path: &Path| fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let workspace = read(&root.join("Cargo.toml"))?;
    let dependency = |name: &str| {
        let line = workspace.lines().find(|line| line.starts_with(&format!("{name} = ")));
        line.ok_or_else(|| format!("the workspace has no {name}"))
    };
    let manifest = format!(
        "[package]\nname = \"claviger-plugin-sdk\"\nversion = {:?}\nedition = \"2024\"\n\
         license = \"Apache-2.0\"\npublish = false\n\
         description = \"What a Claviger plugin is written with\"\n\n\
         [dependencies]\n{}\n\n\
         [target.'cfg(target_arch = \"wasm32\")'.dependencies]\n{}\n",
        env::var("CARGO_PKG_VERSION").map_err(|e| e.to_string())?,
        dependency("wit-bindgen")?,
        dependency("dlmalloc")?,
    );
    let own = out.join("sdk-manifest.toml");
    fs::write(&own, manifest).map_err(|e| format!("{}: {e}", own.display()))?;
    files.push(("vendor/claviger-plugin-sdk/Cargo.toml".into(), own));
    files.sort();
    let mut list = String::from("&[");
    for (name, path) in files {
        write!(list, "({name:?}, include_bytes!({:?}) as &[u8]),", path.display().to_string())
            .map_err(|e| e.to_string())?;
    }
    list.push(']');
    let list_file = out.join("vendored.rs");
    fs::write(&list_file, list).map_err(|e| format!("{}: {e}", list_file.display()))
}

/// The files of a folder with what they are to be called.
fn walk(
    folder: &Path,
    name: &Path,
    files: &mut Vec<(String, std::path::PathBuf)>,
) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let Some(file) = path.file_name() else { continue };
        let name = name.join(file);
        match path.is_dir() {
            true => walk(&path, &name, files)?,
            false => files.push((name.display().to_string(), path)),
        }
    }
    Ok(())
}
