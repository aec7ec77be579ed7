//! A service that gives credentials, asked by the host itself: through a gate of its own, under the
//! same rules as a plugin's requests.

use std::sync::Arc;
use std::time::Instant;

use serde_json::Value as Json;

use super::CredentialError;
use crate::clock::Clock;
use crate::egress::{
    AddressRange, EgressError, EgressLimits, Gate, Outgoing, Resolver, TargetPlan, TlsPlan,
};
use crate::json::{self, Limits};

/// Where such a service is.
#[derive(Clone, Debug, Default)]
pub struct EndpointPlan {
    /// `https://vault:8200`, and perhaps a path that stands before every request's.
    pub url: String,
    /// How it proves who it is.
    pub tls: TlsPlan,
    /// Addresses that are not public and may be reached all the same.
    pub addresses: Vec<AddressRange>,
}

/// What a service may answer: a token, and a little beside.
const ANSWER: Limits = Limits { floats: true, nulls: true, ..Limits::TOKEN };

/// A service that can be asked.
pub(super) struct Endpoint {
    base: String,
    gate: Gate,
}

/// A request to such a service.
#[derive(Default)]
pub(super) struct Ask<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Endpoint {
    pub(super) fn new(
        plan: &EndpointPlan,
        resolver: &Arc<dyn Resolver>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let base = plan.url.trim_end_matches('/').to_owned();
        let target = TargetPlan {
            url: format!("{base}/"),
            methods: ["GET", "POST", "PUT"].map(str::to_owned).into(),
            tls: plan.tls.clone(),
            addresses: plan.addresses.clone(),
            ..TargetPlan::default()
        };
        let limits = EgressLimits { answer_bytes: ANSWER.bytes, ..EgressLimits::default() };
        Ok(Self { base, gate: Gate::new(vec![target], limits, resolver, clock)? })
    }

    /// Asks, and reads an answer of success. Of an answer of failure only the status is told: who
    /// answers may repeat what was sent.
    pub(super) async fn ask(
        &self,
        ask: Ask<'_>,
        ends: Instant,
    ) -> Result<Vec<u8>, CredentialError> {
        let url = format!("{}{}", self.base, ask.path);
        let outgoing = Outgoing {
            method: ask.method,
            url: &url,
            headers: &ask.headers,
            body: ask.body,
            credential: None,
            tenant: None,
            ends,
        };
        let answer = self.gate.send(outgoing).await.map_err(|error| match error {
            EgressError::Denied(why) => CredentialError::Misconfigured(format!("{url}: {why}")),
            other => CredentialError::Unavailable(format!("{url}: {other}")),
        })?;
        let told = format!("{url} answers with status {}", answer.status);
        match answer.status {
            200..=299 => Ok(answer.body.to_vec()),
            400..=499 if answer.status != 408 && answer.status != 429 => {
                Err(CredentialError::Refused(told))
            }
            _ => Err(CredentialError::Unavailable(told)),
        }
    }

    /// The same of an answer in JSON.
    pub(super) async fn ask_json(
        &self,
        ask: Ask<'_>,
        ends: Instant,
    ) -> Result<Json, CredentialError> {
        let body = zeroize::Zeroizing::new(self.ask(ask, ends).await?);
        json::parse(&body, ANSWER).map_err(|_| {
            CredentialError::Unavailable(format!("{} does not answer in JSON", self.base))
        })
    }
}

/// A string in an answer, by JSON pointer.
pub(super) fn text<'a>(answer: &'a Json, pointer: &str) -> Option<&'a str> {
    answer.pointer(pointer)?.as_str().filter(|text| !text.is_empty())
}

/// A number of seconds in an answer; some services write it as a string.
pub(super) fn seconds(answer: &Json, pointer: &str) -> Option<u64> {
    let value = answer.pointer(pointer)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
