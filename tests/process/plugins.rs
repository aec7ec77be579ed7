//! What the binary says of plugins, its own and others'.

use std::fs;

use serde_json::Value;

use crate::support::claviger;

#[test]
fn the_bundled_plugins_are_listed_with_what_they_import() {
    let ran = claviger(["plugin", "list", "--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let plugins: Vec<Value> = serde_json::from_str(&ran.output).unwrap();
    let of = |name: &str| plugins.iter().find(|plugin| plugin["name"] == name).unwrap();
    assert_eq!(of("verifier-snp")["kind"], "verifier");
    assert_eq!(of("kms-local")["kind"], "kms");
    for plugin in &plugins {
        assert_eq!(plugin["refused"], Value::Null, "{plugin}");
        let imports = plugin["imports"].as_array().unwrap();
        // The network is for those that reach a service, and only where the operator grants it.
        let remote = ["kms-azure", "kms-vault"].iter().any(|name| plugin["name"] == *name);
        assert_eq!(imports.contains(&"http".into()), remote, "{plugin}");
    }
}

#[test]
fn a_bundled_plugin_would_be_admitted() {
    let ran = claviger(["plugin", "inspect", "verifier-snp"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for line in ["name      verifier-snp", "kind      verifier", "admitted  yes", "  quotes"] {
        assert!(ran.output.lines().any(|said| said == line), "{line:?}: {}", ran.output);
    }
}

// invariant 7
#[test]
fn a_component_that_imports_wasi_is_refused_by_the_imports_name() {
    let component = component(
        "verifier-curious",
        r#"(component
            (import "wasi:cli/environment@0.2.0" (instance
                (export "get-environment" (func (result (list (tuple string string))))))))"#,
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("curious.wasm");
    fs::write(&path, component).unwrap();
    let ran = claviger(["plugin", "inspect", path.to_str().unwrap(), "--json"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    let inspection: Value = serde_json::from_str(&ran.output).unwrap();
    let refused = inspection["refused"].as_str().unwrap();
    let wanted =
        "it imports `wasi:cli/environment@0.2.0`, which the world `verifier-plugin` does not";
    assert!(refused.contains(wanted), "{refused}");
}

#[test]
fn what_is_no_component_cannot_be_inspected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("words.wasm");
    fs::write(&path, "words").unwrap();
    let ran = claviger(["plugin", "inspect", path.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.errors.contains("manifest"), "{}", ran.errors);
}

/// A component with a verifier's manifest, out of its text.
fn component(name: &str, text: &str) -> Vec<u8> {
    let manifest = format!(
        r#"{{"name": "{name}", "kind": "verifier", "version": "0.1.0", "imports": ["log"]}}"#
    );
    let section = [&[17][..], b"claviger:manifest", manifest.as_bytes()].concat();
    let mut component = wat::parse_str(text).unwrap();
    // A custom section: 0, its length in LEB128, its name with a length before it, its content.
    let length = u8::try_from(section.len()).unwrap();
    component.extend([0, length & 0x7f | 0x80, length >> 7]);
    component.extend(section);
    component
}
