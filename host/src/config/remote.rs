//! What a configuration says of the network: the targets of a plugin, and the credentials that the
//! host attaches.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use super::sections::{PluginLimits, system_authorities};
use crate::credentials::{
    AwsKeys, AwsPlan, CredentialKind, CredentialPlan, EndpointPlan, GooglePlan, HeaderPlan,
    MetadataPlan, OAuthPlan, OAuthProof, SecretSource, VaultLogin, VaultPlan,
};
use crate::egress::{AddressRange, EgressLimits, Pointer, TargetPlan, TlsPlan};
use crate::files;
use crate::secret::Secret;
use crate::store::private_file;

/// The largest file of certificates, in bytes.
const LARGEST: u64 = 16 << 20;

/// The largest file with a secret, in bytes.
const LARGEST_SECRET: u64 = 64 << 10;

/// A target of one plugin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTarget {
    pub url: String,
    pub methods: BTreeSet<String>,
    #[serde(default = "system_authorities")]
    pub ca: PathBuf,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    #[serde(default)]
    pub addresses: Vec<String>,
    pub credential: Option<String>,
    #[serde(default)]
    pub withhold: Vec<String>,
    #[serde(default)]
    pub takes_keys: bool,
    pub signed: Option<SignedAnswers>,
    pub signed_ca: Option<PathBuf>,
}

/// What a service signs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedAnswers {
    AzureKeyRelease,
}

/// A credential that the host attaches to requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub enum Credential {
    Header {
        header: String,
        #[serde(default)]
        prefix: String,
        file: Option<PathBuf>,
        variable: Option<String>,
    },
    AwsInstance {
        region: String,
        service: String,
    },
    AwsStatic {
        region: String,
        service: String,
        access_key_id: String,
        secret_file: PathBuf,
    },
    AwsWebIdentity {
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        region: String,
        service: String,
        role_arn: String,
        token_file: PathBuf,
    },
    AzureManagedIdentity {
        resource: String,
        client_id: Option<String>,
    },
    AzureWorkloadIdentity {
        #[serde(default = "azure_authority")]
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        tenant_id: String,
        client_id: String,
        scope: String,
        #[serde(default = "azure_token")]
        token_file: PathBuf,
    },
    GcpMetadata {},
    GcpServiceAccount {
        #[serde(default = "google_tokens")]
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        #[serde(default = "google_scope")]
        scope: String,
        key_file: PathBuf,
    },
    OauthClient {
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        path: String,
        client_id: String,
        scope: Option<String>,
        client_secret_file: PathBuf,
    },
    VaultApprole {
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        namespace: Option<String>,
        mount: Option<String>,
        role_id: String,
        secret_id_file: Option<PathBuf>,
    },
    VaultJwt {
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        namespace: Option<String>,
        mount: Option<String>,
        role: String,
        token_file: PathBuf,
    },
    VaultKubernetes {
        url: String,
        #[serde(default = "system_authorities")]
        ca: PathBuf,
        #[serde(default)]
        addresses: Vec<String>,
        namespace: Option<String>,
        mount: Option<String>,
        role: String,
        #[serde(default = "service_account")]
        token_file: PathBuf,
    },
}

fn azure_authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn google_tokens() -> String {
    "https://oauth2.googleapis.com".to_owned()
}

fn google_scope() -> String {
    "https://www.googleapis.com/auth/cloud-platform".to_owned()
}

/// Where Azure's workload identity puts a pod's token.
fn azure_token() -> PathBuf {
    "/var/run/secrets/azure/tokens/azure-identity-token".into()
}

/// Where Kubernetes puts a pod's service account token.
fn service_account() -> PathBuf {
    "/var/run/secrets/kubernetes.io/serviceaccount/token".into()
}

impl HttpTarget {
    pub(super) fn each_path(&mut self, change: &mut impl FnMut(&mut PathBuf)) {
        change(&mut self.ca);
        let others = self.certificate.iter_mut().chain(&mut self.key).chain(&mut self.signed_ca);
        others.for_each(change);
    }
}

impl Credential {
    pub(super) fn each_path(&mut self, change: &mut impl FnMut(&mut PathBuf)) {
        match self {
            Self::Header { file, .. } => file.iter_mut().for_each(change),
            Self::VaultApprole { ca, secret_id_file, .. } => {
                change(ca);
                secret_id_file.iter_mut().for_each(change);
            }
            Self::AwsInstance { .. } | Self::AzureManagedIdentity { .. } | Self::GcpMetadata {} => {
            }
            Self::AwsStatic { secret_file, .. } => change(secret_file),
            Self::GcpServiceAccount { ca, key_file: token_file, .. }
            | Self::OauthClient { ca, client_secret_file: token_file, .. }
            | Self::AwsWebIdentity { ca, token_file, .. }
            | Self::AzureWorkloadIdentity { ca, token_file, .. }
            | Self::VaultJwt { ca, token_file, .. }
            | Self::VaultKubernetes { ca, token_file, .. } => {
                change(ca);
                change(token_file);
            }
        }
    }
}

