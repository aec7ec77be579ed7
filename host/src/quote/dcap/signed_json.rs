//! A JSON document that Intel signed: its text as it was signed, its times, and what it says.
//!
//! Source: Intel PCS API v4, "Get TCB Info" and "Get Quoting Enclave Identity": the signature is over the
//! member's text without white space, ECDSA P-256 with SHA-256, r then s.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use super::super::fault::Fault;
use super::super::key::Scheme;
use super::super::x509::Certificate;
use crate::clock::Timestamp;
use crate::json::{self, Limits};

/// Larger documents are not read; Intel's have up to 30 kB.
const MAX_LENGTH: usize = 512 * 1024;

const LIMITS: Limits =
    Limits { values: 1 << 16, depth: 12, members: 256, ..Limits::REQUEST.with_bytes(MAX_LENGTH) };

/// What Intel signs says for when it holds.
pub(crate) trait Dated {
    /// First and last moment.
    fn window(&self) -> (Moment, Moment);
    /// Grows with every recovery of the TCB.
    fn evaluation(&self) -> u32;
}

/// A document, read but not yet trusted.
pub(crate) struct Document<T> {
    text: Vec<u8>,
    signature: Vec<u8>,
    pub(crate) says: T,
}

impl<T: DeserializeOwned + Dated> Document<T> {
    /// Reads the text of a member and the signature that stood beside it, in hexadecimal.
    pub(crate) fn read(text: &str, signature: &str) -> Result<Self, Fault> {
        let text = without_space(text);
        let says = json::parse(&text, LIMITS)
            .map_err(|error| Fault::Malformed(format!("collateral: {error}")))?;
        let signature = HEXLOWER_PERMISSIVE
            .decode(signature.trim().as_bytes())
            .map_err(|_| Fault::malformed("the signature of collateral"))?;
        Ok(Self { text, signature, says })
    }

    /// The same, with what it says made ready for use.
    pub(crate) fn prepared(self, ready: impl Fn(T) -> Result<T, Fault>) -> Result<Self, Fault> {
        Ok(Self { says: ready(self.says)?, ..self })
    }

    /// Whether this key signed it.
    pub(crate) fn check_signed_by(&self, signer: &Certificate) -> Result<(), Fault> {
        signer.key.verify(Scheme::EcdsaFixed, &self.text, &self.signature)
    }
}

/// The text without white space between its tokens.
fn without_space(text: &str) -> Vec<u8> {
    let (mut inside, mut escaped) = (false, false);
    let keep = |byte: &u8| {
        let kept = inside || !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match (inside, escaped, byte) {
            (_, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, false, b'"') => inside = !inside,
            _ => {}
        }
        kept
    };
    text.bytes().filter(keep).collect()
}

/// A moment in RFC 3339.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Moment(pub(crate) Timestamp);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse(&text).map(Self).ok_or_else(|| D::Error::custom("not a moment"))
    }
}

/// Bytes in hexadecimal, of one length.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Hex<const N: usize>(pub(crate) [u8; N]);

impl<const N: usize> Hex<N> {
    /// Whether `actual` is the same in every bit that `mask` has.
    pub(crate) fn covers(&self, mask: &Self, actual: &[u8; N]) -> bool {
        let bytes = self.0.iter().zip(&mask.0).zip(actual);
        bytes.into_iter().all(|((wanted, mask), actual)| wanted & mask == actual & mask)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        let sized = bytes.and_then(|bytes| bytes.try_into().ok());
        sized.map(Self).ok_or_else(|| D::Error::custom("not hexadecimal of this length"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_goes_between_tokens_only() {
        let text = "{ \"a b\" :\t\"c \\\" d\\\\\" ,\r\n \"e\": [1, 2] }";
        assert_eq!(without_space(text), br#"{"a b":"c \" d\\","e":[1,2]}"#);
    }
}
