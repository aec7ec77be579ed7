//! The body of a token. What the host says stands where the service has it; a policy adds, and replaces
//! nothing.

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Map, Value as Json, json};

use super::claims::held_data;
use super::request::{AttestationKind, AttestationRules, MaaFailure, RuntimeData};
use super::witness::Witnessed;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::challenge::Freshness;
use crate::policy::maa::{MaaFault, MaaPolicy, Outcome, Place, Value};
use crate::random::Random;

/// What only the host says, present or not: a policy that issues one of these is refused. The first kind
/// by name, the second by its beginning.
const RESERVED: &[&str] = &[
    "aud",
    "cnf",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "secureboot",
    "sub",
    "x-ms-attestation-type",
];
const RESERVED_PREFIXES: &[&str] = &[
    "tdx_",
    "x-claviger-",
    "x-ms-azurevm-",
    "x-ms-compliance-status",
    "x-ms-inittime",
    "x-ms-isolation-tee",
    "x-ms-policy",
    "x-ms-runtime",
    "x-ms-sevsnpvm-",
    "x-ms-sgx-",
    "x-ms-ver",
];

/// Everything that a token says.
pub(super) struct Body<'a> {
    pub(super) kind: AttestationKind,
    pub(super) url: &'a str,
    pub(super) jti: &'a str,
    pub(super) at: Timestamp,
    pub(super) expires: Timestamp,
    pub(super) nonce: Option<&'a str>,
    pub(super) policy: &'a MaaPolicy,
    pub(super) signer: Option<&'a Json>,
    pub(super) witnessed: &'a Witnessed,
    pub(super) runtime: &'a RuntimeData,
    pub(super) initial: Option<&'a RuntimeData>,
    pub(super) claims: Map<String, Json>,
    pub(super) outcome: Outcome,
}

/// The claims of a token, and until when it is good.
pub(super) struct Written {
    pub(super) claims: Map<String, Json>,
    pub(super) expires: Timestamp,
}

impl Body<'_> {
    pub(super) fn claims(self) -> Result<Written, MaaFailure> {
        let expires = self.expires;
        let mut claims = self.claims;
        let own = json!({
            "iss": self.url,
            "iat": self.at.0,
            "nbf": self.at.0,
            "exp": expires.0,
            "jti": self.jti,
            "x-ms-ver": "1.0",
            "x-ms-policy-hash": self.policy.hash(),
            "x-claviger-freshness": Freshness::RecipientKey.name(),
            "x-claviger-simulated": self.witnessed.occasion.simulated,
            "x-claviger-status": self.witnessed.status().name(),
        });
        claims.extend(own.as_object().cloned().unwrap_or_default());
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        if let Some(signer) = self.signer {
            claims.insert("x-ms-policy-signer".to_owned(), signer.clone());
        }
        match &self.runtime.json {
            Some(json) => drop(claims.insert("x-ms-runtime".to_owned(), json.clone())),
            None if self.kind.claim() == "sgx" => held_data(&self.runtime.bytes, &mut claims),
            None => {}
        }
        if let Some(json) = self.initial.and_then(|initial| initial.json.as_ref()) {
            claims.insert("x-ms-inittime".to_owned(), json.clone());
        }
        let issued = self.outcome.issued;
        for (name, value) in &issued {
            // To issue a claim as it came in is no change.
            if claims.get(name) == Some(value) {
                continue;
            }
            if claims.contains_key(name) || is_reserved(name) {
                let place = Place { line: 1, column: 1 };
                let reason = format!("{name:?} is not the policy's to issue");
                return Err(MaaFailure::Policy(MaaFault::Evaluation { place, reason }));
            }
            claims.insert(name.clone(), value.clone());
        }
        if !issued.is_empty() {
            claims.insert("x-ms-policy".to_owned(), Json::Object(issued));
        }
        Ok(Written { claims, expires })
    }
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Never longer than what the evidence rests on, nor than the operator allows; a policy may shorten it.
pub(super) fn expires(
    witnessed: &Witnessed,
    outcome: &Outcome,
    rules: &AttestationRules,
) -> Timestamp {
    let longest = witnessed.at.plus(rules.token_seconds).min(witnessed.occasion.expires);
    match outcome.properties.get("report_validity_in_minutes") {
        Some(Value::Integer(minutes)) => {
            let seconds = u64::try_from(*minutes).unwrap_or_default().saturating_mul(60);
            longest.min(witnessed.at.plus(seconds))
        }
        _ => longest,
    }
}

/// `jti`: 32 random bytes in hexadecimal.
pub(super) fn identifier(random: &dyn Random) -> Result<String, Refusal> {
    let mut identifier = [0; 32];
    random
        .fill(&mut identifier)
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    Ok(HEXLOWER.encode(&identifier))
}

/// A token that nobody signed (RFC 7519, section 6): what a draft of a policy would come to.
pub(super) fn unsigned(claims: &Map<String, Json>) -> String {
    let part = |text: String| BASE64URL_NOPAD.encode(text.as_bytes());
    let claims = Json::Object(claims.clone()).to_string();
    format!("{}.{}.", part(json!({"alg": "none"}).to_string()), part(claims))
}
