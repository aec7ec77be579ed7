//! Evidence of hardware that is none, in the formats of attesters: made by keys of the tests' own, which a host
//! is told to trust as an operator's anchors or as simulated roots. Nothing is checked on the way out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

pub mod azure;
pub mod azure_guest;
pub mod cca;
pub mod event_log;
pub mod maker;
pub mod nitro;
pub mod nvidia;
pub mod tpm;

use claviger::http::{Base64Url, EvidenceBody};
use claviger::reference::Group;
use data_encoding::HEXLOWER;

/// Evidence as it is sent, of the verifier's first media type.
fn body(tee: &str, data: Vec<u8>, attachments: Vec<Vec<u8>>) -> EvidenceBody {
    EvidenceBody {
        tee: tee.to_owned(),
        media_type: None,
        data: Base64Url(data),
        attachments: attachments.into_iter().map(Base64Url).collect(),
    }
}

/// Reference values of one attester: claims without its name before them, bytes.
pub fn group<'a>(tee: &str, values: impl IntoIterator<Item = (String, &'a [u8])>) -> Group {
    let values = values.into_iter().map(|(name, value)| (name, HEXLOWER.encode(value).into()));
    Group { tee: tee.to_owned(), values: values.collect() }
}
