//! A distinguished name: compared by its bytes, shown by its common name.

use std::fmt;

use super::der::{self, Reader, tag};

/// A Name (RFC 5280 section 4.1.2.4) in DER. Two names are equal where their bytes are.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Name(Vec<u8>);

impl Name {
    pub(crate) fn new(der: &[u8]) -> Self {
        Self(der.to_vec())
    }

    /// As it is written.
    pub(crate) fn der(&self) -> &[u8] {
        &self.0
    }

    /// The common name, where there is exactly one and it is plain text.
    pub(crate) fn common_name(&self) -> Option<&str> {
        self.find_common_name().ok().flatten()
    }

    fn find_common_name(&self) -> der::Result<Option<&str>> {
        /// id-at-commonName, 2.5.4.3
        const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
        let mut found = None;
        let mut sets = Reader::whole(&self.0, tag::SEQUENCE)?;
        while !sets.is_empty() {
            let mut set = sets.nested(tag::SET)?;
            while !set.is_empty() {
                let mut attribute = set.nested(tag::SEQUENCE)?;
                let kind = attribute.expect(tag::OID)?.content;
                let value = attribute.any()?;
                attribute.finish()?;
                if kind != COMMON_NAME {
                    continue;
                }
                let text = match value.tag {
                    tag::UTF8 | tag::PRINTABLE | tag::IA5 => {
                        std::str::from_utf8(value.content).ok()
                    }
                    _ => None,
                };
                if found.is_some() {
                    return Ok(None);
                }
                found = text;
            }
        }
        Ok(found)
    }
}

impl fmt::Display for Name {
    /// The common name with everything but printable characters escaped: names come from outside.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.common_name() {
            Some(name) => write!(f, "{}", name.escape_debug()),
            None => f.write_str("(a name without a common name)"),
        }
    }
}
