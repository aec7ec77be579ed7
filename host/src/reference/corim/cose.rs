//! COSE_Sign1 (RFC 9052 section 4.2) as draft-ietf-rats-corim section 4.2 uses it.

use coset::iana::EnumI64;
use coset::{AsCborValue, CoseSign1, RegisteredLabelWithPrivate};

use super::super::document::Window;
use super::super::error::ReferenceError;
use super::super::signer::{Scheme, Signature};
use super::{Opened, finish, malformed, read, seconds, tagged, validity_map};
use crate::cbor::{self, Limits, Members, Value};

/// #6.18(COSE-Sign1-corim)
const SIGN1: u64 = 18;

/// What the payload is.
const CONTENT_TYPE: &str = "application/rim+cbor";

/// Opens a signed CoRIM. Nothing is checked yet but its form.
pub(in crate::reference) fn open(bytes: &[u8]) -> Result<Opened, ReferenceError> {
    let sign1 = tagged(cbor::parse(bytes, Limits::DOCUMENT)?, SIGN1, "COSE_Sign1")?;
    let header = match sign1.as_array().and_then(|parts| parts.first()) {
        Some(Value::Bytes(header)) => cbor::parse(header, Limits::DOCUMENT)?,
        _ => return Err(malformed("COSE_Sign1")),
    };
    let signed_for = signed_for(header)?;
    let sign1 = CoseSign1::from_cbor_value(sign1).map_err(|_| malformed("COSE_Sign1"))?;
    let algorithm = match sign1.protected.header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => algorithm.to_i64(),
        _ => return Err(malformed("an algorithm in the protected header")),
    };
    // An algorithm that is not signed, or a header that must be understood, decides nothing here.
    let unprotected = &sign1.unprotected;
    if unprotected.alg.is_some() || !sign1.protected.header.crit.is_empty() {
        return Err(malformed("a header that may be passed over"));
    }
    let payload = sign1.payload.as_deref().ok_or_else(|| malformed("an attached payload"))?;
    let document = read(payload, signed_for)?;
    let (message, bytes) = (sign1.tbs_data(&[]), sign1.signature.clone());
    Ok(Opened {
        document,
        signature: Signature { scheme: Scheme::Cose(algorithm), message, bytes },
    })
}

/// protected-corim-header-map: the content type, and at least one of corim-meta and CWT claims, with
/// the time that the signature is good for.
fn signed_for(header: Value) -> Result<Window, ReferenceError> {
    let mut header = Members::of(header).ok_or_else(|| malformed("a protected header"))?;
    if header.take(3) != Some(Value::from(CONTENT_TYPE)) {
        return Err(malformed("a content type application/rim+cbor"));
    }
    let (meta, claims) = (header.take(8), header.take(15));
    if meta.is_none() && claims.is_none() {
        return Err(malformed("corim-meta or CWT claims"));
    }
    let mut window = Window::default();
    if let Some(meta) = meta {
        let meta = meta.into_bytes().map_err(|_| malformed("corim-meta"))?;
        let meta = cbor::parse(&meta, Limits::DOCUMENT)?;
        let mut meta = Members::of(meta).ok_or_else(|| malformed("corim-meta"))?;
        // The signer's name for itself; the configuration has its own.
        meta.take(0);
        if let Some(validity) = meta.take(1) {
            window = window.and(validity_map(validity)?);
        }
        finish(&meta, "corim-meta-map")?;
    }
    if let Some(claims) = claims {
        let mut claims = Members::of(claims).ok_or_else(|| malformed("CWT claims"))?;
        let not_after = claims.take(4).map(seconds).transpose()?;
        let not_before = claims.take(5).map(seconds).transpose()?;
        window = window.and(Window { not_before, not_after });
    }
    Ok(window)
}
