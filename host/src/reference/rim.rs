//! NVIDIA's reference integrity manifests: SWID tags (ISO/IEC 19770-2:2015) with the attributes of the TCG
//! Reference Integrity Manifest Information Model, signed by XML Signature (XMLDSig, RFC 6931).
//!
//! One form is read, the one that NVIDIA publishes: a `SoftwareIdentity` with an `Entity`, a `Meta`, a
//! `Payload` of measurements and an enveloped signature over all of it, ECDSA on P-384, with the chain of
//! its signer inside. Anything beside that form is refused, so that what is read here and what was signed
//! cannot be two things: values are taken from the very tree whose canonical form was digested.
//!
//! A manifest counts its measurements from 0 and a report from 1: `measurement_8` is index 7. Only active
//! measurements are values. Each alternative of a measurement is a value of its own.

mod canonical;
mod payload;
mod signature;
mod xml;

use super::document::{Document, Form, Window};
use super::error::ReferenceError;
use super::signer::Signature;
use crate::audit::Digest;
use xml::Element;

/// What the elements of a SWID tag are in.
const SWID: &str = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd";

/// A manifest that nobody has checked yet, but that its content is what its signature speaks of.
pub(super) struct Opened {
    pub(super) document: Document,
    pub(super) signature: Signature,
}

/// Reads a manifest; the time for which its signer's certificates are good is the document's.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, ReferenceError> {
    let root = xml::parse(bytes)?;
    if !root.is(SWID, "SoftwareIdentity") {
        return Err(malformed("not a SoftwareIdentity"));
    }
    let [entity, meta, payload, signature] = root.children()?.try_into().map_err(|_| {
        malformed("a SoftwareIdentity holds an Entity, a Meta, a Payload and a Signature")
    })?;
    let signed = signature::read(&root, signature)?;
    let name = names(&root, entity, meta)?;
    let window = Window { not_before: Some(signed.not_before), not_after: Some(signed.not_after) };
    let document = Document {
        name,
        form: Form::Rim,
        window,
        builder: None,
        groups: payload::read(payload)?,
        digest: Digest::of(&signed.signature.message),
    }
    .checked()?;
    Ok(Opened { document, signature: signed.signature })
}

/// `GH100 GPU 550.144.03`: of what the manifest is. Everything else that is told to people may be there.
fn names(root: &Element, entity: &Element, meta: &Element) -> Result<String, ReferenceError> {
    if !entity.is(SWID, "Entity") || !meta.is(SWID, "Meta") {
        return Err(malformed("a SoftwareIdentity begins with an Entity and a Meta"));
    }
    // A patch or a supplement speaks of a part only, and what it leaves out is elsewhere.
    for flag in ["corpus", "patch", "supplemental"] {
        if !matches!(root.attribute("", flag), None | Some("false")) {
            return Err(ReferenceError::Unsupported(format!("a tag that is {flag}")));
        }
    }
    if !matches!(meta.attribute("", "PayloadType"), None | Some("direct")) {
        return Err(ReferenceError::Unsupported("a payload elsewhere".to_owned()));
    }
    let told = |name: &str| {
        let told = meta.attribute("", name).filter(|told| !told.is_empty());
        told.ok_or_else(|| malformed(&format!("a Meta without {name}")))
    };
    Ok(format!("{} {} {}", told("product")?, told("edition")?, told("colloquialVersion")?))
}

fn malformed(what: &str) -> ReferenceError {
    ReferenceError::Malformed(format!("not as NVIDIA publishes manifests: {what}"))
}
