//! The text in which simulated hardware is kept: lines `Name: value`, then PEM blocks (RFC 7468;
//! §2 allows such lines before the first block).

use std::collections::BTreeMap;

use data_encoding::{BASE64, HEXLOWER};
use zeroize::Zeroizing;

use super::SimulationError;
use crate::quote::snp::product::Product;
use crate::secret::Secret;

/// Room for a whole family, so that the text with private keys is never moved and left behind.
const CAPACITY: usize = 32 * 1024;

/// Writes the text.
pub(super) struct Writer(Zeroizing<String>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(Zeroizing::new(String::with_capacity(CAPACITY)))
    }

    pub(super) fn header(&mut self, name: &str, value: &str) {
        for part in [name, ": ", value, "\n"] {
            self.0.push_str(part);
        }
    }

    pub(super) fn block(&mut self, label: &str, der: &[u8]) {
        for part in ["-----BEGIN ", label, "-----\n"] {
            self.0.push_str(part);
        }
        // 48 bytes are the 64 characters that RFC 7468 §2 wants in a line.
        for line in der.chunks(48) {
            BASE64.encode_append(line, &mut self.0);
            self.0.push('\n');
        }
        for part in ["-----END ", label, "-----\n"] {
            self.0.push_str(part);
        }
    }

    pub(super) fn finish(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.0).into_bytes())
    }
}

/// The text, read.
pub(super) struct Document {
    headers: BTreeMap<String, String>,
    blocks: Vec<(String, Zeroizing<Vec<u8>>)>,
}

impl Document {
    pub(super) fn parse(text: &str) -> Result<Self, SimulationError> {
        let mut document = Self { headers: BTreeMap::new(), blocks: Vec::new() };
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        while let Some(line) = lines.next() {
            if let Some(label) = boundary(line, "BEGIN") {
                let mut body = Zeroizing::new(String::with_capacity(CAPACITY));
                loop {
                    let line = lines.next().ok_or_else(|| malformed("a block has no end"))?;
                    if boundary(line, "END") == Some(label) {
                        break;
                    }
                    body.push_str(line);
                }
                let der = BASE64
                    .decode(body.as_bytes())
                    .map_err(|error| malformed(format!("{label}: {error}")))?;
                document.blocks.push((label.to_owned(), Zeroizing::new(der)));
            } else {
                // The line itself may be half a private key: it is not repeated.
                let (name, value) = line
                    .split_once(": ")
                    .ok_or_else(|| malformed("a line is neither header nor block"))?;
                document.headers.insert(name.into(), value.into());
            }
        }
        Ok(document)
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Result<&str, SimulationError> {
        self.headers
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| malformed(format!("no header {name:?}")))
    }

    /// The value of a header in hexadecimal, of exactly `N` bytes.
    pub(super) fn bytes<const N: usize>(&self, name: &str) -> Result<[u8; N], SimulationError> {
        HEXLOWER
            .decode(self.header(name)?.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| malformed(format!("{name}: {N} bytes in hexadecimal are expected")))
    }

    /// The product that the header of that name names.
    pub(super) fn product(&self) -> Result<Product, SimulationError> {
        let name = self.header("Product")?;
        Product::ALL
            .into_iter()
            .find(|product| product.name() == name)
            .ok_or_else(|| malformed(format!("unknown product {name:?}")))
    }

    /// The contents of all blocks, whose labels must be exactly these in this order.
    pub(super) fn blocks<const N: usize>(
        &self,
        labels: [&str; N],
    ) -> Result<[&[u8]; N], SimulationError> {
        let found = self.blocks.iter().map(|(label, _)| label.as_str());
        if !found.eq(labels) {
            return Err(malformed(format!("the blocks must be {labels:?}")));
        }
        let contents: Vec<&[u8]> = self.blocks.iter().map(|(_, der)| der.as_slice()).collect();
        contents.try_into().map_err(|_| malformed("a block is missing"))
    }
}

fn boundary<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.strip_prefix("-----")?.strip_prefix(kind)?.strip_prefix(' ')?.strip_suffix("-----")
}

fn malformed(reason: impl Into<String>) -> SimulationError {
    SimulationError::Malformed(reason.into())
}
