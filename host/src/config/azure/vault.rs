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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::http::{DevelopmentCertificates, ReleaseSigning};

    fn made() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let now = SystemClock.now();
        DevelopmentCertificates::open(folder.path(), now).unwrap();
        ReleaseSigning::open(folder.path(), &["localhost:8443".to_owned()], now).unwrap();
        folder
    }

    fn planned(folder: &Path, text: &str, host: &str) -> Result<VaultSettings, String> {
        let mut vault: Vault = toml::from_str(text).unwrap();
        vault.each_path(|path| *path = folder.join(&*path));
        plan(vault, [host.to_owned()]).map_err(|error| error.to_string())
    }

    const SIGNING: &str = "signing_certificate = \"release-signing.pem\"\n\
        signing_key = \"release-signing-key.pem\"\n";

    // attack 63
    #[test]
    fn a_host_does_not_start_that_could_not_sign_what_it_releases() {
        let folder = made();
        let folder = folder.path();
        planned(folder, SIGNING, "localhost").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let chain = read("release-signing.pem");
        let leaf = chain.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
        std::fs::write(folder.join("leaf.pem"), leaf).unwrap();
        // The leaf under a root that did not issue it.
        std::fs::write(folder.join("other.pem"), format!("{leaf}{}", read("server.pem"))).unwrap();
        let ec = format!("{}{}", read("server.pem"), read("ca.pem"));
        std::fs::write(folder.join("ec.pem"), ec).unwrap();
        let moved = std::fs::copy(folder.join("release-signing-key.pem"), folder.join("open.pem"));
        moved.unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(folder.join("open.pem"), mode).unwrap();
        for (certificate, key, host, why) in [
            ("leaf.pem", "release-signing-key.pem", "localhost", "at least two"),
            ("other.pem", "release-signing-key.pem", "localhost", "chain"),
            ("release-signing.pem", "release-signing-key.pem", "keys.example", "chain"),
            ("ec.pem", "server-key.pem", "localhost", "RSA"),
            ("ec.pem", "release-signing-key.pem", "localhost", "not that of the first"),
            ("release-signing.pem", "open.pem", "localhost", "everybody"),
            ("none.pem", "release-signing-key.pem", "localhost", "none.pem"),
        ] {
            let text =
                format!("signing_certificate = \"{certificate}\"\nsigning_key = \"{key}\"\n");
            let refused = planned(folder, &text, host).unwrap_err();
            assert!(refused.contains(why), "{certificate} {key}: {refused}");
        }
    }

    #[test]
    fn a_principal_has_one_proof_and_one_that_proves_something() {
        let folder = made();
        let hash = "07".repeat(32);
        let issuer = "[[issuers]]\nissuer = \"https://i.example\"\naudience = \"a\"\n\
            ca = \"ca.pem\"\n";
        let token = format!("token_sha256 = \"{hash}\"");
        let try_one = |principal: &str| {
            let text = format!("{SIGNING}{issuer}[[principals]]\nname = \"p\"\n{principal}\n");
            planned(folder.path(), &text, "localhost")
        };
        for sound in [
            token.as_str(),
            "issuer = \"https://i.example\"\nclaims = { oid = \"1\" }\nroles = [\"release-user\"]",
        ] {
            try_one(sound).unwrap();
        }
        for bad in [
            "",
            "issuer = \"https://i.example\"",
            "issuer = \"https://other.example\"\nclaims = { oid = \"1\" }",
            "claims = { oid = \"1\" }",
            &format!("{token}\nclaims = {{ oid = \"1\" }}"),
            &format!("{token}\nissuer = \"https://i.example\"\nclaims = {{ oid = \"1\" }}"),
            &format!("{token}\n[[principals]]\nname = \"p\"\n{token}"),
        ] {
            let refused = try_one(bad).unwrap_err();
            assert!(refused.contains("azure.vault.principals: p"), "{bad}: {refused}");
        }
        let bad = format!("authorization = \"https://a.example/\\\", resource=\\\"x\"\n{SIGNING}");
        assert!(planned(folder.path(), &bad, "localhost").is_err());
    }
}
