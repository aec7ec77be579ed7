//! The attestation result as a token that names the recipient key, so that whoever steals it gets
//! nothing that they can open; and back again.

use std::borrow::Cow;
use std::sync::Arc;

use super::appraise::{Appraised, Occasion, Part, Subject};
use super::challenge::Freshness;
use super::companions;
use super::gate::VerifierIdentity;
use super::keyring::Keyring;
use super::request::Wanted;
use crate::appraisal::{Appraiser, Case};
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::json::{self, Limits};
use crate::keys::{Expected, RecipientKey, TYP_EAT, TokenAlgorithm, TokenError};
use crate::reference::Snapshot;
use crate::result::{
    Accompanying, ClaimMap, Confirmation, Ear, Form, Identifier, Nonce, Own, Profile, Submod, Tier,
    TrustVector, Unreadable, VerifierId, VerifierModule,
};
use crate::tenant::Tenant;
use data_encoding::BASE64URL_NOPAD;

const DEVELOPER: &str = "https://claviger.example";
const BUILD: &str = concat!("claviger ", env!("CARGO_PKG_VERSION"));

/// Makes tokens and takes them back.
pub struct Tokens {
    /// Signing keys, the present one and those still accepted.
    pub keyring: Keyring,
    /// `iss`, and the address of this host's key set.
    pub issuer: String,
    /// How long a token is good, in seconds, at most.
    pub lifetime: u64,
    /// What the operator chose besides.
    pub settings: TokenSettings,
}

