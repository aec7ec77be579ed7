//! Evidence of TPMs: of Azure's vTPMs as JSON where the case has it, or put together from its parts; and
//! what an operator would trust to believe others.

use claviger::quote::AuthorityBuilder;
use claviger_tests::vectors::{Case, File, Trial};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use super::forms::{Form, JSON, is_json, plain};

/// Every form in which the case has its evidence.
pub(crate) fn azure(case: &Case, trial: &Trial) -> Vec<Form> {
    let documented = case.evidence.iter().filter(|file| is_json(file));
    let forms: Vec<Form> = documented.map(|file| plain(case, trial, file)).collect();
    if forms.is_empty() { put_together(case, trial).into_iter().collect() } else { forms }
}

/// The parts as Trustee's attester sends them, version 1.
fn put_together(case: &Case, trial: &Trial) -> Option<Form> {
    let find = |name: &str| case.files().find(|file| file.name == name);
    let bytes = |name: &str| find(name).map(|file| file.bytes.as_slice());
    let hcl_report = find("hcl_report.bin")?;
    let evidence = json!({
        "version": 1,
        "hcl_report": BASE64URL_NOPAD.encode(&hcl_report.bytes),
        "td_quote": bytes("td_quote.bin").map(|quote| BASE64URL_NOPAD.encode(quote)),
        "tpm_quote": {
            "message": HEXLOWER.encode(bytes("tpm_quote.msg")?),
            "signature": HEXLOWER.encode(bytes("tpm_quote.sig")?),
            "pcrs": registers(case, find("pcrs.json"))?,
        },
    });
    let Form { attachments, .. } = plain(case, trial, hcl_report);
    Some(Form {
        name: "its parts".to_owned(),
        media_type: Some(JSON.to_owned()),
        data: evidence.to_string().into_bytes(),
        attachments,
        part: false,
    })
}

/// A list of hexadecimal values, or an object of them by their indexes.
fn registers(case: &Case, file: Option<&File>) -> Option<Value> {
    if let Some(file) = file {
        return serde_json::from_slice(&file.bytes).ok();
    }
    let by_index = case.expected.get("fields")?.get("pcrs_sha256")?.as_object()?;
    (0..by_index.len()).map(|index| by_index.get(&index.to_string()).cloned()).collect()
}

/// The anchors of TPMs' keys that the case names; and a key without a certificate as one that the operator
/// enrolled. Evidence of a form that nobody signed with SHA-256 brings its key, too, and is refused.
pub(crate) fn trusted(case: &Case, mut builder: AuthorityBuilder) -> AuthorityBuilder {
    if case.tee() != "tpm" {
        return builder;
    }
    for root in case.roots.iter().filter_map(|root| root.bytes.clone()) {
        builder = builder.anchor("tpm", root);
    }
    let evidence = case.evidence.iter().filter(|file| is_json(file));
    for file in evidence.filter(|_| case.roots.is_empty()) {
        let Ok(json) = serde_json::from_slice::<Value>(&file.bytes) else { continue };
        let key = json.get("ak_public").and_then(Value::as_str);
        if let Some(key) = key.and_then(|key| BASE64.decode(key.as_bytes()).ok()) {
            builder = builder.pin("tpm", &[], key);
        }
    }
    builder
}

/// Quotes with all that belongs to them in one file; their parts beside it are the same again.
pub(crate) fn tpm(case: &Case, trial: &Trial) -> Vec<Form> {
    let part = |file: &&File| file.name.ends_with(".msg") || file.name.ends_with(".sig");
    case.evidence.iter().filter(|file| !part(file)).map(|file| plain(case, trial, file)).collect()
}
