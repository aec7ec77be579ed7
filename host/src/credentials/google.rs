//! Tokens of a Google service account by its key file: a JWT that the key signs is the grant (RFC 7523,
//! section 2.1, as Google's "OAuth 2.0 for server to server applications" has it).

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use data_encoding::BASE64URL_NOPAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Deserializer};
use serde_json::{Value as Json, json};
use zeroize::Zeroizing;

use super::cache::{Cache, Token};
use super::endpoint::{Endpoint, EndpointPlan};
use super::form::Form;
use super::oauth::{access_token, bearer};
use super::source::{SecretSource, Source};
use super::{Attaching, CredentialError, Outline, Provider};
use crate::clock::{Clock, Timestamp};
use crate::egress::Resolver;
use crate::json::{self, Limits};
use crate::secret::Secret;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Where Google gives tokens.
const PATH: &str = "/token";

/// How long the grant is good, in seconds: the longest that Google takes.
const LIFETIME: u64 = 3600;

/// A service account by its key.
#[derive(Clone, Debug)]
pub struct GooglePlan {
    /// `https://oauth2.googleapis.com`.
    pub endpoint: EndpointPlan,
    /// The key file as Google's console writes it: JSON.
    pub key: SecretSource,
    /// What the token is for.
    pub scope: String,
}

/// What of a key file is used.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key_id: String,
    #[serde(deserialize_with = "secret")]
    private_key: Secret,
    token_uri: String,
}

struct Google {
    endpoint: Endpoint,
    audience: String,
    key: Source,
    scope: String,
    clock: Arc<dyn Clock>,
    cache: Cache,
}

pub(super) fn provider(
    plan: &GooglePlan,
    resolver: &Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Provider>, String> {
    Ok(Box::new(Google {
        endpoint: Endpoint::new(&plan.endpoint, resolver, clock)?,
        audience: format!("{}{PATH}", plan.endpoint.url.trim_end_matches('/')),
        key: Source::new(&plan.key),
        scope: plan.scope.clone(),
        clock: Arc::clone(clock),
        cache: Cache::new(clock),
    }))
}

impl Google {
    async fn fetch(&self, ends: Instant) -> Result<Token, CredentialError> {
        let mut form = Form::default();
        form.add("grant_type", GRANT.as_bytes());
        form.add("assertion", self.grant(self.clock.now())?.as_bytes());
        access_token(&self.endpoint.ask_json(form.ask(PATH), ends).await?)
    }

    fn grant(&self, now: Timestamp) -> Result<Zeroizing<String>, CredentialError> {
        let wrong = |why: &str| CredentialError::Misconfigured(format!("the key file {why}"));
        let file: KeyFile = json::parse(self.key.read()?.expose(), Limits::TOKEN)
            .map_err(|_| wrong("is not that of a service account"))?;
        // Who wrote the file does not choose where its key is shown.
        if file.token_uri != self.audience {
            return Err(wrong("is for another token service than the configured one"));
        }
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.expose())
            .map_err(|_| wrong("has no private key in PEM"))?;
        let key = KeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map_err(|_| wrong("has no RSA key in PKCS#8"))?;
        let header = json!({ "alg": "RS256", "kid": file.private_key_id, "typ": "JWT" });
        let claims = json!({
            "aud": self.audience,
            "exp": now.plus(LIFETIME).0,
            "iat": now.0,
            "iss": file.client_email,
            "scope": self.scope,
        });
        let part = |value: &Json| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let mut grant = Zeroizing::new(format!("{}.{}", part(&header), part(&claims)));
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), grant.as_bytes(), &mut signature)
            .map_err(|_| wrong("has a key that does not sign"))?;
        grant.push('.');
        grant.push_str(&BASE64URL_NOPAD.encode(&signature));
        Ok(grant)
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    String::deserialize(deserializer).map(|text| Secret::new(text.into_bytes()))
}

impl Provider for Google {
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async { bearer(&self.cache.get(|| self.fetch(outline.ends)).await?) })
    }

    fn refused(&self) -> bool {
        self.cache.refused()
    }
}
