//! Trust anchors on the command line.

use std::path::PathBuf;

use anyhow::bail;

use super::LARGEST;
use crate::command::files::read_bounded;
use crate::quote::{Authority, AuthorityBuilder};

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
        self.check(&bytes)?;
        Ok(self.added(builder, &bytes))
    }

    fn added(&self, builder: AuthorityBuilder, bytes: &[u8]) -> AuthorityBuilder {
        match &self.key_id {
            Some(key_id) => builder.pin(&self.set, key_id, bytes),
            None => builder.anchor(&self.set, bytes),
        }
    }

    /// Whether it could be trusted by itself: all anchors together could not say which of them is wrong.
    fn check(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let Err(fault) = self.added(Authority::builder(), bytes).build() else { return Ok(()) };
        let Self { set, path, .. } = self;
        let path = path.display();
        // As a key it could be: it was left out that it is one.
        let is_key =
            self.key_id.is_none() && Authority::builder().pin(set, &[], bytes).build().is_ok();
        match is_key {
            true => bail!("--anchor: {path}: a public key, which is given as {set}:={path}"),
            false => bail!("--anchor: {path}: {fault}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
        MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn an_anchor_that_is_none_is_named_and_a_key_is_told_from_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (key, words) = (put("ak.pem", KEY), put("words", "words"));
        let tried = |anchor: String| {
            let anchor = Anchor::parse(&anchor).unwrap();
            anchor.trusted(Authority::builder()).map(drop).map_err(|error| error.to_string())
        };
        assert_eq!(tried(format!("tpm:={key}")), Ok(()));
        let refused = tried(format!("tpm={key}")).unwrap_err();
        assert!(refused.contains(&format!("tpm:={key}")), "{refused}");
        for anchor in [format!("tpm={words}"), format!("tpm:={words}")] {
            let refused = tried(anchor).unwrap_err();
            assert!(refused.starts_with(&format!("--anchor: {words}: ")), "{refused}");
        }
    }
}
