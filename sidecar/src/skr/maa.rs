//! Attestation by Microsoft Azure Attestation or a service that speaks its protocol: a report and what
//! it is about go there, a token comes back.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use claviger_client::Evidence;
use claviger_client::http::Service;
use data_encoding::BASE64URL;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue, USER_AGENT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::{Skr, upstream};
use crate::platform::sev_guest::REPORT;

const FAILED: &str = "attestation failed";

#[derive(Deserialize)]
struct Answer {
    #[serde(alias = "Token")]
    token: String,
}

impl Skr {
    /// A report over runtime data, alone (REPORT_DATA is their SHA-256, and 32 zeros).
    pub(super) async fn report(&self, runtime_data: &[u8]) -> Result<Evidence, Failure> {
        const FAILED: &str = "fetching the SNP report failed";
        let mut report_data = digest(&SHA256, runtime_data).as_ref().to_vec();
        report_data.resize(64, 0);
        let evidence = self.ground.gather(report_data).await;
        let mut evidence = evidence.map_err(|error| Failure::refused(FAILED, error))?;
        if evidence.tee != "snp" || evidence.data.len() < REPORT {
            return Err(Failure::refused(FAILED, "this platform has no SNP reports"));
        }
        evidence.data.truncate(REPORT);
        Ok(evidence)
    }

    /// A token about runtime data (JSON). `endpoint` is `host[:port]`.
    pub(super) async fn attest(
        &self,
        endpoint: &str,
        runtime_data: &[u8],
    ) -> Result<String, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::refused(FAILED, error);
        let evidence = self.report(runtime_data).await?;
        let endorsements = self.provider.endorsements(&evidence).await?;
        let body =
            body(&evidence.data, &endorsements.pem(), &self.provider.reference(), runtime_data);
        let service = Service::https(&format!("https://{endpoint}"), Arc::clone(&self.tls));
        let service = service.map_err(|error| failed(&error))?;
        let path = "/attest/SevSnpVM?api-version=2020-10-01";
        let request = service.request(Method::POST, path, body.to_string().into_bytes());
        let mut request = request.map_err(|error| failed(&error))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, self.user_agent.clone());
        let answer = service.send(request).await.map_err(|error| failed(&error))?;
        let answer: Answer = upstream(FAILED, &answer)?;
        Ok(answer.token)
    }
}

/// The request of `SevSnpVm` (2020-10-01), as the SKR sidecar writes it: base64url with padding.
fn body(report: &[u8], chain: &str, reference: &str, runtime_data: &[u8]) -> Value {
    let encode = |bytes: &[u8]| BASE64URL.encode(bytes);
    let mut evidence = Map::new();
    evidence.insert("SnpReport".to_owned(), json!(encode(report)));
    evidence.insert("VcekCertChain".to_owned(), json!(encode(chain.as_bytes())));
    if let Ok(cose) = data_encoding::BASE64.decode(reference.as_bytes())
        && !cose.is_empty()
    {
        let uvm = json!({"Uvm": [encode(&cose)]});
        let uvm = encode(uvm.to_string().as_bytes());
        evidence.insert("Endorsements".to_owned(), json!(uvm));
    }
    let mut nonce = [0; 8];
    // It keeps two requests apart; what is attested is in the runtime data.
    let _ = aws_lc_rs::rand::fill(&mut nonce);
    json!({
        "report": encode(Value::Object(evidence).to_string().as_bytes()),
        "runtimeData": {"data": encode(runtime_data), "dataType": "JSON"},
        "initTimeData": {"data": "", "dataType": ""},
        "nonce": u64::from_be_bytes(nonce),
    })
}
