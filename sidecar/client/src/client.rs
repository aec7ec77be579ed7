//! The way to a key: challenge, evidence, release, unwrap; each attempt from the start, with a new
//! challenge.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::api::{Attestation, Challenge, ChallengeRequest, EvidenceBody, Release, Submission};
use crate::error::{ClientError, Problem};
use crate::http::Service;
use crate::platform::{Evidence, Platform};
use crate::recipient::{RecipientKey, RecipientKind, UnwrapError};
use crate::report_data::ReportData;
use crate::retry::Retry;
use crate::secret::Secret;
use crate::token::{Expected, HostKeys, TokenError};
use crate::trust::Trust;

/// Before a secret's name, where a key's could stand.
const SECRETS: &str = "secrets/";

/// Where a host is, what is believed about it, and how it is asked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `https://host[:port]`.
    pub url: String,
    /// How the host proves that it is the one.
    pub trust: Trust,
    /// The host's identifier that challenges must name; none: whatever they name.
    pub host: Option<String>,
    /// The tenant.
    pub tenant: String,
    /// `iss` that result tokens must have; none: whatever they say.
    pub issuer: Option<String>,
    /// The host's token keys (JWK set); none: as the host publishes them over the same TLS.
    pub keys: Option<HostKeys>,
    /// The kind of recipient key.
    pub recipient: RecipientKind,
    /// When to try again.
    pub retry: Retry,
    /// Whether results that rest on simulated hardware are taken: for development only.
    pub simulated: bool,
}

impl Settings {
    /// The default tenant of a host that this trust is put in.
    #[must_use]
    pub fn new(url: impl Into<String>, trust: Trust) -> Self {
        Self {
            url: url.into(),
            trust,
            host: None,
            tenant: "default".to_owned(),
            issuer: None,
            keys: None,
            recipient: RecipientKind::default(),
            retry: Retry::default(),
            simulated: false,
        }
    }
}

/// A key that was released to this workload.
#[derive(Debug)]
pub struct ReleasedKey {
    /// The key material.
    pub secret: Secret,
    /// What it is: `application/octet-stream`, `application/pkcs8`.
    pub media_type: String,
    /// The key's version.
    pub version: String,
    /// The leaf of the release's record in the host's audit log.
    pub audit_index: u64,
}

/// An attestation result, checked.
#[derive(Debug)]
pub struct Attested {
    /// The result token: an EAR as a JWT.
    pub token: String,
    /// Its claims.
    pub claims: Map<String, Value>,
    /// AR4SI status: `affirming`, `warning`, `contraindicated` or `none`.
    pub status: String,
    /// The key that the token is confirmed by; opens what the token releases.
    pub recipient: RecipientKey,
}

/// A client of one host, for one workload.
pub struct Client {
    service: Service,
    settings: Settings,
    prefix: String,
    platform: Arc<dyn Platform>,
    keys: Mutex<Option<HostKeys>>,
}

impl Client {
    /// A client; connects with the first request.
    ///
    /// # Errors
    /// [`ClientError::Configuration`].
    pub fn new(settings: Settings, platform: Arc<dyn Platform>) -> Result<Self, ClientError> {
        let service = Service::https(&settings.url, settings.trust.tls()?)
            .map_err(|error| ClientError::Configuration(error.to_string()))?;
        if !is_name(&settings.tenant) {
            return Err(ClientError::Configuration("the tenant is no name".to_owned()));
        }
        let prefix = match settings.tenant.as_str() {
            "default" => "/v1".to_owned(),
            tenant => format!("/t/{tenant}/v1"),
        };
        let keys = Mutex::new(settings.keys.clone());
        Ok(Self { service, settings, prefix, platform, keys })
    }

    /// Where evidence comes from.
    #[must_use]
    pub fn platform(&self) -> &Arc<dyn Platform> {
        &self.platform
    }

