//! First step: a challenge is issued without keeping anything, and spent once.
//!
//! The token is `base64url( version ‖ nonce ‖ issued ‖ expires ‖ tag )` without padding: one byte
//! (1), 32 random bytes, two moments as 64-bit big-endian seconds, and HMAC-SHA-256 over the host's
//! identifier, the tenant, the purpose and the bytes before, each with its length. Host, tenant and
//! purpose are not in the token: the request says which it is for, and another one does not verify.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac};
use data_encoding::BASE64URL_NOPAD;

use super::report_data::{Companion, ReportDataInput, length_prefix};
use super::request::{IssuedChallenge, Purpose};
use super::spent::{SpendError, SpentChallenges};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::quote::DigestAlgorithm;
use crate::random::Random;
use crate::tenant::Tenant;

const VERSION: u8 = 1;
const PAYLOAD: usize = 1 + 32 + 8 + 8;
const TAG: usize = 32;

/// How far in the future a challenge may seem to have been issued: a clock that was stepped back.
const CLOCK_SKEW: u64 = 5;

/// Issues challenges and takes them back, each once.
pub struct Challenges {
    host: String,
    lifetime: u64,
    random: Arc<dyn Random>,
    key: hmac::Key,
    spent: SpentChallenges,
}

impl Challenges {
    /// `lifetime` in seconds. The key is made here: challenges do not outlive the process, so that
    /// what was spent before a restart cannot be spent again after it.
    pub fn new(
        host: String,
        lifetime: u64,
        spent_capacity: usize,
        random: Arc<dyn Random>,
    ) -> Result<Self, Refusal> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        fill(&*random, &mut *key)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*key);
        let spent = SpentChallenges::new(spent_capacity);
        Ok(Self { host, lifetime, random, key, spent })
    }

    /// A new challenge. Nothing is kept of it.
    pub fn issue(
        &self,
        tenant: &Tenant,
        purpose: &Purpose,
        now: Timestamp,
    ) -> Result<IssuedChallenge, Refusal> {
        let mut nonce = [0; 32];
        fill(&*self.random, &mut nonce)?;
        let expires = now.plus(self.lifetime);
        let mut token = Vec::with_capacity(PAYLOAD + TAG);
        token.push(VERSION);
        token.extend_from_slice(&nonce);
        token.extend_from_slice(&now.0.to_be_bytes());
        token.extend_from_slice(&expires.0.to_be_bytes());
        let purpose = purpose.label();
        let tag = hmac::sign(&self.key, &self.message(tenant, &purpose, &token));
        token.extend_from_slice(tag.as_ref());
        let token = BASE64URL_NOPAD.encode(&token);
        Ok(IssuedChallenge { token, nonce, expires, host: self.host.clone(), purpose })
    }

    /// Takes a challenge back. It must be ours, for this tenant and purpose, within its time, and
    /// not spent; then it is spent, whatever becomes of the request.
    pub fn spend(
        &self,
        tenant: &Tenant,
        purpose: &Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<Fresh, Refusal> {
        let spent = self.spend_unexplained(tenant, purpose, token, now);
        spent.map_err(|refusal| {
            let wanted = format!(
                "a challenge of {} for {tenant} and {}, within its time at {now}, not spent",
                self.host,
                purpose.label()
            );
            let explanation = Explanation::of("challenge").seen(refusal.reason.clone());
            refusal.explain(explanation.wanted(wanted))
        })
    }

    fn spend_unexplained(
        &self,
        tenant: &Tenant,
        purpose: &Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<Fresh, Refusal> {
        let bytes = decode(token).ok_or_else(|| invalid("it is not a token of this form"))?;
        let (payload, tag) = bytes.split_at(PAYLOAD);
        let purpose = purpose.label();
        hmac::verify(&self.key, &self.message(tenant, &purpose, payload), tag)
            .map_err(|_| invalid("its tag does not verify for this host, tenant and purpose"))?;
        let Payload { nonce, issued, expires } =
            Payload::read(payload).ok_or_else(|| invalid("its version is unknown"))?;
        if issued > now.plus(CLOCK_SKEW) {
            let reason = format!("issued at {issued}, which is in the future of {now}");
            return Err(Refusal::new(Code::ChallengeExpired, reason));
        }
        if now >= expires {
            let reason = format!("expired at {expires}, now {now}");
            return Err(Refusal::new(Code::ChallengeExpired, reason));
        }
        self.spent.spend(nonce, expires, now).map_err(refuse_spending)?;
        let (tenant, host) = (tenant.clone(), self.host.clone());
        Ok(Fresh { nonce, tenant, purpose, host, at: now, freshness: Freshness::Challenge })
    }

    /// How many spent challenges are remembered now.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.spent.len()
    }

    fn message(&self, tenant: &Tenant, purpose: &str, payload: &[u8]) -> Vec<u8> {
        let fields: [&[u8]; 4] =
            [self.host.as_bytes(), tenant.as_str().as_bytes(), purpose.as_bytes(), payload];
        let mut message = Vec::with_capacity(256);
        for field in fields {
            message.extend_from_slice(&length_prefix(field.len()));
            message.extend_from_slice(field);
        }
        message
    }
}

