//! Endorsements in one file, for hosts that reach no source: JSON, so that a person can look inside.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

/// What an archive begins with, and nothing else does.
const FORMAT: &str = "claviger-endorsements/1";

/// Items in one archive.
const MOST: usize = 100_000;

/// An archive.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    format: String,
    /// In the order in which they were put in.
    pub items: Vec<Item>,
}

/// One endorsement.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// What it is, for a person; it is known by its content.
    pub name: String,
    /// Base64 of the bytes as its signer made them.
    pub data: String,
}

impl Item {
    /// From the bytes.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self { name: name.into(), data: BASE64.encode(bytes) }
    }
}

impl Archive {
    /// Of these items.
    #[must_use]
    pub fn new(items: Vec<Item>) -> Self {
        Self { format: FORMAT.to_owned(), items }
    }

    /// The endorsements in a file of the operator's: what is in an archive, or the file itself where it
    /// is none.
    ///
    /// # Errors
    /// Why it is an archive, but not a sound one.
    pub fn open(file: Vec<u8>) -> Result<Vec<Vec<u8>>, String> {
        if !file.trim_ascii_start().starts_with(b"{") || !contains(&file, FORMAT) {
            return Ok(vec![file]);
        }
        let archive: Self = serde_json::from_slice(&file).map_err(|error| error.to_string())?;
        if archive.format != FORMAT || archive.items.len() > MOST {
            return Err("another format, or more than an archive may hold".to_owned());
        }
        let decode = |item: Item| {
            BASE64.decode(item.data.as_bytes()).map_err(|error| format!("{}: {error}", item.name))
        };
        archive.items.into_iter().map(decode).collect()
    }
}

/// In its first bytes, where an archive says what it is.
fn contains(file: &[u8], word: &str) -> bool {
    let head = file.get(..256).unwrap_or(file);
    head.windows(word.len()).any(|window| window == word.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_opens_to_its_items_and_any_other_file_to_itself() {
        let archive = Archive::new(vec![Item::new("a", b"one"), Item::new("b", &[0, 255])]);
        let text = serde_json::to_vec_pretty(&archive).unwrap();
        assert_eq!(Archive::open(text.clone()).unwrap(), [&b"one"[..], &[0, 255]]);
        for other in [&b"-----BEGIN CERTIFICATE-----"[..], b"{\"tcbInfo\":{}}", &[0x30, 0]] {
            assert_eq!(Archive::open(other.to_vec()).unwrap(), [other]);
        }
        let broken = String::from_utf8(text).unwrap().replace("b25l", "?");
        assert!(Archive::open(broken.into_bytes()).unwrap_err().starts_with("a: "));
    }
}
