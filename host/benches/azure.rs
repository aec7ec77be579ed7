//! What a key costs over the faces of Azure's services beside the native API, as a ratio of one run: `cargo
//! bench --workspace --bench azure`. Processor time of the whole process; evidence is signed before, and
//! there is no HTTP on either side, so that what is compared is the flow.
//!
//! | side | what is in it |
//! |---|---|
//! | native | challenge, attestation (token), release by the token |
//! | face | `maa_attest` (token), `vault_release` by the token, and the RS256 signature of the answer |
//! | RSA | what the face's formats force: two RS256 signatures, one verification, one OAEP wrap to a key that was not seen before |
//! | both | a native flow and then that RSA, flow by flow: its caches are as cold as the face's |
//!
//! The figure is face / both; at most 1 is wanted. The other, face / (native + RSA), takes RSA in loops of
//! nothing else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark may stop at the first surprise"
)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use claviger::flow::vault::{Actor, VaultRelease};
use claviger::flow::{
    AttestationKind, AttestationRules, Evidence, MaaRequest, Purpose, RuntimeData, Submission,
    Wanted,
};
use claviger::keys::{RecipientKey, RecipientKind, RsaAesKeyWrap};
use claviger::permission::Permissions;
use claviger_tests::site::{Guest, Site};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

/// The binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const KEY: &str = "k";

/// Rounds that alternate, of so many flows each.
const ROUNDS: usize = 9;
const FLOWS: usize = 150;

fn main() {
    // As a test: a round of few, for whether all of it succeeds.
    let test = std::env::args().any(|argument| argument == "--test");
    let (rounds, flows) = if test { (1, 5) } else { (ROUNDS, FLOWS) };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(rounds, flows));
}

async fn measure(rounds: usize, flows: usize) {
    let (site, url) = site().await;
    let (native, face) = (Guest::new(), Guest::with_key(RecipientKind::Rsa2048));
    let rsa = Rsa::new(&face);
    // What is made once, signing keys above all, is made before.
    by_challenge(&site, &native, 1, || true).await;
    by_runtime_data(&site, &face, &url, 1, || true).await;
    let mut times = [(); 6].map(|()| Vec::with_capacity(rounds));
    for _ in 0..rounds {
        times[0].push(by_challenge(&site, &native, flows, || true).await);
        times[1].push(by_runtime_data(&site, &face, &url, flows, || rsa.sign()).await);
        times[2].push(by_challenge(&site, &native, flows, || rsa.forced()).await);
        times[3].push(each(flows, || rsa.sign()));
        times[4].push(each(flows, || rsa.verify()));
        times[5].push(each(flows, || rsa.wrap()));
    }
    let [native, face, both, sign, verify, wrap] = times.map(median);
    let forced = 2.0 * sign + verify + wrap;
    for (what, time) in [
        ("native: challenge, token, key", native),
        ("face: token, key, signed", face),
        ("RS256 signature", sign),
        ("RS256 verification", verify),
        ("RSA-OAEP and AES key wrap", wrap),
        ("RSA that the formats force", forced),
        ("both: native and RSA", both),
    ] {
        println!("{what:<32} {time:8.1} µs");
    }
    println!("face / both                      {:8.2}", face / both);
    println!("face / (native + RSA)            {:8.2}", face / (native + forced));
}

/// A host with one key, and the URL of its face.
async fn site() -> (Site, String) {
    let site = Site::new().await;
    let served = site.serve_attestation(AttestationRules::default()).await;
    let url = served.address().0;
    let affirming = json!([{"claim": "x-claviger-status", "equals": "affirming"}]);
    served.vault_key(KEY, &url, affirming).await;
    site.key(NATIVE).await;
    (site, url)
}

/// The key of the native side: under this host's own release policy.
const NATIVE: &str = "native";

