//! Releases that their service signed: checked here, natively, before a plugin reads them.

use rustls::pki_types::CertificateDer;
use serde_json::Value;

use super::EgressError;
use super::withhold::SHAPE;
use crate::clock::Timestamp;
use crate::json;
use crate::keys::SignedRelease;

/// The release in an answer of success: the member `value` of a JSON object, where it is text. Whatever
/// else stands there is no release, and what is text and not signed is refused.
pub(super) fn release(
    body: &[u8],
    authority: &str,
    roots: &[CertificateDer<'static>],
    now: Timestamp,
) -> Result<Option<SignedRelease>, EgressError> {
    if body.is_empty() {
        return Ok(None);
    }
    let shape = |error: json::JsonError| EgressError::Protocol(error.to_string());
    let body: Value = json::parse(body, SHAPE).map_err(shape)?;
    let Some(signed) = body.get("value").and_then(Value::as_str) else { return Ok(None) };
    let release = SignedRelease::verify(signed, authority, roots, now);
    release
        .map(Some)
        .map_err(|why| EgressError::Protocol(format!("the signature of the release: {why}")))
}
