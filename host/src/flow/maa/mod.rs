//! Attestation as Microsoft Azure Attestation does it: evidence in, a token of that service's form out.
//!
//! Its protocol has no challenge. What is fresh is the recipient key inside the runtime data that the
//! evidence binds, and every result says so ([`Freshness::RecipientKey`]). Gate, appraisal policy and
//! reference values are those of every request:
//!
//! ```text
//! MaaRequest → Fresh::by_runtime_data → Genuine → Witnessed (bound, judged) → permitted by the
//! attestation policy → recorded → token
//! ```
//!
//! A token is issued where the evidence is genuine and bound, no appraisal contraindicates it, and the
//! tenant's attestation policy permits. What the appraisal came to stands in it (`x-claviger-status`).

mod administer;
mod claims;
mod guest;
mod keys;
mod policies;
mod request;
mod signed;
mod token;
mod uvm;
mod witness;

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::challenge::Freshness;
use super::host::Host;
use super::record;
use super::release::append;
use super::request::Caller;
use super::waiting::waiting;
use crate::appraisal::Status;
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::foreign::{ForeignResult, Issuer};
use crate::policy::maa::{Claim, MaaFault, MaaPolicy, Outcome};
use crate::store::SealedStore;

pub use guest::Guest;
use keys::{Keys, Published};
use policies::Policies;
pub use request::{
    AttestationKind, AttestationRules, MaaAttested, MaaFailure, MaaRequest, RuntimeData, UvmRule,
};
use witness::Witnessed;

/// What the service keeps: its signing keys, and each tenant's policies.
pub struct Attestations {
    pub(super) keys: Keys,
    pub(super) published: Published,
    pub(super) policies: Policies,
}

impl Attestations {
    /// Over this store.
    #[must_use]
    pub fn new(store: Arc<SealedStore>) -> Self {
        let (keys, published) = (Keys::new(Arc::clone(&store)), Published::default());
        Self { keys, published, policies: Policies::new(store) }
    }
}

impl Host {
    /// Evidence in, a token out; `url`: of the service as this tenant's clients see it.
    ///
    /// # Errors
    /// [`MaaFailure`].
    pub async fn maa_attest(
        &self,
        caller: &Caller,
        url: &str,
        request: MaaRequest,
        rules: &AttestationRules,
    ) -> Result<MaaAttested, MaaFailure> {
        let MaaRequest { kind, draft, nonce, runtime, guest, initial, evidence, uvm } = request;
        let runtime = guest.as_ref().map_or(runtime, Guest::runtime);
        if guest.is_some() != (kind == AttestationKind::AzureGuest) {
            let reason = "a guest is of the type AzureGuest, and of no other";
            return Err(Refusal::new(Code::RequestMalformed, reason).into());
        }
        // A draft is read before anything is made of the evidence.
        let drafted = match &draft {
            Some(text) => Some(MaaPolicy::parse(text).map_err(MaaFailure::Policy)?),
            None => None,
        };
        let policy = self.parts.attestations.policies.read(&caller.tenant, kind)?;
        let quote = evidence.data.clone();
        let guest = guest.as_ref();
        let witnessed = self.witness(caller, evidence, &runtime, initial.as_ref(), guest, rules);
        let witnessed = witnessed.await?;
        let mut claims = claims::of(kind, &witnessed, &quote, guest, rules);
        let authority = &self.parts.authority;
        let endorsed = uvm::endorse(authority, &rules.uvm, &uvm, &witnessed, &mut claims);
        let endorsed = endorsed.map_err(MaaFailure::from);
        let decided = endorsed.and_then(|()| {
            self.decide(
                caller,
                &witnessed,
                drafted.as_ref().unwrap_or(&policy.policy),
                &claims,
                &runtime,
            )
        });
        let outcome = match decided {
            Ok(outcome) => outcome,
            Err(failure) => {
                let entry = witnessed.record(Event::Refused, caller).refusal(&failure.refusal());
                append(&self.parts.audit, &entry).await?;
                return Err(failure);
            }
        };
        let jti = token::identifier(&*self.parts.random)?;
        let applied = drafted.as_ref().unwrap_or(&policy.policy);
        let mut body = token::Body {
            kind,
            url,
            jti: &jti,
            at: witnessed.at,
            expires: token::expires(&witnessed, &outcome, rules),
            nonce: nonce.as_deref(),
            policy: applied,
            signer: policy.signer.as_ref().filter(|_| drafted.is_none()),
            witnessed: &witnessed,
            runtime: &runtime,
            initial: initial.as_ref(),
            claims,
            outcome,
        }
        .claims()?;
        let expires = body.expires;
        let entry = witnessed
            .record(Event::Attested, caller)
            .policy(format!("maa:{}", applied.hash()))
            .token(jti.as_str());
        if drafted.is_some() {
            // Nobody believes such a token, and it names no result of this host's.
            let entry =
                entry.detail("under a policy that the request brought; the token is unsigned");
            append(&self.parts.audit, &entry).await?;
            return Ok(MaaAttested { token: token::unsigned(&body.claims), expires });
        }
        if let Some(result) = self.own_result(&witnessed, &jti, expires).await? {
            body.claims.insert("x-claviger-result".to_owned(), result.into());
        }
        let keys = self.maa_keys(url, rules).await?;
        let token = keys.signing().sign(&format!("{url}/certs"), &body.claims);
        let token = token.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        let token = match guest {
            Some(guest) => guest.key.seal(&token, &*self.parts.random),
            None => Ok(token),
        };
        let token = token.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        append(&self.parts.audit, &entry).await?;
        Ok(MaaAttested { token, expires })
    }