/// Flows of the native side, with `more` after each.
async fn by_challenge(site: &Site, guest: &Guest, flows: usize, more: impl Fn() -> bool) -> f64 {
    let answers: Vec<Submission> =
        (0..flows).map(|_| guest.answer(&site.challenge(guest)).into()).collect();
    let before = spent();
    for answer in answers {
        site.host.challenge(&guest.caller(), &Purpose::Attestation).unwrap();
        let token = site.host.attest(&guest.caller(), answer, Wanted::default()).await.unwrap();
        site.redeem(guest, NATIVE, &token.token).await.unwrap();
        assert!(more(), "it must succeed to be measured");
    }
    (spent() - before) / flows as f64
}

/// Flows of the face, with `more` after each: the answer's signature is the front door's, and not in the flow.
async fn by_runtime_data(
    site: &Site,
    guest: &Guest,
    url: &str,
    flows: usize,
    more: impl Fn() -> bool,
) -> f64 {
    let (rules, caller, permissions) =
        (AttestationRules::default(), guest.caller(), Permissions::all());
    let mut key = guest.key.jwk().clone();
    key["key_ops"] = json!(["encrypt"]);
    let bytes = json!({"keys": [key]}).to_string().into_bytes();
    let mut report_data = [0; 64];
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
    report_data[..32].copy_from_slice(digest.as_ref());
    let request = || MaaRequest {
        kind: AttestationKind::SevSnpVm,
        evidence: Evidence {
            tee: "snp".to_owned(),
            media_type: None,
            data: guest.hardware.report(report_data).to_vec(),
            attachments: guest.hardware.attachments.clone(),
        },
        runtime: RuntimeData { json: serde_json::from_slice(&bytes).ok(), bytes: bytes.clone() },
        guest: None,
        initial: None,
        nonce: None,
        uvm: Vec::new(),
        draft: None,
    };
    let requests: Vec<MaaRequest> = (0..flows).map(|_| request()).collect();
    let before = spent();
    for request in requests {
        let token = site.host.maa_attest(&caller, url, request, &rules).await.unwrap().token;
        let own = site.host.maa_issuer(url, &rules).await.unwrap();
        let actor = Actor { caller: &caller, principal: "bench", permissions: &permissions };
        let wanted = VaultRelease {
            key: KEY,
            version: None,
            token: &token,
            wrap: RsaAesKeyWrap::default(),
            own: Some(&own),
        };
        site.host.vault_release(actor, wanted).await.unwrap();
        assert!(more(), "it must succeed to be measured");
    }
    (spent() - before) / flows as f64
}

/// What the formats force, each for itself.
struct Rsa {
    key: RsaKeyPair,
    signature: Vec<u8>,
    recipient: Value,
    /// As long as a token.
    message: Vec<u8>,
}

impl Rsa {
    fn new(guest: &Guest) -> Self {
        let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let recipient = guest.key.jwk().clone();
        let mut rsa = Self { key, signature: Vec::new(), recipient, message: vec![b'x'; 6000] };
        rsa.signature = rsa.signed();
        rsa
    }

    fn signed(&self) -> Vec<u8> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        let random = SystemRandom::new();
        self.key.sign(&RSA_PKCS1_SHA256, &random, &self.message, &mut signature).unwrap();
        signature
    }

    fn forced(&self) -> bool {
        self.sign() && self.sign() && self.verify() && self.wrap()
    }

    fn sign(&self) -> bool {
        self.signed().len() == 256
    }

    fn verify(&self) -> bool {
        let key =
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, self.key.public_key().as_ref());
        key.verify(&self.message, &self.signature).is_ok()
    }

    fn wrap(&self) -> bool {
        let recipient = RecipientKey::from_jwk(&self.recipient).unwrap();
        recipient.rsa_aes_wrap(&[7; 32], RsaAesKeyWrap::default()).is_ok()
    }
}

fn each(times: usize, work: impl Fn() -> bool) -> f64 {
    let before = spent();
    for _ in 0..times {
        assert!(work(), "it must succeed to be measured");
    }
    (spent() - before) / times as f64
}

/// The processor time of this process, in microseconds.
fn spent() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