/// What an operator may choose of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenSettings {
    /// How they are signed.
    pub algorithm: TokenAlgorithm,
    /// Whether every token has the custody operations that it rests on, not only where a client asks.
    pub trust_path: bool,
    /// From this age on, in seconds, a signing key is replaced; none: only by hand.
    pub rotation: Option<u64>,
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
    pub(super) fn for_client(
        &self,
        appraised: &Appraised,
        jti: &str,
        wanted: Wanted,
    ) -> Result<Minted, Refusal> {
        let expires = self.expires(appraised);
        self.mint(appraised, jti, &self.audience(&appraised.tenant), wanted, expires)
    }

    /// For the token of another form that this host issues: what a release by that one judges anew. That one's
    /// signature is its own, so that by itself it is nothing. It names the key that signs results now, and
    /// stands no longer than that is believed: whoever revokes the one revokes the other. The keyring must
    /// have promised to believe it for as long as the token is good (see [`Keyring::promise`]). The key's name
    /// and the claims, in base64url, with a dot between them.
    pub(super) fn for_service(
        &self,
        appraised: &Appraised,
        jti: &str,
        expires: Timestamp,
    ) -> Result<String, Refusal> {
        let expires = expires.min(appraised.occasion.expires);
        let audience = self.service_audience(&appraised.tenant);
        let ear = Ear { expires, ..self.ear(appraised, jti, &audience, self.settings.trust_path) };
        let claims = serde_json::to_vec(&ear).map_err(unmade)?;
        Ok(format!("{}.{}", self.keyring.keys().kid(), BASE64URL_NOPAD.encode(&claims)))
    }

    fn service_audience(&self, tenant: &Tenant) -> String {
        format!("{}/azure", self.audience(tenant))
    }

    /// Takes such a one back, out of a token whose signature was checked.
    pub(super) fn appraise_for_service(
        &self,
        tenant: &Tenant,
        held: &str,
        now: Timestamp,
        appraiser: &Appraiser,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let audience = &self.service_audience(tenant);
        let expected = Expected { issuer: &self.issuer, audience, typ: TYP_EAT, at: now, skew: 0 };
        let refuse = |error| refuse(error, &expected, None);
        let (key, claims) = held.split_once('.').ok_or_else(|| refuse(TokenError::Malformed))?;
        if !self.keyring.keys().believes(key, now) {
            return Err(refuse(TokenError::UnknownKey));
        }
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes());
        let claims = claims.map_err(|_| refuse(TokenError::Malformed))?;
        // This host wrote it, and its service signed it: the strict look at a text's shape is for what others
        // write.
        let ear: Ear<'static> =
            serde_json::from_slice(&claims).map_err(|_| refuse(TokenError::Malformed))?;
        expected.check_read(&ear.issuer, &ear.audience, ear.issued, ear.expires).map_err(refuse)?;
        self.judge_again(tenant, ear, now, appraiser, references)
    }

    /// For a connector's key management service. Its audience is another: what a connector gets to
    /// see releases nothing here. An RSA recipient stands also where Azure Key Vault looks for the key
    /// that it wraps to (`x-ms-runtime.keys`). With `held`, a key of the host's own stands in the
    /// recipient's place, and the recipient's thumbprint in `claviger.held_for`.
    pub(super) fn for_connector(
        &self,
        appraised: &Appraised,
        jti: &str,
        connector: &str,
        held: Option<&RecipientKey>,
    ) -> Result<Minted, Refusal> {
        let audience = format!("{}/kms/{connector}", self.audience(&appraised.tenant));
        let ear = self.ear(appraised, jti, &audience, self.settings.trust_path);
        let mut claims = serde_json::to_value(&ear).map_err(unmade)?;
        let recipient = held.unwrap_or(&appraised.recipient);
        if let (Some(_), Some(claims)) = (held, claims.as_object_mut()) {
            let held_for = appraised.recipient.kid();
            claims.insert("cnf".to_owned(), serde_json::json!({ "jwk": recipient.jwk() }));
            let own = claims.get_mut("claviger").and_then(serde_json::Value::as_object_mut);
            own.map(|own| own.insert("held_for".to_owned(), held_for.into()));
        }
        if let (Some(claims), Some("RSA")) =
            (claims.as_object_mut(), recipient.jwk().get("kty").and_then(|kind| kind.as_str()))
        {
            let mut key = recipient.jwk().clone();
            if let Some(key) = key.as_object_mut() {
                key.insert("kid".to_owned(), recipient.kid().into());
                key.insert("key_ops".to_owned(), serde_json::json!(["encrypt"]));
            }
            claims.insert("x-ms-runtime".to_owned(), serde_json::json!({ "keys": [key] }));
        }
        let token = self.keyring.keys().sign(&claims, TYP_EAT).map_err(unmade)?;
        Ok(Minted { token, expires: ear.expires })
    }

    /// What a token for a client says, `jti` aside, for no token is made: the document that release
    /// policies judge.
    pub(super) fn claims_of(&self, appraised: &Appraised) -> Result<serde_json::Value, Refusal> {
        let audience = self.audience(&appraised.tenant);
        let mut claims =
            serde_json::to_value(self.ear(appraised, "", &audience, true)).map_err(unmade)?;
        if let Some(claims) = claims.as_object_mut() {
            claims.remove("jti");
        }
        Ok(claims)
    }

    /// Signs the result of an appraisal.
    fn mint(
        &self,
        appraised: &Appraised,
        jti: &str,
        audience: &str,
        wanted: Wanted,
        expires: Timestamp,
    ) -> Result<Minted, Refusal> {
        let path = wanted.trust_path || self.settings.trust_path;
        let ear = Ear { expires, ..self.ear(appraised, jti, audience, path) };
        let keys = self.keyring.keys();
        let token = match wanted.form {
            Form::Jwt => keys.sign(&ear, TYP_EAT).map_err(unmade)?,
            Form::Cwt => {
                let claims = ear.to_cbor().map_err(unmade)?;
                BASE64URL_NOPAD.encode(&keys.sign_cwt(claims).map_err(unmade)?)
            }
        };
        Ok(Minted { token, expires: ear.expires })
    }

    /// Until when a token is good: never for longer than what it rests on.
    fn expires(&self, appraised: &Appraised) -> Timestamp {
        appraised.at.plus(self.lifetime).min(appraised.occasion.expires)
    }

    /// The result.
    fn ear<'a>(
        &'a self,
        appraised: &'a Appraised,
        jti: &'a str,
        audience: &'a str,
        path: bool,
    ) -> Ear<'a> {
        let Appraised { occasion, main, companions, .. } = appraised;
        let subject = &main.subject;
        let tees = appraised.parts().map(|part| part.appraisal.tee.as_str());
        let names = companions::submods(tees);
        let accompanying =
            companions.iter().zip(names.iter().skip(1)).map(|(part, name)| Accompanying {
                submod: Cow::Owned(name.clone()),
                tee: Cow::Borrowed(part.appraisal.tee.as_str()),
                verifier: module(&part.subject),
                verifier_vector: TrustVector(part.subject.vector.clone()),
                trust_path: path.then_some(Cow::Borrowed(&*part.subject.path)),
            });
        let accompanying: Vec<_> = accompanying.collect();
        let submods = names.into_iter().map(Cow::Owned).zip(appraised.parts().map(submod));
        Ear {
            profile: Profile,
            issuer: Cow::Borrowed(&self.issuer),
            audience: Cow::Borrowed(audience),
            issued: appraised.at,
            expires: self.expires(appraised),
            id: Identifier(Cow::Borrowed(jti)),
            nonce: Nonce(occasion.nonce),
            recipient: Confirmation(Cow::Borrowed(appraised.recipient.jwk())),
            verifier: VerifierId { developer: DEVELOPER.into(), build: BUILD.into() },
            submods: submods.collect(),
            own: Own {
                purpose: Cow::Borrowed(&occasion.purpose),
                freshness: Cow::Borrowed(occasion.freshness.name()),
                simulated: occasion.simulated,
                evidence_expires: occasion.expires,
                verifier: module(subject),
                verifier_vector: TrustVector(subject.vector.clone()),
                trust_path: path.then_some(Cow::Borrowed(&*subject.path)),
                companions: (!accompanying.is_empty()).then_some(accompanying),
            },
        }
    }

    /// See [`super::Host::discovery`]. Algorithms are those of the keys that are believed now.
    pub(super) fn discovery(&self, now: Timestamp) -> serde_json::Value {
        let mut algorithms: Vec<_> =
            self.keyring.keys().summaries(now).iter().map(|key| key.algorithm.name()).collect();
        algorithms.sort_unstable();
        algorithms.dedup();
        serde_json::json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/.well-known/jwks.json", self.issuer.trim_end_matches('/')),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
            "claims_supported": [
                "iss", "aud", "exp", "iat", "jti", "cnf", "eat_nonce", "eat_profile", "submods",
                "ear_verifier_id", "claviger",
            ],
        })
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
        let ear = self.read(&self.audience(tenant), token, now)?;
        self.judge_again(tenant, ear, now, appraiser, references)
    }

    fn judge_again(
        &self,
        tenant: &Tenant,
        ear: Ear<'static>,
        now: Timestamp,
        appraiser: &Appraiser,
        references: Arc<Snapshot>,
    ) -> Result<Appraised, Refusal> {
        let Understood { recipient, occasion, main, companions } =
            understand(ear).ok_or_else(|| {
                Refusal::new(Code::TokenInvalid, "the token does not say what this version writes")
            })?;
        if now >= occasion.expires {
            let reason = format!("the evidence behind the token expired at {}", occasion.expires);
            return Err(Refusal::new(Code::TokenExpired, reason));
        }
        let judge = |(tee, subject): (String, Subject)| {
            let case = Case {
                tee: &tee,
                facts: &subject.facts,
                claims: &subject.claims,
                vector: &subject.vector,
                verifier: (&subject.verifier.name, &subject.verifier.digest),
                simulated: occasion.simulated,
                expires: occasion.expires,
                at: now,
            };
            let appraisal = appraiser.appraise(&case, &references)?;
            Ok(Part { subject, appraisal })
        };
        let main = judge(main)?;
        let companions = companions.into_iter().map(judge).collect::<Result<_, Refusal>>()?;
        let tenant = tenant.clone();
        Ok(Appraised { tenant, at: now, recipient, occasion, main, companions, references })
    }

    /// Checks a token and reads it. A JWT has dots; a CWT is the base64url of its bytes.
    fn read(&self, audience: &str, token: &str, now: Timestamp) -> Result<Ear<'static>, Refusal> {
        let expected = Expected { issuer: &self.issuer, audience, typ: TYP_EAT, at: now, skew: 0 };
        let keys = self.keyring.keys();
        if token.contains('.') {
            let claims = keys.verify(token, &expected);
            let claims = claims.map_err(|error| {
                let seen = said(token, &error);
                refuse(error, &expected, seen)
            });
            return Ear::from_json(claims?).map_err(unread);
        }
        let refuse = |error| refuse(error, &expected, None);
        let token = BASE64URL_NOPAD.decode(token.as_bytes());
        let token = token.map_err(|_| refuse(TokenError::Malformed))?;
        let claims = keys.verify_cwt(&token, now).map_err(refuse)?;
        let ear = Ear::from_cbor(&claims).map_err(unread)?;
        expected.check_read(&ear.issuer, &ear.audience, ear.issued, ear.expires).map_err(refuse)?;
        Ok(ear)
    }
}