    /// Appraisal and attestation policy.
    fn decide(
        &self,
        caller: &Caller,
        witnessed: &Witnessed,
        policy: &MaaPolicy,
        claims: &serde_json::Map<String, Json>,
        runtime: &RuntimeData,
    ) -> Result<Outcome, MaaFailure> {
        let status = witnessed.status();
        if status == Status::Contraindicated {
            let explanation = Explanation::of("appraisal")
                .seen(status.name())
                .wanted("anything but contraindicated")
                .findings(&witnessed.main.appraisal.findings);
            let why = witnessed.why();
            tracing::info!(request = caller.request_id, why, "contraindicated");
            return Err(Refusal::new(Code::NotAffirming, why).explain(explanation).into());
        }
        let own = json!({
            "x-claviger-freshness": Freshness::RecipientKey.name(),
            "x-claviger-simulated": witnessed.occasion.simulated,
            "x-claviger-status": status.name(),
        });
        let own = own.as_object().into_iter().flatten();
        let mut incoming: Vec<Claim> = claims
            .iter()
            .chain(own)
            .map(|(name, value)| Claim::of_service(name.as_str(), value.clone()))
            .collect();
        // What the attester says itself is told apart from what was checked.
        if let Some(json) = &runtime.json {
            incoming.push(Claim::custom("x-ms-runtime", json.clone()));
        }
        let outcome = policy.evaluate(incoming).map_err(MaaFailure::Policy)?;
        match outcome.permitted {
            true => Ok(outcome),
            false => Err(MaaFailure::Denied),
        }
    }

    /// The host's own result for the recipient key, by which a release judges anew what this token says. It
    /// is good for as long as the token is, and the key that it names is kept for that.
    async fn own_result(
        &self,
        witnessed: &Witnessed,
        jti: &str,
        expires: Timestamp,
    ) -> Result<Option<String>, Refusal> {
        let Some(appraised) = witnessed.appraised() else { return Ok(None) };
        let seconds = expires.since(witnessed.at);
        if !self.parts.tokens.keyring.promises(seconds) {
            let parts = Arc::clone(&self.parts);
            waiting(move || parts.tokens.keyring.promise(seconds)).await?;
        }
        self.parts.tokens.for_service(&appraised, jti, expires).map(Some)
    }

