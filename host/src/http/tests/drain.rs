//! A host that is told to stop finishes what it began and begins nothing.

use std::time::Duration;

use super::support::{Served, settings, start};
use crate::http::HttpSettings;

const HEAD: &str = "host: h\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n";
const SLOW: &str = "POST /v1/keys/slow/release HTTP/1.1\r\n";

#[tokio::test]
async fn a_drain_finishes_what_is_in_flight_and_refuses_new_connections() {
    let served = start(settings()).await;
    let mut idle = served.raw().await;
    assert_eq!(idle.ask("GET /v1/health", "", "").await.status, 200);
    let mut busy = served.raw().await;
    let begun = served.host.begun.notified();
    busy.send(format!("{SLOW}{HEAD}{{\"token\":\"t\"}}")).await;
    begun.await;
    let Served { host, handle, .. } = &served;
    let (address, host) = (handle.api_address(), std::sync::Arc::clone(host));
    let draining = tokio::spawn(served.handle.shutdown());
    assert!(idle.closed_within(Duration::from_secs(3)).await);
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    assert!(!draining.is_finished());
    host.go.notify_one();
    assert_eq!(busy.receive().await.status, 200);
    assert!(busy.closed_within(Duration::from_secs(3)).await);
    assert!(draining.await.unwrap());
}

#[tokio::test]
async fn a_drain_ends_at_its_deadline() {
    let drain_deadline = Duration::from_millis(200);
    let served = start(HttpSettings { drain_deadline, ..settings() }).await;
    let mut busy = served.raw().await;
    let begun = served.host.begun.notified();
    busy.send(format!("{SLOW}{HEAD}{{\"token\":\"t\"}}")).await;
    begun.await;
    assert!(!served.handle.shutdown().await);
    assert!(busy.closed_within(Duration::from_secs(3)).await);
}
