//! Those whose evidence is a signed token: Arm's realms, Nitro's enclaves.

use claviger::assemble::{AnchorPlan, Plan};
use claviger_tests::minted::cca;
use claviger_tests::minted::nitro::Nitro;
use serde_json::json;

use super::{Attester, MadeFor, change_at, group, settings};

pub(super) struct Realm(pub(super) cca::Parts);

impl Attester for Realm {
    const TEE: &'static str = "cca";
    const SIMULATED: bool = false;

    fn configure(&self, plan: &mut Plan) {
        plan.anchors.push(AnchorPlan {
            set: "cca".to_owned(),
            key_id: Some(self.0.instance.to_vec()),
            bytes: self.0.enrolled(),
        });
        plan.configured.push(group("cca", "rim", &[3; 32]));
        settings(plan, "cca", json!({ "allow_unknown_firmware": true }));
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let lifecycle = if debugged { 0x4000 } else { 0x3000 };
        (self.0.token_of(lifecycle, made_for.digest()), Vec::new())
    }

    fn change(data: &mut Vec<u8>) {
        change_at(data, &[3; 32]);
    }
}

pub(super) struct NitroEnclave(pub(super) Nitro);

impl Attester for NitroEnclave {
    const TEE: &'static str = "nitro";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        plan.simulated_roots.push(self.0.root.clone());
        for pcr in ["pcr0", "pcr1", "pcr2"] {
            plan.configured.push(group("nitro", pcr, &[9; 48]));
        }
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let image = if debugged { [0; 48] } else { [9; 48] };
        (self.0.document(image, &made_for.digest()), Vec::new())
    }

    fn change(data: &mut Vec<u8>) {
        change_at(data, &[9; 48]);
    }
}
