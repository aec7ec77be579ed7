//! What became of a request, for whoever administers: its records, newest first, and what they rest
//! on. The caller was told a code and the request's identifier, no more.

use std::path::Path;

use serde_json::Value;

use super::host::Host;
use super::request::Caller;
use crate::audit::{self, Found};
use crate::error::{Code, Refusal};

/// Of the log's end so many bytes are searched.
const SEARCHED: u64 = 128 << 20;

/// What is known of a request.
#[derive(Clone, Debug)]
pub struct RequestReport {
    /// Its records, newest first. Where a refusal was not worth a record, what it would have said.
    pub records: Vec<Value>,
    /// Where the request was judged by a token: the record of that token's attestation, which has
    /// the trust path.
    pub attested: Option<Value>,
    /// Whether older records were left unread.
    pub more: bool,
}

impl RequestReport {
    /// Reads the log in `directory`, at most `bytes` of its end. It blocks, and needs no running
    /// host.
    pub fn read(directory: &Path, request: &str, bytes: u64) -> Result<Self, audit::Finding> {
        let Found { records, more } = audit::find(directory, "request", request, bytes)?;
        let token = records.iter().find_map(|record| record.get("token")?.as_str());
        let rests_on_token = records.iter().all(|record| record.get("trust_path").is_none());
        let attested = match token.filter(|token| rests_on_token && is_plain(token)) {
            Some(token) => {
                let found = audit::find(directory, "token", token, bytes)?.records;
                found.into_iter().find(|record| record.get("event") == Some(&"attested".into()))
            }
            None => None,
        };
        Ok(Self { records, attested, more })
    }
}

impl Host {
    /// What became of a request of this tenant.
    pub async fn explain(&self, caller: &Caller, request: &str) -> Result<RequestReport, Refusal> {
        let unknown = || Refusal::new(Code::NotFound, "nothing is known of this request");
        if !is_plain(request) {
            return Err(unknown());
        }
        let ours = |record: &Value| {
            record.get("tenant").and_then(Value::as_str) == Some(caller.tenant.as_str())
        };
        let recent = self.recent.find(request).filter(|record| ours(record));
        let Some(directory) = self.parts.audit.directory().map(Path::to_owned) else {
            return Err(Refusal::new(Code::AuditUnavailable, "the audit log has no directory"));
        };
        // One at a time: a search reads much of a disk that the log is written to.
        let turn = self.searching.acquire().await;
        let id = request.to_owned();
        let read =
            tokio::task::spawn_blocking(move || RequestReport::read(&directory, &id, SEARCHED));
        let read = read.await.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        drop(turn);
        let mut report =
            read.map_err(|finding| Refusal::new(Code::AuditUnavailable, finding.to_string()))?;
        report.records.retain(ours);
        if report.records.is_empty() {
            report.records.extend(recent);
        }
        match report.records.is_empty() {
            true => Err(unknown()),
            false => Ok(report),
        }
    }

    /// Remembers a refusal under its request, whether or not it was recorded.
    pub fn remember<T>(&self, caller: &Caller, outcome: &Result<T, Refusal>) {
        if let Err(refusal) = outcome {
            self.recent.remember(caller, refusal, self.parts.clock.now());
        }
    }
}

/// What an identifier of a request or of a token is made of.
pub fn is_plain(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=64).contains(&id.len()) && id.bytes().all(plain)
}
