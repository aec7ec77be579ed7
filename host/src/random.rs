//! Randomness, injected like time. Only nonces, identifiers and symmetric keys come from here;
//! ephemeral key pairs are made inside the cryptographic provider from the same source.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

/// The source of randomness failed; nothing may be issued without it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the source of randomness failed")]
pub struct RandomnessFailed;

/// Fills buffers with unpredictable bytes.
pub trait Random: Send + Sync + 'static {
    /// Fills `buffer`, wholly or not at all.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomnessFailed>;
}

/// The operating system's generator, through aws-lc.
#[derive(Debug, Default)]
pub struct SystemRandomness(SystemRandom);

impl Random for SystemRandomness {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomnessFailed> {
        self.0.fill(buffer).map_err(|_| RandomnessFailed)
    }
}
