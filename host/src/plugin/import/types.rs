//! `types`: the words that the interfaces share, translated to the host's own.

use crate::claim::{Claim, Value};
use crate::plugin::bindings::claviger::plugin::{custody, types};
use crate::plugin::verifier::VerifierCall;
use crate::quote::{Fault, Span};

impl types::Host for VerifierCall {}

impl From<types::Span> for Span {
    fn from(span: types::Span) -> Self {
        Self { start: span.start, length: span.length }
    }
}

impl From<Claim> for types::Claim {
    fn from(claim: Claim) -> Self {
        let value = match claim.value {
            Value::Bytes(bytes) => types::Value::Bytes(bytes),
            Value::Flag(flag) => types::Value::Flag(flag),
            Value::Signed(number) => types::Value::Signed(number),
            Value::Text(text) => types::Value::Text(text),
            Value::Texts(texts) => types::Value::Texts(texts),
            Value::Unsigned(number) => types::Value::Unsigned(number),
        };
        Self { name: claim.name.into_owned(), value }
    }
}

impl From<Fault> for custody::Fault {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(why) => Self::Malformed(why),
            Fault::BadSignature => Self::BadSignature,
            Fault::Untrusted(why) => Self::Untrusted(why),
            Fault::Expired(why) => Self::Expired(why),
            Fault::Outdated(why) => Self::Outdated(why),
            Fault::Revoked(why) => Self::Revoked(why),
            Fault::Unavailable(why) => Self::Unavailable(why),
            Fault::Unsupported(why) => Self::Unsupported(why),
        }
    }
}
