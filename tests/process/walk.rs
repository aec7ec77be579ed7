//! The way from nothing to a signed plugin that serves, as `plugins/README.md` walks it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::claviger;

/// The commands of the documentation.
fn documented() -> String {
    let readme = include_str!("../../plugins/README.md");
    let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    block.to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// A shell in an empty folder, with the binary on its path; cargo asks no registry.
pub(crate) fn shell(folder: &Path, script: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_claviger")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", binary.display()))
        .env("CARGO_NET_OFFLINE", "true")
        .stdin(Stdio::null());
    // The outer cargo's choices are not the vendor's.
    for name in ["CARGO", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "RUSTFLAGS"] {
        shell.env_remove(name);
    }
    shell
}

#[test]
fn the_ten_minute_walk_ends_with_a_signed_plugin_that_serves() {
    let folder = tempfile::tempdir().unwrap();
    let (api, admin) = (free_port(), free_port());
    // The default ports may be taken on the machine that tests. The host ends with the walk.
    let listen = format!("serve --dev --listen 127.0.0.1:{api} --listen-admin 127.0.0.1:{admin}");
    let script = documented().replace("serve --dev", &listen);
    assert!(script.contains(&listen));
    let script = format!("trap 'kill $!' EXIT\n{script}");
    let started = Instant::now();
    let output = shell(folder.path(), &script)
        .env("CLAVIGER_ADMIN_URL", format!("https://localhost:{admin}"))
        .output()
        .unwrap();
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let served = said.lines().rfind(|line| line.starts_with("verifier-acme ")).unwrap();
    for word in ["verifier", "0.1.0", "serving", "installed", "signed by acme"] {
        assert!(served.contains(word), "{word}: {served}");
    }
    assert!(said.contains("4 passed, 0 failed"), "{said}");
    assert!(took < Duration::from_secs(600), "{took:?}");
    println!("the walk took {took:.1?}");

    // Its own tests pass; and so does a connector's crate.
    let folder = folder.path();
    let binary = env!("CARGO_BIN_EXE_claviger");
    let tested =
        shell(&folder.join("verifier-acme"), "cargo test").env("CLAVIGER", binary).output();
    let tested = tested.unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stdout));
    let connector = "claviger plugin new --kind kms kms-acme && cd kms-acme && claviger plugin build && \
         claviger plugin test && claviger plugin inspect kms-acme.wasm";
    let output = shell(folder, connector).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("2 passed, 0 failed") && said.contains("interface 0.1.0"), "{said}");

    // attack 48: another component under the signature of the first, and no signature.
    let wasm = folder.join("verifier-acme/verifier-acme.wasm");
    let rules = folder.join("verifier-acme/verification.toml");
    let verify = |path: &Path| {
        claviger([
            "plugin",
            "verify",
            path.to_str().unwrap(),
            "--verification",
            rules.to_str().unwrap(),
        ])
    };
    assert_eq!(verify(&wasm).code, Some(0));
    let mut bytes = fs::read(&wasm).unwrap();
    bytes.extend([0, 2, 1, b'x']);
    fs::write(&wasm, &bytes).unwrap();
    let refused = verify(&wasm);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.output.contains("not let in"), "{}", refused.output);
    let unsigned = folder.join("unsigned.wasm");
    fs::write(&unsigned, &bytes).unwrap();
    assert!(verify(&unsigned).output.contains("it has no signature"));
    // A case that fails, fails.
    let case = folder.join("verifier-acme/cases/forged.toml");
    let text = fs::read_to_string(&case).unwrap().replace("evidence-signature", "accepted");
    fs::write(&case, text).unwrap();
    let failed = shell(&folder.join("verifier-acme"), "claviger plugin test").output().unwrap();
    assert_eq!(failed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&failed.stdout).contains("FAILED  forged"));
}
