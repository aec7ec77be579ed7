//! HTTP/2 floods end their connection and nothing else.

use std::time::Duration;

use super::support::http2::{
    CONTINUATION, END_HEADERS, END_STREAM, HEADERS, REQUEST, RST_STREAM, connect, frame,
};
use super::support::{Raw, settings, start};

async fn flood(raw: &mut Raw, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    use tokio::io::AsyncWriteExt;
    for bytes in frames {
        if raw.0.write_all(&bytes).await.is_err() {
            return true;
        }
    }
    let _ = raw.0.flush().await;
    raw.closed_within(Duration::from_secs(5)).await
}

#[tokio::test]
async fn a_flood_of_resets_ends_its_connection_and_others_are_served() {
    // attack 38 (CVE-2023-44487)
    let served = start(settings()).await;
    let port = served.handle.api_address().port();
    let mut raw = connect(port, &served.authority).await;
    let flooding = (0..2000_u32).map(|index| {
        let stream = index * 2 + 1;
        let mut both = frame(HEADERS, END_HEADERS | END_STREAM, stream, &REQUEST);
        both.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        both
    });
    // Sent in one go, so that resets overtake the accepting of streams.
    let at_once = std::iter::once(flooding.flatten().collect());
    assert!(flood(&mut raw, at_once).await);
    assert_eq!(served.raw().await.ask("GET /v1/health", "", "").await.status, 200);
}

#[tokio::test]
async fn a_head_without_end_ends_its_connection() {
    // attack 38 (CVE-2024-27316)
    let served = start(settings()).await;
    let port = served.handle.api_address().port();
    let mut raw = connect(port, &served.authority).await;
    let first = frame(HEADERS, 0, 1, &REQUEST);
    // A literal header field without indexing: name `x`, value of 100 bytes.
    let mut field = vec![0x00, 0x01, b'x', 100];
    field.extend([b'y'; 100]);
    let more = std::iter::repeat_with(|| frame(CONTINUATION, 0, 1, &field)).take(100_000);
    assert!(flood(&mut raw, std::iter::once(first).chain(more)).await);
    assert_eq!(served.raw().await.ask("GET /v1/health", "", "").await.status, 200);
}
