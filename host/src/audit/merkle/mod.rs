//! The RFC 6962 Merkle tree over the log's lines.

mod frontier;
mod proof;
#[cfg(test)]
mod vectors;

pub use frontier::Frontier;
pub use proof::{inclusion, root, verify_inclusion};

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256 tree hash.
pub type Hash = [u8; 32];

/// The hash of the empty tree: SHA-256 of nothing (RFC 6962, section 2.1).
#[must_use]
pub fn empty() -> Hash {
    bytes(&digest(&SHA256, b""))
}

/// The hash of a leaf: SHA-256(0x00 || line), the line without its newline.
#[must_use]
pub fn leaf(line: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(line);
    bytes(&context.finish())
}

/// The hash of an inner node: SHA-256(0x01 || left || right).
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[1]);
    context.update(left);
    context.update(right);
    bytes(&context.finish())
}

fn bytes(digest: &aws_lc_rs::digest::Digest) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest.as_ref());
    out
}
