//! Trust anchors on the command line.

use std::path::PathBuf;

use super::LARGEST;
use crate::command::files::read_bounded;
use crate::quote::AuthorityBuilder;

/// `SET=FILE`, or `SET:ID=FILE` where a key is pinned under an identifier in hexadecimal (empty: its
/// digest).
#[derive(Clone, Debug)]
pub(super) struct Anchor {
    set: String,
    key_id: Option<Vec<u8>>,
    path: PathBuf,
}

impl Anchor {
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "wanted is SET=FILE, or SET:HEX=FILE for a key";
        let (name, path) = text.split_once('=').ok_or(WANTED)?;
        let (set, key_id) = match name.split_once(':') {
            None => (name, None),
            Some((set, id)) => {
                let id = data_encoding::HEXLOWER_PERMISSIVE.decode(id.as_bytes());
                (set, Some(id.map_err(|_| WANTED)?))
            }
        };
        Ok(Self { set: set.to_owned(), key_id, path: path.into() })
    }

    /// Has it trusted.
    pub(super) fn trusted(&self, builder: AuthorityBuilder) -> anyhow::Result<AuthorityBuilder> {
        let bytes = read_bounded(&self.path, LARGEST)?;
        Ok(match &self.key_id {
            Some(key_id) => builder.pin(&self.set, key_id, bytes),
            None => builder.anchor(&self.set, bytes),
        })
    }
}
