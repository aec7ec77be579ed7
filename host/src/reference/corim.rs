//! Signed CoRIM (draft-ietf-rats-corim-12): COSE_Sign1 (tag 18) over a CoRIM (tag 501) of CoMIDs
//! (tag 506), of which the reference triples are read.
//!
//! Two profiles say which claim a measurement is of:
//! - AMD's (draft-deeglaze-amd-sev-snp-corim-profile), see [`amd`];
//! - `urn:claviger:corim:1` for any TEE: the environment's class has the TEE's name as its `model`
//!   and nothing else; a measurement's key is a text, the claim's name; its value is one digest, a
//!   raw value without a mask, or an exact security version.
//!
//! A reference triple is a group. Whatever else a CoRIM can say narrows or widens what a value is
//! good for (endorsed values, masks, minima, one instance, other manifests): none of it is stepped
//! over, all of it is refused by its number in the draft's CDDL.

mod amd;
mod cose;
mod triple;

use crate::audit::Digest;
use crate::cbor::{self, Limits, Members, Value};
use crate::clock::Timestamp;

use super::document::{Document, Form, Group, Window};
use super::error::ReferenceError;
use super::signer::Signature;

pub(super) use cose::open;

/// #6.501(unsigned-corim-map)
const CORIM: u64 = 501;
/// #6.506(bytes .cbor concise-mid-tag)
const COMID: u64 = 506;
/// #6.37(bstr .size 16)
const UUID: u64 = 37;
/// #6.1(int)
const TIME: u64 = 1;
/// #6.32(text)
const URI: u64 = 32;

/// A signed CoRIM that nobody has checked yet.
pub(super) struct Opened {
    pub(super) document: Document,
    pub(super) signature: Signature,
}

/// How a profile reads a triple.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Profile {
    Amd,
    Claviger,
}

impl Profile {
    /// The host's own, and AMD's under the names it has had in the draft.
    fn named(uri: &str) -> Option<Self> {
        match uri {
            "urn:claviger:corim:1" => Some(Self::Claviger),
            "tag:amd.com,2024:snp-corim-profile" | "tag:amd.com,2025:snp-corim-profile" => {
                Some(Self::Amd)
            }
            _ => None,
        }
    }
}

/// Reads the payload; `signed_for` is the time that the signature gives itself.
fn read(payload: &[u8], signed_for: Window) -> Result<Document, ReferenceError> {
    let corim = tagged(cbor::parse(payload, Limits::DOCUMENT)?, CORIM, "a CoRIM")?;
    let mut corim = Members::of(corim).ok_or_else(|| malformed("a CoRIM"))?;
    let name = match corim.take(0) {
        Some(Value::Text(name)) => name,
        Some(Value::Bytes(uuid)) if uuid.len() == 16 => data_encoding::HEXLOWER.encode(&uuid),
        Some(Value::Tag(UUID, uuid)) => match uuid.into_bytes() {
            Ok(uuid) if uuid.len() == 16 => data_encoding::HEXLOWER.encode(&uuid),
            _ => return Err(malformed("a CoRIM's id")),
        },
        _ => return Err(malformed("a CoRIM's id")),
    };
    let profile = profile(corim.take(3))?;
    let window = match corim.take(4) {
        Some(validity) => validity_map(validity)?,
        None => Window::default(),
    };
    let tags = corim.take(1).and_then(|tags| tags.into_array().ok());
    // Who took part is told to people.
    corim.take(5);
    finish(&corim, "corim-map")?;
    let mut groups = Vec::new();
    for tag in tags.ok_or_else(|| malformed("a CoRIM's tags"))? {
        groups.extend(comid(tag, profile)?);
    }
    Document {
        name,
        form: Form::Corim,
        window: window.and(signed_for),
        builder: None,
        groups,
        digest: Digest::of(payload),
    }
    .checked()
}

/// A URI, or an array with one, as earlier revisions have it.
fn profile(value: Option<Value>) -> Result<Profile, ReferenceError> {
    let value = match value {
        Some(Value::Array(mut profiles)) if profiles.len() == 1 => profiles.pop(),
        value => value,
    };
    let uri = match value {
        Some(Value::Tag(URI, uri)) => uri.into_text().ok(),
        Some(Value::Text(uri)) => Some(uri),
        _ => None,
    };
    let uri = uri.ok_or_else(|| malformed("a CoRIM's profile"))?;
    Profile::named(&uri).ok_or_else(|| ReferenceError::Unsupported(format!("the profile {uri:?}")))
}

/// concise-mid-tag
fn comid(tag: Value, profile: Profile) -> Result<Vec<Group>, ReferenceError> {
    let bytes = tagged(tag, COMID, "a CoMID")?.into_bytes().map_err(|_| malformed("a CoMID"))?;
    let comid = cbor::parse(&bytes, Limits::DOCUMENT)?;
    let mut comid = Members::of(comid).ok_or_else(|| malformed("a CoMID"))?;
    // Language, identity and entities are told to people.
    for told in [0, 1, 2] {
        comid.take(told);
    }
    let triples = comid.take(4).and_then(Members::of);
    finish(&comid, "concise-mid-tag")?;
    let mut triples = triples.ok_or_else(|| malformed("a CoMID's triples"))?;
    let reference = triples.take(0).and_then(|triples| triples.into_array().ok());
    finish(&triples, "triples-map")?;
    let reference = reference.ok_or_else(|| malformed("a CoMID's reference triples"))?;
    reference.into_iter().map(|record| triple::read(record, profile)).collect()
}

/// validity-map: both ends are whole seconds.
fn validity_map(value: Value) -> Result<Window, ReferenceError> {
    let mut validity = Members::of(value).ok_or_else(|| malformed("a validity"))?;
    let not_before = validity.take(0).map(time).transpose()?;
    let not_after = validity.take(1).map(time).transpose()?;
    finish(&validity, "validity-map")?;
    if not_after.is_none() {
        return Err(malformed("a validity without an end"));
    }
    Ok(Window { not_before, not_after })
}

fn time(value: Value) -> Result<Timestamp, ReferenceError> {
    seconds(tagged(value, TIME, "a moment")?)
}

fn seconds(value: Value) -> Result<Timestamp, ReferenceError> {
    let seconds = value.as_integer().and_then(|seconds| u64::try_from(seconds).ok());
    seconds.map(Timestamp).ok_or_else(|| malformed("a moment in whole seconds"))
}

fn tagged(value: Value, tag: u64, what: &str) -> Result<Value, ReferenceError> {
    match value {
        Value::Tag(found, content) if found == tag => Ok(*content),
        _ => Err(ReferenceError::Malformed(format!("{what} without the tag {tag}"))),
    }
}

fn finish(members: &Members, of: &str) -> Result<(), ReferenceError> {
    match members.left() {
        Some(key) => Err(ReferenceError::Unsupported(format!("{key} in a {of}"))),
        None => Ok(()),
    }
}

fn malformed(what: &str) -> ReferenceError {
    ReferenceError::Malformed(format!("not as the draft has it: {what}"))
}
