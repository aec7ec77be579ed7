//! The contract in other languages: the example verifier in Python and in JavaScript does what the one in
//! Rust does. Their compilers are installed under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use claviger::error::Code;
use claviger::plugin::Limits;
use claviger::plugin::annotate::annotate;
use claviger_tests::site::{Guest, Site, code};

use crate::foreign::{made, python};

/// A folder of this repository.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

fn in_python(out: &Path) -> Option<Vec<u8>> {
    let example = folder("examples/python-verifier");
    let interpreter = python("componentize-py", &example.join("requirements.txt"))?;
    let mut build = Command::new(interpreter.with_file_name("componentize-py"));
    build.arg("-d").arg(folder("wit")).args(["-w", "verifier-plugin", "componentize"]);
    build.args(["--stub-wasi", "our_guests", "-p"]).arg(&example).arg("-o").arg(out);
    made(build, "component in Python")?;
    Some(annotate(read(out), &read(&example.join("manifest.json"))).unwrap())
}

fn in_javascript(out: &Path) -> Option<Vec<u8>> {
    let example = folder("examples/javascript-verifier");
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).join("componentize-qjs");
    std::fs::create_dir_all(&tools).unwrap();
    std::fs::copy(example.join("package.json"), tools.join("package.json")).unwrap();
    let mut install = Command::new("npm");
    install.args(["install", "--silent", "--no-audit", "--no-fund"]).current_dir(&tools);
    made(install, "JavaScript packages")?;
    let mut build = Command::new(tools.join("node_modules/.bin/componentize-qjs"));
    build.arg("--wit").arg(folder("wit")).args(["--world", "verifier-plugin"]);
    build.args(["--stub-wasi", "--sync", "--js"]).arg(example.join("our-guests.js"));
    made(
        {
            build.arg("-o").arg(out);
            build
        },
        "component in JavaScript",
    )?;
    Some(annotate(read(out), &read(&example.join("manifest.json"))).unwrap())
}

/// What the example in Rust is held to as well.
async fn takes_guests_of_the_listed_author_key_only(component: &[u8], limits: Limits) {
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("verifier-snp", component);
        plugin.values.insert("author-key-digests".into(), "ab".repeat(48));
        plugin.limits = limits;
        plan.plugins.push(plugin);
    })
    .await;
    let material = site.key("k").await;
    let ours = Guest::whose(|report| report.author_key_digest = [0xab; 48]);
    let released = site.release(&ours, "k").await.unwrap();
    assert_eq!(ours.open(&released.jwe), material);
    for author_key_digest in [[0; 48], [0xac; 48]] {
        let other = Guest::whose(|report| report.author_key_digest = author_key_digest);
        assert_eq!(code(site.release(&other, "k").await), Code::EvidenceUntrusted);
    }
    // The host's own finding reaches the caller through the plugin.
    let challenge = site.challenge_for(&ours, "k");
    let mut forged = ours.report(&challenge);
    forged[0x90] ^= 1;
    let refused = site.submit(&ours, "k", ours.answer_with(&challenge, forged)).await;
    assert_eq!(code(refused), Code::EvidenceSignature);
}

#[tokio::test]
async fn a_verifier_in_python_loads_and_does_what_the_example_does() {
    let out = tempfile::tempdir().unwrap();
    let Some(component) = in_python(&out.path().join("verifier.wasm")) else { return };
    let limits =
        Limits { memory: 64 << 20, deadline: Duration::from_secs(20), ..Limits::default() };
    takes_guests_of_the_listed_author_key_only(&component, limits).await;
}

#[tokio::test]
async fn a_verifier_in_javascript_loads_and_does_what_the_example_does() {
    let out = tempfile::tempdir().unwrap();
    let Some(component) = in_javascript(&out.path().join("verifier.wasm")) else { return };
    let limits = Limits { deadline: Duration::from_secs(20), ..Limits::default() };
    takes_guests_of_the_listed_author_key_only(&component, limits).await;
}
