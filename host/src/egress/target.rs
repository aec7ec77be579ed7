//! A target: where a plugin's requests may go, by the operator's grant.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::address::{self, AddressRange};
use super::breaker::Breaker;
use super::connection::Pool;
use super::url::{Scheme, Url};
use super::withhold::Pointer;
use crate::credentials::{Credential, CredentialPlan};
use crate::http::tls;
use crate::secret::Secret;

/// What stands for the tenant of a call in a grant's path.
pub(crate) const TENANT: &str = "{tenant}";

/// How a service proves who it is, and the host to it.
#[derive(Clone, Debug, Default)]
pub struct TlsPlan {
    /// The certificate authorities that are believed, PEM.
    pub roots: Vec<u8>,
    /// A client certificate with its key, both PEM.
    pub identity: Option<(Vec<u8>, Secret)>,
}

/// A grant, as the operator writes it.
#[derive(Clone, Debug, Default)]
pub struct TargetPlan {
    /// Scheme, host, port and the beginning of the path: `https://vault:8200/v1/secret/`. In the
    /// path `{tenant}` stands for the tenant of the call.
    pub url: String,
    /// The methods that may be used.
    pub methods: BTreeSet<String>,
    /// For `https`.
    pub tls: TlsPlan,
    /// Addresses that are not public and may be reached all the same.
    pub addresses: Vec<AddressRange>,
    /// What the host attaches to each request.
    pub credential: Option<CredentialPlan>,
    /// Values of the answers that the plugin gets as handles.
    pub withhold: Vec<Pointer>,
    /// Whether key material may be sent there.
    pub takes_keys: bool,
    /// The service's answers are releases under its signature: the authorities that vouch for it, PEM.
    /// What is not signed so does not reach the plugin.
    pub signed_releases: Option<Vec<u8>>,
}

/// A grant in force.
pub(super) struct Target {
    scheme: Scheme,
    host: String,
    port: u16,
    prefix: String,
    methods: BTreeSet<String>,
    addresses: Vec<AddressRange>,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) credential: Option<Arc<Credential>>,
    pub(super) withhold: Vec<Pointer>,
    /// Whether key material may be sent there.
    pub(super) takes_keys: bool,
    /// Who vouches for the signature of releases.
    pub(super) signed_releases: Option<Vec<CertificateDer<'static>>>,
    pub(super) breaker: Breaker,
    pub(super) pool: Pool,
}

impl Target {
    pub(super) fn new(
        plan: TargetPlan,
        credential: Option<Arc<Credential>>,
    ) -> Result<Self, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", plan.url);
        // The path is judged with a tenant's name in the place that is for one.
        let url = Url::parse(&plan.url.replace(TENANT, "t")).map_err(|why| wrong(&why))?;
        if url.query.is_some() {
            return Err(wrong(&"a grant has no query"));
        }
        let authority = plan.url.split('/').nth(2).unwrap_or_default();
        if authority.contains(TENANT) {
            return Err(wrong(&"the tenant may stand in the path only"));
        }
        let behind = plan.url.splitn(4, '/').nth(3).unwrap_or_default();
        if plan.methods.is_empty() {
            return Err(wrong(&"no method is granted"));
        }
        for method in &plan.methods {
            let upper = method.bytes().all(|byte| byte.is_ascii_uppercase());
            if !upper || method == "CONNECT" || Method::from_bytes(method.as_bytes()).is_err() {
                return Err(wrong(&format!("{method:?} is not a method to be granted")));
            }
        }
        let tls = match url.scheme {
            Scheme::Http if plan.addresses.is_empty() => {
                return Err(wrong(&"without TLS only addresses that are granted are reached"));
            }
            Scheme::Http => None,
            Scheme::Https => {
                let name = ServerName::try_from(url.host.clone()).map_err(|why| wrong(&why))?;
                Some((client_config(&plan.tls).map_err(|why| wrong(&why))?, name))
            }
        };
        let vouching = plan.signed_releases.as_deref().map(certificates).transpose();
        let signed_releases = vouching.map_err(|why| wrong(&why))?;
        let prefix = format!("/{behind}");
        let (scheme, host, port) = (url.scheme, url.host, url.port);
        Ok(Self {
            scheme,
            host,
            port,
            prefix,
            methods: plan.methods,
            addresses: plan.addresses,
            tls,
            credential,
            withhold: plan.withhold,
            takes_keys: plan.takes_keys,
            signed_releases,
            breaker: Breaker::default(),
            pool: Pool::default(),
        })
    }

    /// Whether the grant covers a request of this tenant's.
    pub(super) fn covers(&self, method: &str, url: &Url, tenant: Option<&str>) -> bool {
        let place = (self.scheme, self.port) == (url.scheme, url.port) && self.host == url.host;
        place && self.methods.contains(method) && self.holds(&url.path, tenant)
    }

    fn holds(&self, path: &str, tenant: Option<&str>) -> bool {
        let expanded;
        let prefix = match (self.prefix.contains(TENANT), tenant) {
            (false, _) => self.prefix.as_str(),
            (true, Some(tenant)) => {
                expanded = self.prefix.replace(TENANT, tenant);
                expanded.as_str()
            }
            // No tenant's call has no tenant's place.
            (true, None) => return false,
        };
        match path.strip_prefix(prefix) {
            Some(behind) => behind.is_empty() || prefix.ends_with('/') || behind.starts_with('/'),
            None => false,
        }
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Why this address of the host's may not be reached. Without TLS every address needs its grant.
    pub(super) fn refused(&self, address: IpAddr) -> Option<&'static str> {
        if self.scheme == Scheme::Http
            && !self.addresses.iter().any(|range| range.contains(address))
        {
            return Some("not granted, and there is no TLS");
        }
        address::refused(address, &self.addresses)
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| error.to_string())?;
    match found.is_empty() {
        true => Err("no authority vouches for the signature of its releases".to_owned()),
        false => Ok(found),
    }
}

