//! Claims of a token by their numbers: each once, each in its form, and none that is not known.

use claviger_plugin_sdk::cbor::Item;
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::types::Span;

use crate::malformed;

/// Lengths of a digest: SHA-256, SHA-384, SHA-512.
pub(crate) const DIGESTS: [usize; 3] = [32, 48, 64];

/// A byte string, which knows where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bytes<'a> {
    pub(crate) bytes: &'a [u8],
    item: Item<'a>,
}

impl Bytes<'_> {
    /// Where it stands in a statement whose claims begin at `base`.
    pub(crate) fn span(&self, base: usize) -> Result<Span, Rejection> {
        self.item.content(base).ok_or_else(|| malformed("an empty byte string"))
    }
}

/// The claims of a token, or of a part of it.
pub(crate) struct Claims<'i, 'a> {
    of: &'static str,
    item: &'i Item<'a>,
}

impl<'i, 'a> Claims<'i, 'a> {
    /// Refuses a map that has other labels than `known`: what is not known cannot be judged, and the
    /// profiles have no room for more (draft-ffm-rats-cca-token-00, sections 4.7 and 4.8).
    pub(crate) fn of(
        of: &'static str,
        item: &'i Item<'a>,
        known: &[i64],
    ) -> Result<Self, Rejection> {
        let members = item.map().ok_or_else(|| malformed(&format!("{of} is no map")))?;
        for (label, _) in members {
            if label.integer().is_none_or(|label| !known.contains(&label)) {
                let found = match (label.integer(), label.text()) {
                    (Some(number), _) => number.to_string(),
                    (_, Some(text)) => text.escape_debug().to_string(),
                    _ => "of another kind".to_owned(),
                };
                return Err(Rejection::Unsupported(format!("the claim {found} of {of}")));
            }
        }
        Ok(Self { of, item })
    }

    /// A byte string of one of these lengths.
    pub(crate) fn bytes(
        &self,
        label: i64,
        name: &str,
        lengths: &[usize],
    ) -> Result<Bytes<'a>, Rejection> {
        let bytes = self.any_bytes(label, name)?;
        match lengths.contains(&bytes.bytes.len()) {
            true => Ok(bytes),
            false => Err(self.odd(name)),
        }
    }

    /// A byte string of any length.
    pub(crate) fn any_bytes(&self, label: i64, name: &str) -> Result<Bytes<'a>, Rejection> {
        let item = self.item(label, name)?;
        let bytes = item.bytes().ok_or_else(|| self.odd(name))?;
        Ok(Bytes { bytes, item: item.clone() })
    }

    pub(crate) fn text(&self, label: i64, name: &str) -> Result<&'a str, Rejection> {
        self.item(label, name)?.text().ok_or_else(|| self.odd(name))
    }

    /// A text that may be left out.
    pub(crate) fn optional_text(
        &self,
        label: i64,
        name: &str,
    ) -> Result<Option<&'a str>, Rejection> {
        match self.item.numbered(label) {
            Some(_) => self.text(label, name).map(Some),
            None => Ok(None),
        }
    }

    pub(crate) fn unsigned(&self, label: i64, name: &str) -> Result<u64, Rejection> {
        self.item(label, name)?.unsigned().ok_or_else(|| self.odd(name))
    }

    pub(crate) fn list(&self, label: i64, name: &str) -> Result<&'i [Item<'a>], Rejection> {
        self.item(label, name)?.list().ok_or_else(|| self.odd(name))
    }

    /// A list of digests, all of one length.
    pub(crate) fn digests(&self, label: i64, name: &str) -> Result<Vec<Bytes<'a>>, Rejection> {
        let entries = self.list(label, name)?.iter().map(|item| {
            let bytes = item.bytes().filter(|bytes| DIGESTS.contains(&bytes.len()));
            Some(Bytes { bytes: bytes?, item: item.clone() })
        });
        entries.collect::<Option<Vec<_>>>().ok_or_else(|| self.odd(name))
    }

    fn item(&self, label: i64, name: &str) -> Result<&'i Item<'a>, Rejection> {
        let missing = || malformed(&format!("{} has no {name}", self.of));
        self.item.numbered(label).ok_or_else(missing)
    }

    fn odd(&self, name: &str) -> Rejection {
        malformed(&format!("{name} of {} has another form", self.of))
    }
}
