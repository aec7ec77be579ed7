//! The host: every part in its place, and the story of a request told once.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value as Json;
use tokio::sync::Semaphore;

use super::appraise::Appraised;
use super::bind::Bound;
use super::challenge::{Challenges, Freshness};
use super::companions;
use super::foreign::{Basis, Vouched};
use super::gate::VerifierIdentity;
use super::maa::Attestations;
use super::recent::Recent;
use super::record;
use super::refusals::Refusals;
use super::release::append;
use super::release_policies::ReleasePolicies;
use super::request::{
    Attested, Caller, Evidence, Health, IssuedChallenge, PluginSummary, Purpose, ReleasedKey,
    Submission, Wanted, WrapForm,
};
use super::source;
use super::token::Tokens;
use super::vault::Vault;
use super::waiting::waiting;
use crate::appraisal::{Appraiser, Status};
use crate::audit::{AuditLog, Digest, Event, Record};
use crate::claim::{Claim, Value};
use crate::clock::{Clock, Timestamp};
use crate::endorsements::Endorsements;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::foreign::Issuers;
use crate::keys::RecipientKey;
use crate::plugin::catalogue::{Entry, Plugins, State};
use crate::plugin::{Catalogue, Installer, KmsPlugin, VerifierPlugin};
use crate::quote::Authority;
use crate::random::Random;
use crate::reference::References;
use crate::tenant::Tenant;

/// What a host is made of.
pub struct Parts {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes nonces and identifiers.
    pub random: Arc<dyn Random>,
    /// Issues challenges.
    pub challenges: Challenges,
    /// Verifiers and connectors.
    pub catalogue: Catalogue,
    /// Brings plugins into the catalogue.
    pub installer: Installer,
    /// Trust anchors and revocation lists.
    pub authority: Arc<Authority>,
    /// Where what evidence lacks is asked for; none: what does not come along is missing.
    pub endorsements: Option<Arc<Endorsements>>,
    /// Appraisal policies.
    pub appraiser: Appraiser,
    /// Reference values.
    pub references: References,
    /// Other services whose tokens are looked at.
    pub issuers: Issuers,
    /// Makes tokens.
    pub tokens: Tokens,
    /// The keys' release policies.
    pub release_policies: ReleasePolicies,
    /// What else is known of keys, and secrets.
    pub vault: Vault,
    /// What a face that plays Microsoft Azure Attestation keeps.
    pub attestations: Attestations,
    /// The audit log.
    pub audit: AuditLog,
    /// Whether development switches are on.
    pub development: bool,
}

impl Parts {
    /// A fresh `jti`: 128 random bits.
    pub(super) fn identifier(&self) -> Result<String, Refusal> {
        let mut identifier = [0; 16];
        self.random
            .fill(&mut identifier)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        Ok(BASE64URL_NOPAD.encode(&identifier))
    }
}

/// A host that serves. Clone is cheap: what must run to its end takes one along.
#[derive(Clone)]
pub struct Host {
    pub(super) parts: Arc<Parts>,
    pub(super) recent: Arc<Recent>,
    /// Whose turn it is to search the log.
    pub(super) searching: Arc<Semaphore>,
    pub(super) refusals: Arc<Refusals>,
}

impl Host {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let searching = Arc::new(Semaphore::new(1));
        let (parts, recent, refusals) = (Arc::new(parts), Arc::default(), Arc::default());
        Self { parts, recent, searching, refusals }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Records that this host begins to serve, as what, and with which plugins.
    pub async fn record_start(&self) -> Result<(), Refusal> {
        let now = self.parts.clock.now();
        let mut detail = format!("claviger {}", env!("CARGO_PKG_VERSION"));
        if self.parts.development {
            detail.push_str("; DEVELOPMENT: simulated hardware is accepted");
        }
        if !self.parts.authority.requires_revocation() {
            detail.push_str("; revocation WAIVED");
        }
        let started = Record::new(now, Event::HostStarted).detail(detail);
        append(&self.parts.audit, &started).await?;
        let plugins: Vec<_> = self.parts.catalogue.plugins().entries().collect();
        for plugin in plugins {
            let entry = match &plugin.state {
                State::Refused(why) => {
                    let refusal = Refusal::new(Code::PluginRefused, why.as_str());
                    Record::new(now, Event::PluginRefused).refusal(&refusal)
                }
                _ => Record::new(now, Event::PluginLoaded).detail(plugin.state.name()),
            };
            let (name, digest) = (plugin.name.as_str(), plugin.digest.as_str());
            let entry = record::of_plugin(entry, plugin.kind, name, digest);
            append(&self.parts.audit, &entry).await?;
        }
        Ok(())
    }

