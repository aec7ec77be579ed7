//! The strict check of a foreign token: compact JWS (RFC 7515) with a JWT claims set (RFC 7519), by
//! the rules of RFC 8725. The algorithm is one of four and must be the key's; the key is one of the
//! listed service's, by `kid`. `jku`, `jwk`, `x5c` and `x5u` of a header are read by nobody.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ForeignError;
use super::issuer::Issuer;
use super::jwks::Algorithm;
use super::recipient::{self, Recipient};
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::json::{self, Limits};
use crate::keys::RecipientKey;

/// Bytes of a token that is looked at.
const MAX_BYTES: usize = 96 << 10;

/// `typ` of attestation results, and of access tokens.
const RESULT: [&str; 2] = ["JWT", "eat+jwt"];
const ACCESS: [&str; 2] = ["JWT", "at+jwt"];

/// Seconds by which the service's clock may differ from ours.
const LEEWAY: u64 = 30;

/// The longest `jti` that is repeated in records, in bytes; the token's digest names it anyway.
const LONGEST_ID: usize = 256;

/// What another service said of an attester, for one recipient key. Only [`Issuer::check`] makes
/// one.
#[derive(Debug)]
pub struct ForeignResult {
    issuer: String,
    own: bool,
    id: Option<String>,
    digest: Digest,
    claims: Value,
    recipient: RecipientKey,
    recipient_kid: String,
}

impl ForeignResult {
    /// `iss`, as the operator listed it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether the service is this host itself.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.own
    }

    /// `jti`, where there is one of reasonable length.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// SHA-256 of the token as it came.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Every claim.
    #[must_use]
    pub fn claims(&self) -> &Value {
        &self.claims
    }

    /// The key that is released to.
    #[must_use]
    pub fn recipient(&self) -> &RecipientKey {
        &self.recipient
    }

    /// What the token calls that key: its `kid`, or its thumbprint where it has none.
    #[must_use]
    pub fn recipient_kid(&self) -> &str {
        &self.recipient_kid
    }
}

impl Issuer {
    /// Checks a token of this service at the moment `now`. May fetch the service's keys.
    ///
    /// # Errors
    /// [`ForeignError`].
    pub async fn check(&self, token: &str, now: Timestamp) -> Result<ForeignResult, ForeignError> {
        let claims = self.claims(token, now, &RESULT).await?;
        let Recipient { key: recipient, kid: recipient_kid } = recipient::of(&claims)?;
        let id = claims.get("jti").and_then(Value::as_str).filter(|id| id.len() <= LONGEST_ID);
        Ok(ForeignResult {
            issuer: self.name().to_owned(),
            own: self.is_own(),
            id: id.map(ToOwned::to_owned),
            digest: Digest::of(token.as_bytes()),
            claims: Value::Object(claims),
            recipient,
            recipient_kid,
        })
    }

    /// Checks an access token of this service (RFC 9068, or a plain JWT): who asks, as the service says.
    ///
    /// # Errors
    /// [`ForeignError`].
    pub async fn check_access(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Map<String, Value>, ForeignError> {
        self.claims(token, now, &ACCESS).await
    }

    async fn claims(
        &self,
        token: &str,
        now: Timestamp,
        types: &[&str],
    ) -> Result<Map<String, Value>, ForeignError> {
        let parts = Parts::of(token)?;
        let header: Map<String, Value> =
            json::object(&parts.header, Limits::TOKEN).map_err(ForeignError::Header)?;
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let algorithm = text("alg").and_then(Algorithm::of).ok_or(ForeignError::Algorithm)?;
        if header.contains_key("crit") {
            return Err(ForeignError::Critical);
        }
        if header.contains_key("typ") && !text("typ").is_some_and(|typ| is_one_of(typ, types)) {
            return Err(ForeignError::Type);
        }
        let kid = text("kid").ok_or(ForeignError::UnknownKey)?;
        let keys = self.keys(kid, now).await?;
        let key = keys.get(kid).ok_or(ForeignError::UnknownKey)?;
        key.verify(algorithm, parts.signed.as_bytes(), &parts.signature)?;
        let claims: Map<String, Value> =
            json::object(&parts.claims, Limits::TOKEN).map_err(ForeignError::Claims)?;
        self.check_claims(&claims, now)?;
        Ok(claims)
    }

    fn check_claims(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), ForeignError> {
        if claims.get("iss").and_then(Value::as_str) != Some(self.name()) {
            return Err(ForeignError::Claim("iss"));
        }
        if let Some(wanted) = self.audience() {
            let meant = match claims.get("aud") {
                Some(Value::String(audience)) => audience == wanted,
                Some(Value::Array(audiences)) => audiences.iter().any(|one| one == wanted),
                _ => false,
            };
            if !meant {
                return Err(ForeignError::Claim("aud"));
            }
        }
        let issued = moment(claims, "iat")?;
        let expires = moment(claims, "exp")?;
        let begins = match claims.contains_key("nbf") {
            true => moment(claims, "nbf")?.max(issued),
            false => issued,
        };
        if begins > now.plus(LEEWAY) {
            return Err(ForeignError::NotYetValid);
        }
        if expires.plus(LEEWAY) <= now {
            return Err(ForeignError::Expired);
        }
        match now.since(issued) > self.max_token_age().saturating_add(LEEWAY) {
            true => Err(ForeignError::TooOld),
            false => Ok(()),
        }
    }
}

/// The three parts of a token, decoded.
struct Parts<'a> {
    signed: &'a str,
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, ForeignError> {
        if token.len() > MAX_BYTES {
            return Err(ForeignError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(ForeignError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(ForeignError::Malformed)?;
        // A fourth part has a dot, which is no letter of base64url.
        let octets = |part: &str| {
            BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| ForeignError::Malformed)
        };
        let (header, claims) = (octets(header)?, octets(claims)?);
        Ok(Self { signed, header, claims, signature: octets(signature)? })
    }
}

/// `iss` of a token as it says itself: which check it gets, and nothing else.
pub(crate) fn said_issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Said {
        iss: String,
    }
    let parts = Parts::of(token).ok()?;
    serde_json::from_slice(&parts.claims).ok().map(|Said { iss }| iss)
}

/// `typ`, without regard to letter case (RFC 7515, section 4.1.9): a token that was made for something
/// else, a log-out for instance, has another one.
fn is_one_of(typ: &str, types: &[&str]) -> bool {
    types.iter().any(|name| typ.eq_ignore_ascii_case(name))
}

/// A claim in whole seconds since 1970.
fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, ForeignError> {
    let seconds = claims.get(name).and_then(Value::as_u64);
    seconds.map(Timestamp).ok_or(ForeignError::Claim(name))
}
