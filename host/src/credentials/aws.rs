//! AWS Signature Version 4 (docs.aws.amazon.com: IAM, "Create a signed AWS API request"), with keys
//! that the operator gave, that STS gives for a token of the platform, or that the instance has.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use data_encoding::HEXLOWER;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use serde_json::Value as Json;

use super::cache::{Cache, Token};
use super::endpoint::{self, Ask, Endpoint, EndpointPlan};
use super::form::{Form, encoded};
use super::metadata::link_local;
use super::source::{SecretSource, Source};
use super::{Attached, Attaching, CredentialError, Outline, Provider};
use crate::clock::{Clock, Timestamp};
use crate::egress::Resolver;
use crate::secret::Secret;

/// What the signature is for, and by which key.
#[derive(Clone, Debug)]
pub struct AwsPlan {
    /// `eu-central-1`.
    pub region: String,
    /// `kms`.
    pub service: String,
    /// Where the keys come from.
    pub keys: AwsKeys,
}

/// Where the keys come from.
#[derive(Clone, Debug)]
pub enum AwsKeys {
    /// The instance's role, by the metadata service, version 2.
    Instance {
        /// Another place than `http://169.254.169.254`.
        endpoint: Option<EndpointPlan>,
    },
    /// The operator's.
    Static {
        /// The key's identifier, which is no secret.
        access_key_id: String,
        /// Where the secret stands.
        secret: SecretSource,
    },
    /// `sts:AssumeRoleWithWebIdentity`.
    WebIdentity {
        /// STS: `https://sts.eu-central-1.amazonaws.com`.
        endpoint: EndpointPlan,
        /// The role.
        role_arn: String,
        /// Where the platform's token stands.
        token: SecretSource,
    },
}

struct Aws {
    region: String,
    service: String,
    keys: Keys,
    clock: Arc<dyn Clock>,
    cache: Cache,
}

enum Keys {
    Instance(Endpoint),
    Static(String, Source),
    WebIdentity(Endpoint, String, Source),
}

/// Keys to sign with.
struct Signing {
    id: String,
    secret: Secret,
    session: Option<Secret>,
}

pub(super) fn provider(
    plan: &AwsPlan,
    resolver: &Arc<dyn Resolver>,
    clock: &Arc<dyn Clock>,
) -> Result<Box<dyn Provider>, String> {
    let keys = match &plan.keys {
        AwsKeys::Instance { endpoint } => {
            let endpoint = endpoint.clone().map_or_else(link_local, Ok)?;
            Keys::Instance(Endpoint::new(&endpoint, resolver, clock)?)
        }
        AwsKeys::Static { access_key_id, secret } => {
            Keys::Static(access_key_id.clone(), Source::new(secret))
        }
        AwsKeys::WebIdentity { endpoint, role_arn, token } => {
            let endpoint = Endpoint::new(endpoint, resolver, clock)?;
            Keys::WebIdentity(endpoint, role_arn.clone(), Source::new(token))
        }
    };
    Ok(Box::new(Aws {
        region: plan.region.clone(),
        service: plan.service.clone(),
        keys,
        clock: Arc::clone(clock),
        cache: Cache::new(clock),
    }))
}

impl Aws {
    async fn keys(&self, ends: Instant) -> Result<Signing, CredentialError> {
        if let Keys::Static(id, source) = &self.keys {
            return Ok(Signing { id: id.clone(), secret: source.read()?, session: None });
        }
        // The three parts are kept as one secret, a line each.
        let kept = self.cache.get(|| self.fetch(ends)).await?;
        let text = std::str::from_utf8(kept.expose()).unwrap_or_default();
        let mut lines = text.lines();
        let mut part = || lines.next().unwrap_or_default().to_owned();
        let (id, secret, session) = (part(), part(), part());
        let secret = Secret::new(secret.into_bytes());
        Ok(Signing { id, secret, session: Some(Secret::new(session.into_bytes())) })
    }

