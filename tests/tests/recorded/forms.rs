//! The evidence of a case as clients send it: each form with its media type and what goes with it.

use claviger_tests::vectors::{Case, File, Trial};
use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

use super::vtpm;

/// JSON evidence, by its media type.
pub(crate) const JSON: &str = "application/json";

/// One submission.
#[derive(Clone)]
pub(crate) struct Form {
    /// The file that it is made of.
    pub(crate) name: String,
    /// None: the first that the verifier names.
    pub(crate) media_type: Option<String>,
    pub(crate) data: Vec<u8>,
    pub(crate) attachments: Vec<Vec<u8>>,
    /// One of several devices in one file: what others read in the evidence may be about another.
    pub(crate) part: bool,
}

/// Every form in which the case has its evidence.
pub(crate) fn of(case: &Case, trial: &Trial) -> Vec<Form> {
    match case.tee() {
        "tpm" => return vtpm::tpm(case, trial),
        tee if tee.starts_with("az-") => return vtpm::azure(case, trial),
        _ => {}
    }
    let files = readable(&case.evidence).into_iter();
    files.flat_map(|file| apart(plain(case, trial, file))).collect()
}

impl Form {
    /// The same as bare bytes; none where it is JSON.
    pub(crate) fn bare(self) -> Option<Self> {
        if self.media_type.is_some() {
            return None;
        }
        let digits = self.data.trim_ascii_end();
        let data = HEXLOWER_PERMISSIVE.decode(digits).unwrap_or_else(|_| self.data.clone());
        Some(Self { data, ..self })
    }
}

/// One submission is about one device: of a list of several, each is sent for itself.
fn apart(whole: Form) -> Vec<Form> {
    match serde_json::from_slice::<Value>(&whole.data) {
        Ok(Value::Array(devices)) if devices.len() > 1 => {
            let part = |(number, device): (usize, &Value)| Form {
                name: format!("{}[{number}]", whole.name),
                media_type: whole.media_type.clone(),
                data: device.to_string().into_bytes(),
                attachments: whole.attachments.clone(),
                part: true,
            };
            devices.iter().enumerate().map(part).collect()
        }
        _ => vec![whole],
    }
}

/// A file as it is, with all that came along: whatever certificates there are, in the order in which they
/// are there, and the collateral of the trial or, where the case lists none, what else it has as JSON.
pub(crate) fn plain(case: &Case, trial: &Trial, file: &File) -> Form {
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
        part: false,
    }
}

/// The evidence in the forms that verifiers are documented to read. JSON of another form beside a
/// readable one is somebody else's.
fn readable(evidence: &[File]) -> Vec<&File> {
    const MEMBERS: [&str; 3] = ["attestation_report", "certificate", "quote"];
    let documented = |file: &&File| {
        let Ok(json) = serde_json::from_slice::<Value>(&file.bytes) else { return !is_json(file) };
        let json = json.get(0).unwrap_or(&json);
        let inner = json.get("evidence").filter(|inner| inner.is_object()).unwrap_or(json);
        MEMBERS.iter().any(|member| inner.get(member).is_some())
    };
    let read: Vec<&File> = evidence.iter().filter(documented).collect();
    if read.is_empty() { evidence.iter().collect() } else { read }
}

pub(crate) fn is_json(file: &File) -> bool {
    file.bytes.trim_ascii_start().starts_with(b"{")
        || file.bytes.trim_ascii_start().starts_with(b"[")
}
