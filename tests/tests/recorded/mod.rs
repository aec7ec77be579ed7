//! The bench on which a recorded case is tried.

mod certificate;
mod fields;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::Refusal;
use claviger::flow::{Evidence, Verified, examine};
use claviger::plugin::{Engine, EngineSettings, Kind, Manifest, Settings, VerifierPlugin, bundled};
use claviger::quote::snp::Product;
use claviger::quote::{Authority, Revocation};
use claviger_tests::vectors::{Case, File, Trial};
use serde_json::Value;
use tokio::runtime::Runtime;

/// JSON evidence, by its media type.
const JSON: &str = "application/json";

/// What became of a case that did not fail.
pub(crate) enum Outcome {
    /// It came out as expected; how.
    Passed(String),
    /// It was not tried; why.
    Skipped(String),
}

/// Every bundled verifier, by the attester's kind that it reads.
pub(crate) struct Bench {
    runtime: Runtime,
    verifiers: BTreeMap<String, VerifierPlugin>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let _inside = runtime.enter();
        let settings = EngineSettings { instances: 4, ..EngineSettings::default() };
        let engine = Engine::new(settings).unwrap();
        let load = |(name, component): &(&str, &[u8])| {
            (Manifest::read(component).unwrap().kind == Kind::Verifier).then(|| {
                let plugin = VerifierPlugin::load(&engine, name, component, Settings::default());
                let plugin = plugin.unwrap();
                (plugin.description().tee.clone(), plugin)
            })
        };
        let verifiers = bundled::BUNDLED.iter().filter_map(load).collect();
        Self { verifiers, runtime }
    }

    /// Tries a case in every form of its evidence and with every collateral.
    pub(crate) fn run(&self, case: &Case) -> Result<Outcome, String> {
        let Some(verifier) = self.verifiers.get(case.tee()) else {
            return Ok(Outcome::Skipped(format!("no bundled verifier reads {}", case.tee())));
        };
        let forms = readable(&case.evidence);
        if forms.is_empty() {
            return certificate::run(case).map(Outcome::Passed);
        }
        let mut remarks = Vec::new();
        for trial in case.trials() {
            for form in &forms {
                let outcome = self.verify(verifier, case, &trial, form);
                let how = judge(case, &trial, &outcome)
                    .map_err(|why| format!("{} at {}: {why}", form.name, moment(&trial)))?;
                remarks.push(format!("{}: {how}", form.name));
            }
        }
        Ok(Outcome::Passed(remarks.join("; ")))
    }

    fn verify(
        &self,
        verifier: &VerifierPlugin,
        case: &Case,
        trial: &Trial,
        form: &File,
    ) -> Result<Verified, Refusal> {
        // As a client would send it: whatever certificates it has, in the order in which it has them.
        let certificates = case.certificates.iter().map(|file| file.bytes.clone());
        let roots = case.roots.iter().filter_map(|root| root.bytes.clone());
        let collateral = trial.collateral.iter().map(|file| file.bytes.clone());
        let evidence = Evidence {
            tee: case.tee().to_owned(),
            media_type: is_json(form).then(|| JSON.to_owned()),
            data: form.bytes.clone(),
            attachments: certificates.chain(roots).chain(collateral).collect(),
        };
        let examined = examine(verifier, authority(case), evidence, moment(trial));
        self.runtime.block_on(examined)
    }
}

/// The evidence in the forms that verifiers are documented to read. JSON of another form beside a
/// readable one is somebody else's.
fn readable(evidence: &[File]) -> Vec<&File> {
    let documented = |file: &&File| {
        let Ok(json) = serde_json::from_slice::<Value>(&file.bytes) else { return !is_json(file) };
        let inner = json.get("evidence").unwrap_or(&json);
        inner.get("attestation_report").is_some()
    };
    let read: Vec<&File> = evidence.iter().filter(documented).collect();
    if read.is_empty() { evidence.iter().collect() } else { read }
}

fn is_json(file: &File) -> bool {
    file.bytes.trim_ascii_start().starts_with(b"{")
}

/// The moment of a trial; now, where the case holds at any.
fn moment(trial: &Trial) -> Timestamp {
    trial.at.unwrap_or_else(|| SystemClock.now())
}

/// Trusts the product lines whose roots the case names, and no others: evidence of one line is to be
/// refused by who trusts another alone. Revocation is waived, for want of lists.
pub(crate) fn authority(case: &Case) -> Arc<Authority> {
    let builder = Authority::builder().revocation(Revocation::Waived);
    let products = products(case);
    let builder = if products.is_empty() { builder } else { builder.products(&products) };
    Arc::new(builder.build().unwrap())
}

fn products(case: &Case) -> Vec<Product> {
    let named = |product: &Product| {
        let name = product.name().to_lowercase();
        case.roots.iter().any(|root| root.path.to_lowercase().contains(&name))
    };
    Product::ALL.into_iter().filter(named).collect()
}

fn judge(
    case: &Case,
    trial: &Trial,
    outcome: &Result<Verified, Refusal>,
) -> Result<String, String> {
    verdict::compare(&trial.verdict, outcome)?;
    match outcome {
        Ok(verified) => {
            let compared = fields::compare(case, verified)?;
            Ok(format!("genuine, {compared} fields agree"))
        }
        Err(refusal) => Ok(format!("refused, {}", refusal.code)),
    }
}
