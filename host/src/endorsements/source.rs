//! Where endorsements come from: services that the operator named, and how each is asked. Nothing in
//! evidence names one.

use std::time::Duration;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
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
    /// Azure's cache of VCEK certificates, by chip and TCB (`SevSnpVM/certificates`).
    AzureCache,
    /// Azure's THIM (`/metadata/THIM/amd/certification`), which knows the one machine that it runs on.
    AzureThim,
    /// A Provisioning Certificate Caching Service of the operator's or of a cloud, version 3 or 4.
    IntelPccs,
    /// Intel's Provisioning Certification Service, version 4.
    IntelPcs,
    /// NVIDIA's OCSP responder (RFC 6960), or a cache of it.
    NvidiaOcsp,
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

impl SourcePlan {
    /// Whether such a service can be asked at all; it is not asked.
    ///
    /// # Errors
    /// What is wrong with its address or its certificate authority, in words.
    pub fn check(&self) -> Result<(), String> {
        Source::new(self).map(drop)
    }
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
            (SourceKind::NvidiaOcsp, Want::NvidiaOcsp { .. }) => true,
            (SourceKind::AzureCache | SourceKind::AzureThim, Want::AmdVcek { .. }) => true,
            (
                SourceKind::AmdKds
                | SourceKind::AzureCache
                | SourceKind::AzureThim
                | SourceKind::NvidiaOcsp,
                _,
            ) => false,
            (SourceKind::IntelPccs | SourceKind::IntelPcs, want) => {
                !matches!(want, Want::AmdCrl(_) | Want::AmdVcek { .. } | Want::NvidiaOcsp { .. })
            }
        }
    }

    /// Asks for it. What comes is only read, and not checked yet.
    pub(super) async fn ask(&self, want: &Want) -> Result<Vec<Vec<u8>>, SourceError> {
        let path = format!("{}{}", self.prefix, path(self.kind, want));
        let failed = |error: ClientError| SourceError::Failed(error.to_string());
        let answer = match (self.kind, want.ocsp_request()) {
            // RFC 6960 appendix A.1.
            (_, Some(request)) => {
                let body = ("application/ocsp-request", request);
                self.client.post(&path, body, LARGEST, TIMEOUT).await
            }
            // Azure's services of an instance answer nobody who does not say this.
            (SourceKind::AzureThim, None) => {
                self.client.get_with(&path, ("metadata", "true"), LARGEST, TIMEOUT).await
            }
            (_, None) => self.client.get(&path, LARGEST, TIMEOUT).await,
        };
        let answer = answer.map_err(failed)?;
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
        let chain = CHAINS.iter().find_map(|name| answer.headers().get(*name));
        let chain = chain.map(|value| percent_decoded(value.as_bytes()));
        let body = match (self.kind, want) {
            // A PCCS gives lists in hexadecimal.
            (SourceKind::IntelPccs, Want::IntelPckCrl(_) | Want::IntelRootCrl) => {
                HEXLOWER_PERMISSIVE
                    .decode(answer.body().trim_ascii())
                    .map_err(|_| failed("a revocation list that is not hexadecimal"))?
            }
            (SourceKind::AzureCache, _) => {
                first_of_pem(answer.body()).ok_or_else(|| failed("no certificate in PEM"))?
            }
            (SourceKind::AzureThim, _) => {
                let thim: Option<Thim> = serde_json::from_slice(answer.body()).ok();
                let certificate = thim.and_then(|thim| first_of_pem(thim.vcek.as_bytes()));
                certificate.ok_or_else(|| failed("not as THIM answers"))?
            }
            _ => answer.into_body().to_vec(),
        };
        Ok(std::iter::once(body).chain(chain).collect())
    }
}

/// What THIM answers, as much of it as is looked at: the chain is the host's own.
#[derive(Deserialize)]
struct Thim {
    #[serde(rename = "vcekCert")]
    vcek: String,
}

/// The first certificate of a PEM text: the chip's, before those that issued it.
fn first_of_pem(text: &[u8]) -> Option<Vec<u8>> {
    let first = CertificateDer::pem_slice_iter(text).next()?.ok()?;
    Some(first.as_ref().to_vec())
}

/// In these headers Intel's services give the chain of who signed, PEM, percent-encoded.
const CHAINS: [&str; 4] = [
    "tcb-info-issuer-chain",
    "sgx-tcb-info-issuer-chain",
    "sgx-enclave-identity-issuer-chain",
    "sgx-pck-crl-issuer-chain",
];

/// What is not percent-encoded stands for itself; what is neither is found out where the chain is read.
fn percent_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..2).filter(|_| *first == b'%');
        match digits.and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits).ok()) {
            Some(byte) => {
                decoded.extend(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push(*first);
                rest = behind;
            }
        }
    }
    decoded
}

