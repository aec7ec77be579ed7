//! Third step: the evidence was made for this challenge, this purpose and this recipient key. The
//! host compares with the signed bytes in its own memory; a plugin only points at them.

use data_encoding::HEXLOWER;

use super::challenge::{Fresh, Freshness};
use super::gate::Verified;
use super::report_data::Companion;
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
    /// What came along: it carries the challenge, and the main evidence vouches for it.
    pub(super) companions: Vec<Verified>,
    pub(super) recipient: RecipientKey,
}

impl Genuine {
    /// Every binding that the verdict names must hold, and together they must cover the challenge
    /// and the recipient key: by the challenge digest (see [`super::ReportDataInput`]), or by the
    /// nonce and the key's thumbprint apart, where an attester has a field for each. The nonce
    /// stands for host, tenant and purpose: the challenge was authenticated for exactly these.
    ///
    /// Where others came along, only the challenge digest has room for them. Each of those must
    /// carry the challenge; which recipient is meant, the main evidence says.
    pub fn bind(self, recipient: RecipientKey) -> Result<Bound, Refusal> {
        let Self { fresh, verified, companions } = self;
        if fresh.freshness() != Freshness::Challenge {
            let explanation = Explanation::of("binding").seen("no challenge").wanted("a challenge");
            return Err(not_bound(&verified, explanation, "the evidence answers no challenge"));
        }
        let (named, companions): (Vec<Companion>, Vec<Verified>) = companions.into_iter().unzip();
        let carried = carried(&fresh, &verified, &recipient, &named)?;
        let whole = match named.is_empty() {
            true => carried.digest || carried.nonce && carried.key,
            false => carried.digest,
        };
        if !whole {
            let wanted = match named.is_empty() {
                true => "the challenge, or nonce and key",
                false => "the challenge digest over all that came along",
            };
            return Err(carried.too_little(&verified, wanted));
        }
        for companion in &companions {
            let carried = self::carried(&fresh, companion, &recipient, &[])?;
            if !(carried.digest || carried.nonce) {
                return Err(carried.too_little(companion, "the challenge, or its nonce"));
            }
        }
        Ok(Bound { fresh, verified, companions, recipient })
    }
}

/// What a verdict's bindings cover.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    digest: bool,
    nonce: bool,
    key: bool,
}

impl Carried {
    fn too_little(self, verified: &Verified, wanted: &str) -> Refusal {
        let Self { digest, nonce, key } = self;
        let reason = format!(
            "the bindings of {} do not cover the challenge and the recipient key",
            verified.tee()
        );
        let explanation = Explanation::of("binding")
            .seen(format!("challenge {digest}, nonce {nonce}, key {key}"))
            .wanted(wanted);
        not_bound(verified, explanation, reason)
    }
}

/// Compares every binding with what it must carry.
fn carried(
    fresh: &Fresh,
    verified: &Verified,
    recipient: &RecipientKey,
    companions: &[Companion],
) -> Result<Carried, Refusal> {
    let thumbprint = recipient.thumbprint();
    let mut carried = Carried::default();
    for (binding, bytes) in verified.bound_bytes() {
        let (digest, spki);
        let (wanted, covered): (&[u8], _) = match binding.carries {
            Carries::ChallengeDigest(algorithm) => {
                digest = fresh.report_data(&thumbprint, companions, algorithm);
                (digest.as_ref(), &mut carried.digest)
            }
            Carries::Nonce => (fresh.nonce(), &mut carried.nonce),
            Carries::RecipientKey => (&thumbprint, &mut carried.key),
            Carries::RecipientSpki => {
                // A key without that form is in no evidence.
                spki = recipient.spki().unwrap_or_default();
                (&spki, &mut carried.key)
            }
        };
        if bytes != Some(wanted) || wanted.is_empty() {
            let reason = format!(
                "{}: the {:?} at {:?} of statement {} is not what was expected",
                verified.tee(),
                binding.carries,
                binding.at,
                binding.statement
            );
            let hex = |bytes| HEXLOWER.encode(bytes);
            let explanation = Explanation::of("binding")
                .seen(bytes.map_or_else(|| "nothing that may bind".to_owned(), hex))
                .wanted(hex(wanted));
            return Err(not_bound(verified, explanation, reason));
        }
        *covered = true;
    }
    Ok(carried)
}

pub(super) fn not_bound(
    verified: &Verified,
    explanation: Explanation,
    reason: impl Into<String>,
) -> Refusal {
    let path = verified.path().iter().map(Step::words).collect();
    Refusal::new(Code::EvidenceNotBound, reason).explain(explanation.trust_path(path))
}
