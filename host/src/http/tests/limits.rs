//! A client that asks for too much, too fast or for too long gets an answer and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::support::{Raw, settings, start};
use crate::http::{HttpSettings, Rate};
use crate::telemetry::capture::capture;

const TOKEN: &str = r#"{"token":"t"}"#;

#[tokio::test]
async fn a_client_over_its_rate_is_told_when_to_come_back() {
    // attack 7
    let rate = Rate { burst: 3, interval: Duration::from_secs(60) };
    let served = start(HttpSettings { rate: Some(rate), ..settings() }).await;
    let mut raw = served.raw().await;
    for _ in 0..3 {
        assert_eq!(raw.ask("GET /v1/health", "", "").await.status, 200);
    }
    // Neither another connection nor a forged address makes another client.
    let mut other = served.raw().await;
    let refused = other.ask("GET /v1/health", "x-forwarded-for: 192.0.2.9\r\n", "").await;
    assert_eq!((refused.status, refused.code()), (429, "rate-limited"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
}

// attacks 7 and 38
#[tokio::test]
async fn a_flood_is_counted_in_the_log_and_not_repeated() {
    const FLOOD: u64 = 60;
    let rate = Rate { burst: 1, interval: Duration::from_secs(3600) };
    let served = start(HttpSettings { rate: Some(rate), ..settings() }).await;
    let log = capture(tracing::Level::INFO);
    let mut raw = served.raw().await;
    assert_eq!(raw.ask("GET /v1/health", "", "").await.status, 200);
    for _ in 0..FLOOD {
        assert_eq!(raw.ask("GET /v1/health", "", "").await.code(), "rate-limited");
    }
    let counted = |text: &str| -> u64 {
        let counts = text.split("rate_limited=").skip(1);
        counts.map(|rest| rest.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum()
    };
    let text = log.wait_for(|text| (counted(text) == FLOOD).then(|| text.to_owned())).await;
    assert!(text.lines().count() < FLOOD as usize / 4, "{text}");
    assert!(text.lines().all(|line| line.contains(" WARN ")), "{text}");
}

#[tokio::test]
async fn requests_over_those_served_at_once_are_turned_away() {
    let served = start(HttpSettings { requests_at_once: 1, ..settings() }).await;
    let mut first = served.raw().await;
    let begun = served.host.begun.notified();
    let head = "host: h\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n";
    first.send(format!("POST /v1/keys/slow/release HTTP/1.1\r\n{head}{TOKEN}")).await;
    begun.await;
    let mut second = served.raw().await;
    let refused = second.ask("GET /.well-known/jwks.json", "", "").await;
    assert_eq!((refused.status, refused.code()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    // Whoever watches is told that the host is well, which it is.
    assert_eq!(second.ask("GET /v1/health", "", "").await.status, 200);
    assert_eq!(second.ask("GET /t/a/v1/health", "", "").await.status, 200);
    served.host.go.notify_one();
    assert_eq!(first.receive().await.status, 200);
    assert_eq!(second.ask("GET /.well-known/jwks.json", "", "").await.status, 200);
}

// attacks 7 and 38
#[tokio::test]
async fn slow_bodies_of_one_client_keep_no_other_client_out() {
    let limits = HttpSettings { requests_at_once: 3, requests_per_client: 2, ..settings() };
    let served = start(limits).await;
    let (mut first, mut second) = (served.raw().await, served.raw().await);
    first.begin_body("/v1/challenges").await;
    second.begin_body("/v1/challenges").await;
    let mut greedy = served.raw().await;
    let refused = greedy.ask("GET /.well-known/jwks.json", "", "").await;
    assert_eq!((refused.status, refused.code()), (429, "rate-limited"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let mut honest = served.raw_from([127, 0, 0, 2]).await;
    assert_eq!(honest.ask("GET /.well-known/jwks.json", "", "").await.status, 200);
    // Its places come back with its requests.
    drop((first, second));
    while greedy.ask("GET /.well-known/jwks.json", "", "").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

// attack 38
#[tokio::test]
async fn a_body_has_less_time_than_its_request() {
    let body_timeout = Duration::from_millis(100);
    let served = start(HttpSettings { body_timeout, ..settings() }).await;
    let mut raw = served.raw().await;
    raw.begin_body("/v1/keys/k/release").await;
    let refused = raw.receive().await;
    assert_eq!((refused.status, refused.code()), (408, "request-timeout"));
    assert!(served.host.called().is_empty());
}

#[tokio::test]
async fn a_request_that_takes_too_long_ends_with_an_answer() {
    let request_timeout = Duration::from_millis(150);
    let served = start(HttpSettings { request_timeout, ..settings() }).await;
    let mut raw = served.raw().await;
    let refused = raw.post("/v1/keys/slow/release", TOKEN).await;
    assert_eq!((refused.status, refused.code()), (503, "answer-timeout"));
}

#[tokio::test]
async fn a_head_sent_byte_by_byte_and_an_idle_connection_are_cut_off() {
    // attack 38
    let head_timeout = Duration::from_millis(300);
    let served = start(HttpSettings { head_timeout, ..settings() }).await;
    let limit = Duration::from_secs(4);
    let mut slow = served.raw().await;
    let started = Instant::now();
    let trickle = async {
        for byte in b"GET /v1/health HTTP/1.1\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy" {
            use tokio::io::AsyncWriteExt;
            if slow.0.write_all(&[*byte]).await.is_err() || slow.0.flush().await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        slow.closed_within(limit).await;
    };
    trickle.await;
    assert!(started.elapsed() < Duration::from_millis(1900), "{:?}", started.elapsed());

    let mut silent = served.raw().await;
    assert!(silent.closed_within(limit).await);
    let mut used = served.raw().await;
    assert_eq!(used.ask("GET /v1/health", "", "").await.status, 200);
    assert!(used.closed_within(limit).await);
    let port = served.handle.api_address().port();
    let mut http2 = Raw::connect(port, &served.authority, &[b"h2"]).await;
    assert!(http2.closed_within(limit).await);
}

#[tokio::test]
async fn a_request_in_flight_is_not_idle() {
    let head_timeout = Duration::from_millis(100);
    let served = start(HttpSettings { head_timeout, ..settings() }).await;
    let host = Arc::clone(&served.host);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        host.go.notify_one();
    });
    let answered = served.raw().await.post("/v1/keys/slow/release", TOKEN).await;
    assert_eq!(answered.status, 200);
}

#[tokio::test]
async fn a_connection_that_is_used_again_and_again_is_not_idle() {
    let head_timeout = Duration::from_millis(500);
    let served = start(HttpSettings { head_timeout, ..settings() }).await;
    let mut raw = served.raw().await;
    for _ in 0..10 {
        assert_eq!(raw.ask("GET /v1/health", "", "").await.status, 200);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_is_cut_off() {
    // attack 38
    use tokio::io::AsyncReadExt;
    let handshake_timeout = Duration::from_millis(150);
    let served = start(HttpSettings { handshake_timeout, ..settings() }).await;
    let mut stream = tokio::net::TcpStream::connect(served.handle.api_address()).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(3), stream.read_to_end(&mut rest));
    assert!(ended.await.is_ok());
}

#[tokio::test]
async fn a_client_with_too_many_connections_gets_no_further_one() {
    // attack 38
    use tokio::io::AsyncReadExt;
    let served = start(HttpSettings { connections_per_client: 2, ..settings() }).await;
    let mut first = served.raw().await;
    let second = served.raw().await;
    let mut third = tokio::net::TcpStream::connect(served.handle.api_address()).await.unwrap();
    let mut byte = [0];
    let ended = tokio::time::timeout(Duration::from_secs(3), third.read(&mut byte));
    assert!(matches!(ended.await.unwrap(), Ok(0) | Err(_)));
    assert_eq!(first.ask("GET /v1/health", "", "").await.status, 200);
    drop(second);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(served.raw().await.ask("GET /v1/health", "", "").await.status, 200);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let served = start(settings()).await;
    let mut raw = served.raw().await;
    let many: String = (0..100).map(|n| format!("x-{n}: y\r\n")).collect();
    raw.send(format!("GET /v1/health HTTP/1.1\r\nhost: h\r\n{many}\r\n")).await;
    assert_eq!(raw.receive().await.status, 431);
    let mut raw = served.raw().await;
    let large = "y".repeat(200_000);
    raw.send(format!("GET /v1/health HTTP/1.1\r\nhost: h\r\nx: {large}\r\n\r\n")).await;
    assert_eq!(raw.receive().await.status, 431);
}
