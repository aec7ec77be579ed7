//! Where endorsements come from: services that the operator named, and how each is asked. Nothing in
//! evidence names one.

use std::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::client::{Client, ClientError, ClientSettings};
use crate::quote::Want;
use crate::quote::snp::{Product, Tcb};

/// The largest answer that is read, in bytes: revocation lists may be long.
const LARGEST: usize = 1 << 20;

/// From the first byte sent to the last one read.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long a source is left alone that says that it has enough, and does not say for how long.
const PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a source may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What kind of service it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// AMD's Key Distribution Service (AMD 57230), or a mirror of it.
    AmdKds,
}

/// A service, as the operator names it.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// How it is asked.
    pub kind: SourceKind,
    /// `https://host:port`, and perhaps a path that stands before every request's.
    pub url: String,
    /// Who vouches for its certificate, PEM.
    pub ca: Vec<u8>,
}

/// Why a source gave nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SourceError {
    /// It has no such thing.
    #[error("{0} has it not")]
    Absent(String),
    /// It cannot be reached, is slow, or answers with something else.
    #[error("{0}")]
    Failed(String),
    /// It wants to be left alone for a while.
    #[error("{source_url} is not to be asked for {} seconds", pause.as_secs())]
    Paused {
        /// Which.
        source_url: String,
        /// How long.
        pause: Duration,
    },
}

/// A service that can be asked.
pub(super) struct Source {
    kind: SourceKind,
    url: String,
    prefix: String,
    client: Client,
}

impl Source {
    pub(super) fn new(plan: &SourcePlan) -> Result<Self, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", plan.url);
        let behind = plan.url.strip_prefix("https://").ok_or_else(|| wrong(&"not https"))?;
        let place = behind.find('/').unwrap_or(behind.len());
        let (host, path) = behind.split_at(place);
        let settings = ClientSettings::new(format!("https://{host}"), plan.ca.as_slice());
        let client = Client::new(settings).map_err(|error| wrong(&error))?;
        let prefix = path.trim_end_matches('/').to_owned();
        Ok(Self { kind: plan.kind, url: plan.url.clone(), prefix, client })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it may have such a thing.
    pub(super) fn serves(&self, want: &Want) -> bool {
        match (self.kind, want) {
            (SourceKind::AmdKds, Want::AmdCrl(_) | Want::AmdVcek { .. }) => true,
        }
    }

    /// Asks for it. What comes is only read, and not checked yet.
    pub(super) async fn ask(&self, want: &Want) -> Result<Vec<u8>, SourceError> {
        let path = format!("{}{}", self.prefix, path(want));
        let failed = |error: ClientError| SourceError::Failed(error.to_string());
        let answer = self.client.get(&path, LARGEST, TIMEOUT).await.map_err(failed)?;
        let failed = |what: &str| SourceError::Failed(format!("{}{path}: {what}", self.url));
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(SourceError::Absent(self.url.clone())),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let (source_url, pause) = (self.url.clone(), pause(answer.headers()));
                return Err(SourceError::Paused { source_url, pause });
            }
            // Redirects among them: no other place than the operator's is asked.
            status => return Err(failed(&format!("status {}", status.as_u16()))),
        }
        if is_text(answer.headers()) {
            return Err(failed("a page for people"));
        }
        if answer.body().is_empty() {
            return Err(failed("nothing"));
        }
        Ok(answer.into_body().to_vec())
    }
}

/// By AMD's specification of the KDS (57230, section 4).
fn path(want: &Want) -> String {
    match want {
        Want::AmdCrl(product) => format!("/vcek/v1/{product}/crl"),
        Want::AmdVcek { product, chip_id, tcb } => {
            let chip = Want::hardware_id(*product, chip_id);
            let tcb = Tcb::from_bytes(*product, *tcb);
            let fmc = match (product, tcb.fmc) {
                (Product::Turin, Some(fmc)) => format!("fmcSPL={fmc:02}&"),
                _ => String::new(),
            };
            format!(
                "/vcek/v1/{product}/{chip}?{fmc}blSPL={:02}&teeSPL={:02}&snpSPL={:02}&ucodeSPL={:02}",
                tcb.bootloader, tcb.tee, tcb.snp, tcb.microcode
            )
        }
    }
}

/// Retry-After in seconds (RFC 9110, section 10.2.3); a date is taken for none.
fn pause(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs).min(LONGEST_PAUSE)
}

/// A proxy or portal answers so where a service would answer with bytes.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    media_type.is_some_and(|media_type| media_type.trim_start().starts_with("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // AMD 57230, section 4.1
    #[test]
    fn the_key_distribution_service_is_asked_in_its_own_words() {
        let mut chip_id = [0; 64];
        chip_id[..9].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let vcek = |product, tcb| path(&Want::AmdVcek { product, chip_id, tcb });
        let chip = format!("010203040506070809{}", "00".repeat(55));
        assert_eq!(
            vcek(Product::Milan, [3, 0, 0, 0, 0, 0, 8, 115]),
            format!("/vcek/v1/Milan/{chip}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115")
        );
        assert_eq!(
            vcek(Product::Turin, [1, 2, 0, 3, 0, 0, 0, 68]),
            "/vcek/v1/Turin/0102030405060708?fmcSPL=01&blSPL=02&teeSPL=00&snpSPL=03&ucodeSPL=68"
        );
        assert_eq!(path(&Want::AmdCrl(Product::Genoa)), "/vcek/v1/Genoa/crl");
    }
}
