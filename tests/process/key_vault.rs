//! Microsoft's own clients for Python against the real binary: keys, operations, secrets, release.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use claviger_tests::python;
use serde_json::{Value, json};

use crate::support::{State, TOKEN};

/// What the clients do, in this order.
const DONE: [&str; 12] = [
    "create",
    "get and update",
    "list in pages",
    "import",
    "cryptography",
    "rotate",
    "delete, recover, purge, backup, restore",
    "errors",
    "secrets",
    "release",
    "refused releases",
    "other versions, other names",
];

#[test]
fn microsofts_clients_for_python_work_unchanged() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python");
    let requirements = folder.join("azure-requirements.txt");
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let Some(python) = python::environment(base, "azure", &requirements) else { return };
    let mut clients = Command::new(python)
        .arg(folder.join("key_vault.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(clients.stdout.take().unwrap()).lines().map_while(Result::ok);
    let services: Value = serde_json::from_str(&said.next().unwrap()).unwrap();

    let state = State::new();
    let mut launch = state.launch();
    let (authority, ca) = (services["authority"].as_str(), services["ca"].as_str());
    launch.command.arg("--authority").arg(authority.unwrap()).arg(ca.unwrap());
    let host = launch.serving();
    let told = json!({"port": host.api().port(), "token": TOKEN,
        "ca": host.state().join("ca.pem")});
    writeln!(clients.stdin.take().unwrap(), "{told}").unwrap();
    let done: Vec<String> = said.collect();
    let ended = clients.wait().unwrap();
    assert!(ended.success(), "after {done:?}; the host said:\n{}", host.said());
    assert_eq!(done, DONE);
    // Attack 62: nothing secret in the log.
    for secret in ["hunter2", "hunter3", TOKEN] {
        assert!(!host.said().contains(secret), "{secret}");
    }
}