/// What keeps evidence from being of use a second time, or to somebody else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Freshness {
    /// It answers a challenge of this host, which was spent for it.
    Challenge,
    /// It answers none. What it binds is the recipient key: whoever shows it again gets what only the
    /// holder of that key can open.
    RecipientKey,
}

impl Freshness {
    /// The form that stands in results, records and what policies see.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Challenge => "challenge",
            Self::RecipientKey => "recipient-key",
        }
    }

    /// And back.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Challenge, Self::RecipientKey].into_iter().find(|one| one.name() == name)
    }
}

/// Proof that a challenge of this host was spent by this request, and by no other; or, and it says so,
/// that the request came by the way that has no challenges ([`Freshness::RecipientKey`]), on which
/// nothing is bound but runtime data.
#[derive(Debug)]
pub struct Fresh {
    nonce: [u8; 32],
    tenant: Tenant,
    purpose: String,
    host: String,
    at: Timestamp,
    freshness: Freshness,
}

impl Fresh {
    /// The start of the way without a challenge. The digest of the runtime data stands in the nonce's
    /// place; [`super::verify::Genuine::bind`] takes no such proof.
    pub(super) fn by_runtime_data(tenant: &Tenant, digest: [u8; 32], at: Timestamp) -> Self {
        Self {
            nonce: digest,
            tenant: tenant.clone(),
            purpose: Purpose::Attestation.label(),
            host: String::new(),
            at,
            freshness: Freshness::RecipientKey,
        }
    }

    /// What is fresh.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The challenge's nonce.
    #[must_use]
    pub fn nonce(&self) -> &[u8; 32] {
        &self.nonce
    }

    /// The moment at which the challenge was spent: the request's time for every later step.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The purpose's label.
    #[must_use]
    pub fn purpose(&self) -> &str {
        &self.purpose
    }

    /// The digest that evidence for this challenge and this recipient must carry.
    pub(super) fn report_data(
        &self,
        recipient: &[u8; 32],
        companions: &[Companion],
        algorithm: DigestAlgorithm,
    ) -> digest::Digest {
        ReportDataInput {
            host: &self.host,
            tenant: &self.tenant,
            purpose: &self.purpose,
            nonce: &self.nonce,
            recipient,
            companions,
        }
        .digest_by(algorithm)
    }
}

struct Payload {
    nonce: [u8; 32],
    issued: Timestamp,
    expires: Timestamp,
}

impl Payload {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (nonce, rest) = rest.split_first_chunk::<32>()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let expires: [u8; 8] = rest.try_into().ok()?;
        (*version == VERSION).then_some(Self {
            nonce: *nonce,
            issued: Timestamp(u64::from_be_bytes(*issued)),
            expires: Timestamp(u64::from_be_bytes(expires)),
        })
    }
}

/// Only the one canonical spelling decodes: no padding, no white space, no other alphabet, no
/// stray bits at the end.
fn decode(token: &str) -> Option<[u8; PAYLOAD + TAG]> {
    BASE64URL_NOPAD.decode(token.as_bytes()).ok()?.try_into().ok()
}

fn invalid(reason: &str) -> Refusal {
    Refusal::new(Code::ChallengeInvalid, format!("challenge: {reason}"))
}

fn refuse_spending(error: SpendError) -> Refusal {
    let code = match error {
        SpendError::Forgotten => Code::ChallengeExpired,
        SpendError::Full => Code::Overloaded,
        SpendError::Spent => Code::ChallengeSpent,
    };
    Refusal::new(code, error.to_string())
}