    async fn fetch(&self, ends: Instant) -> Result<Token, CredentialError> {
        match &self.keys {
            Keys::Instance(endpoint) => self.of_instance(endpoint, ends).await,
            Keys::WebIdentity(endpoint, role, token) => {
                self.of_sts(endpoint, role, &token.read()?, ends).await
            }
            Keys::Static(..) => Err(CredentialError::Misconfigured("keys are given".to_owned())),
        }
    }

    /// IMDSv2: a session's token, then the role's name, then its keys.
    async fn of_instance(
        &self,
        endpoint: &Endpoint,
        ends: Instant,
    ) -> Result<Token, CredentialError> {
        let seconds = ("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "60".to_owned());
        let ask = Ask {
            method: "PUT",
            path: "/latest/api/token",
            headers: vec![seconds],
            ..Ask::default()
        };
        let token = text(endpoint.ask(ask, ends).await?)?;
        let headers = vec![("x-aws-ec2-metadata-token".to_owned(), token)];
        let path = "/latest/meta-data/iam/security-credentials/";
        let ask = Ask { method: "GET", path, headers: headers.clone(), ..Ask::default() };
        let role = text(endpoint.ask(ask, ends).await?)?;
        let role = role.lines().next().unwrap_or_default();
        let path = format!("{path}{}", encoded(role.as_bytes()));
        let ask = Ask { method: "GET", path: &path, headers, ..Ask::default() };
        let answer = endpoint.ask_json(ask, ends).await?;
        self.session(&answer, "/AccessKeyId", "/SecretAccessKey", "/Token", "/Expiration")
    }

    /// STS answers in JSON where it is asked to.
    async fn of_sts(
        &self,
        endpoint: &Endpoint,
        role: &str,
        token: &Secret,
        ends: Instant,
    ) -> Result<Token, CredentialError> {
        let mut form = Form::default();
        form.add("Action", b"AssumeRoleWithWebIdentity");
        form.add("Version", b"2011-06-15");
        form.add("RoleArn", role.as_bytes());
        form.add("RoleSessionName", b"claviger");
        form.add("WebIdentityToken", token.expose());
        let mut ask = form.ask("/");
        ask.headers.push(("accept".to_owned(), "application/json".to_owned()));
        let answer = endpoint.ask_json(ask, ends).await?;
        let place =
            "/AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials";
        let at = |name: &str| format!("{place}/{name}");
        self.session(
            &answer,
            &at("AccessKeyId"),
            &at("SecretAccessKey"),
            &at("SessionToken"),
            &at("Expiration"),
        )
    }

    fn session(
        &self,
        answer: &Json,
        id: &str,
        secret: &str,
        session: &str,
        expires: &str,
    ) -> Result<Token, CredentialError> {
        let missing = || CredentialError::Unavailable("the answer has no keys".to_owned());
        let part = |pointer| endpoint::text(answer, pointer).ok_or_else(missing);
        let kept = format!("{}\n{}\n{}", part(id)?, part(secret)?, part(session)?);
        // RFC 3339, or seconds since the epoch.
        let at = answer.pointer(expires);
        let at = at.and_then(|at| match at {
            Json::String(text) => Timestamp::parse(text),
            at => at.as_f64().map(|seconds| Timestamp(seconds as u64)),
        });
        let lifetime = at.map_or(300, |at| at.since(self.clock.now()));
        Ok(Token { secret: Secret::new(kept.into_bytes()), lifetime })
    }
}

impl Provider for Aws {
    fn attach<'a>(&'a self, outline: &'a Outline<'a>) -> Attaching<'a> {
        Box::pin(async {
            let keys = self.keys(outline.ends).await?;
            let at = self.clock.now().to_string();
            let mut extra = vec![
                ("x-amz-content-sha256", hash(outline.body)),
                ("x-amz-date", at.replace(['-', ':'], "")),
            ];
            if let Some(session) = &keys.session {
                extra.push(("x-amz-security-token", text(session.expose().to_vec())?));
            }
            let authorization = signature(&keys, &self.region, &self.service, outline, &extra);
            let mut attached = Attached { headers: Vec::new(), secrets: vec![keys.secret] };
            attached.secrets.extend(keys.session);
            let value = |text: &str| {
                HeaderValue::from_str(text).map_err(|_| {
                    CredentialError::Misconfigured("a key is not one line of text".to_owned())
                })
            };
            for (name, text) in &extra {
                attached.headers.push((HeaderName::from_static(name), value(text)?));
            }
            attached.headers.push((AUTHORIZATION, value(&authorization)?));
            Ok(attached)
        })
    }

    fn refused(&self) -> bool {
        match &self.keys {
            Keys::Static(_, source) => source.forget(),
            _ => self.cache.refused(),
        }
    }
}

