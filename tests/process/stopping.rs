//! A host that is told to stop finishes what it has begun.

use claviger::http::{ChallengeRequest, NewKeyRequest, Release};
use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::support::{Guest, Raw, State, block_on, claviger, records};

#[test]
fn a_request_in_flight_is_answered_before_the_host_stops_and_the_log_is_closed() {
    let state = State::new();
    let host = state.start();
    let guest = Guest::new();
    let answer = block_on(async {
        let key = NewKeyRequest {
            name: "kept".to_owned(),
            kind: "oct-256".to_owned(),
            material: None,
            release_policy: "affirming".into(),
        };
        host.administrator().create_key(&key).await.unwrap();
        let purpose = ChallengeRequest::Release { key: "kept".to_owned() };
        let challenge = host.client().challenge(&purpose).await.unwrap();
        let body = serde_json::to_vec(&guest.answer(&challenge)).unwrap();

        // The host asks for the body: from here on the request is in flight.
        let mut connection = Raw::connect(&host, host.api(), b"http/1.1").await;
        let head = format!(
            "POST /v1/keys/kept/release HTTP/1.1\r\nhost: localhost\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            body.len()
        );
        connection.write(head.as_bytes()).await;
        connection.read_until(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        host.signal(Signal::TERM);
        assert!(host.wait_for("draining").is_some(), "{}", host.said());
        // An open door would be closed by now, or soon: a connection is refused, or reset.
        let address = host.api();
        while let Ok(stream) = TcpStream::connect(address).await {
            drop(stream);
        }
        connection.write(&body).await;
        connection.read_to_end().await
    });
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{answer}");
    let release: Release = serde_json::from_str(body).unwrap();
    assert_eq!(guest.open(&release).secret.len(), 32);

    let (code, said) = host.ended();
    assert_eq!(code, Some(0), "{said}");
    let records = records(&state.path());
    let index = usize::try_from(release.audit_index).unwrap();
    assert_eq!(records[index]["event"], "released");
    assert_eq!(records.last().unwrap()["event"], "log-closed");
    let audit = state.path().join("audit");
    let last = (records.len() - 1).to_string();
    let proof = claviger(["audit", "prove", audit.to_str().unwrap(), &last]);
    assert_eq!(proof.code, Some(0), "no checkpoint covers the last record: {proof:?}");
    let verified = claviger(["audit", "verify", audit.to_str().unwrap()]);
    assert!(verified.output.contains(&format!(" cover {}\n", records.len())), "{verified:?}");
}

#[test]
fn an_idle_connection_does_not_keep_the_host_from_stopping() {
    let state = State::new();
    let host = state.start();
    block_on(async {
        let client = host.client();
        client.health().await.unwrap();
        let idle = Raw::connect(&host, host.api(), b"h2").await;
        host.signal(Signal::INT);
        let (code, said) = tokio::task::spawn_blocking(move || host.ended()).await.unwrap();
        assert_eq!(code, Some(0), "{said}");
        drop((client, idle));
    });
}
