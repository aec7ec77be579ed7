//! Azure's instance metadata service: what a VM can ask about itself. Plain HTTP to a link-local
//! address; nothing that it says is believed beyond what somebody else checks.

use std::time::Duration;

use claviger_client::PlatformError;
use claviger_client::http::{Bounds, Service};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request};
use http_body_util::Full;
use hyper::body::Bytes;
use serde_json::Value;
use tokio::runtime::Handle;

/// Where it always is.
pub(crate) const URL: &str = "http://169.254.169.254";

/// The service.
#[derive(Clone, Debug)]
pub(crate) struct Metadata {
    service: Service,
}

impl Metadata {
    pub(crate) fn new(url: &str) -> Result<Self, PlatformError> {
        let service = Service::plain(url).map_err(|error| PlatformError::new("azure", error))?;
        let bounds = Bounds { time: Duration::from_secs(10), ..Bounds::default() };
        Ok(Self { service: service.bounded(bounds) })
    }

    /// Asks, from a thread that may wait.
    pub(crate) fn get(&self, path: &str) -> Result<Value, PlatformError> {
        let request = self.service.request(Method::GET, path, Vec::new());
        let request = request.map_err(|error| PlatformError::new("azure", error))?;
        Handle::current().block_on(self.send(request))
    }

    /// The same with a body.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, PlatformError> {
        let body = body.to_string().into_bytes();
        let request = self.service.request(Method::POST, path, body);
        let mut request = request.map_err(|error| PlatformError::new("azure", error))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Handle::current().block_on(self.send(request))
    }

    /// Asks.
    pub(crate) async fn fetch(&self, path: &str) -> Result<Value, PlatformError> {
        let request = self.service.request(Method::GET, path, Vec::new());
        self.send(request.map_err(|error| PlatformError::new("azure", error))?).await
    }

    async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Value, PlatformError> {
        request.headers_mut().insert("metadata", HeaderValue::from_static("true"));
        let answer = self.service.send(request).await;
        let answer = answer.map_err(|error| PlatformError::new("azure", error))?;
        if !answer.status().is_success() {
            let reason = format!("the metadata service answers {}", answer.status());
            return Err(PlatformError::new("azure", reason));
        }
        serde_json::from_slice(answer.body()).map_err(|error| PlatformError::new("azure", error))
    }
}
