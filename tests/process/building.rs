//! `claviger plugin build` of a crate inside a workspace of somebody's.

use std::fs;
use std::path::Path;

use crate::walk::shell;

/// Runs it there; whether it succeeded, and all that it said.
fn ran(folder: &Path, script: &str) -> (bool, String) {
    let output = shell(folder, script).output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.success(), said)
}

#[test]
fn a_member_of_a_workspace_is_built_by_the_rules_of_its_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::write(
        root.join("Cargo.toml"),
        r#"
            [workspace]
            resolver = "3"
            members = ["plugins/kms-acme"]
            [workspace.package]
            version = "0.3.0"
            [workspace.lints.rust]
            unused_must_use = "deny"
            [profile.release]
            opt-level = "s"
            panic = "abort"
        "#,
    )
    .unwrap();
    fs::create_dir(root.join("plugins")).unwrap();
    let (made, said) = ran(
        &root.join("plugins"),
        "claviger plugin new --kind kms kms-acme; claviger plugin new --kind kms kms-stray",
    );
    assert!(made, "{said}");
    for name in ["kms-acme", "kms-stray"] {
        let manifest = root.join("plugins").join(name).join("Cargo.toml");
        let text = fs::read_to_string(&manifest).unwrap();
        // What a workspace of its own has goes; version and lints are the workspace's.
        let (package, _) = text.split_once("# Small and reproducible.").unwrap();
        let package = package.replace("version = \"0.1.0\"", "version.workspace = true");
        let library = package.replace("[lib]\n", "[lib]\nname = \"acme\"\n");
        fs::write(&manifest, format!("{library}\n[lints]\nworkspace = true\n")).unwrap();
    }
    // From its own folder, and named from the root.
    let (built, said) = ran(&root.join("plugins/kms-acme"), "claviger plugin build");
    assert!(built, "{said}");
    let own = fs::read(root.join("plugins/kms-acme/kms-acme.wasm")).unwrap();
    let (built, said) = ran(root, "claviger plugin build plugins/kms-acme --out acme.wasm");
    assert!(built, "{said}");
    assert_eq!(fs::read(root.join("acme.wasm")).unwrap(), own);
    // No path of this machine is in it, and the lock file is the workspace's.
    let path = fs::canonicalize(root).unwrap();
    let path = path.to_str().unwrap().as_bytes();
    assert!(!own.windows(path.len()).any(|window| window == path));
    assert!(root.join("Cargo.lock").is_file());
    assert!(!root.join("plugins/kms-acme/Cargo.lock").exists());
    let (inspected, said) = ran(root, "claviger plugin inspect acme.wasm");
    assert!(inspected && said.contains("0.3.0") && said.contains("admitted  yes"), "{said}");

    let (built, said) = ran(root, "claviger plugin build plugins/kms-stray");
    assert!(!built && said.contains("inside a workspace that does not list it"), "{said}");
    let (built, said) = ran(root, "claviger plugin build");
    assert!(!built && said.contains("a workspace without a package"), "{said}");
}
