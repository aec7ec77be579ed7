//! What the host keeps of a key, sealed: that it is known here, its kind, whether it is enabled, and
//! of data keys the wrapped material of each version. Lines of words; the first says which form it is.

use claviger_plugin_sdk::kms::{Error, clock, sealed_store};

/// Where the records stand.
const RECORDS: &str = "key/";

const FORM: &str = "claviger-kms-vault 1";

/// The most versions of one data key.
const MOST: usize = 200;

/// A version of a data key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Version {
    pub(crate) number: u32,
    pub(crate) enabled: bool,
    pub(crate) created: u64,
    /// As the transit engine wrote it: `vault:v1:…`.
    pub(crate) wrapped: String,
}

/// A key that is known here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Record {
    pub(crate) kind: String,
    pub(crate) enabled: bool,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) versions: Vec<Version>,
}

/// A record as it was read, so that it is changed only where it is still the same.
pub(crate) struct Stored {
    pub(crate) record: Record,
    bytes: Vec<u8>,
}

impl Record {
    pub(crate) fn new(kind: String, versions: Vec<Version>) -> Self {
        let now = clock::now();
        Self { kind, enabled: true, created: now, updated: now, versions }
    }

    /// Adds a version, with the next number.
    pub(crate) fn add(&mut self, wrapped: String) -> Result<(), Error> {
        if self.versions.len() >= MOST {
            return Err(Error::Denied("the key has as many versions as it may".into()));
        }
        let number = self.versions.last().map_or(1, |last| last.number.saturating_add(1));
        let created = clock::now();
        self.versions.push(Version { number, enabled: true, created, wrapped });
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        let Self { kind, enabled, created, updated, versions } = self;
        let mut text = format!("{FORM}\n{kind} {enabled} {created} {updated}\n");
        for Version { number, enabled, created, wrapped } in versions {
            text.push_str(&format!("{number} {enabled} {created} {wrapped}\n"));
        }
        text.into_bytes()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        if lines.next()? != FORM {
            return None;
        }
        let mut words = lines.next()?.split(' ');
        let mut record = Self {
            kind: words.next()?.to_owned(),
            enabled: words.next()?.parse().ok()?,
            created: words.next()?.parse().ok()?,
            updated: words.next()?.parse().ok()?,
            versions: Vec::new(),
        };
        for line in lines {
            let mut words = line.split(' ');
            record.versions.push(Version {
                number: words.next()?.parse().ok()?,
                enabled: words.next()?.parse().ok()?,
                created: words.next()?.parse().ok()?,
                wrapped: words.next()?.to_owned(),
            });
        }
        Some(record)
    }
}

/// The key, where it is known here.
pub(crate) fn find(name: &str) -> Result<Stored, Error> {
    let bytes = sealed_store::get(&place(name)).map_err(store_error)?.ok_or(Error::NotFound)?;
    let record = Record::decode(&bytes)
        .ok_or_else(|| Error::Unavailable("the key's record is of a later version".into()))?;
    Ok(Stored { record, bytes })
}

/// Nothing, where no key of that name is known here.
pub(crate) fn absent(name: &str) -> Result<(), Error> {
    match sealed_store::get(&place(name)).map_err(store_error)? {
        None => Ok(()),
        Some(_) => Err(Error::Conflict("there is a key of that name".into())),
    }
}

/// Makes a key known, which must not be known yet.
pub(crate) fn create(name: &str, record: &Record) -> Result<(), Error> {
    swap(name, None, Some(&record.encode()), "there is a key of that name")
}

/// Changes a record from what it was.
pub(crate) fn change(name: &str, was: &Stored, record: &Record) -> Result<(), Error> {
    swap(name, Some(&was.bytes), Some(&record.encode()), "the key was changed meanwhile")
}

/// Forgets a key.
pub(crate) fn delete(name: &str) -> Result<(), Error> {
    let was = find(name)?;
    swap(name, Some(&was.bytes), None, "the key was changed meanwhile")
}

/// The names of keys behind `after`.
pub(crate) fn names(after: Option<&str>, limit: u32) -> Result<Vec<String>, Error> {
    let after = after.map(place);
    let names = sealed_store::list(RECORDS, after.as_deref(), limit).map_err(store_error)?;
    let names = names.iter().filter_map(|name| name.strip_prefix(RECORDS));
    Ok(names.map(str::to_owned).collect())
}

fn swap(name: &str, was: Option<&[u8]>, now: Option<&[u8]>, conflict: &str) -> Result<(), Error> {
    match sealed_store::swap(&place(name), was, now).map_err(store_error)? {
        true => Ok(()),
        false => Err(Error::Conflict(conflict.into())),
    }
}

fn place(name: &str) -> String {
    format!("{RECORDS}{name}")
}

fn store_error(error: sealed_store::Error) -> Error {
    match error {
        sealed_store::Error::Invalid(why) => Error::Malformed(why),
        sealed_store::Error::Unavailable(why) => Error::Unavailable(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
        let version = |number| Version {
            number,
            enabled: number != 2,
            created: 7,
            wrapped: "vault:v1:AAAA+/==".into(),
        };
        let versions = vec![version(1), version(2)];
        let (kind, enabled) = ("oct-256".to_owned(), true);
        let record = Record { kind, enabled, created: 5, updated: 6, versions };
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        for other in ["", "claviger-kms-vault 2\noct-256 true 5 6\n", FORM, "\u{fe}"] {
            assert_eq!(Record::decode(other.as_bytes()), None, "{other}");
        }
    }
}