fn fill(random: &dyn Random, buffer: &mut [u8]) -> Result<(), Refusal> {
    random.fill(buffer).map_err(|error| Refusal::new(Code::Internal, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    fn challenges() -> Challenges {
        Challenges::new("h".into(), 300, 1_000, Arc::new(SystemRandomness::default())).unwrap()
    }

    fn release(key: &str) -> Purpose {
        Purpose::Release { key: key.into() }
    }

    fn code(result: Result<Fresh, Refusal>) -> Code {
        result.unwrap_err().code
    }

    // attack 2, invariant 3
    #[test]
    fn a_challenge_is_spent_once() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let issued = challenges.issue(&tenant, &Purpose::Attestation, NOW).unwrap();
        let fresh = challenges.spend(&tenant, &Purpose::Attestation, &issued.token, NOW).unwrap();
        assert_eq!(fresh.nonce(), &issued.nonce);
        let again = challenges.spend(&tenant, &Purpose::Attestation, &issued.token, NOW);
        assert_eq!(code(again), Code::ChallengeSpent);
    }

    // attack 3, invariant 3
    #[test]
    fn of_a_hundred_parallel_attempts_one_spends_the_challenge() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let token = challenges.issue(&tenant, &Purpose::Attestation, NOW).unwrap().token;
        let spend = || challenges.spend(&tenant, &Purpose::Attestation, &token, NOW).is_ok();
        let won = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..100).map(|_| scope.spawn(spend)).collect();
            threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(won, 1);
    }

    // attack 4
    #[test]
    fn another_spelling_of_a_challenge_is_refused() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let purpose = Purpose::Attestation;
        for _ in 0..50 {
            let token = challenges.issue(&tenant, &purpose, NOW).unwrap().token;
            let mut spellings = vec![
                format!(" {token}"),
                format!("{token} "),
                format!("{token}\n"),
                format!("{token}="),
                format!("{token}=="),
            ];
            for spelling in [token.replace('-', "+").replace('_', "/"), token.to_uppercase()] {
                if spelling != token {
                    spellings.push(spelling);
                }
            }
            for spelling in spellings {
                let refused = challenges.spend(&tenant, &purpose, &spelling, NOW);
                assert_eq!(code(refused), Code::ChallengeInvalid, "{spelling:?}");
            }
            assert!(challenges.spend(&tenant, &purpose, &token, NOW).is_ok());
        }
    }

    // attack 5
    #[test]
    fn a_challenge_has_its_time_even_when_the_clock_is_stepped() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let purpose = Purpose::Attestation;
        let issue = |at| challenges.issue(&tenant, &purpose, at).unwrap().token;
        let late = challenges.spend(&tenant, &purpose, &issue(NOW), NOW.plus(300));
        assert_eq!(code(late), Code::ChallengeExpired);
        assert!(challenges.spend(&tenant, &purpose, &issue(NOW), NOW.plus(299)).is_ok());
        let back = challenges.spend(&tenant, &purpose, &issue(NOW), Timestamp(NOW.0 - 60));
        assert_eq!(code(back), Code::ChallengeExpired);
        // Spent, forgotten because its time was over, and the clock stepped back into its time.
        let token = issue(NOW);
        challenges.spend(&tenant, &purpose, &token, NOW).unwrap();
        challenges.spend(&tenant, &purpose, &issue(NOW.plus(900)), NOW.plus(900)).unwrap();
        let replayed = challenges.spend(&tenant, &purpose, &token, NOW.plus(1));
        assert!(replayed.is_err());
    }

    // attack 6, 12, 54
    #[test]
    fn a_challenge_of_another_host_tenant_or_purpose_is_refused() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let other = Tenant::parse("other").unwrap();
        let token = challenges.issue(&tenant, &release("a"), NOW).unwrap().token;
        for (tenant, purpose) in [
            (&other, release("a")),
            (&tenant, release("b")),
            (&tenant, Purpose::Attestation),
            (&tenant, release("*")),
        ] {
            let refused = challenges.spend(tenant, &purpose, &token, NOW);
            assert_eq!(code(refused), Code::ChallengeInvalid);
        }
        let elsewhere = self::challenges();
        let refused = elsewhere.spend(&tenant, &release("a"), &token, NOW);
        assert_eq!(code(refused), Code::ChallengeInvalid);
        assert!(challenges.spend(&tenant, &release("a"), &token, NOW).is_ok());
    }

    #[test]
    fn an_altered_challenge_is_refused() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        let token = challenges.issue(&tenant, &Purpose::Attestation, NOW).unwrap().token;
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut altered = bytes.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = BASE64URL_NOPAD.encode(&altered);
            let refused = challenges.spend(&tenant, &Purpose::Attestation, &altered, NOW);
            assert_eq!(code(refused), Code::ChallengeInvalid);
        }
        for length in [0, 1, token.len() - 4] {
            let refused = challenges.spend(&tenant, &Purpose::Attestation, &token[..length], NOW);
            assert_eq!(code(refused), Code::ChallengeInvalid);
        }
    }

    // attack 7
    #[test]
    fn issuing_keeps_nothing() {
        let (challenges, tenant) = (challenges(), Tenant::default());
        for _ in 0..10_000 {
            challenges.issue(&tenant, &Purpose::Attestation, NOW).unwrap();
        }
        assert_eq!(challenges.remembered(), 0);
    }
}
