//! A bundled verifier and what an operator trusts.

use std::sync::Arc;

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::error::Refusal;
use claviger::flow::{Evidence, Verified, examine};
use claviger::plugin::{Engine, EngineSettings, Manifest, Settings, VerifierPlugin, bundled};
use claviger::quote::Authority;
use tokio::runtime::Runtime;

pub(crate) struct Bench {
    runtime: Runtime,
    verifier: VerifierPlugin,
}

impl Bench {
    /// The verifier of that name.
    pub(crate) fn of(name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let inside = runtime.enter();
        let settings = EngineSettings { instances: 4, ..EngineSettings::default() };
        let engine = Engine::new(settings).unwrap();
        let (_, component) = bundled::BUNDLED.iter().find(|(bundled, _)| *bundled == name).unwrap();
        let anchors = Manifest::read(component).unwrap().anchors;
        let settings =
            Settings { anchors: Arc::new(anchors.into_iter().collect()), ..Settings::default() };
        let verifier = VerifierPlugin::load(&engine, name, component, settings).unwrap();
        drop(inside);
        Self { runtime, verifier }
    }

    /// What comes of evidence in JSON, now.
    pub(crate) fn verify(
        &self,
        authority: &Arc<Authority>,
        text: &str,
    ) -> Result<Verified, Refusal> {
        let json = Some("application/json".to_owned());
        self.verify_at(authority, json, text.as_bytes(), Vec::new(), SystemClock.now())
    }

    /// What comes of any evidence.
    pub(crate) fn verify_at(
        &self,
        authority: &Arc<Authority>,
        media_type: Option<String>,
        data: &[u8],
        attachments: Vec<Vec<u8>>,
        at: Timestamp,
    ) -> Result<Verified, Refusal> {
        let tee = self.verifier.description().tee.clone();
        let evidence = Evidence { tee, media_type, data: data.to_vec(), attachments };
        self.runtime.block_on(examine(&self.verifier, Arc::clone(authority), evidence, at))
    }
}
