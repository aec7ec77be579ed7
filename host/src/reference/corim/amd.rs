//! AMD's profile (draft-deeglaze-amd-sev-snp-corim-profile): fields of an attestation report by
//! number.
//!
//! Read are the guest's security version, measurement, image and family (0), the VMPL (2), the
//! digests of id key and author key (5, 6), and the host data (8). What has floors and flags (TCB,
//! policy, platform) is the appraisal policy's, and refused here; so are the ids of one launch. The
//! class tells VCEK from VLEK, which the appraisal policy does too: both are taken.

use serde_json::Value as Json;

use super::super::error::ReferenceError;
use super::{UUID, malformed, triple};
use crate::cbor::{Members, Value};

/// By chip: d05e6d1b-9f46-4ae2-a610-ce3e6ee7e153; by provider: 89a7a1f0-e704-4faa-acbd-81c86df8a961.
const CLASSES: [[u8; 16]; 2] = [
    [
        0xd0, 0x5e, 0x6d, 0x1b, 0x9f, 0x46, 0x4a, 0xe2, 0xa6, 0x10, 0xce, 0x3e, 0x6e, 0xe7, 0xe1,
        0x53,
    ],
    [
        0x89, 0xa7, 0xa1, 0xf0, 0xe7, 0x04, 0x4f, 0xaa, 0xac, 0xbd, 0x81, 0xc8, 0x6d, 0xf8, 0xa9,
        0x61,
    ],
];

/// SHA-384 in the Named Information registry.
const SHA_384: u64 = 7;

pub(super) fn tee(class: &mut Members) -> Result<String, ReferenceError> {
    let id = match class.take(0) {
        Some(Value::Tag(UUID, id)) => id.into_bytes().ok(),
        _ => None,
    };
    match id.is_some_and(|id| CLASSES.iter().any(|class| id == class)) {
        true => Ok("snp".to_owned()),
        false => Err(malformed("a class of AMD's profile")),
    }
}

/// The claims of one measurement.
pub(super) fn claims(
    key: &Value,
    values: &mut Members,
) -> Result<Vec<(String, Json)>, ReferenceError> {
    let number = key.as_integer().and_then(|key| u64::try_from(key).ok());
    let found = match number {
        Some(0) => vec![
            ("guest_svn", triple::svn(values)?),
            ("measurement", triple::digest(values, Some(SHA_384))?),
            ("image_id", image(values)?),
            ("family_id", triple::raw(values)?),
        ],
        Some(2) => vec![("vmpl", vmpl(values)?)],
        Some(5) => vec![("id_key_digest", triple::raw(values)?)],
        Some(6) => vec![("author_key_digest", triple::raw(values)?)],
        Some(8) => vec![("host_data", triple::raw(values)?)],
        _ => return Err(ReferenceError::Unsupported(format!("the measurement {key:?}"))),
    };
    let found = found.into_iter().filter_map(|(claim, value)| Some((claim.to_owned(), value?)));
    Ok(found.collect())
}

/// version (0): the image id in hexadecimal, without a scheme.
fn image(values: &mut Members) -> Result<Option<Json>, ReferenceError> {
    let Some(version) = values.take(0) else { return Ok(None) };
    let mut version = Members::of(version).ok_or_else(|| malformed("a version"))?;
    let image = version.take(0).and_then(|text| text.into_text().ok());
    super::finish(&version, "version-map")?;
    let image = image.ok_or_else(|| malformed("an image id as a version"))?;
    Ok(Some(image.to_lowercase().into()))
}

/// raw-value (4): a number, by the profile's own extension.
fn vmpl(values: &mut Members) -> Result<Option<Json>, ReferenceError> {
    let number = values.take(4).and_then(|value| value.as_integer());
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.map(|number| Some(number.into())).ok_or_else(|| malformed("a VMPL"))
}
