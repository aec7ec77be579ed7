//! The floor: the cryptography that no release can do without, measured on this machine.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self as signature, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, ParsedPublicKey,
};
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::keys::{RecipientKey, RecipientKind, RecipientPrivateKey, WrapHeader};

/// How often each is done; the median counts.
const ROUNDS: usize = 301;

/// How often each is done at a moment of a load: enough for its own code to be in the caches.
const ROUNDS_AMID: usize = 7;

/// From one moment of a load to the next.
const BETWEEN: Duration = Duration::from_millis(100);

/// Processor time of each, in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Floor {
    /// ECDSA P-384 with SHA-384 over 672 bytes, the public key parsed before.
    pub p384_verify_us: f64,
    /// ECDSA P-256 with SHA-256 over 2 KiB.
    pub es256_sign_us: f64,
    /// X25519 with a fresh key, and a JWE of 32 bytes under it.
    pub agree_and_wrap_us: f64,
}

/// One P-384 verification, ready to be done.
pub struct P384 {
    key: ParsedPublicKey,
    message: [u8; 0x2a0],
    signature: signature::Signature,
}

impl P384 {
    /// Makes a key and signs as many bytes as an SNP report has signed.
    pub fn new() -> anyhow::Result<Self> {
        let failed = |_| anyhow!("the cryptographic provider failed");
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?;
        let message = [7; 0x2a0];
        let signature = pair.sign(&SystemRandom::new(), &message).map_err(failed)?;
        let key = ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, pair.public_key().as_ref())
            .map_err(|_| anyhow!("the cryptographic provider failed"))?;
        Ok(Self { key, message, signature })
    }

    /// Verifies.
    #[must_use]
    pub fn verify(&self) -> bool {
        black_box(self.key.verify_sig(black_box(&self.message), self.signature.as_ref()).is_ok())
    }
}

/// All three, ready to be done.
struct Work {
    random: SystemRandom,
    p384: P384,
    token_key: EcdsaKeyPair,
    recipient: RecipientKey,
    header: WrapHeader,
}

impl Work {
    fn new() -> anyhow::Result<Self> {
        let token_key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| anyhow!("the cryptographic provider failed"))?;
        let recipient = RecipientPrivateKey::generate(RecipientKind::X25519)?;
        Ok(Self {
            random: SystemRandom::new(),
            p384: P384::new()?,
            token_key,
            recipient: RecipientKey::from_jwk(recipient.jwk())?,
            header: WrapHeader {
                cty: "application/octet-stream".to_owned(),
                tenant: "default".to_owned(),
                key: "key".to_owned(),
                version: "1".to_owned(),
                challenge: [7; 32],
                audit: None,
            },
        })
    }

    fn measure(&self, rounds: usize) -> Floor {
        let token = [7; 2048];
        let times = |work: &dyn Fn() -> bool| median((0..rounds).map(|_| timed(work)).collect());
        Floor {
            p384_verify_us: times(&|| self.p384.verify()),
            es256_sign_us: times(&|| black_box(self.token_key.sign(&self.random, &token).is_ok())),
            agree_and_wrap_us: times(&|| {
                black_box(self.recipient.wrap(&[7; 32], &self.header).is_ok())
            }),
        }
    }
}

impl Floor {
    /// Measures now, on this thread.
    pub fn measure() -> anyhow::Result<Self> {
        Ok(Work::new()?.measure(ROUNDS))
    }

    /// Measures on this thread, now and then until `stop`: what the same work costs amid a load. A
    /// processor that shares its caches, its clock or its machine is slower then, for everybody.
    pub fn measure_amid(stop: &AtomicBool) -> anyhow::Result<Self> {
        let work = Work::new()?;
        let mut samples = vec![work.measure(ROUNDS_AMID)];
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(BETWEEN);
            samples.push(work.measure(ROUNDS_AMID));
        }
        let of = |part: fn(&Self) -> f64| median(samples.iter().map(part).collect());
        Ok(Self {
            p384_verify_us: of(|floor| floor.p384_verify_us),
            es256_sign_us: of(|floor| floor.es256_sign_us),
            agree_and_wrap_us: of(|floor| floor.agree_and_wrap_us),
        })
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.p384_verify_us + self.es256_sign_us + self.agree_and_wrap_us
    }

    /// Part by part the lower of two measurements: noise only ever adds.
    pub fn lower(self, other: Self) -> Self {
        Self {
            p384_verify_us: self.p384_verify_us.min(other.p384_verify_us),
            es256_sign_us: self.es256_sign_us.min(other.es256_sign_us),
            agree_and_wrap_us: self.agree_and_wrap_us.min(other.agree_and_wrap_us),
        }
    }
}

fn timed(work: &dyn Fn() -> bool) -> f64 {
    let before = thread_time();
    work();
    thread_time() - before
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// This thread's processor time, in microseconds.
fn thread_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
