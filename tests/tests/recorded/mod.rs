//! The bench on which a recorded case is tried.

mod certificate;
mod fields;
mod forms;
mod verdict;

use std::collections::BTreeMap;
use std::sync::Arc;

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::Refusal;
use claviger::flow::{Evidence, Verified, examine};
use claviger::plugin::{Engine, EngineSettings, Kind, Manifest, Settings, VerifierPlugin, bundled};
use claviger::quote::snp::Product;
use claviger::quote::{Authority, Revocation};
use claviger_tests::vectors::{Case, Trial};
use forms::Form;
use tokio::runtime::Runtime;

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
            let manifest = Manifest::read(component).unwrap();
            (manifest.kind == Kind::Verifier).then(|| {
                // As a host grants them to what it ships.
                let anchors = Arc::new(manifest.anchors.into_iter().collect());
                let settings = Settings { anchors, ..Settings::default() };
                let plugin = VerifierPlugin::load(&engine, name, component, settings).unwrap();
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
        let mut remarks = Vec::new();
        for trial in case.trials() {
            let forms = forms::of(case, &trial);
            if forms.is_empty() {
                return certificate::run(case).map(Outcome::Passed);
            }
            for form in forms {
                let name = form.name.clone();
                let outcome = self.verify(verifier, case, &trial, form);
                let how = judge(case, &trial, &outcome)
                    .map_err(|why| format!("{name} at {}: {why}", moment(&trial)))?;
                remarks.push(format!("{name}: {how}"));
            }
        }
        Ok(Outcome::Passed(remarks.join("; ")))
    }

    fn verify(
        &self,
        verifier: &VerifierPlugin,
        case: &Case,
        trial: &Trial,
        form: Form,
    ) -> Result<Verified, Refusal> {
        let evidence = Evidence {
            tee: case.tee().to_owned(),
            media_type: form.media_type,
            data: form.data,
            attachments: form.attachments,
        };
        let examined = examine(verifier, authority(case), evidence, moment(trial));
        self.runtime.block_on(examined)
    }
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