    /// Attests, and checks the result.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn attest(&self) -> Result<Attested, ClientError> {
        self.persist(|| self.attest_once()).await
    }

    /// Fetches a key, the current version where none is named. A secret that has a release policy is
    /// `secrets/` and its name.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn fetch(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<ReleasedKey, ClientError> {
        if !is_name(key.strip_prefix(SECRETS).unwrap_or(key)) {
            return Err(ClientError::Configuration(format!("{key:?} is not a key's name")));
        }
        self.persist(|| self.fetch_once(key, version)).await
    }

    /// Tries again while that may help. A refusal is an answer and is not argued with.
    async fn persist<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let mut failed = 0_u32;
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failed = failed.saturating_add(1);
            let wait = self.settings.retry.wait(failed, error.retry_after());
            match wait.filter(|_| error.is_temporary()) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    }

    async fn attest_once(&self) -> Result<Attested, ClientError> {
        let answer = self.prepare(ChallengeRequest::Attestation).await?;
        let path = format!("{}/attestations", self.prefix);
        let attestation: Attestation = self.post(&path, &answer.submission(None)).await?;
        self.accept(attestation.simulated)?;
        let keys = self.keys_for(&attestation.token).await?;
        let expected = Expected {
            issuer: self.settings.issuer.as_deref(),
            tenant: &self.settings.tenant,
            nonce: &answer.nonce,
            recipient: answer.recipient.jwk(),
            at: now(),
        };
        let claims = keys.verify(&attestation.token, &expected)?;
        Ok(Attested {
            token: attestation.token,
            claims,
            status: attestation.status,
            recipient: answer.recipient,
        })
    }

    async fn fetch_once(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<ReleasedKey, ClientError> {
        let answer = self.prepare(ChallengeRequest::Release { key }).await?;
        let path = match key.starts_with(SECRETS) {
            true => format!("{}/{key}/release", self.prefix),
            false => format!("{}/keys/{key}/release", self.prefix),
        };
        let release: Release = self.post(&path, &answer.submission(version)).await?;
        self.accept(release.simulated)?;
        let unwrapped = answer.recipient.unwrap(&release.jwe)?;
        let header = &unwrapped.header;
        let meant = header.key == key
            && header.tenant == self.settings.tenant
            && header.version == release.version
            && version.is_none_or(|version| version == header.version)
            && header.challenge == digest(&SHA256, &answer.nonce).as_ref();
        if !meant {
            return Err(UnwrapError::WrongContext.into());
        }
        Ok(ReleasedKey {
            secret: unwrapped.secret,
            media_type: unwrapped.media_type,
            version: release.version,
            audit_index: release.audit_index,
        })
    }

    /// A host that takes simulated hardware for genuine protects nothing.
    fn accept(&self, simulated: bool) -> Result<(), ClientError> {
        if simulated && !self.settings.simulated {
            let reason = "the result rests on simulated hardware".to_owned();
            return Err(ClientError::Unexpected { status: 200, reason });
        }
        Ok(())
    }

    /// Asks for a challenge and gathers evidence for it, with a fresh recipient key.
    async fn prepare(&self, request: ChallengeRequest<'_>) -> Result<Answer, ClientError> {
        let path = format!("{}/challenges", self.prefix);
        let challenge: Challenge = self.post(&path, &request).await?;
        let unexpected = |what: &str| ClientError::Unexpected {
            status: 200,
            reason: format!("the challenge has another {what} than was asked for"),
        };
        let nonce = BASE64URL_NOPAD.decode(challenge.nonce.as_bytes()).ok();
        let nonce: [u8; 32] =
            nonce.and_then(|nonce| nonce.try_into().ok()).ok_or_else(|| unexpected("nonce"))?;
        if challenge.purpose != request.label() {
            return Err(unexpected("purpose"));
        }
        if self.settings.host.as_ref().is_some_and(|host| *host != challenge.host) {
            return Err(unexpected("host"));
        }
        let recipient = RecipientKey::generate(self.settings.recipient)?;
        let report_data = ReportData::new(
            &challenge.host,
            &self.settings.tenant,
            &challenge.purpose,
            &nonce,
            recipient.thumbprint(),
        );
        let companions = self.platform.companions(&report_data).await?;
        let report_data = report_data.with_companions(&companions);
        let evidence = self.platform.evidence(&report_data).await?;
        Ok(Answer { challenge: challenge.challenge, nonce, recipient, evidence, companions })
    }

    /// The host's keys: pinned, or published; read anew where a token names one that is not known.
    async fn keys_for(&self, token: &str) -> Result<HostKeys, ClientError> {
        let known = self.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(keys) if keys.knows(token) || self.settings.keys.is_some() => Ok(keys),
            _ => {
                let path = "/.well-known/jwks.json";
                let request = self.service.request(Method::GET, path, Vec::new())?;
                let answer = success(self.service.send(request).await?)?;
                let keys = HostKeys::from_jwks(answer.body())?;
                if !keys.knows(token) {
                    return Err(TokenError::UnknownKey.into());
                }
                let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Some(keys.clone());
                Ok(keys)
            }
        }
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| ClientError::Configuration(error.to_string()))?;
        let mut request = self.service.request(Method::POST, path, body)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = success(self.service.send(request).await?)?;
        serde_json::from_slice(answer.body()).map_err(|error| ClientError::Unexpected {
            status: answer.status().as_u16(),
            reason: error.to_string(),
        })
    }
}

/// What answers a challenge.
struct Answer {
    challenge: String,
    nonce: [u8; 32],
    recipient: RecipientKey,
    evidence: Evidence,
    companions: Vec<Evidence>,
}

impl Answer {
    fn submission<'a>(&'a self, version: Option<&'a str>) -> Submission<'a> {
        Submission {
            challenge: &self.challenge,
            evidence: EvidenceBody::from(&self.evidence),
            companions: self.companions.iter().map(EvidenceBody::from).collect(),
            recipient: self.recipient.jwk(),
            version,
        }
    }
}

/// A name stands in a path as it is; one that could change the path's meaning is not sent.
fn is_name(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    !name.is_empty() && !name.bytes().all(|byte| byte == b'.') && name.bytes().all(plain)
}

/// An answer of success; anything else is an error.
fn success(answer: Response<Bytes>) -> Result<Response<Bytes>, ClientError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = seconds.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    match serde_json::from_slice::<Problem>(answer.body()) {
        Ok(problem) => {
            let problem = Problem { retry_after, status: status.as_u16(), ..problem };
            Err(ClientError::Refused(Box::new(problem)))
        }
        Err(_) => Err(ClientError::Unexpected {
            status: status.as_u16(),
            reason: "no problem details".to_owned(),
        }),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
