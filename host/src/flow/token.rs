//! The attestation result as a token: an EAR (draft-ietf-rats-ear-04) that names the recipient
//! key, so that whoever steals it gets nothing that they can open; and back again.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value as Json, json};

use super::appraise::{Appraised, Subject};
use super::gate::VerifierIdentity;
use crate::appraisal::{Appraiser, Vector};
use crate::claim::{Claim, Value};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::keys::{Expected, RecipientKey, TYP_EAT, TokenError, TokenKeys};
use crate::reference::Snapshot;
use crate::tenant::Tenant;

const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";
const DEVELOPER: &str = "https://claviger.example";

/// Makes tokens and takes them back.
pub struct Tokens {
    /// Signing keys, the present one and those still accepted.
    pub keys: TokenKeys,
    /// `iss`, and the address of this host's key set.
    pub issuer: String,
    /// How long a token is good, in seconds, at most.
    pub lifetime: u64,
}

/// A token that was made, and until when it is good.
pub(super) struct Minted {
    pub(super) token: String,
    pub(super) expires: Timestamp,
}

impl Tokens {
    /// The audience of what clients get: this host, for this tenant.
    fn audience(&self, tenant: &Tenant) -> String {
        format!("{}/t/{tenant}", self.issuer)
    }

    /// For a client, which may come back with it.
    pub(super) fn for_client(&self, appraised: &Appraised, jti: &str) -> Result<Minted, Refusal> {
        self.mint(appraised, jti, &self.audience(&appraised.tenant))
    }

    /// For a connector's key management service. Its audience is another: what a connector gets to
    /// see releases nothing here.
    pub(super) fn for_connector(
        &self,
        appraised: &Appraised,
        jti: &str,
        connector: &str,
    ) -> Result<Minted, Refusal> {
        let audience = format!("{}/kms/{connector}", self.audience(&appraised.tenant));
        self.mint(appraised, jti, &audience)
    }

    /// What a token for a client says, `jti` aside: the document that release policies judge.
    pub(super) fn claims_of(&self, appraised: &Appraised) -> Result<Json, Refusal> {
        self.claims(appraised, &self.audience(&appraised.tenant))
    }

    /// Signs the result of an appraisal.
    fn mint(&self, appraised: &Appraised, jti: &str, audience: &str) -> Result<Minted, Refusal> {
        let mut claims = self.claims(appraised, audience)?;
        if let Some(claims) = claims.as_object_mut() {
            claims.insert("jti".to_owned(), jti.into());
        }
        let token = self
            .keys
            .sign(&claims, TYP_EAT)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        Ok(Minted { token, expires: self.expires(appraised) })
    }

    /// A token is never good for longer than what it rests on.
    fn expires(&self, appraised: &Appraised) -> Timestamp {
        appraised.at.plus(self.lifetime).min(appraised.subject.expires)
    }

    fn claims(&self, appraised: &Appraised, audience: &str) -> Result<Json, Refusal> {
        let subject = &appraised.subject;
        Ok(json!({
            "eat_profile": PROFILE,
            "iss": self.issuer,
            "aud": audience,
            "iat": appraised.at,
            "exp": self.expires(appraised),
            "eat_nonce": BASE64URL_NOPAD.encode(&subject.nonce),
            "cnf": { "jwk": appraised.recipient.jwk() },
            "ear_verifier_id": { "developer": DEVELOPER, "build": concat!("claviger ", env!("CARGO_PKG_VERSION")) },
            "submods": { &appraised.appraisal.tee: {
                "ear_status": appraised.appraisal.status,
                "ear_trustworthiness_vector": appraised.appraisal.vector,
                "ear_appraisal_policy_ids": [appraised.appraisal.policy.as_str()],
                "ear_attester_claims": object(&subject.facts)?,
                "ear_verifier_claims": object(&subject.claims)?,
            } },
            "claviger": {
                "purpose": subject.purpose,
                "simulated": subject.simulated,
                "evidence_expires": subject.expires,
                "verifier": { "name": subject.verifier.name, "digest": subject.verifier.digest },
                "verifier_vector": subject.vector,
                "trust_path": subject.path,
            },
        }))
    }