/// What stands in a JWT at the place that was refused.
fn said(token: &str, error: &TokenError) -> Option<String> {
    let (part, name) = match error {
        TokenError::Claim(name) => (1, *name),
        TokenError::Expired => (1, "exp"),
        TokenError::NotYetValid => (1, "iat"),
        TokenError::Algorithm => (0, "alg"),
        TokenError::Type => (0, "typ"),
        TokenError::UnknownKey => (0, "kid"),
        _ => return None,
    };
    let part = BASE64URL_NOPAD.decode(token.split('.').nth(part)?.as_bytes()).ok()?;
    let members: serde_json::Map<String, serde_json::Value> =
        json::parse(&part, Limits::TOKEN).ok()?;
    Some(members.get(name).map_or_else(|| "nothing".to_owned(), ToString::to_string))
}

fn refuse(error: TokenError, expected: &Expected<'_>, seen: Option<String>) -> Refusal {
    let code = match error {
        TokenError::Expired => Code::TokenExpired,
        _ => Code::TokenInvalid,
    };
    let (check, wanted) = match &error {
        TokenError::Claim("iss") => ("token.iss", expected.issuer.to_owned()),
        TokenError::Claim("aud") => ("token.aud", expected.audience.to_owned()),
        TokenError::Claim(_) | TokenError::Claims(_) => {
            ("token.claims", "the claims that this host writes".to_owned())
        }
        TokenError::Expired => ("token.exp", format!("a moment after {}", expected.at)),
        TokenError::NotYetValid => ("token.iat", format!("a moment before {}", expected.at)),
        TokenError::Signature => ("token.signature", "a signature by the key it names".to_owned()),
        TokenError::UnknownKey => ("token.kid", "a key of this host that is believed".to_owned()),
        _ => ("token.header", format!("a token of type {} as this host writes it", expected.typ)),
    };
    let seen = seen.unwrap_or_else(|| error.to_string());
    let explanation = Explanation::of(check).seen(seen).wanted(wanted);
    Refusal::new(code, format!("token: {error}")).explain(explanation)
}

