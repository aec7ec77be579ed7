//! Keys in the sealed store: one record for each key, and the material of each version beside it.
//!
//! A version gets its number first: the record is changed to say that it is given. Then its material
//! is stored under that number, and the record changed to have the version. Of several who change a
//! key at once, one wins, and the others take their material back. What a crash leaves behind blocks
//! nothing, for its number is not given again, and goes when the key is deleted.

use claviger_plugin_sdk::kms::material::Secret;
use claviger_plugin_sdk::kms::sealed_keys::{self, Kind};
use claviger_plugin_sdk::kms::{Error, clock, sealed_store};

use crate::record::{Record, Version};

/// Where the records stand.
const RECORDS: &str = "key/";

/// The most versions of one key.
const MOST_VERSIONS: usize = 500;

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
    if old.as_ref().is_some_and(|old| !old.record.deleted) {
        let words =
            "there is a key of that name; one that was deleted is recovered or purged first";
        return Err(Error::Conflict(words.into()));
    }
    let (left, was) = old.map(|old| (old.record, old.bytes)).unzip();
    let number = left.as_ref().map_or(1, |left| left.next);
    // Until it has a version, the record is that of a deleted key.
    let mut record = Record {
        kind,
        enabled: true,
        exportable,
        deleted: true,
        first: left.as_ref().map_or(number, |left| left.first),
        next: number.checked_add(1).ok_or_else(used_up)?,
        versions: Vec::new(),
    };
    let reserved = swap(name, was, &record)?;
    // A deletion or a creation that was cut short is finished; one that is going on has lost with
    // the change just made, and not before: what it stored cannot come to count any more.
    if let Some(left) = left {
        erase(name, &left)?;
    }
    keep(name, number, kind, given)?;
    record.deleted = false;
    record.first = number;
    record.versions.push(version(number));
    commit(name, reserved, &record, number)?;
    Ok(record)
}

/// Adds a version, of given material or a fresh one.
pub(crate) fn rotate(name: &str, given: Option<&Secret>) -> Result<Record, Error> {
    let Stored { mut record, bytes } = find(name)?;
    if record.versions.len() >= MOST_VERSIONS {
        return Err(Error::Denied("the key has as many versions as it may".into()));
    }
    let number = record.next;
    record.next = number.checked_add(1).ok_or_else(used_up)?;
    let reserved = swap(name, Some(bytes), &record)?;
    keep(name, number, record.kind, given)?;
    record.versions.push(version(number));
    commit(name, reserved, &record, number)?;
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
    swap(name, Some(bytes), &record)?;
    Ok(record)
}

/// Removes a key. From the first step on it is gone for everybody; its numbers are not given again,
/// so that what another is just storing for it cannot be taken for a later key's.
pub(crate) fn delete(name: &str) -> Result<(), Error> {
    let stored = load(name)?.ok_or(Error::NotFound)?;
    if stored.record.deleted {
        // Cut short before, or another is at it: nothing of it may stay, nor come to count.
        let next = stored.record.next.checked_add(1).ok_or_else(used_up)?;
        swap(name, Some(stored.bytes), &Record { next, ..stored.record.clone() })?;
        erase(name, &stored.record)?;
        return Err(Error::NotFound);
    }
    let record = Record { deleted: true, versions: Vec::new(), ..stored.record };
    swap(name, Some(stored.bytes), &record)?;
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

/// Stores a version's material under the number that was given to it.
fn keep(name: &str, number: u32, kind: Kind, given: Option<&Secret>) -> Result<(), Error> {
    let at = material(name, number);
    let kept = match given {
        Some(secret) => sealed_keys::put(&at, kind, secret),
        None => sealed_keys::generate(&at, kind),
    };
    kept.map(drop).map_err(key_error)
}

/// Changes the record from what it was, and answers with its bytes.
fn swap(name: &str, was: Option<Vec<u8>>, record: &Record) -> Result<Vec<u8>, Error> {
    let bytes = record.encode();
    match sealed_store::swap(&place(name), was.as_deref(), Some(&bytes)).map_err(store_error)? {
        true => Ok(bytes),
        false => Err(meanwhile()),
    }
}

/// The same, for a record that has a new version; where another was quicker, its material is taken
/// back. After any other error it may have been written all the same: the material stays.
fn commit(name: &str, was: Vec<u8>, record: &Record, added: u32) -> Result<(), Error> {
    match swap(name, Some(was), record) {
        Err(Error::Conflict(why)) => {
            sealed_keys::erase(&material(name, added)).or_else(gone)?;
            Err(Error::Conflict(why))
        }
        swapped => swapped.map(drop),
    }
}

fn used_up() -> Error {
    Error::Denied("the key has used up its version numbers".into())
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
