//! How a quote is packed, and where its event log and its collateral are.

use claviger_plugin_sdk::quote_text::{self, Packed};
use claviger_plugin_sdk::verifier::{Rejection, Request};
use claviger_plugin_sdk::{base64, json::Value};

/// A quote as it is, or its text in hexadecimal or base64.
pub(crate) const QUOTE: &str = "application/vnd.intel.tdx-quote";
/// `{"quote": …, "cc_eventlog": …}`, alone or under `evidence`: the quote in hexadecimal or base64, the log
/// in base64.
pub(crate) const JSON: &str = "application/json";

/// A quote, with what came along told apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Evidence {
    pub(crate) quote: Vec<u8>,
    pub(crate) log: Option<Vec<u8>>,
    pub(crate) collateral: Vec<Vec<u8>>,
}

/// Unpacks the evidence.
pub(crate) fn read(request: Request) -> Result<Evidence, Rejection> {
    let malformed = |why: &str| Rejection::Malformed(why.into());
    let Packed { quote, beside } = match request.evidence_type.as_str() {
        QUOTE => quote_text::raw(request.evidence).map_err(malformed)?,
        JSON => quote_text::object(&request.evidence).map_err(malformed)?,
        other => return Err(Rejection::Unsupported(other.into())),
    };
    let inside = beside.as_ref().and_then(|object| object.member("cc_eventlog"));
    let inside = match inside {
        None | Some(Value::Null) => None,
        Some(Value::Text(text)) if text.is_empty() => None,
        Some(Value::Text(text)) => {
            let digits: String = text.split_ascii_whitespace().collect();
            let log = base64::decode(&digits).filter(|log| is_log(log));
            Some(log.ok_or_else(|| malformed("`cc_eventlog` is no event log in base64"))?)
        }
        Some(_) => return Err(malformed("`cc_eventlog` is no text")),
    };
    let (logs, collateral): (Vec<_>, Vec<_>) =
        request.attachments.into_iter().partition(|attachment| is_log(attachment));
    let mut logs = inside.into_iter().chain(logs);
    let log = logs.next();
    // Which of two would be the one?
    if logs.next().is_some() {
        return Err(malformed("more than one event log"));
    }
    Ok(Evidence { quote, log, collateral })
}

/// Whether bytes begin as a crypto-agile log does.
fn is_log(bytes: &[u8]) -> bool {
    bytes.get(32..48) == Some(b"Spec ID Event03\0")
}