/// By AMD's specification of the KDS (57230, section 4), and by Intel's of the PCS (API version 4), which a
/// PCCS follows.
fn path(kind: SourceKind, want: &Want) -> String {
    match want {
        Want::IntelPckCrl(issuer) => {
            let encoding = if kind == SourceKind::IntelPcs { "&encoding=der" } else { "" };
            format!("/sgx/certification/v4/pckcrl?ca={}{encoding}", issuer.short_name())
        }
        Want::IntelQeIdentity(tee) => format!("/{}/certification/v4/qe/identity", tee.name()),
        // The PCS has it elsewhere: `endorsements.sources` names that host as another source.
        Want::IntelRootCrl => match kind {
            SourceKind::IntelPcs => "/IntelSGXRootCA.der".to_owned(),
            _ => "/sgx/certification/v4/rootcacrl".to_owned(),
        },
        Want::IntelTcbInfo { tee, fmspc } => {
            format!("/{}/certification/v4/tcb?fmspc={}", tee.name(), HEXLOWER.encode(fmspc))
        }
        Want::NvidiaOcsp { .. } => "/".to_owned(),
        Want::AmdCrl(product) => format!("/vcek/v1/{product}/crl"),
        Want::AmdVcek { .. } if kind == SourceKind::AzureThim => {
            "/metadata/THIM/amd/certification".to_owned()
        }
        // As Microsoft's confidential sidecar asks: the TCB is a number, without zeros before it.
        Want::AmdVcek { chip_id, tcb, .. } if kind == SourceKind::AzureCache => format!(
            "/SevSnpVM/certificates/{}/{:x}?api-version=2020-10-15-preview",
            HEXLOWER.encode(chip_id),
            u64::from_le_bytes(*tcb)
        ),
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
    use crate::quote::{IntelAuthority, IntelTee};

    // AMD 57230, section 4.1
    #[test]
    fn the_key_distribution_service_is_asked_in_its_own_words() {
        let mut chip_id = [0; 64];
        chip_id[..9].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let vcek =
            |product, tcb| path(SourceKind::AmdKds, &Want::AmdVcek { product, chip_id, tcb });
        let chip = format!("010203040506070809{}", "00".repeat(55));
        assert_eq!(
            vcek(Product::Milan, [3, 0, 0, 0, 0, 0, 8, 115]),
            format!("/vcek/v1/Milan/{chip}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115")
        );
        assert_eq!(
            vcek(Product::Turin, [1, 2, 0, 3, 0, 0, 0, 68]),
            "/vcek/v1/Turin/0102030405060708?fmcSPL=01&blSPL=02&teeSPL=00&snpSPL=03&ucodeSPL=68"
        );
        assert_eq!(path(SourceKind::AmdKds, &Want::AmdCrl(Product::Genoa)), "/vcek/v1/Genoa/crl");
        let tcb = [4, 0, 0, 0, 0, 0, 0x18, 0xdb];
        let want = Want::AmdVcek { product: Product::Milan, chip_id, tcb };
        assert_eq!(
            path(SourceKind::AzureCache, &want),
            format!(
                "/SevSnpVM/certificates/{chip}/db18000000000004?api-version=2020-10-15-preview"
            )
        );
        assert_eq!(path(SourceKind::AzureThim, &want), "/metadata/THIM/amd/certification");
    }

    // Intel PCS API, version 4
    #[test]
    fn intels_services_are_asked_in_their_own_words() {
        let tcb = Want::IntelTcbInfo { tee: IntelTee::Tdx, fmspc: [0x90, 0xc0, 0x6f, 0, 0, 0] };
        let pcs = |want: &Want| path(SourceKind::IntelPcs, want);
        assert_eq!(pcs(&tcb), "/tdx/certification/v4/tcb?fmspc=90c06f000000");
        assert_eq!(pcs(&Want::IntelQeIdentity(IntelTee::Sgx)), "/sgx/certification/v4/qe/identity");
        let list = Want::IntelPckCrl(IntelAuthority::Platform);
        assert_eq!(pcs(&list), "/sgx/certification/v4/pckcrl?ca=platform&encoding=der");
        let pccs = |want: &Want| path(SourceKind::IntelPccs, want);
        assert_eq!(pccs(&list), "/sgx/certification/v4/pckcrl?ca=platform");
        assert_eq!(pccs(&Want::IntelRootCrl), "/sgx/certification/v4/rootcacrl");
    }

    #[test]
    fn a_chain_is_percent_decoded_and_odd_ends_stand_for_themselves() {
        assert_eq!(percent_decoded(b"a%0A%2Bb%"), b"a\n+b%");
        assert_eq!(percent_decoded(b"%4"), b"%4");
        assert_eq!(percent_decoded(b"%zz%41"), b"%zzA");
    }
}
