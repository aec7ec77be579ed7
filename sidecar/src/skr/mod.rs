//! The HTTP interface of Microsoft's SKR sidecar (confidential-sidecar-containers), for workloads that
//! speak it already.

mod akv;
mod endorsements;
mod failure;
mod identity;
mod jwk;
#[path = "../../../host/src/keys/release_jws.rs"]
mod jws;
mod maa;
mod unwrap;
pub(crate) mod wrap;

use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use http::{HeaderValue, Response};
use hyper::body::Bytes;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(crate) use endorsements::Provider;
pub(crate) use failure::Failure;
pub(crate) use identity::Identity;

use crate::platform::Ground;

/// Everything that an answer needs.
pub(crate) struct Skr {
    pub(crate) ground: Ground,
    pub(crate) provider: Provider,
    pub(crate) identity: Identity,
    /// TLS towards attestation service and vault.
    pub(crate) tls: Arc<rustls::ClientConfig>,
    /// Roots of the chains of signed answers.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) user_agent: HeaderValue,
}

#[derive(Deserialize)]
struct RawRequest {
    runtime_data: String,
}

#[derive(Deserialize)]
struct MaaRequest {
    maa_endpoint: String,
    runtime_data: String,
}

const MALFORMED: &str = "invalid request format";

impl Skr {
    /// `POST /attest/raw`: the report in hexadecimal.
    pub(crate) async fn attest_raw(&self, body: &[u8]) -> Result<Value, Failure> {
        let request: RawRequest = read(body)?;
        let evidence = self.report(&decode(&request.runtime_data)?).await?;
        Ok(json!({"report": HEXLOWER.encode(&evidence.data)}))
    }

    /// `POST /attest/combined`: the report with everything that a verifier wants besides.
    pub(crate) async fn attest_combined(&self, body: &[u8]) -> Result<Value, Failure> {
        let request: RawRequest = read(body)?;
        self.combined(&decode(&request.runtime_data)?).await
    }

    /// The same for runtime data.
    pub(crate) async fn combined(&self, runtime_data: &[u8]) -> Result<Value, Failure> {
        let evidence = self.report(runtime_data).await?;
        let endorsements = self.provider.endorsements(&evidence).await?;
        Ok(json!({
            "endorsed_tcb": endorsements.tcbm,
            "endorsements": BASE64.encode(endorsements.pem().as_bytes()),
            "evidence": BASE64.encode(&evidence.data),
            "uvm_endorsements": self.provider.reference(),
        }))
    }

    /// `POST /attest/maa`: an attestation service's token.
    pub(crate) async fn attest_maa(&self, body: &[u8]) -> Result<Value, Failure> {
        let request: MaaRequest = read(body)?;
        let runtime_data = decode(&request.runtime_data)?;
        Ok(json!({"token": self.attest(&request.maa_endpoint, &runtime_data).await?}))
    }

    /// `POST /key/release`: a key as a JWK, which stands in the answer as a *string*; clients decode
    /// it twice.
    pub(crate) async fn key_release(&self, body: &[u8]) -> Result<Value, Failure> {
        let key = self.release(&read(body)?).await?;
        Ok(json!({"key": key.to_string()}))
    }

    /// The report for runtime data, of any length.
    pub(crate) async fn raw_report(&self, runtime_data: &[u8]) -> Result<String, Failure> {
        Ok(HEXLOWER.encode(&self.report(runtime_data).await?.data))
    }
}

/// A request's body. Its content type is not looked at.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::request(MALFORMED, error))
}

fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    BASE64
        .decode(text.as_bytes())
        .map_err(|error| Failure::request("decoding base64-encoded runtime data failed", error))
}

/// What a service answered; its own words where it refused.
fn upstream<T: DeserializeOwned>(
    what: &'static str,
    answer: &Response<Bytes>,
) -> Result<T, Failure> {
    let status = answer.status();
    if !(200..=207).contains(&status.as_u16()) {
        let words: String = String::from_utf8_lossy(answer.body()).chars().take(2048).collect();
        return Err(Failure::refused(
            what,
            format!("{words}: http response status equal to {status}"),
        ));
    }
    serde_json::from_slice(answer.body()).map_err(|error| Failure::refused(what, error))
}
