//! reference-triple-record: an environment, and what is measured in it.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::Value as Json;

use super::super::document::Group;
use super::super::error::ReferenceError;
use super::{Profile, amd, finish, malformed};
use crate::cbor::{Members, Value};

/// #6.552(uint)
const SVN: u64 = 552;
/// #6.560(bytes)
const BYTES: u64 = 560;

/// Reads a triple: one group.
pub(super) fn read(record: Value, profile: Profile) -> Result<Group, ReferenceError> {
    let record = record.into_array().ok().and_then(|record| <[Value; 2]>::try_from(record).ok());
    let [environment, measurements] = record.ok_or_else(|| malformed("a reference triple"))?;
    let mut environment = Members::of(environment).ok_or_else(|| malformed("an environment"))?;
    let class = environment.take(0).and_then(Members::of);
    finish(&environment, "environment-map")?;
    let mut class = class.ok_or_else(|| malformed("an environment's class"))?;
    let tee = match profile {
        Profile::Amd => amd::tee(&mut class)?,
        Profile::Claviger => match class.take(2) {
            Some(Value::Text(model)) => model,
            _ => return Err(malformed("a class with a model")),
        },
    };
    finish(&class, "class-map")?;
    let measurements = measurements.into_array().map_err(|_| malformed("measurements"))?;
    let mut values = BTreeMap::new();
    for measurement in measurements {
        let mut measurement = Members::of(measurement).ok_or_else(|| malformed("a measurement"))?;
        let (key, value) = (measurement.take(0), measurement.take(1).and_then(Members::of));
        finish(&measurement, "measurement-map")?;
        let mut value = value.ok_or_else(|| malformed("a measurement's values"))?;
        let found = match (profile, key) {
            (Profile::Amd, Some(key)) => amd::claims(&key, &mut value)?,
            (Profile::Claviger, Some(Value::Text(claim))) => vec![(claim, any(&mut value)?)],
            _ => return Err(malformed("a measurement's key")),
        };
        finish(&value, "measurement-values-map")?;
        for (claim, value) in found {
            if values.insert(claim.clone(), value).is_some() {
                return Err(ReferenceError::Malformed(format!("{claim} stands twice in a triple")));
            }
        }
    }
    Ok(Group { tee, values })
}

/// The one value of a measurement, of whatever kind.
fn any(values: &mut Members) -> Result<Json, ReferenceError> {
    if let Some(svn) = svn(values)? {
        return Ok(svn);
    }
    if let Some(digest) = digest(values, None)? {
        return Ok(digest);
    }
    raw(values)?.ok_or_else(|| malformed("a digest, a raw value or a security version"))
}

/// svn (1): an exact one. A minimum is no value.
pub(super) fn svn(values: &mut Members) -> Result<Option<Json>, ReferenceError> {
    let Some(svn) = values.take(1) else { return Ok(None) };
    let svn = match svn {
        Value::Tag(SVN, svn) => *svn,
        svn @ Value::Integer(_) => svn,
        _ => return Err(ReferenceError::Unsupported("a security version that is none".to_owned())),
    };
    let number = svn.as_integer().and_then(|svn| u64::try_from(svn).ok());
    number.map(|number| Some(number.into())).ok_or_else(|| malformed("a security version"))
}

/// digests (2): one, of `function` where that is given.
pub(super) fn digest(
    values: &mut Members,
    function: Option<u64>,
) -> Result<Option<Json>, ReferenceError> {
    let Some(digests) = values.take(2) else { return Ok(None) };
    let pair = || -> Option<(u64, Vec<u8>)> {
        let [digest] = <[Value; 1]>::try_from(digests.into_array().ok()?).ok()?;
        let [found, bytes] = <[Value; 2]>::try_from(digest.into_array().ok()?).ok()?;
        Some((u64::try_from(found.as_integer()?).ok()?, bytes.into_bytes().ok()?))
    };
    let (found, bytes) = pair().ok_or_else(|| malformed("one digest"))?;
    // Named Information Hash Algorithm Registry: SHA-256, SHA-384, SHA-512.
    let length = match found {
        1 => 32,
        7 => 48,
        8 => 64,
        _ => return Err(ReferenceError::Unsupported(format!("the hash function {found}"))),
    };
    if bytes.len() != length || function.is_some_and(|wanted| wanted != found) {
        return Err(malformed("a digest of the right function and length"));
    }
    Ok(Some(HEXLOWER.encode(&bytes).into()))
}

/// raw-value (4), as bytes.
pub(super) fn raw(values: &mut Members) -> Result<Option<Json>, ReferenceError> {
    match values.take(4) {
        None => Ok(None),
        Some(Value::Tag(BYTES, bytes)) => {
            let bytes = bytes.into_bytes().map_err(|_| malformed("a raw value"))?;
            Ok(Some(HEXLOWER.encode(&bytes).into()))
        }
        Some(_) => Err(malformed("a raw value of bytes")),
    }
}
