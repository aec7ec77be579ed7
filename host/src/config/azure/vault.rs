//! The section `[azure.vault]`: who may do what, whose tokens say who somebody is, and what signs
//! releases.
#![allow(missing_docs, reason = "full.toml is their documentation, and a test holds it complete")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::config::sections::sections;
use crate::config::values::Hex;
use crate::files;
use crate::foreign::{IssuerPlan, Issuers};
use crate::http::azure::{Principal, Principals, Proof, ReleaseSigner, Signing, VaultSettings};
use crate::permission::{Permission, Role};
use crate::tenant::Tenant;

/// The largest file of certificates or keys, in bytes.
const LARGEST: u64 = 1 << 20;

sections! {
    pub struct Vault {
        #[serde(default = "entra")]
        pub authorization: String,
        pub resource: Option<String>,
        pub signing_certificate: PathBuf,
        pub signing_key: PathBuf,
        #[serde(default)]
        pub issuers: Vec<TokenIssuer>,
        #[serde(default)]
        pub principals: Vec<VaultPrincipal>,
    }

    pub struct TokenIssuer {
        pub issuer: String,
        pub audience: String,
        pub ca: Option<PathBuf>,
        pub jwks: Option<PathBuf>,
        pub jwks_host: Option<String>,
        #[serde(default = "a_day")]
        pub max_token_age: u64,
    }

    pub struct VaultPrincipal {
        pub name: String,
        pub tenant: Option<Tenant>,
        pub token_sha256: Option<Hex<32>>,
        pub issuer: Option<String>,
        #[serde(default)]
        pub claims: BTreeMap<String, String>,
        #[serde(default)]
        pub roles: BTreeSet<Role>,
        #[serde(default)]
        pub permissions: BTreeSet<Permission>,
    }
}

fn entra() -> String {
    "https://login.microsoftonline.com/common".to_owned()
}

fn a_day() -> u64 {
    86_400
}

impl Vault {
    pub(super) fn each_path(&mut self, mut change: impl FnMut(&mut PathBuf)) {
        change(&mut self.signing_certificate);
        change(&mut self.signing_key);
        for issuer in &mut self.issuers {
            issuer.ca.iter_mut().chain(&mut issuer.jwks).for_each(&mut change);
        }
    }
}

/// What the section asks for, of a face that is reached under these host names.
pub(super) fn plan(
    vault: Vault,
    hosts: impl IntoIterator<Item = String>,
) -> Result<VaultSettings, ConfigError> {
    let Vault { authorization, resource, signing_certificate, signing_key, issuers, principals } =
        vault;
    for (key, url) in [
        ("azure.vault.authorization", Some(&authorization)),
        ("azure.vault.resource", resource.as_ref()),
    ] {
        // It stands between quotation marks in a header, whose parser knows no escapes.
        let plain = |url: &String| {
            url.starts_with("https://")
                && url.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\,=".contains(&byte))
        };
        if !url.is_none_or(plain) {
            return Err(ConfigError::value(
                key,
                "an https URL without quotation marks, commas and =",
            ));
        }
    }
    let listed: BTreeSet<String> = issuers.iter().map(|issuer| issuer.issuer.clone()).collect();
    let issuers = issuers.into_iter().map(issuer).collect::<Result<_, ConfigError>>()?;
    let issuers = Issuers::new(issuers, "")
        .map_err(|reason| ConfigError::value("azure.vault.issuers", reason))?;
    let mut names = BTreeSet::new();
    let mut known = Vec::new();
    for one in principals {
        let key = format!("azure.vault.principals: {}", one.name);
        if !names.insert(one.name.clone()) {
            return Err(ConfigError::value(key, "this name is taken"));
        }
        known.push(principal(one, &listed).map_err(|reason| ConfigError::value(key, reason))?);
    }
    let now = SystemClock.now();
    let signer = ReleaseSigner::open(&signing_certificate, &signing_key, hosts, now)
        .map_err(|error| ConfigError::value("azure.vault.signing_certificate", error))?;
    Ok(VaultSettings {
        authorization,
        resource,
        principals: Principals::new(known, issuers),
        signing: Signing::Ready(Arc::new(signer)),
    })
}

fn issuer(issuer: TokenIssuer) -> Result<IssuerPlan, ConfigError> {
    let TokenIssuer { issuer, audience, ca, jwks, jwks_host, max_token_age } = issuer;
    if !(1..=604_800).contains(&max_token_age) {
        let reason = "from 1 second to a week (604800)";
        return Err(ConfigError::value("azure.vault.issuers.max_token_age", reason));
    }
    let read = |path: Option<PathBuf>| {
        let read = |path: PathBuf| {
            files::read_bounded(&path, LARGEST).map_err(|error| {
                let reason = format!("{}: {error}", path.display());
                ConfigError::value("azure.vault.issuers", reason)
            })
        };
        path.map(read).transpose()
    };
    let (ca, jwks) = (read(ca)?, read(jwks)?);
    Ok(IssuerPlan { issuer, audience: Some(audience), ca, jwks, jwks_host, max_token_age })
}

fn principal(one: VaultPrincipal, listed: &BTreeSet<String>) -> Result<Principal, &'static str> {
    let VaultPrincipal { name, tenant, token_sha256, issuer, claims, roles, permissions } = one;
    let proof = match (token_sha256, issuer) {
        (Some(hash), None) if claims.is_empty() => Proof::Token(hash.0),
        (None, Some(issuer)) if !listed.contains(&issuer) => {
            return Err("its `issuer` is none of `azure.vault.issuers`");
        }
        (None, Some(issuer)) if !claims.is_empty() => Proof::Claims { issuer, claims },
        _ => return Err("one of `token_sha256`, and `issuer` with `claims`"),
    };
    let of_roles = roles.iter().flat_map(|role| role.permissions()).copied();
    let permissions = of_roles.chain(permissions).collect();
    Ok(Principal { name, tenant, proof, permissions })
}