/// The header `authorization`. Host and the headers given here are signed, and the plugin's
/// `content-type` and `x-amz-…`.
fn signature(
    keys: &Signing,
    region: &str,
    service: &str,
    outline: &Outline<'_>,
    extra: &[(&'static str, String)],
) -> String {
    let own = |(name, value): &(&str, String)| ((*name).to_owned(), value.clone());
    let mut signed: Vec<(String, String)> = extra.iter().map(own).collect();
    signed.push(("host".to_owned(), outline.url.authority()));
    for (name, value) in outline.headers {
        let name = name.as_str();
        if name == "content-type" || name.starts_with("x-amz-") {
            let value = value.to_str().unwrap_or_default();
            signed.push((name.to_owned(), value.trim().to_owned()));
        }
    }
    signed.sort();
    let names: Vec<_> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    // Of every service but S3 the path is encoded once more than it is sent.
    let path = match service {
        "s3" => outline.url.path.clone(),
        _ => outline
            .url
            .path
            .split('/')
            .map(|part| encoded(part.as_bytes()))
            .collect::<Vec<_>>()
            .join("/"),
    };
    let mut query: Vec<_> = outline.url.query.as_deref().unwrap_or_default().split('&').collect();
    query.retain(|part| !part.is_empty());
    query.sort_unstable();
    let query: Vec<_> = query
        .iter()
        .map(|part| if part.contains('=') { (*part).to_owned() } else { format!("{part}=") })
        .collect();
    let canonical = format!(
        "{}\n{path}\n{}\n{headers}\n{names}\n{}",
        outline.method,
        query.join("&"),
        hash(outline.body)
    );
    let date = extra.iter().find(|(name, _)| *name == "x-amz-date");
    let date = date.map(|(_, date)| date.as_str()).unwrap_or_default();
    let day = date.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let message = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let first = zeroize::Zeroizing::new([b"AWS4", keys.secret.expose()].concat());
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(Key::new(HMAC_SHA256, &first), |key, part| {
            Key::new(HMAC_SHA256, sign(&key, part.as_bytes()).as_ref())
        });
    let signature = HEXLOWER.encode(sign(&key, message.as_bytes()).as_ref());
    let id = &keys.id;
    format!(
        "AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

fn text(bytes: Vec<u8>) -> Result<String, CredentialError> {
    String::from_utf8(bytes)
        .map_err(|_| CredentialError::Unavailable("the answer is not text".to_owned()))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::egress::Url;

    // AWS' test suite for Signature Version 4: get-vanilla, get-vanilla-query-order-key-case, post-vanilla.
    #[test]
    fn the_vectors_of_the_signatures_publisher_come_out() {
        let keys = Signing {
            id: "AKIDEXAMPLE".to_owned(),
            secret: Secret::new(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec()),
            session: None,
        };
        for (method, url, wanted) in [
            (
                "GET",
                "https://example.amazonaws.com/",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "GET",
                "https://example.amazonaws.com/?Param2=value2&Param1=value1",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
            ),
            (
                "POST",
                "https://example.amazonaws.com/",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
        ] {
            let (url, headers) = (Url::parse(url).unwrap(), HeaderMap::new());
            let (body, ends) = (&b""[..], Instant::now());
            let outline = Outline { method, url: &url, headers: &headers, body, ends };
            let extra = [("x-amz-date", "20150830T123600Z".to_owned())];
            let made = signature(&keys, "us-east-1", "service", &outline, &extra);
            let beginning = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=";
            assert_eq!(made, format!("{beginning}{wanted}"), "{method} {url}");
        }
    }
}
