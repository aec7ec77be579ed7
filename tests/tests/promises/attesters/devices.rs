//! A machine with a TPM, and GPUs beside a domain.

use claviger::assemble::{AnchorPlan, Plan};
use claviger::quote::DigestAlgorithm;
use claviger_tests::minted::event_log::Log;
use claviger_tests::minted::nvidia::{Gpu, Nvidia};
use claviger_tests::minted::tpm::{Quote, Tpm};
use data_encoding::BASE64;

use super::{Attester, MadeFor, change_at, change_quote, group, parts};

/// A TPM has no debug mode; a machine that was started without Secure Boot is what comes nearest.
pub(super) struct Machine([(Tpm, Log); 2]);

impl Machine {
    pub(super) fn new() -> Self {
        let logs = [Log::sound(true), Log::sound(false)];
        let [sound, other] = logs.each_ref().map(|log| Tpm::started_by(log.entries()));
        let other = sound.with_pcrs(other.pcrs);
        let [first, second] = logs;
        Self([(sound, first), (other, second)])
    }
}

impl Attester for Machine {
    const TEE: &'static str = "tpm";
    const SIMULATED: bool = false;
    const MEDIA_TYPE: Option<&'static str> = Some("application/json");

    fn configure(&self, plan: &mut Plan) {
        let (tpm, _) = &self.0[0];
        plan.anchors.push(AnchorPlan {
            set: "tpm".to_owned(),
            key_id: Some(Vec::new()),
            bytes: tpm.public_key(),
        });
        for index in [0, 2, 4, 7, 8, 9, 11, 12, 13] {
            plan.configured.push(group("tpm", &format!("pcr{index}"), &tpm.pcrs[index]));
        }
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let extra_data = made_for.0.digest_by(DigestAlgorithm::Sha256).as_ref().to_vec();
        let (tpm, log) = &self.0[usize::from(debugged)];
        let evidence = tpm.evidence(&Quote { extra_data, ..Quote::default() });
        (evidence.to_string().into(), vec![log.bytes()])
    }

    fn change(data: &mut Vec<u8>) {
        change_quote(data, "/quote", &BASE64);
    }
}

/// Two GPUs of one maker; the firmware of the second may be debugged.
pub(super) struct Gpus {
    pub(super) maker: Nvidia,
    sound: Gpu,
    debugged: Gpu,
}

impl Gpus {
    pub(super) fn new() -> Self {
        let maker = Nvidia::mint();
        let (sound, debugged) = (maker.gpu("48B02D"), maker.debugged_gpu("48B02E"));
        Self { maker, sound, debugged }
    }
}

impl Attester for Gpus {
    const TEE: &'static str = "nvidia";
    const SIMULATED: bool = true;

    fn configure(&self, plan: &mut Plan) {
        self.maker.trusted_by(plan);
    }

    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>) {
        let gpu = if debugged { &self.debugged } else { &self.sound };
        parts(gpu.evidence(made_for.0.digest_by(DigestAlgorithm::Sha256).as_ref()))
    }

    fn change(data: &mut Vec<u8>) {
        change_at(data, &[0x22; 48]);
    }
}