/// The credentials of a configuration, by name.
pub(super) fn credentials(
    given: BTreeMap<String, Credential>,
) -> Result<BTreeMap<String, CredentialPlan>, ConfigError> {
    let plans = given.into_iter().map(|(name, credential)| {
        let key = format!("credentials.{name}");
        let kind = kind(&key, credential)?;
        Ok((name.clone(), CredentialPlan { name, kind }))
    });
    plans.collect()
}

fn kind(key: &str, credential: Credential) -> Result<CredentialKind, ConfigError> {
    let service = |url, ca: PathBuf, addresses: Vec<String>| endpoint(key, url, &ca, &addresses);
    let vault = |endpoint, mount: Option<String>, default: &str, namespace, login| {
        let mount = mount.unwrap_or_else(|| default.to_owned());
        CredentialKind::Vault(VaultPlan { endpoint, mount, namespace, login })
    };
    Ok(match credential {
        Credential::AwsInstance { region, service } => {
            let keys = AwsKeys::Instance { endpoint: None };
            CredentialKind::Aws(AwsPlan { region, service, keys })
        }
        Credential::AwsStatic { region, service, access_key_id, secret_file } => {
            let keys = AwsKeys::Static { access_key_id, secret: SecretSource::File(secret_file) };
            CredentialKind::Aws(AwsPlan { region, service, keys })
        }
        Credential::AwsWebIdentity {
            url,
            ca,
            addresses,
            region,
            service: of,
            role_arn,
            token_file,
        } => {
            let endpoint = service(url, ca, addresses)?;
            let token = SecretSource::Projected(token_file);
            let keys = AwsKeys::WebIdentity { endpoint, role_arn, token };
            CredentialKind::Aws(AwsPlan { region, service: of, keys })
        }
        Credential::AzureManagedIdentity { resource, client_id } => {
            let endpoint = None;
            CredentialKind::Metadata(MetadataPlan::Azure { resource, client_id, endpoint })
        }
        Credential::GcpMetadata {} => {
            CredentialKind::Metadata(MetadataPlan::Gcp { endpoint: None })
        }
        Credential::GcpServiceAccount { url, ca, addresses, scope, key_file } => {
            let (endpoint, key) = (service(url, ca, addresses)?, SecretSource::File(key_file));
            CredentialKind::Google(GooglePlan { endpoint, key, scope })
        }
        Credential::AzureWorkloadIdentity {
            url,
            ca,
            addresses,
            tenant_id,
            client_id,
            scope,
            token_file,
        } => CredentialKind::OAuth(OAuthPlan {
            endpoint: service(url, ca, addresses)?,
            path: format!("/{tenant_id}/oauth2/v2.0/token"),
            client_id,
            scope: Some(scope),
            proof: OAuthProof::Assertion(SecretSource::Projected(token_file)),
        }),
        Credential::OauthClient {
            url,
            ca,
            addresses,
            path,
            client_id,
            scope,
            client_secret_file,
        } => CredentialKind::OAuth(OAuthPlan {
            endpoint: service(url, ca, addresses)?,
            path,
            client_id,
            scope,
            proof: OAuthProof::Secret(SecretSource::File(client_secret_file)),
        }),
        Credential::Header { header, prefix, file, variable } => {
            let source = match (file, variable) {
                (Some(file), None) => SecretSource::File(file),
                (None, Some(variable)) => SecretSource::Environment(variable),
                _ => return Err(ConfigError::value(key, "one of `file` and `variable`")),
            };
            CredentialKind::Header(HeaderPlan { header, prefix, source })
        }
        Credential::VaultApprole {
            url,
            ca,
            addresses,
            namespace,
            mount,
            role_id,
            secret_id_file,
        } => {
            let secret_id = secret_id_file.map(SecretSource::File);
            let login = VaultLogin::AppRole { role_id, secret_id };
            vault(service(url, ca, addresses)?, mount, "approle", namespace, login)
        }
        Credential::VaultJwt { url, ca, addresses, namespace, mount, role, token_file } => {
            let login = VaultLogin::Jwt { role, token: SecretSource::Projected(token_file) };
            vault(service(url, ca, addresses)?, mount, "jwt", namespace, login)
        }
        Credential::VaultKubernetes { url, ca, addresses, namespace, mount, role, token_file } => {
            let login = VaultLogin::Jwt { role, token: SecretSource::Projected(token_file) };
            vault(service(url, ca, addresses)?, mount, "kubernetes", namespace, login)
        }
    })
}

