//! `doctor`: what is wrong with a connector is said before a client finds out.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use claviger::clock::{Clock, SystemClock};
use claviger::http::DevelopmentCertificates;

use crate::support::claviger;

/// A configuration in `folder`, whose Vault is at a port where nobody listens.
fn configuration(folder: &Path, vault: &str) -> std::path::PathBuf {
    DevelopmentCertificates::open(folder, SystemClock.now()).unwrap();
    let needed = r#"
        host = { id = "tests", issuer = "https://tests.example", state = "." }
        api = { listen = "127.0.0.1:0", certificate = "server.pem", key = "server-key.pem" }
        master_key = { file = { path = "master.key" } }
        kms = { connector = "kms-vault" }
    "#;
    let needed =
        needed.replace("state = \".\"", "state = \".\", bundled_plugins = [\"kms-vault\"]");
    let path = folder.join("claviger.toml");
    fs::write(&path, format!("{needed}\n{vault}")).unwrap();
    path
}

fn doctor(path: &Path) -> (Option<i32>, String) {
    let ran = claviger(["doctor".as_ref(), path.as_os_str()]);
    (ran.code, format!("{}{}", ran.output, ran.errors))
}

fn vault(port: u16, settings: &str, withhold: &str, addresses: &str) -> String {
    format!(
        r#"
        [[plugins]]
        name = "kms-vault"
        settings = {{ address = "https://localhost:{port}"{settings} }}
        [[plugins.http]]
        url = "https://localhost:{port}/v1/"
        methods = ["GET"]
        ca = "ca.pem"
        withhold = [{withhold}]
        addresses = [{addresses}]
        "#
    )
}

#[test]
fn what_is_wrong_with_a_connector_is_said_by_name_before_a_client_finds_out() {
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let (loopback, field) = (r#""127.0.0.1", "::1""#, r#""/data/data/*""#);
    for (configured, wanted) in [
        // Nobody listens there.
        (vault(port, "", field, loopback), "not available"),
        // The address is not granted.
        (vault(port, "", field, ""), "loopback"),
        // The grant lets nothing be released.
        (vault(port, "", "", loopback), "withhold"),
        (vault(port, ", engine = \"kv\"", field, loopback), "the setting engine"),
    ] {
        let (code, said) = doctor(&configuration(folder.path(), &configured));
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("wrong") && said.contains(wanted), "{wanted}: {said}");
        assert!(said.contains("ok     the configuration"), "{said}");
    }
    for (configured, wanted) in [
        (vault(port, ", engines = \"kv-v2\"", field, loopback), "engines"),
        (vault(port, "", r#""data""#, loopback), "JSON pointer"),
        (vault(port, "", field, r#""10.0.0.0/99""#), "10.0.0.0/99"),
        (vault(port, "", field, loopback) + "credential = \"none\"", "credentials.none"),
        (vault(port, "", field, loopback) + "hosts = []", "hosts"),
        // Without a grant it is not admitted at all, by the import's name.
        (String::new(), "claviger:plugin/http"),
    ] {
        let (code, said) = doctor(&configuration(folder.path(), &configured));
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}
