//! The SKR sidecar's gRPC service `key_provider.KeyProviderService`: five unary calls with one or four
//! fields each. Framing is gRPC's over HTTP/2, messages are protobuf's length-delimited fields.

use std::convert::Infallible;

use data_encoding::BASE64;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::Value;

use super::router::{Body, Desk};
use crate::skr::{Failure, wrap};

/// Statuses (gRPC, `statuscodes.md`).
pub(super) const INVALID_ARGUMENT: u8 = 3;
pub(super) const DEADLINE_EXCEEDED: u8 = 4;
pub(super) const NOT_FOUND: u8 = 5;
const FAILED_PRECONDITION: u8 = 9;
pub(super) const UNIMPLEMENTED: u8 = 12;

/// Whether a media type is gRPC's.
pub(super) fn is_grpc(value: &HeaderValue) -> bool {
    let value = value.as_bytes();
    value == b"application/grpc" || value.starts_with(b"application/grpc+proto")
}

/// A call that failed.
struct Status(u8, String);

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let code =
            if failure.status.as_u16() == 400 { INVALID_ARGUMENT } else { FAILED_PRECONDITION };
        Self(code, failure.to_string())
    }
}

/// The answer to a call.
pub(super) async fn answer(desk: &Desk, path: &str, body: &[u8]) -> Response<Body> {
    let mut trailers = HeaderMap::new();
    let content = match call(desk, path, body).await {
        Ok(message) => {
            trailers.insert("grpc-status", HeaderValue::from(0));
            frame(&message)
        }
        Err(Status(code, reason)) => {
            trailers.insert("grpc-status", HeaderValue::from(u16::from(code)));
            if let Ok(reason) = HeaderValue::from_str(&encode(&reason)) {
                trailers.insert("grpc-message", reason);
            }
            Vec::new()
        }
    };
    let body = Full::new(Bytes::from(content))
        .with_trailers(async move { Some(Ok::<_, Infallible>(trailers)) });
    let mut response = Response::new(body.boxed_unsync());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

async fn call(desk: &Desk, path: &str, body: &[u8]) -> Result<Vec<u8>, Status> {
    let method = path.strip_prefix("/key_provider.KeyProviderService/");
    let message = unframe(body).ok_or_else(|| malformed("the frame"))?;
    let first = || field(message, 1).ok_or_else(|| malformed("the message"));
    let skr = &desk.skr;
    match method {
        Some("SayHello") => {
            let name = String::from_utf8_lossy(first()?).into_owned();
            Ok(write(1, format!("Hello {name}").as_bytes()))
        }
        // The text itself is hashed, as the original does, and not what it stands for.
        Some("GetReport") => Ok(write(1, skr.raw_report(first()?).await?.as_bytes())),
        Some("GetAttestationData") => {
            let runtime_data =
                BASE64.decode(first()?).map_err(|_| malformed("the runtime data"))?;
            let data = skr.combined(&runtime_data).await?;
            let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default();
            Ok([
                write(1, text("endorsed_tcb").as_bytes()),
                write(2, text("endorsements").as_bytes()),
                write(3, text("evidence").as_bytes()),
                write(4, text("uvm_endorsements").as_bytes()),
            ]
            .concat())
        }
        Some("UnWrapKey") => Ok(write(1, &skr.unwrap_key(first()?).await?)),
        Some("WrapKey") => Ok(write(1, &wrap::wrap_key(first()?, desk.wrap_keys.as_deref())?)),
        _ => Err(Status(UNIMPLEMENTED, "no such method".to_owned())),
    }
}

fn malformed(what: &str) -> Status {
    Status(INVALID_ARGUMENT, format!("{what} is malformed"))
}

/// One message: a byte that says that it is not compressed, its length, itself.
pub(super) fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}

fn unframe(body: &[u8]) -> Option<&[u8]> {
    let (head, message) = body.split_at_checked(5)?;
    let (compressed, length) = head.split_first()?;
    let length = u32::from_be_bytes(length.try_into().ok()?);
    (*compressed == 0 && usize::try_from(length).ok() == Some(message.len())).then_some(message)
}

/// A length-delimited field (protobuf encoding, wire type 2).
pub(super) fn write(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    bytes.push(u8::try_from(length).unwrap_or_default());
    bytes.extend_from_slice(content);
    bytes
}

/// The last field of this number; empty where there is none, as protobuf has it. None: malformed.
fn field(message: &[u8], number: u64) -> Option<&[u8]> {
    let found = fields(message)?.into_iter().rev().find(|(found, _)| *found == number);
    Some(found.map_or(&[], |(_, content)| content))
}

/// Every length-delimited field with its number, in their order. None: malformed.
pub(super) fn fields(mut message: &[u8]) -> Option<Vec<(u64, &[u8])>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let (tag, rest) = varint(message)?;
        message = match tag & 7 {
            0 => varint(rest)?.1,
            1 => rest.get(8..)?,
            2 => {
                let (length, rest) = varint(rest)?;
                let (content, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
                found.push((tag >> 3, content));
                rest
            }
            5 => rest.get(4..)?,
            _ => return None,
        };
    }
    Some(found)
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, bytes.get(at + 1..)?));
        }
    }
    None
}

/// Percent-encoding of what a header may not hold (gRPC over HTTP/2, `Status-Message`).
fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' '..=b'~' if byte != b'%' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_back() {
        for length in [0, 1, 127, 128, 300, 20_000] {
            let content = vec![7; length];
            let message = [write(2, b"other"), write(1, &content)].concat();
            assert_eq!(unframe(&frame(&message)).unwrap(), message);
            assert_eq!(field(&message, 1).unwrap(), content);
        }
        assert_eq!(field(b"\x08\x96\x01\x12\x01x", 2).unwrap(), b"x");
        assert_eq!(field(b"", 1).unwrap(), b"");
    }

    #[test]
    fn what_is_cut_off_or_compressed_is_malformed() {
        let message = write(1, b"content");
        for cut in 1..message.len() {
            assert!(field(&message[..cut], 1).is_none(), "{cut}");
        }
        assert!(field(&[0xff; 12], 1).is_none());
        let framed = frame(&message);
        assert!(unframe(&framed[..framed.len() - 1]).is_none());
        assert!(unframe(&[&[1][..], &framed[1..]].concat()).is_none());
    }

    #[test]
    fn a_reason_stands_in_one_header() {
        assert_eq!(encode("a\nb%ä"), "a%0Ab%25%C3%A4");
    }
}
