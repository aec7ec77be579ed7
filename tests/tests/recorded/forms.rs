//! The evidence of a case as clients send it: each form with its media type and what goes with it.

use claviger_tests::vectors::{Case, File, Trial};
use serde_json::Value;

/// JSON evidence, by its media type.
const JSON: &str = "application/json";

/// One submission.
pub(crate) struct Form {
    /// The file that it is made of.
    pub(crate) name: String,
    /// None: the first that the verifier names.
    pub(crate) media_type: Option<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) attachments: Vec<Vec<u8>>,
}

/// Every form in which the case has its evidence.
pub(crate) fn of(case: &Case, trial: &Trial) -> Vec<Form> {
    readable(&case.evidence).into_iter().map(|file| plain(case, trial, file)).collect()
}

/// A file as it is, with all that came along: whatever certificates there are, in the order in which they
/// are there, and the collateral of the trial or, where the case lists none, what else it has as JSON.
fn plain(case: &Case, trial: &Trial, file: &File) -> Form {
    let certificates = case.certificates.iter().map(|file| file.bytes.clone());
    let roots = case.roots.iter().filter_map(|root| root.bytes.clone());
    let collateral: Vec<Vec<u8>> = match &trial.collateral {
        Some(file) => vec![file.bytes.clone()],
        None => case.others.iter().filter(|file| is_json(file)).map(|f| f.bytes.clone()).collect(),
    };
    Form {
        name: file.name.clone(),
        media_type: is_json(file).then(|| JSON.to_owned()),
        data: file.bytes.clone(),
        attachments: certificates.chain(roots).chain(collateral).collect(),
    }
}

/// The evidence in the forms that verifiers are documented to read. JSON of another form beside a
/// readable one is somebody else's.
fn readable(evidence: &[File]) -> Vec<&File> {
    const MEMBERS: [&str; 1] = ["attestation_report"];
    let documented = |file: &&File| {
        let Ok(json) = serde_json::from_slice::<Value>(&file.bytes) else { return !is_json(file) };
        let inner = json.get("evidence").unwrap_or(&json);
        MEMBERS.iter().any(|member| inner.get(member).is_some())
    };
    let read: Vec<&File> = evidence.iter().filter(documented).collect();
    if read.is_empty() { evidence.iter().collect() } else { read }
}

pub(crate) fn is_json(file: &File) -> bool {
    file.bytes.trim_ascii_start().starts_with(b"{")
}
