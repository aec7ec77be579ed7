//! Third step: the evidence was made for this challenge, this purpose and this recipient key. The
//! host compares with the signed bytes in its own memory; a plugin only points at them.

use super::challenge::Fresh;
use super::verify::{Genuine, Verified};
use crate::error::{Code, Refusal};
use crate::keys::RecipientKey;
use crate::plugin::Carries;

/// Genuine evidence that carries the challenge and the recipient key.
#[derive(Debug)]
pub struct Bound {
    pub(super) fresh: Fresh,
    pub(super) verified: Verified,
    pub(super) recipient: RecipientKey,
}

impl Genuine {
    /// Every binding that the verdict names must hold, and for each piece of evidence in it they must
    /// cover the challenge and the recipient key: by the challenge digest (see
    /// [`super::ReportDataInput`]), or by the nonce and the key's thumbprint apart, where an attester
    /// has a field for each. The nonce stands for host, tenant and purpose: the challenge was
    /// authenticated for exactly these.
    ///
    /// For each: what one attester says must not be heard because another one answered the challenge
    /// (invariant 1). Statements are of one piece of evidence where they rest on one signature.
    pub fn bind(self, recipient: RecipientKey) -> Result<Bound, Refusal> {
        let thumbprint = recipient.thumbprint();
        let digest = self.fresh.report_data(&thumbprint);
        let origins = self.verified.origins();
        let mut covered = vec![Covered::default(); origins.len()];
        for (binding, bytes) in self.verified.bound_bytes() {
            let wanted: &[u8] = match binding.carries {
                Carries::ChallengeDigest => &digest,
                Carries::Nonce => self.fresh.nonce(),
                Carries::RecipientKey => &thumbprint,
            };
            if bytes != Some(wanted) {
                let reason = format!(
                    "the {:?} at {:?} of statement {} is not what was expected",
                    binding.carries, binding.at, binding.statement
                );
                return Err(Refusal::new(Code::EvidenceNotBound, reason));
            }
            let origin = origins.get(binding.statement);
            if let Some(covered) = origin.and_then(|origin| covered.get_mut(*origin)) {
                covered.by(binding.carries);
            }
        }
        let whole = |origin: &usize| covered.get(*origin).is_some_and(Covered::whole);
        if let Some(unbound) = origins.iter().position(|origin| !whole(origin)) {
            let reason = format!(
                "the bindings do not cover the challenge and the recipient key for what statement {unbound} rests on"
            );
            return Err(Refusal::new(Code::EvidenceNotBound, reason));
        }
        Ok(Bound { fresh: self.fresh, verified: self.verified, recipient })
    }
}

/// What the bindings of one piece of evidence cover.
#[derive(Clone, Copy, Default)]
struct Covered {
    challenge: bool,
    nonce: bool,
    key: bool,
}

impl Covered {
    fn by(&mut self, carried: Carries) {
        match carried {
            Carries::ChallengeDigest => self.challenge = true,
            Carries::Nonce => self.nonce = true,
            Carries::RecipientKey => self.key = true,
        }
    }

    fn whole(&self) -> bool {
        self.challenge || self.nonce && self.key
    }
}