    /// Takes a token of this host back and judges what it says by the policies of now.
    pub(super) fn appraise(
        &self,
        tenant: &Tenant,
        token: &str,
        now: Timestamp,
        appraiser: &Appraiser,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let audience = self.audience(tenant);
        let expected =
            Expected { issuer: &self.issuer, audience: &audience, typ: TYP_EAT, at: now, skew: 0 };
        let claims = self.keys.verify(token, &expected).map_err(refuse)?;
        // Its signature says that this host wrote it; what cannot be read back is a fault of ours.
        let (recipient, tee, subject) = read(&claims).ok_or_else(|| {
            Refusal::new(Code::TokenInvalid, "the token lacks a claim that this version writes")
        })?;
        if now >= subject.expires {
            let reason = format!("the evidence behind the token expired at {}", subject.expires);
            return Err(Refusal::new(Code::TokenExpired, reason));
        }
        let vector = subject.vector.clone();
        let appraisal = appraiser.appraise(&tee, &subject.facts, vector, &references)?;
        let tenant = tenant.clone();
        Ok(Appraised { tenant, at: now, recipient, subject, appraisal, references })
    }
}

fn refuse(error: TokenError) -> Refusal {
    let code = match error {
        TokenError::Expired => Code::TokenExpired,
        _ => Code::TokenInvalid,
    };
    Refusal::new(code, format!("token: {error}"))
}

/// A member for each claim. One that stands twice, or that JSON cannot hold, makes no token: what is
/// read back must be what was judged.
fn object(claims: &[Claim]) -> Result<Map<String, Json>, Refusal> {
    let mut object = Map::new();
    for claim in claims {
        let value = serde_json::to_value(&claim.value)
            .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        if object.insert(claim.name.to_string(), value).is_some() {
            let reason = format!("the claim {:?} stands twice", claim.name);
            return Err(Refusal::new(Code::Internal, reason));
        }
    }
    Ok(object)
}

fn claims(object: &Map<String, Json>) -> Option<Vec<Claim>> {
    let claim =
        |(name, value): (&String, &Json)| Some(Claim::new(name.clone(), Value::from_json(value)?));
    object.iter().map(claim).collect()
}

fn read(token: &Map<String, Json>) -> Option<(RecipientKey, String, Subject)> {
    let recipient = RecipientKey::from_jwk(token.get("cnf")?.get("jwk")?).ok()?;
    let mut submods = token.get("submods")?.as_object()?.iter();
    let (tee, submod) = submods.next()?;
    if submods.next().is_some() {
        return None;
    }
    let own = token.get("claviger")?;
    let verifier = own.get("verifier")?;
    let text = |value: &Json, name: &str| value.get(name)?.as_str().map(ToOwned::to_owned);
    let nonce = BASE64URL_NOPAD.decode(token.get("eat_nonce")?.as_str()?.as_bytes()).ok()?;
    let path = own.get("trust_path")?.as_array()?.iter();
    let path = path.map(|step| step.as_str().map(ToOwned::to_owned));
    let subject = Subject {
        nonce: nonce.try_into().ok()?,
        purpose: text(own, "purpose")?,
        token: token.get("jti")?.as_str().map(ToOwned::to_owned),
        facts: claims(submod.get("ear_attester_claims")?.as_object()?)?.into(),
        claims: claims(submod.get("ear_verifier_claims")?.as_object()?)?,
        vector: Vector::from_json(own.get("verifier_vector")?.as_object()?)?,
        verifier: VerifierIdentity {
            name: text(verifier, "name")?,
            digest: text(verifier, "digest")?,
        },
        simulated: own.get("simulated")?.as_bool()?,
        expires: Timestamp(own.get("evidence_expires")?.as_u64()?),
        path: path.collect::<Option<_>>()?,
        evidence: None,
    };
    Some((recipient, tee.clone(), subject))
}
