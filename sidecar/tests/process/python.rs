//! Clients that are not ours, or not in Rust: the Python client of the examples against the host, and
//! grpcio with protobuf against the sidecar. Their environment is made under the target directory; where
//! there is no Python or no registry the tests say `SKIPPED`, and fail where `CI=true`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::azure::Model;
use crate::serve::{ANY_PORT, Served};
use crate::support::{Host, ran, skipped};

/// The interpreter of an environment with the packages, made once.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Option<PathBuf>> = OnceLock::new();
    let made = PYTHON.get_or_init(|| {
        let requirements = here("requirements.txt");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-client");
        let (interpreter, ready) = (folder.join("bin/python"), folder.join("ready"));
        let wanted = std::fs::read(&requirements).unwrap();
        if std::fs::read(&ready).is_ok_and(|made| made == wanted) {
            return Some(interpreter);
        }
        let succeeds =
            |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
        let venv = succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--requirement"]).arg(&requirements);
        (venv && succeeds(&mut pip)).then(|| {
            std::fs::write(&ready, wanted).unwrap();
            interpreter
        })
    });
    if made.is_none() {
        skipped("a Python environment with its packages");
    }
    made.clone()
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process").join(name)
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python-client")
}

#[test]
fn the_python_clients_own_tests_pass() {
    let Some(python) = python() else { return };
    let mut command = Command::new(python);
    command.args(["-B", "-m", "unittest", "discover"]).arg(examples().join("tests"));
    let (code, output, errors) = ran(&mut command);
    assert_eq!(code, Some(0), "{output}{errors}");
    assert!(errors.contains("Ran ") && !errors.contains("Ran 0 "), "{errors}");
}

#[test]
fn the_python_client_gets_a_key_and_is_refused_like_any_other() {
    let Some(host) = Host::start() else { return };
    let Some(python) = python() else { return };
    host.import("disk", &[0xa5; 32]);
    host.import("off", &[0xa5; 32]);
    host.key(["disable", "off"]);
    host.secret("password", "correct horse");
    let mut command = Command::new(python);
    command.arg("-B").arg(here("client.py")).arg(host.url());
    command.arg(host.state().join("ca.pem")).arg(host.platform());
    command.env("PYTHONPATH", examples());
    let (code, output, errors) = ran(&mut command);
    assert_eq!((code, output.trim()), (Some(0), "done"), "{errors}");
}

/// A fake of the metadata service: one token for everybody, and nothing else.
fn fake_metadata() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let good = request.starts_with("get /metadata/identity/oauth2/token?")
                && request.contains("metadata: true");
            let (status, body) = match good {
                true => (200, r#"{"access_token":"x","expires_in":"86399"}"#),
                false => (404, "{}"),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n");
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    url
}

#[test]
fn grpc_clients_get_reports_and_have_image_keys_wrapped_and_unwrapped() {
    let Some(host) = Host::start() else { return };
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(model) = Model::start(folder.path()) else { return };
    let keys = folder.path().join("wrap-keys");
    std::fs::create_dir(&keys).unwrap();
    let roots = folder.path().join("ca.pem");
    let more = format!(
        "{}wrap_keys = \"{}\"\n[azure]\nroots = \"{}\"\nmetadata = \"{}\"\n",
        ANY_PORT,
        keys.display(),
        roots.display(),
        fake_metadata()
    );
    let served = Served::start(&host, &more);
    let mut command = Command::new(python);
    command.arg("-B").arg(here("key_provider.py"));
    command.arg(served.address.strip_prefix("http://").unwrap());
    command.arg(&model.endpoint).arg(&roots).arg(&keys);
    let (code, output, errors) = ran(&mut command);
    assert_eq!((code, output.trim()), (Some(0), "done"), "{errors}");
}