    /// The service's keys, of which a fresh one signs where the present one is too old.
    async fn maa_keys(
        &self,
        url: &str,
        rules: &AttestationRules,
    ) -> Result<Arc<crate::keys::CertifiedKeys>, Refusal> {
        let now = self.parts.clock.now();
        let lifetimes = (rules.key_seconds, rules.token_seconds);
        if let Some(keys) = self.parts.attestations.keys.at_hand(now, lifetimes) {
            return Ok(keys);
        }
        let (parts, url) = (Arc::clone(&self.parts), url.to_owned());
        waiting(move || parts.attestations.keys.open(&url, now, lifetimes)).await
    }

    /// The public keys that the service's tokens are signed with, each with its certificate.
    pub async fn maa_jwks(&self, url: &str, rules: &AttestationRules) -> Result<Json, Refusal> {
        Ok(self.maa_keys(url, rules).await?.jwks(self.parts.clock.now()))
    }

    /// The service as an authority that release policies may name, its keys at hand: no request leaves
    /// this host for a token of its own.
    pub async fn maa_issuer(
        &self,
        url: &str,
        rules: &AttestationRules,
    ) -> Result<Arc<Issuer>, Refusal> {
        let keys = self.maa_keys(url, rules).await?;
        let now = self.parts.clock.now();
        let issuer = self.parts.attestations.published.issuer(url, &keys, rules.token_seconds, now);
        issuer.map_err(|reason| Refusal::new(Code::Internal, reason))
    }

    /// Judges anew what a token of this service says, as every token of this host is judged anew when
    /// something is to be released by it: policies, reference values, verifiers and anchors of now.
    ///
    /// # Errors
    /// Where it does not stand any more, is now contraindicated, or is less than the token says: what a
    /// release policy reads there is no more than what holds.
    pub async fn maa_still_stands(
        &self,
        caller: &Caller,
        said: &ForeignResult,
    ) -> Result<(), Refusal> {
        let claims = said.claims();
        // Nobody else signs what stands there.
        let result = claims.get("x-claviger-result").and_then(Json::as_str);
        let result = result.filter(|_| said.is_own()).ok_or_else(|| {
            Refusal::new(Code::TokenInvalid, "the token has no result of this host's")
        })?;
        let now = self.parts.clock.now();
        let references = self.parts.reference_values(&caller.tenant).await?;
        let (tokens, appraiser) = (&self.parts.tokens, &self.parts.appraiser);
        let appraised =
            tokens.appraise_for_service(&caller.tenant, result, now, appraiser, references)?;
        self.still_stands(&appraised, &self.parts.catalogue.plugins(), now)?;
        let status = appraised.status();
        let said = claims.get("x-claviger-status").and_then(Json::as_str);
        let stands = match said.and_then(Status::named) {
            Some(said) => status <= said && status != Status::Contraindicated,
            None => false,
        };
        match stands {
            true => Ok(()),
            false => Err(Refusal::new(Code::NotAffirming, appraised.why())),
        }
    }
}

impl From<MaaFault> for MaaFailure {
    fn from(fault: MaaFault) -> Self {
        Self::Policy(fault)
    }
}

impl Witnessed {
    fn record(&self, event: Event, caller: &Caller) -> crate::audit::Record {
        let record = record::plain(event, caller, self.at)
            .tee(self.main.appraisal.tee.as_str())
            .freshness(Freshness::RecipientKey.name())
            .verifier(
                self.main.subject.verifier.name.as_str(),
                self.main.subject.verifier.digest.as_str(),
            )
            .policy(self.main.appraisal.policy.as_str())
            .trust_path(self.main.subject.path.clone())
            .simulated(self.occasion.simulated)
            .detail(self.why());
        let record = match &self.recipient {
            Some(recipient) => record.recipient(&recipient.thumbprint()),
            None => record,
        };
        match &self.main.subject.evidence {
            Some(evidence) => record.evidence(*evidence),
            None => record,
        }
    }
}
