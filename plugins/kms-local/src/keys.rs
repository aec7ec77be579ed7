//! Keys in the sealed store: one record for each key, and the material of each version beside it.
//!
//! A version's material is stored first, under a number of its own, and the record changed after; of
//! several who change a key at once, one wins, and the others take their material back.

use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::kms::sealed_keys::{self, Kind};
use claviger_plugin_sdk::kms::{Error, clock, sealed_store};

use crate::record::{Record, Version};

/// Where the records stand.
const RECORDS: &str = "key/";

/// The most versions of one key.
const MOST_VERSIONS: usize = 500;

/// How many numbers may be taken by others who are changing the key, or by what a crash left behind.
const SKIPPED: u32 = 4;

/// A record as it was read, so that it is changed only where it is still the same.
pub(crate) struct Stored {
    pub(crate) record: Record,
    bytes: Vec<u8>,
}

/// The key, where there is one.
pub(crate) fn find(name: &str) -> Result<Stored, Error> {
    load(name)?.filter(|stored| !stored.record.deleted).ok_or(Error::NotFound)
}

/// Makes a key with its first version.
pub(crate) fn create(
    name: &str,
    kind: Kind,
    exportable: bool,
    given: Option<&Secret>,
) -> Result<Record, Error> {
    let old = load(name)?;
    let first = match &old {
        Some(old) if !old.record.deleted => {
            return Err(Error::Conflict("there is a key of that name".into()));
        }
        Some(old) => {
            // A deletion that was cut short is finished first.
            erase(name, &old.record)?;
            old.record.next
        }
        None => 1,
    };
    let number = keep(name, first, kind, given)?;
    let record = Record {
        kind,
        enabled: true,
        exportable,
        deleted: false,
        first,
        next: number + 1,
        versions: vec![version(number)],
    };
    commit(name, old.map(|old| old.bytes), &record, Some(number))?;
    Ok(record)
}

/// Adds a version.
pub(crate) fn rotate(name: &str) -> Result<Record, Error> {
    let Stored { mut record, bytes } = find(name)?;
    if record.versions.len() >= MOST_VERSIONS {
        return Err(Error::Denied("the key has as many versions as it may".into()));
    }
    let number = keep(name, record.next, record.kind, None)?;
    record.next = number + 1;
    record.versions.push(version(number));
    commit(name, Some(bytes), &record, Some(number))?;
    Ok(record)
}

/// Enables or disables the key, or one version.
pub(crate) fn set_enabled(name: &str, number: Option<u32>, enabled: bool) -> Result<Record, Error> {
    let Stored { mut record, bytes } = find(name)?;
    let now = clock::now();
    match number {
        None => {
            record.enabled = enabled;
            for version in &mut record.versions {
                version.updated = now;
            }
        }
        Some(number) => {
            let mut versions = record.versions.iter_mut();
            let version = versions.find(|version| version.number == number);
            let version = version.ok_or(Error::NotFound)?;
            version.enabled = enabled;
            version.updated = now;
        }
    }
    commit(name, Some(bytes), &record, None)?;
    Ok(record)
}

/// Removes a key. From the first step on it is gone for everybody; its numbers are not given again,
/// so that what another is just storing for it cannot be taken for a later key's.
pub(crate) fn delete(name: &str) -> Result<(), Error> {
    let stored = load(name)?.ok_or(Error::NotFound)?;
    if stored.record.deleted {
        // Cut short before, or another is at it: nothing of it may stay.
        erase(name, &stored.record)?;
        return Err(Error::NotFound);
    }
    let record = Record {
        deleted: true,
        next: stored.record.next + SKIPPED,
        versions: Vec::new(),
        ..stored.record
    };
    commit(name, Some(stored.bytes), &record, None)?;
    erase(name, &record)
}

/// The names of keys behind `after`, deleted ones too.
pub(crate) fn names(after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
    let after = after.map(place);
    let names = sealed_store::list(RECORDS, after.as_deref(), limit).map_err(store_error)?;
    let names = names.iter().filter_map(|name| name.strip_prefix(RECORDS));
    Ok(names.map(str::to_owned).collect())
}

/// The material of a version.
pub(crate) fn open(name: &str, number: u32) -> Result<Secret, Error> {
    sealed_keys::open(&material(name, number)).map_err(|error| match error {
        // The record says that it is there.
        sealed_keys::Error::NotFound => Error::Unavailable("the key's material is missing".into()),
        other => key_error(other),
    })
}

fn load(name: &str) -> Result<Option<Stored>, Error> {
    let Some(bytes) = sealed_store::get(&place(name)).map_err(store_error)? else {
        return Ok(None);
    };
    let record = Record::decode(&bytes)
        .ok_or_else(|| Error::Unavailable("the key's record is of a later version".into()))?;
    Ok(Some(Stored { record, bytes }))
}

/// Stores a version's material under the first free number from `first` on.
fn keep(name: &str, first: u32, kind: Kind, given: Option<&Secret>) -> Result<u32, Error> {
    for number in first..first.saturating_add(SKIPPED) {
        let at = material(name, number);
        let kept = match given {
            Some(secret) => sealed_keys::put(&at, kind, secret),
            None => sealed_keys::generate(&at, kind),
        };
        match kept {
            Ok(_) => return Ok(number),
            Err(sealed_keys::Error::Exists) => {}
            Err(error) => return Err(key_error(error)),
        }
    }
    Err(meanwhile())
}

/// Changes the record from what it was; where another was quicker, takes the new version back.
fn commit(
    name: &str,
    was: Option<Vec<u8>>,
    record: &Record,
    added: Option<u32>,
) -> Result<(), Error> {
    let swapped = sealed_store::swap(&place(name), was.as_deref(), Some(&record.encode()));
    match swapped {
        Ok(true) => Ok(()),
        Ok(false) => {
            if let Some(number) = added {
                sealed_keys::erase(&material(name, number)).or_else(gone)?;
            }
            Err(meanwhile())
        }
        // It may have been written all the same: the material stays.
        Err(error) => Err(store_error(error)),
    }
}

fn erase(name: &str, record: &Record) -> Result<(), Error> {
    for number in record.first..record.next {
        sealed_keys::erase(&material(name, number)).or_else(gone)?;
    }
    Ok(())
}

fn gone(error: sealed_keys::Error) -> Result<(), Error> {
    match error {
        sealed_keys::Error::NotFound => Ok(()),
        other => Err(key_error(other)),
    }
}

fn version(number: u32) -> Version {
    let now = clock::now();
    Version { number, enabled: true, created: now, updated: now }
}

fn place(name: &str) -> String {
    format!("{RECORDS}{name}")
}

fn material(name: &str, number: u32) -> String {
    format!("{name}/{number}")
}

fn meanwhile() -> Error {
    Error::Conflict("the key was changed meanwhile".into())
}

fn key_error(error: sealed_keys::Error) -> Error {
    use sealed_keys::Error as Key;
    match error {
        Key::Denied(why) => Error::Denied(why),
        Key::Exists => meanwhile(),
        Key::Invalid(why) => Error::Malformed(why),
        Key::NotFound => Error::NotFound,
        Key::Unavailable(why) => Error::Unavailable(why),
        Key::Unsupported(why) => Error::Unsupported(why),
    }
}

fn store_error(error: sealed_store::Error) -> Error {
    match error {
        sealed_store::Error::Invalid(why) => Error::Malformed(why),
        sealed_store::Error::Unavailable(why) => Error::Unavailable(why),
    }
}
