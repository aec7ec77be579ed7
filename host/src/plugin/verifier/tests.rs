//! The bundled verifier on simulated hardware.

use sev::firmware::guest::AttestationReport;
use sev::parser::ByteParser;

use super::*;
use crate::clock::Timestamp;
use crate::plugin::EngineSettings;
use crate::quote::snp::Product;
use crate::quote::{Authority, Revocation};
use crate::simulated::{Family, SimulatedGuest};

/// 2026-01-01T00:00:00Z
const NOW: Timestamp = Timestamp(1_767_225_600);
const JSON: &str = "application/json";

struct Bench {
    verifier: VerifierPlugin,
    authority: Arc<Authority>,
    guest: SimulatedGuest,
}

impl Bench {
    fn new(product: Product, settings: Settings) -> Self {
        let family = Family::mint(product, NOW).unwrap();
        let builder = Authority::builder().simulated_root(family.ark());
        let builder = builder.certificate(family.ask()).revocation(Revocation::Waived);
        let engine = Engine::new(EngineSettings { instances: 2, ..EngineSettings::default() });
        let component = crate::plugin::bundled::component("verifier-snp").unwrap();
        Self {
            verifier: VerifierPlugin::load(&engine.unwrap(), "snp", component, settings).unwrap(),
            authority: Arc::new(builder.build().unwrap()),
            guest: SimulatedGuest::new(family.chip(&family.chip_template()).unwrap()),
        }
    }

    fn verify(&self, evidence_type: &str, evidence: Vec<u8>) -> Result<Verdict, VerifierFailure> {
        let attachments = self.guest.attachments.clone();
        let examination = Examination::new(Arc::clone(&self.authority), NOW);
        let evidence_type = evidence_type.to_owned();
        let request = VerifierRequest { evidence_type, evidence, attachments };
        block_on(self.verifier.verify(examination, request)).map_err(|refused| refused.failure)
    }
}

// invariant 7
#[test]
fn a_verifier_rests_its_verdict_on_the_anchor_sets_that_it_was_given() {
    let verdict = |anchors: &[&str]| {
        let anchors = anchors.iter().map(|name| (*name).to_owned()).collect();
        let settings = Settings { anchors: Arc::new(anchors), ..Settings::default() };
        let bench = Bench::new(Product::Milan, settings);
        let report = bench.guest.report([7; 64]).to_vec();
        bench.verify("application/vnd.amd.sev-snp-report", report).map(|_| ())
    };
    assert_eq!(verdict(&["amd", "vendor"]), Ok(()));
    for without in [&["vendor"][..], &[]] {
        let Err(VerifierFailure::Rejected(Rejection::Untrusted(why))) = verdict(without) else {
            panic!("{without:?}");
        };
        assert!(why.contains("anchor set amd"), "{why}");
    }
    assert_eq!(Settings::default().anchors.iter().collect::<Vec<_>>(), ["amd"]);
}

#[test]
fn a_report_as_the_sev_crate_spells_it_is_the_report_that_was_signed() {
    for product in Product::ALL {
        let bench = Bench::new(product, Settings::default());
        let report = bench.guest.report([7; 64]);
        let spelled = AttestationReport::from_bytes(&report).unwrap();
        let evidence = |report: &AttestationReport| {
            serde_json::to_vec(&serde_json::json!({ "attestation_report": report })).unwrap()
        };
        let verdict = bench.verify(JSON, evidence(&spelled)).unwrap();
        assert_eq!(verdict.statements[0].bytes(), &report[..0x2a0], "{product}");
        let altered = AttestationReport { guest_svn: spelled.guest_svn + 1, ..spelled };
        assert!(matches!(
            bench.verify(JSON, evidence(&altered)),
            Err(VerifierFailure::Rejected(Rejection::BadSignature(_)))
        ));
    }
}