    /// A new challenge.
    pub fn challenge(
        &self,
        caller: &Caller,
        purpose: &Purpose,
    ) -> Result<IssuedChallenge, Refusal> {
        if let Purpose::Release { key } = purpose {
            source::check(key)?;
        }
        self.parts.challenges.issue(&caller.tenant, purpose, self.parts.clock.now())
    }

    /// Evidence in, attestation result out. The result may be less than affirming: it says so.
    pub async fn attest(
        &self,
        caller: &Caller,
        submission: Submission,
        wanted: Wanted,
    ) -> Result<Attested, Refusal> {
        let plugins = self.parts.catalogue.plugins();
        let appraised = self.judge(caller, &Purpose::Attestation, submission, &plugins).await?;
        let jti = self.parts.identifier()?;
        let minted = self.parts.tokens.for_client(&appraised, &jti, wanted)?;
        let entry = record::of(Event::Attested, caller, &appraised).token(jti);
        let audit_index = append(&self.parts.audit, &entry).await?;
        Ok(Attested {
            token: minted.token,
            expires: minted.expires,
            status: appraised.status().name(),
            simulated: appraised.occasion.simulated,
            audit_index,
        })
    }

    /// Evidence in, key out: attestation and release in one call.
    pub async fn release_with_evidence(
        &self,
        caller: &Caller,
        key: &str,
        version: Option<&str>,
        submission: Submission,
    ) -> Result<ReleasedKey, Refusal> {
        source::check(key)?;
        let purpose = Purpose::Release { key: key.to_owned() };
        let evidence = submission.evidence.clone();
        // Verifier and connector are of one moment, whatever is swapped meanwhile.
        let plugins = self.parts.catalogue.plugins();
        let appraised = self.judge(caller, &purpose, submission, &plugins).await?;
        let basis = Basis::Own(Box::new(appraised));
        let asked = Asked { evidence: Some(evidence), ..Asked::of(key, version) };
        self.release(caller, basis, asked, &plugins).await
    }

    /// Attestation result in, key out. Everything that may have changed since is asked again.
    pub async fn release_with_token(
        &self,
        caller: &Caller,
        key: &str,
        version: Option<&str>,
        token: &str,
    ) -> Result<ReleasedKey, Refusal> {
        let now = self.parts.clock.now();
        let plugins = self.parts.catalogue.plugins();
        let asked = Asked::of(key, version);
        if let Some(issuer) = self.parts.issuers.of_token(token) {
            source::check(key)?;
            let vouched = Vouched::check(issuer, &caller.tenant, token, now).await?;
            step(caller, "vouched");
            let basis = Basis::Foreign(Box::new(vouched));
            return self.release(caller, basis, asked, &plugins).await;
        }
        let appraiser = &self.parts.appraiser;
        let references = self.parts.reference_values(&caller.tenant).await?;
        let tokens = &self.parts.tokens;
        let appraised = tokens.appraise(&caller.tenant, token, now, appraiser, references)?;
        self.still_stands(&appraised, &plugins, now)?;
        let basis = Basis::Own(Box::new(appraised));
        self.release(caller, basis, asked, &plugins).await
    }

    /// What a token says was true when it was made. A verifier that was taken out since, simulated
    /// hardware that is not accepted any more, and revocation that was waived then take their tokens
    /// along: the host that made them over the same store may have been configured otherwise. (A
    /// verifier that was swapped is believed until its last token is over, unless it was revoked.)
    pub(super) fn still_stands(
        &self,
        appraised: &Appraised,
        plugins: &Plugins,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let occasion = &appraised.occasion;
        let invalid = |reason: String| Err(Refusal::new(Code::TokenInvalid, reason));
        if occasion.purpose != Purpose::Attestation.label() {
            return invalid(format!("the evidence behind it was made for {}", occasion.purpose));
        }
        let authority = &self.parts.authority;
        if occasion.simulated && !authority.simulated() {
            let reason = "the token rests on simulated hardware, which is not accepted here";
            return Err(Refusal::new(Code::EvidenceUntrusted, reason));
        }
        let waived = |fact: &Claim| {
            fact.name.ends_with(".revocation") && fact.value != Value::Text("checked".to_owned())
        };
        let mut facts = appraised.parts().flat_map(|part| part.subject.facts.iter());
        if authority.requires_revocation() && facts.any(waived) {
            let reason = "the token is from when revocation was waived, which is required here";
            return Err(Refusal::new(Code::EndorsementsUnavailable, reason));
        }
        for part in appraised.parts() {
            let VerifierIdentity { name, digest } = &part.subject.verifier;
            if !plugins.vouches(name, digest, now) {
                return invalid(format!("its verifier {name} serves no more"));
            }
        }
        Ok(())
    }