fn client_config(plan: &TlsPlan) -> Result<Arc<ClientConfig>, String> {
    let wrong = |error: &dyn std::fmt::Display| error.to_string();
    let roots = tls::roots(&plan.roots).map_err(|error| wrong(&error))?;
    let builder = ClientConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| wrong(&error))?
        .with_root_certificates(roots);
    let mut config = match &plan.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| wrong(&error))?;
            let key = PrivateKeyDer::from_pem_slice(key.expose()).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| wrong(&error))?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, String> {
        let plan = TargetPlan {
            url: url.to_owned(),
            methods: ["GET".to_owned()].into(),
            addresses: vec!["127.0.0.1".parse().unwrap()],
            ..TargetPlan::default()
        };
        Target::new(plan, None)
    }

    fn covers(grant: &str, url: &str, tenant: Option<&str>) -> bool {
        let url = Url::parse(url).unwrap();
        target(grant).unwrap().covers("GET", &url, tenant)
    }

    #[test]
    fn a_grant_covers_its_scheme_host_port_path_and_methods_and_no_more() {
        let grant = "http://kms:80/v1/secret";
        assert!(covers(grant, "http://KMS/v1/secret/a?b=c", None));
        assert!(covers(grant, "http://kms/v1/secret", None));
        for url in [
            "https://kms/v1/secret/a",
            "http://kms:81/v1/secret/a",
            "http://kms.example/v1/secret/a",
            "http://k/v1/secret/a",
            "http://kms/v1/secrets",
            "http://kms/v1/secre",
            "http://kms/V1/secret/a",
            "http://kms/v2/v1/secret/a",
        ] {
            assert!(!covers(grant, url, None), "{url}");
        }
        let url = Url::parse("http://kms/v1/secret/a").unwrap();
        assert!(!target(grant).unwrap().covers("PUT", &url, None));
    }

    // attack 51
    #[test]
    fn the_place_of_one_tenant_is_not_reached_for_another() {
        let grant = "http://kms/v1/{tenant}/";
        assert!(covers(grant, "http://kms/v1/a/k", Some("a")));
        assert!(!covers(grant, "http://kms/v1/a/k", Some("b")));
        assert!(!covers(grant, "http://kms/v1/ab/k", Some("a")));
        assert!(!covers(grant, "http://kms/v1/t/k", None));
    }

    #[test]
    fn a_grant_that_says_nothing_certain_is_refused() {
        for url in [
            "kms",
            "https://kms/",
            "http://kms/?a=b",
            "http://kms/a/../b",
            "http://{tenant}.kms/",
            "http://*.kms/",
            "http://kms/{other}/",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
        let plan = TargetPlan { url: "http://kms/".into(), ..TargetPlan::default() };
        assert!(Target::new(plan.clone(), None).is_err(), "no method");
        let plan = TargetPlan { methods: ["GET".to_owned()].into(), ..plan };
        assert!(Target::new(plan, None).is_err(), "in the clear to anywhere");
    }
}