/// Its signature says that this host wrote it; what cannot be read back is a fault of ours.
fn unread(error: Unreadable) -> Refusal {
    let explanation = Explanation::of("token.claims")
        .seen(error.to_string())
        .wanted("the claims that this host writes");
    let reason = format!("token: its claims cannot be read: {error}");
    Refusal::new(Code::TokenInvalid, reason).explain(explanation)
}

fn unmade(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Code::Internal, error.to_string())
}

fn module(subject: &Subject) -> VerifierModule<'_> {
    VerifierModule {
        name: Cow::Borrowed(&subject.verifier.name),
        digest: Cow::Borrowed(&subject.verifier.digest),
    }
}

fn submod(part: &Part) -> Submod<'_> {
    let Part { subject, appraisal } = part;
    Submod {
        status: Tier(appraisal.status),
        vector: TrustVector(appraisal.vector.clone()),
        policies: vec![Cow::Borrowed(appraisal.policy.as_str())],
        facts: ClaimMap(Cow::Borrowed(&*subject.facts)),
        claims: ClaimMap(Cow::Borrowed(&subject.claims)),
    }
}

/// What was judged, out of a token: each attester by its kind.
struct Understood {
    recipient: RecipientKey,
    occasion: Occasion,
    main: (String, Subject),
    companions: Vec<(String, Subject)>,
}

/// None where the submodules are not those of one main attester and those that it names, or where the
/// token names no recipient key that could be wrapped to.
fn understand(ear: Ear<'static>) -> Option<Understood> {
    let recipient = RecipientKey::from_jwk(&ear.recipient.0).ok()?;
    let (mut submods, own) = (ear.submods, ear.own);
    let mut companions = Vec::new();
    for said in own.companions.unwrap_or_default() {
        let submod = submods.remove(&said.submod)?;
        let subject = subject(submod, said.verifier, said.verifier_vector, said.trust_path);
        companions.push((said.tee.into_owned(), subject));
    }
    let (tee, submod) = submods.pop_first()?;
    if !submods.is_empty() {
        return None;
    }
    let main = subject(submod, own.verifier, own.verifier_vector, own.trust_path);
    let occasion = Occasion {
        nonce: ear.nonce.0,
        freshness: Freshness::named(&own.freshness)?,
        purpose: own.purpose.into_owned(),
        token: Some(ear.id.0.into_owned()),
        simulated: own.simulated,
        expires: own.evidence_expires,
    };
    Some(Understood { recipient, occasion, main: (tee.into_owned(), main), companions })
}

fn subject(
    submod: Submod<'static>,
    verifier: VerifierModule<'static>,
    vector: TrustVector,
    path: Option<Cow<'static, [String]>>,
) -> Subject {
    Subject {
        facts: submod.facts.0.into_owned().into(),
        claims: submod.claims.0.into_owned(),
        vector: vector.0,
        verifier: VerifierIdentity {
            name: verifier.name.into_owned(),
            digest: verifier.digest.into_owned(),
        },
        path: path.map(Cow::into_owned).unwrap_or_default(),
        evidence: None,
    }
}
