//! HTTP/2, frame by frame.

use super::raw::Raw;

pub(in crate::http::tests) const DATA: u8 = 0;
pub(in crate::http::tests) const HEADERS: u8 = 1;
pub(in crate::http::tests) const RST_STREAM: u8 = 3;
pub(in crate::http::tests) const SETTINGS: u8 = 4;
pub(in crate::http::tests) const PING: u8 = 6;
pub(in crate::http::tests) const CONTINUATION: u8 = 9;
pub(in crate::http::tests) const END_HEADERS: u8 = 4;
pub(in crate::http::tests) const END_STREAM: u8 = 1;

/// `GET https /` in HPACK's static table (RFC 7541, appendix A).
pub(in crate::http::tests) const REQUEST: [u8; 3] = [0x82, 0x87, 0x84];

/// A frame (RFC 9113, section 4.1).
pub(in crate::http::tests) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(in crate::http::tests) async fn connect(port: u16, authority: &str) -> Raw {
    let mut raw = Raw::connect(port, authority, &[b"h2"]).await;
    raw.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    raw.send(frame(SETTINGS, 0, 0, &[])).await;
    raw
}

/// Kind, flags and stream of the next frame; its payload is thrown away.
pub(in crate::http::tests) async fn next(raw: &mut Raw) -> (u8, u8, u32) {
    use tokio::io::AsyncReadExt;
    let mut head = [0; 9];
    raw.0.read_exact(&mut head).await.unwrap();
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]).try_into().unwrap()];
    raw.0.read_exact(&mut payload).await.unwrap();
    (kind, flags, u32::from_be_bytes(stream))
}
