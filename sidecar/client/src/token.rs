//! The host's attestation result: an EAR as a JWT. It is checked with the host's own keys and held
//! against what this workload asked for, before anybody is told that it was attested.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, UnparsedPublicKey,
};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Bytes of a token that is looked at.
const MAX_BYTES: usize = 96 << 10;

/// Seconds by which the host's clock may be ahead.
const SKEW: u64 = 60;

/// Why a token does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// A claim is missing or not the one expected.
    #[error("the claim `{0}` is missing or not the one expected")]
    Claim(&'static str),
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// The key set is none.
    #[error("the host's key set is malformed")]
    KeySet,
    /// Not a compact JWS with the header that a host writes.
    #[error("the token is malformed")]
    Malformed,
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// The token names no key of this host.
    #[error("the token names no key of this host")]
    UnknownKey,
}

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`; none: whoever the host says it is.
    pub issuer: Option<&'a str>,
    /// The tenant, at the end of `aud`.
    pub tenant: &'a str,
    /// The challenge's nonce.
    pub nonce: &'a [u8; 32],
    /// The recipient key.
    pub recipient: &'a Map<String, Value>,
    /// The present moment, in seconds since 1970.
    pub at: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: String,
}

/// The keys that a host signs results with (JWK set, RFC 7517).
#[derive(Clone, Debug)]
pub struct HostKeys(Vec<HostKey>);

#[derive(Clone, Debug)]
struct HostKey {
    kid: String,
    alg: &'static str,
    point: Vec<u8>,
}

impl HostKeys {
    /// From a key set. Keys of other kinds are passed over.
    ///
    /// # Errors
    /// [`TokenError::KeySet`] where it holds none that can be used.
    pub fn from_jwks(jwks: &[u8]) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(jwks).map_err(|_| TokenError::KeySet)?;
        let keys: Vec<HostKey> = set
            .keys
            .into_iter()
            .filter_map(|key| HostKey::read(serde_json::from_value(key).ok()?))
            .collect();
        if keys.is_empty() { Err(TokenError::KeySet) } else { Ok(Self(keys)) }
    }

    /// Checks signature and claims; gives the claims.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn verify(
        &self,
        token: &str,
        expected: &Expected<'_>,
    ) -> Result<Map<String, Value>, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        if token.len() > MAX_BYTES {
            return Err(TokenError::Malformed);
        }
        let header: Header = json(header)?;
        let key = self.0.iter().find(|key| key.kid == header.kid).ok_or(TokenError::UnknownKey)?;
        if header.typ != "eat+jwt" || header.alg != key.alg {
            return Err(TokenError::Malformed);
        }
        UnparsedPublicKey::new(key.algorithm(), &key.point)
            .verify(signed.as_bytes(), &octets(signature)?)
            .map_err(|_| TokenError::Signature)?;
        let claims = json(claims)?;
        expected.check(&claims)?;
        Ok(claims)
    }

    /// Whether a key of this name is there.
    pub(crate) fn knows(&self, token: &str) -> bool {
        let header = token.split('.').next().and_then(|part| json::<Header>(part).ok());
        header.is_some_and(|header| self.0.iter().any(|key| key.kid == header.kid))
    }
}

impl HostKey {
    fn read(jwk: Jwk) -> Option<Self> {
        let (alg, length) = match (jwk.kty.as_str(), jwk.crv.as_str()) {
            ("EC", "P-256") => ("ES256", 32),
            ("EC", "P-384") => ("ES384", 48),
            _ => return None,
        };
        let coordinate = |text: &str| octets(text).ok().filter(|bytes| bytes.len() == length);
        let point = [vec![4], coordinate(&jwk.x)?, coordinate(&jwk.y)?].concat();
        Some(Self { kid: jwk.kid, alg, point })
    }

    fn algorithm(&self) -> &'static EcdsaVerificationAlgorithm {
        match self.alg {
            "ES384" => &ECDSA_P384_SHA384_FIXED,
            _ => &ECDSA_P256_SHA256_FIXED,
        }
    }
}

impl Expected<'_> {
    fn check(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let text = |name| claims.get(name).and_then(Value::as_str);
        let issuer = text("iss").ok_or(TokenError::Claim("iss"))?;
        if self.issuer.is_some_and(|wanted| wanted != issuer) {
            return Err(TokenError::Claim("iss"));
        }
        if text("aud") != Some(format!("{issuer}/t/{}", self.tenant).as_str()) {
            return Err(TokenError::Claim("aud"));
        }
        if text("eat_nonce") != Some(BASE64URL_NOPAD.encode(self.nonce).as_str()) {
            return Err(TokenError::Claim("eat_nonce"));
        }
        let key = claims.get("cnf").and_then(|cnf| cnf.get("jwk")).and_then(Value::as_object);
        if key != Some(self.recipient) {
            return Err(TokenError::Claim("cnf"));
        }
        let moment = |name| claims.get(name).and_then(Value::as_u64).ok_or(TokenError::Claim(name));
        if moment("exp")? <= self.at {
            return Err(TokenError::Expired);
        }
        match moment("iat")? > self.at.saturating_add(SKEW) {
            true => Err(TokenError::Claim("iat")),
            false => Ok(()),
        }
    }
}

fn json<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    serde_json::from_slice(&octets(part)?).map_err(|_| TokenError::Malformed)
}

fn octets(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    struct Host {
        key: EcdsaKeyPair,
    }

    impl Host {
        fn new() -> Self {
            Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap() }
        }

        fn keys(&self) -> HostKeys {
            let point = self.key.public_key().as_ref();
            let (x, y) =
                (BASE64URL_NOPAD.encode(&point[1..33]), BASE64URL_NOPAD.encode(&point[33..]));
            let set = json!({"keys": [{"kty": "OKP"},
                {"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]});
            HostKeys::from_jwks(set.to_string().as_bytes()).unwrap()
        }

        fn sign(&self, header: &Value, claims: &Value) -> String {
            let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
            let signed = format!("{}.{}", part(header), part(claims));
            let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
            format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
        }
    }

    fn header() -> Value {
        json!({"alg": "ES256", "kid": "k", "typ": "eat+jwt"})
    }

    fn claims() -> Value {
        json!({"iss": "https://h", "aud": "https://h/t/default", "iat": 1000, "exp": 1300,
            "eat_nonce": BASE64URL_NOPAD.encode(&[7; 32]), "cnf": {"jwk": {"kty": "x"}}})
    }

    fn outcome(header: &Value, claims: &Value) -> Result<(), TokenError> {
        let host = Host::new();
        let recipient = json!({"kty": "x"}).as_object().unwrap().clone();
        let expected = Expected {
            issuer: Some("https://h"),
            tenant: "default",
            nonce: &[7; 32],
            recipient: &recipient,
            at: 1001,
        };
        host.keys().verify(&host.sign(header, claims), &expected).map(|_| ())
    }

    #[test]
    fn a_token_about_this_workload_counts() {
        assert_eq!(outcome(&header(), &claims()), Ok(()));
    }

    #[test]
    fn a_token_about_anything_else_does_not() {
        for (name, value, wanted) in [
            ("iss", json!("https://other"), TokenError::Claim("iss")),
            ("aud", json!("https://h/t/other"), TokenError::Claim("aud")),
            ("eat_nonce", json!("AA"), TokenError::Claim("eat_nonce")),
            ("cnf", json!({"jwk": {"kty": "y"}}), TokenError::Claim("cnf")),
            ("exp", json!(1001), TokenError::Expired),
            ("iat", json!(1100), TokenError::Claim("iat")),
        ] {
            let mut claims = claims();
            claims[name] = value;
            assert_eq!(outcome(&header(), &claims), Err(wanted), "{name}");
        }
    }

    #[test]
    fn no_member_of_a_token_chooses_how_it_is_checked() {
        for (name, value, wanted) in [
            ("alg", json!("none"), TokenError::Malformed),
            ("alg", json!("HS256"), TokenError::Malformed),
            ("typ", json!("JWT"), TokenError::Malformed),
            ("kid", json!("other"), TokenError::UnknownKey),
            ("jwk", json!({}), TokenError::Malformed),
        ] {
            let mut header = header();
            header[name] = value;
            assert_eq!(outcome(&header, &claims()), Err(wanted), "{name}");
        }
    }

    #[test]
    fn a_token_of_another_host_is_not_one_of_this() {
        let recipient = json!({"kty": "x"}).as_object().unwrap().clone();
        let expected = Expected {
            issuer: None,
            tenant: "default",
            nonce: &[7; 32],
            recipient: &recipient,
            at: 1001,
        };
        let token = Host::new().sign(&header(), &claims());
        let outcome = Host::new().keys().verify(&token, &expected);
        assert_eq!(outcome.err(), Some(TokenError::Signature));
    }
}
