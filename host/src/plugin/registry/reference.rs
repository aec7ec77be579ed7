//! Where an artifact is: `registry.example:5000/team/verifier-acme:1.2.0@sha256:…`.

use std::fmt;
use std::str::FromStr;

/// A reference to an artifact. The registry is always named: there is no default one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// `host` or `host:port`.
    pub registry: String,
    /// `team/verifier-acme`.
    pub repository: String,
    /// A name that can be moved.
    pub tag: Option<String>,
    /// `sha256:…` of the manifest; goes before the tag.
    pub digest: Option<String>,
}

/// It is no reference.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no reference: {0}; wanted is REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]")]
pub struct NotAReference(&'static str);

impl Reference {
    /// A path of the repository in the registry's API.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.repository)
    }

    /// The registry's host, without a port.
    pub(super) fn host(&self) -> &str {
        let host = match self.registry.strip_prefix('[') {
            Some(rest) => rest.split(']').next(),
            None => self.registry.split(':').next(),
        };
        host.unwrap_or_default()
    }

    /// Whether the registry is on this machine.
    pub fn is_local(&self) -> bool {
        let address = self.host().parse::<std::net::IpAddr>();
        self.host() == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let (registry, rest) = text.split_once('/').ok_or(NotAReference("it names no registry"))?;
        let host = |byte: u8| byte.is_ascii_alphanumeric() || b"-.:[]".contains(&byte);
        if registry.is_empty() || !registry.bytes().all(host) {
            return Err(NotAReference("the registry is no host"));
        }
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (rest, None),
        };
        let (repository, tag) = match rest.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (rest, None),
        };
        let part = |part: &str| {
            let plain = |byte: u8| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte)
            };
            let first = part.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
            first && part.bytes().all(plain)
        };
        if !repository.split('/').all(part) || repository.len() > 255 {
            return Err(NotAReference("the repository has characters that none can have"));
        }
        let tagged = |tag: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            (1..=128).contains(&tag.len()) && tag.bytes().all(plain) && !tag.starts_with(['.', '-'])
        };
        if tag.is_some_and(|tag| !tagged(tag)) {
            return Err(NotAReference("the tag has characters that none can have"));
        }
        let hex = |digest: &str| {
            digest.strip_prefix("sha256:").is_some_and(|hex| {
                hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
            })
        };
        if digest.is_some_and(|digest| !hex(digest)) {
            return Err(NotAReference("the digest is no sha256:"));
        }
        Ok(Self {
            registry: registry.to_owned(),
            repository: repository.to_owned(),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        self.tag.iter().try_for_each(|tag| write!(f, ":{tag}"))?;
        self.digest.iter().try_for_each(|digest| write!(f, "@{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_its_registry_and_nothing_that_could_be_a_path() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "registry.example/verifier-acme".to_owned(),
            "localhost:5000/team/verifier-acme:1.2.0".to_owned(),
            format!("127.0.0.1:5000/v@{digest}"),
            format!("[::1]:5000/v:latest@{digest}"),
        ] {
            assert_eq!(text.parse::<Reference>().unwrap().to_string(), text);
        }
        for text in [
            "verifier-acme",
            "/v",
            "registry.example/",
            "registry.example/../v",
            "registry.example/v/../../w",
            "registry.example/V",
            "registry.example/v:",
            "registry.example/v:a/b",
            "registry.example/v:a?b",
            "registry.example/v@sha256:0A",
            "user@registry.example/v",
            "https://registry.example/v",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
        let local = |text: &str| text.parse::<Reference>().unwrap().is_local();
        assert!(local("localhost:5000/v") && local("127.0.0.1/v") && local("[::1]:5000/v"));
        assert!(!local("registry.example/v") && !local("localhost.example/v"));
    }
}
