//! Third step: the evidence was made for this challenge, this purpose and this recipient key. The
//! host compares with the signed bytes in its own memory; a plugin only points at them.

use data_encoding::HEXLOWER;

use super::challenge::Fresh;
use super::gate::Verified;
use super::verify::Genuine;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::keys::RecipientKey;
use crate::plugin::Carries;
use crate::quote::Step;

/// Genuine evidence that carries the challenge and the recipient key.
#[derive(Debug)]
pub struct Bound {
    pub(super) fresh: Fresh,
    pub(super) verified: Verified,
    pub(super) recipient: RecipientKey,
}

impl Genuine {
    /// Every binding that the verdict names must hold, and together they must cover the challenge
    /// and the recipient key: by the challenge digest (see [`super::ReportDataInput`]), or by the
    /// nonce and the key's thumbprint apart, where an attester has a field for each. The nonce
    /// stands for host, tenant and purpose: the challenge was authenticated for exactly these.
    pub fn bind(self, recipient: RecipientKey) -> Result<Bound, Refusal> {
        let thumbprint = recipient.thumbprint();
        let (mut challenge, mut nonce, mut key) = (false, false, false);
        for (binding, bytes) in self.verified.bound_bytes() {
            let (digest, spki);
            let (wanted, covered): (&[u8], _) = match binding.carries {
                Carries::ChallengeDigest(algorithm) => {
                    digest = self.fresh.report_data(&thumbprint, algorithm);
                    (digest.as_ref(), &mut challenge)
                }
                Carries::Nonce => (self.fresh.nonce(), &mut nonce),
                Carries::RecipientKey => (&thumbprint, &mut key),
                Carries::RecipientSpki => {
                    // A key without that form is in no evidence.
                    spki = recipient.spki().unwrap_or_default();
                    (&spki, &mut key)
                }
            };
            if bytes != Some(wanted) || wanted.is_empty() {
                let reason = format!(
                    "the {:?} at {:?} of statement {} is not what was expected",
                    binding.carries, binding.at, binding.statement
                );
                let hex = |bytes| HEXLOWER.encode(bytes);
                let explanation = Explanation::of("binding")
                    .seen(bytes.map_or_else(|| "nothing that may bind".to_owned(), hex))
                    .wanted(hex(wanted));
                return Err(not_bound(&self.verified, explanation, reason));
            }
            *covered = true;
        }
        if !(challenge || nonce && key) {
            let reason = "the bindings do not cover the challenge and the recipient key";
            let explanation = Explanation::of("binding")
                .seen(format!("challenge {challenge}, nonce {nonce}, key {key}"))
                .wanted("the challenge, or nonce and key");
            return Err(not_bound(&self.verified, explanation, reason));
        }
        Ok(Bound { fresh: self.fresh, verified: self.verified, recipient })
    }
}

fn not_bound(verified: &Verified, explanation: Explanation, reason: impl Into<String>) -> Refusal {
    let path = verified.path().iter().map(Step::words).collect();
    Refusal::new(Code::EvidenceNotBound, reason).explain(explanation.trust_path(path))
}
