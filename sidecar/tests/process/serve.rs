//! The SKR interface without Azure: status, raw and combined attestation, and what is refused.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::{Value, json};

use crate::support::{Host, Running};

/// A sidecar that serves.
pub(crate) struct Served {
    _process: Running,
    pub(crate) address: String,
}

impl Served {
    pub(crate) fn start(host: &Host, more: &str) -> Self {
        let mut command = host.sidecar(more);
        let mut process = Running(command.arg("serve").stderr(Stdio::piped()).spawn().unwrap());
        let errors = BufReader::new(process.0.stderr.take().unwrap());
        let mut lines = errors.lines().map_while(Result::ok);
        let line = lines.find_map(|line| Some(line.split_once("listening on ")?.1.to_owned()));
        // What is written later must find a reader.
        std::thread::spawn(move || lines.for_each(drop));
        Self { _process: process, address: line.expect("the sidecar does not serve") }
    }

    /// Status and body of what is answered.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        self.ask_as("localhost", method, path, body)
    }

    pub(crate) fn ask_as(&self, host: &str, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut answer = String::new();
        if let Some(address) = self.address.strip_prefix("http://") {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_string(&mut answer).unwrap();
        } else {
            let path = self.address.strip_prefix("unix:").unwrap();
            let mut stream = UnixStream::connect(path).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.read_to_string(&mut answer).unwrap();
        }
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

pub(crate) const ANY_PORT: &str = "[listen]\naddress = \"127.0.0.1:0\"\n";

#[test]
fn attestation_raw_and_combined_carry_the_runtime_data() {
    let Some(host) = Host::start() else { return };
    let served = Served::start(&host, ANY_PORT);
    let (status, answer) = served.ask("GET", "/status", "");
    let wanted = json!({"message": "Status OK", "platform": "development", "development": true});
    assert_eq!((status, answer), (200, wanted));
    let request = json!({"runtime_data": BASE64.encode(b"my data")}).to_string();
    let (status, answer) = served.ask("POST", "/attest/raw", &request);
    assert_eq!(status, 200, "{answer}");
    let report = HEXLOWER.decode(answer["report"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(report.len(), 1184);
    assert_eq!(&report[80..112], digest(&SHA256, b"my data").as_ref());
    assert_eq!(report[112..144], [0; 32]);
    let (status, answer) = served.ask("POST", "/attest/combined", &request);
    assert_eq!(status, 200, "{answer}");
    let evidence = BASE64.decode(answer["evidence"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(evidence[80..112], report[80..112]);
    let tcb = u64::from_le_bytes(evidence[384..392].try_into().unwrap());
    assert_eq!(answer["endorsed_tcb"], format!("{tcb:016x}"));
    let chain = BASE64.decode(answer["endorsements"].as_str().unwrap().as_bytes()).unwrap();
    assert!(chain.starts_with(b"-----BEGIN CERTIFICATE-----"));
}

#[test]
fn malformed_requests_and_those_under_another_name_are_refused() {
    let Some(host) = Host::start() else { return };
    let served = Served::start(&host, ANY_PORT);
    for body in ["", "{}", "{\"runtime_data\": \"*\"}", "{\"runtime_data\": 1}"] {
        let (status, answer) = served.ask("POST", "/attest/raw", body);
        assert_eq!(status, 400, "{body}");
        assert!(answer["error"].as_str().unwrap().contains("\nERROR: "), "{answer}");
    }
    assert_eq!(served.ask("GET", "/attest/raw", "").0, 404);
    assert_eq!(served.ask_as("evil.example", "GET", "/status", "").0, 421);
    let large = format!("{{\"runtime_data\": \"{}\"}}", "A".repeat(2 << 20));
    let stream = TcpStream::connect(served.address.strip_prefix("http://").unwrap());
    let mut stream = stream.unwrap();
    let head = format!(
        "POST /attest/raw HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        large.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It may stop listening before all is sent.
    let _ = stream.write_all(large.as_bytes());
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

#[test]
fn a_unix_socket_serves_as_well_and_is_not_for_everybody() {
    use std::os::unix::fs::PermissionsExt;
    let Some(host) = Host::start() else { return };
    let path = host.path("sidecar.sock");
    let more = format!("[listen]\naddress = \"unix:{}\"\n", path.display());
    let served = Served::start(&host, &more);
    assert_eq!(served.ask("GET", "/status", "").0, 200);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
}

/// Raw bytes of an answer to a call by gRPC's media type, or another; over HTTP/1.1, without its trailers.
fn called(served: &Served, host: &str, path: &str, media_type: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(served.address.strip_prefix("http://").unwrap()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: {media_type}\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // It may stop listening before all is sent.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn reflection_answers_at_its_paths_by_grpc_alone_and_so_many_questions() {
    const SERVICE: &str = "key_provider.KeyProviderService";
    const PATH: &str = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const GRPC: &str = "application/grpc";
    let Some(host) = Host::start() else { return };
    let served = Served::start(&host, ANY_PORT);
    // Of a host whose name has 1000 letters, the list of services.
    let message = [&[0x0a, 0xe8, 0x07][..], &[b'h'; 1000], &[0x3a, 0]].concat();
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let question = [&[0][..], &length, &message].concat();
    let services = |answer: &str| answer.matches(SERVICE).count();
    for path in [PATH, &PATH.replace("v1", "v1alpha")] {
        assert_eq!(services(&called(&served, "localhost", path, GRPC, &question.repeat(20))), 20);
    }
    let other = "/grpc.reflection.v2.ServerReflection/ServerReflectionInfo";
    for (host, path, media_type) in [
        ("evil.example", PATH, GRPC),
        ("localhost", PATH, "application/json"),
        ("localhost", other, GRPC),
        ("localhost", "/key_provider.KeyProviderService/SayHello", GRPC),
    ] {
        let answer = called(&served, host, path, media_type, &question);
        assert_eq!(services(&answer), 0, "{host} {path} {media_type}: {answer}");
    }
    let many = services(&called(&served, "localhost", PATH, GRPC, &question.repeat(200)));
    assert!(many <= (64 << 10) / question.len(), "{many}");
}
