//! NVIDIA's reference integrity manifests: whether one is admitted as others found it, and whether those
//! that are lead a device's report to the outcome that others had.

use std::collections::{BTreeMap, BTreeSet};

use claviger::appraisal::{Appraiser, SnpPolicy, Trust};
use claviger::flow::Verified;
use claviger::quote::NVIDIA_RIM;
use claviger::reference::{
    Admitted, Container, Opened, ReferenceError, ReferencePlan, SignerPlan, Signers, Snapshot,
};
use claviger::tenant::Tenant;
use claviger_tests::vectors::{Case, File};
use serde_json::Value;

use super::{Trial, moment};

/// The manifests of a case.
pub(crate) fn of(case: &Case) -> impl Iterator<Item = &File> {
    case.files().filter(|file| file.name.ends_with(".xml"))
}

fn admit(file: &File) -> Result<Admitted, ReferenceError> {
    let nvidia = SignerPlan {
        name: "nvidia".to_owned(),
        root: Some(NVIDIA_RIM.to_owned()),
        tees: vec!["nvidia".to_owned()],
        ..SignerPlan::default()
    };
    let plan = ReferencePlan { allow_unsigned: false, signers: vec![nvidia] };
    let signers = Signers::new(plan).unwrap();
    Opened::read(Container::guess(&file.bytes), &file.bytes)?.admit(&signers, &Tenant::default())
}

/// Compares what became of each manifest with what another implementation of XML Signature said.
pub(crate) fn judge(case: &Case) -> Result<String, String> {
    let mut remarks = Vec::new();
    for file in of(case) {
        let said = said(case, file).ok_or_else(|| format!("{}: nobody says", file.name))?;
        let outcome = admit(file);
        let agrees = match &outcome {
            Ok(_) => said == "valid",
            Err(ReferenceError::Altered) => said.contains("igest mismatch"),
            Err(ReferenceError::NotSigned) => {
                said == "InvalidSignature" || said.contains("chain fails")
            }
            Err(_) => false,
        };
        let found = outcome.map_or_else(|error| error.to_string(), |_| "admitted".to_owned());
        if !agrees {
            return Err(format!("{}: expected {said}, found {found}", file.name));
        }
        remarks.push(format!("{}: {found}", file.name));
    }
    Ok(remarks.join("; "))
}

/// What the case says that others found; a long name may be cut in its middle.
fn said<'a>(case: &'a Case, file: &File) -> Option<&'a str> {
    let confirmed = case.expected.get("confirmed")?.as_array()?;
    let results = confirmed.iter().filter_map(|one| one.get("result")?.as_object()).flatten();
    let is = |name: &str| match name.split_once("..") {
        Some((start, end)) => file.name.starts_with(start) && file.name.contains(end),
        None => file.name == name,
    };
    results.filter(|(name, _)| is(name)).find_map(|(_, said)| said.as_str())
}

/// Judges a report by each manifest that is admitted and good at the time, with the built-in policy.
pub(crate) fn appraise(
    case: &Case,
    trial: &Trial,
    verified: &Verified,
) -> Result<Vec<String>, String> {
    let mut remarks = Vec::new();
    for file in of(case) {
        let admitted = match admit(file) {
            Ok(admitted) => admitted,
            Err(why) => {
                remarks.push(format!("{}: {why}", file.name));
                continue;
            }
        };
        let window = admitted.document().window;
        // The evidence is genuine at most times, and so is judged at one when the manifest is good.
        let end = window.not_after.unwrap_or(moment(trial));
        let at = moment(trial).clamp(window.not_before.unwrap_or_default(), end);
        let snapshot = Snapshot::of([("rim", admitted.document().groups.as_slice())]);
        let appraiser = Appraiser::with(&SnpPolicy::default(), &BTreeMap::new(), None).unwrap();
        let judged =
            appraiser.appraise(&verified.case(at), &snapshot).map_err(|why| why.to_string())?;
        let other = judged.findings.iter().filter(|finding| &*finding.rule == "nvidia-measurement");
        let other: BTreeSet<String> = other.map(|finding| finding.claim.to_string()).collect();
        let expected = mismatches(case, file);
        if other != expected {
            return Err(format!("{}: expected {expected:?}, found {other:?}", file.name));
        }
        let approved = judged.vector.value(Trust::Executables) == Some(3);
        if approved != expected.is_empty() {
            return Err(format!("{}: executables are {:?}", file.name, judged.vector));
        }
        remarks.push(format!("{}: {} other measurements", file.name, other.len()));
    }
    Ok(remarks)
}

/// The measurements that others found to differ; they count as manifests do, from 0.
fn mismatches(case: &Case, file: &File) -> BTreeSet<String> {
    let confirmed = case.expected.get("confirmed").and_then(Value::as_array);
    let results = confirmed.into_iter().flatten().filter_map(|one| one.get("result")?.as_object());
    let lists = results.flatten().filter(|(kind, _)| file.name.contains(kind.as_str()));
    let indices = lists.filter_map(|(_, list)| list.as_array()).flatten().filter_map(Value::as_u64);
    indices.map(|index| format!("nvidia.measurement_{}", index + 1)).collect()
}