    /// The public keys that tokens are signed with (RFC 7517).
    #[must_use]
    pub fn jwks(&self) -> Json {
        self.parts.tokens.keyring.keys().jwks(self.parts.clock.now())
    }

    /// What an OpenID client wants to know of the issuer (OpenID Connect Discovery 1.0, section 3),
    /// as far as it can be said of a host that logs nobody in.
    #[must_use]
    pub fn discovery(&self) -> Json {
        self.parts.tokens.discovery(self.parts.clock.now())
    }

    /// Every plugin and its state.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginSummary> {
        self.parts.catalogue.plugins().entries().map(summary).collect()
    }

    /// Whether keys can be released now.
    pub async fn health(&self) -> Health {
        let kms = match self.kms() {
            Err(_) => "disabled",
            Ok(kms) => match kms.health(&Tenant::default()).await {
                Ok(()) => "ok",
                Err(failure) => {
                    tracing::warn!(kms = kms.name(), %failure, "the connector is not healthy");
                    "failed"
                }
            },
        };
        let audit = if self.parts.audit.check().is_ok() { "ok" } else { "failed" };
        let healthy = kms == "ok" && audit == "ok";
        let parts = vec![("audit", audit.to_owned()), ("kms", kms.to_owned())];
        Health { healthy, development: self.parts.development, parts }
    }

    /// The newest signed checkpoint of the audit log.
    #[must_use]
    pub fn audit_checkpoint(&self) -> String {
        self.parts.audit.newest_checkpoint()
    }

    /// Ends the audit log in order: what is written is durable and covered by a checkpoint.
    pub async fn close(&self) -> Result<(), Refusal> {
        let closed = self.parts.audit.close().await;
        closed.map_err(|error| Refusal::new(Code::AuditUnavailable, error.to_string()))
    }

    /// Challenge → evidence → binding → judgement.
    async fn judge(
        &self,
        caller: &Caller,
        purpose: &Purpose,
        submission: Submission,
        plugins: &Plugins,
    ) -> Result<Appraised, Refusal> {
        let Submission { challenge, evidence, companions, recipient } = submission;
        // What costs nothing to refuse is refused before the challenge is spent.
        let recipient = RecipientKey::from_jwk(&recipient).map_err(|error| {
            let explanation = Explanation::of("recipient").seen(error.to_string());
            Refusal::new(Code::RecipientKeyInvalid, error.to_string())
                .explain(explanation.wanted("a public key that can be wrapped to"))
        })?;
        let verifier = verifier_of(plugins, &evidence)?;
        let named = companions::named(&evidence, &companions)?;
        let accompanying = companions
            .into_iter()
            .zip(named)
            .map(|(evidence, named)| Ok((verifier_of(plugins, &evidence)?, evidence, named)))
            .collect::<Result<Vec<_>, Refusal>>()?;
        let told: Vec<_> = accompanying
            .iter()
            .map(|(verifier, _, named)| record::came_along(verifier, named))
            .collect();
        let now = self.parts.clock.now();
        let fresh = self.parts.challenges.spend(&caller.tenant, purpose, &challenge, now)?;
        step(caller, "fresh");
        // Whatever becomes of it from here on is recorded: a verifier that has turned hostile shows
        // in what it refuses and in what it is not believed.
        let digest = Digest::of(&evidence.data);
        let (nonce, thumbprint) = (*fresh.nonce(), recipient.thumbprint());
        let judged = async {
            let authority = Arc::clone(&self.parts.authority);
            let endorsements = self.parts.endorsements.as_ref();
            let mut genuine = fresh
                .verify(&verifier, Arc::clone(&authority), endorsements, evidence, digest)
                .await?;
            for (verifier, evidence, named) in accompanying {
                let authority = Arc::clone(&authority);
                genuine = genuine
                    .accompanied(named, &verifier, authority, endorsements, evidence)
                    .await?;
            }
            step(caller, "genuine");
            let bound = genuine.bind(recipient)?;
            step(caller, "bound");
            self.appraise(bound).await
        };
        let appraised = match judged.await {
            Ok(appraised) => appraised,
            Err(refusal) => {
                let entry = record::plain(Event::Refused, caller, now)
                    .tee(verifier.description().tee.as_str())
                    .recipient(&thumbprint)
                    .challenge(Digest::of(&nonce))
                    .freshness(Freshness::Challenge.name())
                    .evidence(digest)
                    .verifier(verifier.name(), verifier.digest())
                    .companions(told)
                    .refusal(&refusal);
                append(&self.parts.audit, &entry).await?;
                return Err(refusal);
            }
        };
        step(caller, "appraised");
        if appraised.status() != Status::Affirming {
            tracing::info!(request = caller.request_id, why = appraised.why(), "not affirming");
        }
        Ok(appraised)
    }

    /// A chip that shows new firmware is written down, which waits for the disk: not here.
    async fn appraise(&self, bound: Bound) -> Result<Appraised, Refusal> {
        let references = self.parts.reference_values(bound.fresh.tenant()).await?;
        if let Some(appraisals) = bound.appraise_from_memory(&self.parts.appraiser, &references)? {
            return bound.appraised(appraisals, references);
        }
        let parts = Arc::clone(&self.parts);
        waiting(move || bound.appraise(&parts.appraiser, references)).await
    }

    /// Permission → record → key. A refusal of genuine evidence is recorded too.
    pub(super) async fn release(
        &self,
        caller: &Caller,
        basis: Basis,
        asked: Asked<'_>,
        plugins: &Plugins,
    ) -> Result<ReleasedKey, Refusal> {
        let Asked { key, version, .. } = asked;
        let principal = asked.principal;
        let (source, name) = source::of(plugins, key)?;
        let basis = Arc::new(basis);
        let released = async {
            let permitted = Arc::clone(&basis).permit(&self.parts, source, name, version)?;
            step(caller, "permitted");
            let recorded = permitted.record(caller, &self.parts, asked).await?;
            step(caller, "recorded");
            Ok::<_, Refusal>(recorded.release())
        };
        match released.await {
            Ok(released) => Ok(released),
            Err(refusal) if refusal.code == Code::AuditUnavailable => Err(refusal),
            Err(refusal) => {
                let mut entry = basis.record(Event::Refused, caller).key(key).refusal(&refusal);
                if let Some(principal) = principal {
                    entry = entry.principal(principal);
                }
                append(&self.parts.audit, &entry).await?;
                Err(refusal)
            }
        }
    }

    /// The connector that holds the keys now.
    pub(super) fn kms(&self) -> Result<Arc<KmsPlugin>, Refusal> {
        source::connector(&self.parts.catalogue.plugins())
    }
}

