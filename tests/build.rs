//! Builds the example verifier and the hostile plugins: crates that misbehave through the SDK, and
//! small modules in text form that do what Rust does not let one write.

#[path = "../host/build/component.rs"]
mod component;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

/// Crates by their names, and their folders.
const CRATES: [(&str, &str); 4] = [
    ("hostile-kms", "hostile-kms"),
    ("hostile-remote", "hostile-remote"),
    ("hostile-verifier", "hostile-verifier"),
    ("example-verifier", "../examples/custom-verifier"),
];

/// Modules in text form, all of them verifiers.
const MODULES: [&str; 5] = ["recurses", "start-loops", "start-traps", "table-grows", "unreachable"];

fn main() -> ExitCode {
    component::end(run())
}

fn run() -> Result<(), String> {
    let out = env::var("OUT_DIR").map_err(|e| format!("OUT_DIR: {e}"))?;
    let out = Path::new(&out);
    let tests = env::var("CARGO_MANIFEST_DIR").map_err(|e| format!("CARGO_MANIFEST_DIR: {e}"))?;
    let tests = Path::new(&tests);
    let root = tests.parent().ok_or("the tests' crate has no workspace around it")?;

    for path in ["Cargo.lock", "Cargo.toml", "host/build", "plugins/sdk", "wit"] {
        println!("cargo::rerun-if-changed={}", root.join(path).display());
    }
    for path in ["build.rs", "src/hostile"].iter().chain(CRATES.iter().map(|(_, folder)| folder)) {
        println!("cargo::rerun-if-changed={}", tests.join(path).display());
    }

    component::ensure_target()?;
    for (name, _) in CRATES {
        let file = out.join(format!("{name}.wasm"));
        component::build(root, &format!("claviger-{name}"), out, &file)?;
    }
    for name in MODULES {
        let text = tests.join("src/hostile").join(format!("{name}.wat"));
        let component = of_text(&text, &root.join("wit"))
            .map_err(|error| format!("{}: {error}", text.display()))?;
        let file = out.join(format!("{name}.wasm"));
        fs::write(&file, component).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(())
}

/// A verifier's component out of a core module in text form.
fn of_text(text: &Path, wit: &Path) -> Result<Vec<u8>, String> {
    let mut module = wat::parse_file(text).map_err(|e| e.to_string())?;
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(|e| format!("{e:#}"))?;
    let world =
        resolve.select_world(&[package], Some("verifier-plugin")).map_err(|e| format!("{e:#}"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .map_err(|e| format!("{e:#}"))?;
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|e| format!("{e:#}"))
}