fn endpoint(
    key: &str,
    url: String,
    ca: &Path,
    addresses: &[String],
) -> Result<EndpointPlan, ConfigError> {
    let tls = TlsPlan { roots: roots(key, &url, ca)?, identity: None };
    Ok(EndpointPlan { url, tls, addresses: ranges(key, addresses)? })
}

/// The targets of a plugin.
pub(super) fn targets(
    plugin: &str,
    given: Vec<HttpTarget>,
    credentials: &BTreeMap<String, CredentialPlan>,
) -> Result<Vec<TargetPlan>, ConfigError> {
    let key = format!("plugins: {plugin}: http");
    let plans = given.into_iter().map(|target| {
        let identity = match (&target.certificate, &target.key) {
            (None, None) => None,
            (Some(certificate), Some(private)) => {
                let chain = bounded(&key, certificate)?;
                let private = secret(&key, private)?;
                Some((chain, private))
            }
            _ => return Err(ConfigError::value(&key, "`certificate` and `key` go together")),
        };
        let credential = match &target.credential {
            None => None,
            Some(name) => Some(credentials.get(name).cloned().ok_or_else(|| {
                ConfigError::value(&key, format!("there is no `[credentials.{name}]`"))
            })?),
        };
        let pointers = target.withhold.iter().map(|pointer| pointer.parse::<Pointer>());
        let withhold = pointers.collect::<Result<_, _>>();
        let roots = roots(&key, &target.url, &target.ca)?;
        let signed_releases = match (target.signed, &target.signed_ca) {
            (None, None) => None,
            (None, Some(_)) => {
                return Err(ConfigError::value(&key, "`signed_ca` goes with `signed`"));
            }
            (Some(SignedAnswers::AzureKeyRelease), None) => Some(roots.clone()),
            (Some(SignedAnswers::AzureKeyRelease), Some(path)) => Some(bounded(&key, path)?),
        };
        Ok(TargetPlan {
            tls: TlsPlan { roots, identity },
            addresses: ranges(&key, &target.addresses)?,
            credential,
            withhold: withhold.map_err(|why| ConfigError::value(&key, why))?,
            takes_keys: target.takes_keys,
            signed_releases,
            url: target.url,
            methods: target.methods,
        })
    });
    plans.collect()
}

/// The secrets that a plugin gets by value.
pub(super) fn secrets(
    plugin: &str,
    given: BTreeMap<String, PathBuf>,
) -> Result<BTreeMap<String, Secret>, ConfigError> {
    let key = format!("plugins: {plugin}: secrets");
    let read = given.into_iter().map(|(name, path)| {
        let read = secret(&key, &path)?;
        let end = read.expose().iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
        let line = read.expose().get(..end.map_or(0, |end| end + 1)).unwrap_or_default();
        if line.is_empty() {
            return Err(ConfigError::value(&key, format!("{} is empty", path.display())));
        }
        Ok((name, Secret::new(line.to_vec())))
    });
    read.collect()
}

/// The bounds on a plugin's requests.
pub(super) fn egress(limits: &PluginLimits) -> EgressLimits {
    let defaults = EgressLimits::default();
    let time = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
    EgressLimits {
        connect: time(limits.connect_milliseconds, defaults.connect),
        first_byte: time(limits.first_byte_milliseconds, defaults.first_byte),
        idle: time(limits.idle_milliseconds, defaults.idle),
        answer_bytes: limits.answer_bytes.unwrap_or(defaults.answer_bytes),
        at_once: limits.requests_at_once.unwrap_or(defaults.at_once),
        ..defaults
    }
}

/// Without TLS there is nobody to believe.
fn roots(key: &str, url: &str, ca: &Path) -> Result<Vec<u8>, ConfigError> {
    match url.starts_with("http://") {
        true => Ok(Vec::new()),
        false => bounded(key, ca),
    }
}

fn ranges(key: &str, given: &[String]) -> Result<Vec<AddressRange>, ConfigError> {
    let ranges = given.iter().map(|range| range.parse::<AddressRange>());
    ranges.collect::<Result<_, _>>().map_err(|why| ConfigError::value(key, why))
}

fn bounded(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    files::read_bounded(path, LARGEST)
        .map_err(|error| ConfigError::value(key, format!("{}: {error}", path.display())))
}

fn secret(key: &str, path: &Path) -> Result<Secret, ConfigError> {
    let read = private_file::read(path, LARGEST_SECRET);
    let read = read.map_err(|error| ConfigError::value(key, error))?;
    read.ok_or_else(|| ConfigError::value(key, format!("{} is missing", path.display())))
}
