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

#[cfg(test)]
mod tests {
    use super::*;

    fn request(evidence_type: &str, evidence: &[u8], attachments: &[&[u8]]) -> Request {
        Request {
            evidence_type: evidence_type.into(),
            evidence: evidence.to_vec(),
            attachments: attachments.iter().map(|one| one.to_vec()).collect(),
            at: 0,
        }
    }

    /// What begins as a log does.
    fn log(last: u8) -> Vec<u8> {
        [&[0; 32], &b"Spec ID Event03\0"[..], &[last]].concat()
    }

    #[test]
    fn a_log_is_told_from_collateral_wherever_it_comes() {
        let quote = [4, 0, 2, 0, 0x81];
        let bare = read(request(QUOTE, &quote, &[b"{}"])).unwrap();
        assert_eq!((bare.log, bare.collateral), (None, vec![b"{}".to_vec()]));
        let attached = read(request(QUOTE, b"0400020081", &[b"{}", &log(1)])).unwrap();
        assert_eq!((attached.quote, attached.log), (quote.to_vec(), Some(log(1))));
        assert_eq!(attached.collateral, [b"{}"]);
        let text = |member: &str| format!(r#"{{"quote": "BAACAIE=", "cc_eventlog": {member}}}"#);
        for none in ["null", r#""""#] {
            let found = read(request(JSON, text(none).as_bytes(), &[&log(2)])).unwrap();
            assert_eq!(found.log, Some(log(2)), "{none}");
        }
        let inside = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABTcGVjIElEIEV2ZW50MDMAAQ==";
        let inside = text(&format!("{inside:?}"));
        assert_eq!(read(request(JSON, inside.as_bytes(), &[])).unwrap().log, Some(log(1)));
        // Two logs, and one that is none.
        for (text, logs) in [(inside, 1), (text("null"), 2), (text(r#""AAAA""#), 0), (text("1"), 0)]
        {
            let logs = [log(1), log(2)].into_iter().take(logs).collect::<Vec<_>>();
            let logs: Vec<&[u8]> = logs.iter().map(Vec::as_slice).collect();
            let refused = read(request(JSON, text.as_bytes(), &logs));
            assert!(matches!(refused, Err(Rejection::Malformed(_))), "{refused:?}");
        }
        let other = read(request("application/cbor", b"", &[]));
        assert!(matches!(other, Err(Rejection::Unsupported(_))));
    }
}
