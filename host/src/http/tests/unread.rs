//! Over HTTP/2 a refusal arrives that came before the body did.

use std::time::Duration;

use super::support::http2::{
    DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, connect, frame, next,
};
use super::support::{settings, start};

#[tokio::test]
async fn a_stream_whose_body_comes_a_little_late_is_not_reset_behind_its_answer() {
    let served = start(settings()).await;
    let mut raw = connect(served.handle.api_address().port(), &served.authority).await;
    // A literal without indexing (RFC 7541, section 6.2.2), its name from the static table.
    let field = |name: &[u8], value: &str| {
        [name, &[u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
    };
    let (path, host) = (field(&[0x04], "/v1/challenges"), field(&[0x01], "localhost"));
    let head = [&[0x83, 0x87][..], &path, &host, &field(&[0x0f, 0x10], "text/plain")].concat();
    raw.send(frame(HEADERS, END_HEADERS, 1, &head)).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    raw.send(frame(DATA, END_STREAM, 1, b"{}")).await;
    let mut kinds = Vec::new();
    loop {
        let (kind, flags, stream) = next(&mut raw).await;
        if stream == 1 {
            kinds.push(kind);
            if kind == RST_STREAM {
                break;
            }
            if flags & END_STREAM != 0 {
                // What follows the end comes before the answer to this.
                raw.send(frame(PING, 0, 0, &[7; 8])).await;
            }
        }
        if (kind, flags) == (PING, 1) {
            break;
        }
    }
    assert_eq!(kinds, [HEADERS, DATA]);
}
