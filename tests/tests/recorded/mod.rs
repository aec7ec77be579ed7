//! The bench on which a recorded case is tried.

mod cca;
mod certificate;
mod changed;
mod dcap;
mod event_log;
mod fields;
pub(crate) mod flips;
pub(crate) mod forms;
mod rim;
mod verdict;
mod vtpm;

use std::collections::BTreeMap;
use std::sync::Arc;

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::{Code, Refusal};
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
        if let Some(log) = event_log::alone(case) {
            return event_log::judge(case, log).map(Outcome::Passed);
        }
        let mut remarks = Vec::new();
        for trial in case.trials() {
            if trial.verdict == ON_HOLD {
                return self.unanswered(verifier, case, &trial).map(Outcome::Passed);
            }
            let forms = forms::of(case, &trial);
            if forms.is_empty() && rim::of(case).next().is_some() {
                return rim::judge(case).map(Outcome::Passed);
            }
            if forms.is_empty() {
                return certificate::run(case).map(Outcome::Passed);
            }
            let mut elsewhere = None;
            for mut form in forms {
                let (name, part) = (form.name.clone(), form.part);
                if case.tee() == "tdx" {
                    form.attachments.retain(|one| !dcap::is_log(one));
                    remarks.extend(self.logs(verifier, case, &trial, &form)?);
                }
                let outcome = self.verify(verifier, case, &trial, form);
                let at = |why| format!("{name} at {}: {why}", moment(&trial));
                verdict::compare(&trial.verdict, &outcome).map_err(at)?;
                if let Ok(verified) = &outcome {
                    remarks.extend(rim::appraise(case, &trial, verified).map_err(at)?);
                }
                match described(case, &outcome) {
                    Ok(how) => {
                        remarks.push(format!("{name}: {how}"));
                        elsewhere = part.then_some(Ok(()));
                    }
                    Err(why) if part => {
                        elsewhere.get_or_insert(Err(at(why)));
                    }
                    Err(why) => return Err(at(why)),
                }
            }
            // Of several devices one is the one that others read.
            elsewhere.unwrap_or(Ok(()))?;
        }
        Ok(Outcome::Passed(remarks.join("; ")))
    }

    /// The same with each event log that the case has; what does not lead to the registers is refused.
    fn logs(
        &self,
        verifier: &VerifierPlugin,
        case: &Case,
        trial: &Trial,
        form: &Form,
    ) -> Result<Vec<String>, String> {
        let mut remarks = Vec::new();
        for (log, bytes, leads) in dcap::logs(case) {
            let mut form = form.clone();
            form.attachments.push(bytes);
            let outcome = self.verify(verifier, case, trial, form);
            let said = outcome.as_ref().is_ok_and(|verified| {
                verified.claims().iter().any(|claim| claim.name == "ccel.events")
            });
            if said != leads {
                return Err(format!("with {log}: {outcome:?}"));
            }
            remarks.push(format!("{log}: {}", if leads { "leads" } else { "refused" }));
        }
        Ok(remarks)
    }

    /// Evidence whose certificate is on hold, as a host sees it that requires revocation data and has no
    /// answer by OCSP: it asks for answers about each certificate that NVIDIA issued, and refuses.
    fn unanswered(
        &self,
        verifier: &VerifierPlugin,
        case: &Case,
        trial: &Trial,
    ) -> Result<String, String> {
        let authority = Arc::new(Authority::builder().build().unwrap());
        for form in forms::of(case, trial) {
            let name = form.name.clone();
            let waived = self.verify(verifier, case, trial, form.clone());
            waived.map_err(|refusal| format!("{name}, revocation waived: {refusal}"))?;
            match self.verify_by(Arc::clone(&authority), verifier, case, trial, form) {
                Err(refusal) if refusal.code == Code::EndorsementsUnavailable => {}
                outcome => return Err(format!("{name}: {outcome:?}")),
            }
        }
        Ok("refused, for want of an answer by OCSP; genuine where that is waived".to_owned())
    }

    fn verify(
        &self,
        verifier: &VerifierPlugin,
        case: &Case,
        trial: &Trial,
        form: Form,
    ) -> Result<Verified, Refusal> {
        self.verify_by(authority(case), verifier, case, trial, form)
    }

    fn verify_by(
        &self,
        authority: Arc<Authority>,
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
        let examined = examine(verifier, authority, evidence, moment(trial));
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
    let builder = vtpm::trusted(case, builder);
    let builder = if products.is_empty() { builder } else { builder.products(&products) };
    let intel = matches!(case.tee(), "sgx" | "tdx" | "az-tdx");
    let builder = if intel { dcap::authority(builder) } else { builder };
    Arc::new(cca::enrolled(case, builder).build().unwrap())
}

fn products(case: &Case) -> Vec<Product> {
    let named = |product: &Product| {
        let name = product.name().to_lowercase();
        case.roots.iter().any(|root| root.path.to_lowercase().contains(&name))
    };
    Product::ALL.into_iter().filter(named).collect()
}

/// A verdict of what nothing in the evidence says: the issuer has to be asked (RFC 6960), and its answer was
/// not recorded.
const ON_HOLD: &str = "revoked_cert_hold";

fn described(case: &Case, outcome: &Result<Verified, Refusal>) -> Result<String, String> {
    match outcome {
        Ok(verified) => {
            let compared = fields::compare(case, verified)?;
            Ok(format!("genuine, {compared} fields agree"))
        }
        Err(refusal) => Ok(format!("refused, {}", refusal.code)),
    }
}
