//! HTTP/2 floods end their connection and nothing else.

use std::time::Duration;

use super::support::{Raw, settings, start};

/// An HTTP/2 frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

/// `GET https /` in HPACK's static table (RFC 7541, appendix A).
const REQUEST: [u8; 3] = [0x82, 0x87, 0x84];

async fn connect(port: u16, authority: &str) -> Raw {
    let mut raw = Raw::connect(port, authority, &[b"h2"]).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send(frame(SETTINGS, 0, 0, &[])).await;
    raw
}

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