/// What is to be released, and how.
pub(super) struct Asked<'a> {
    pub(super) key: &'a str,
    pub(super) version: Option<&'a str>,
    /// Where the release came with it.
    pub(super) evidence: Option<Evidence>,
    /// Who asks, where the front door knows him.
    pub(super) principal: Option<&'a str>,
    /// What the key is wrapped as.
    pub(super) form: WrapForm,
}

impl<'a> Asked<'a> {
    /// A key as a JWE, for somebody who shows no more than evidence or a token.
    pub(super) fn of(key: &'a str, version: Option<&'a str>) -> Self {
        Self { key, version, evidence: None, principal: None, form: WrapForm::Jwe }
    }
}

pub(super) fn verifier_of(
    plugins: &Plugins,
    evidence: &Evidence,
) -> Result<Arc<VerifierPlugin>, Refusal> {
    plugins.of_tee(&evidence.tee).cloned().ok_or_else(|| {
        let reason = format!("no verifier for {:?}", evidence.tee);
        Refusal::new(Code::EvidenceUnsupported, reason)
    })
}

/// One line per step: what an operator sees when a request does not get as far as it should.
pub(super) fn step(caller: &Caller, reached: &'static str) {
    tracing::debug!(request = caller.request_id, step = reached, "reached");
}

pub(super) fn summary(entry: Entry) -> PluginSummary {
    let Entry { name, kind, version, digest, imports, reads_key_material, source, signers, state } =
        entry;
    PluginSummary {
        name,
        kind: kind.name(),
        version,
        digest,
        source: source.name(),
        signers,
        imports,
        reads_key_material,
        state: state.name(),
        reason: match state {
            State::Refused(why) => Some(why),
            State::Checked | State::Draining | State::Serving => None,
        },
    }
}
