//! Where the face is reached, and whose keys are meant. The operator says so (`azure.url`): what a
//! client writes into `Host` chooses at most between the names that the configuration lists, so that
//! nobody is given links to, or tokens in the name of, a host that the operator does not know.

use std::collections::BTreeMap;

use super::settings::NotAnAuthority;
use crate::error::{Code, Refusal};
use crate::tenant::Tenant;

/// The host name and port as clients see them, and the names below it.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    /// `host` or `host:port`, lower case, without the port that https has anyway.
    base: String,
    names: BTreeMap<String, Tenant>,
}

/// The vault that a request is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::http) struct Addressed {
    /// `https://host[:port]`, without a slash at its end: what identifiers in answers begin with.
    pub(in crate::http) url: String,
    /// Whose keys and policies apply.
    pub(in crate::http) tenant: Tenant,
}

impl Authority {
    pub(super) fn new(url: &str, names: BTreeMap<String, Tenant>) -> Result<Self, NotAnAuthority> {
        let base = url.strip_prefix("https://").ok_or(NotAnAuthority::Url)?;
        let base = normal(base.strip_suffix('/').unwrap_or(base)).ok_or(NotAnAuthority::Url)?;
        let label = |name: &&String| !is_label(name);
        match names.keys().find(label) {
            Some(name) => Err(NotAnAuthority::Label(name.clone())),
            None => Ok(Self { base, names }),
        }
    }

    /// `https://host[:port]`.
    pub(super) fn url(&self) -> String {
        format!("https://{}", self.base)
    }

    /// Every name that the face is reached under, `host[:port]`.
    pub(super) fn all(&self) -> impl Iterator<Item = String> {
        let below = self.names.keys().map(|name| format!("{name}.{}", self.base));
        std::iter::once(self.base.clone()).chain(below)
    }

    /// Every URL under which this tenant is meant.
    pub(super) fn urls_of(&self, tenant: &Tenant) -> Vec<String> {
        let plain = (*tenant == Tenant::default()).then(|| self.url());
        let named = self.names.iter().filter(|(_, of)| *of == tenant);
        let named = named.map(|(name, _)| format!("https://{name}.{}", self.base));
        plain.into_iter().chain(named).collect()
    }

    /// Whether `host` is one of the face's names.
    pub(super) fn names_it(&self, host: &str) -> bool {
        normal(host).is_some_and(|host| self.all().any(|name| name == host))
    }

    /// Which vault a request is for, by its `Host`. A name below ours that nobody listed is refused:
    /// its client means a vault that is not here. Any other, such as the address of this machine
    /// behind a load balancer, is the plain one.
    pub(super) fn of(&self, host: Option<&str>) -> Result<Addressed, Refusal> {
        let plain = || Addressed { url: self.url(), tenant: Tenant::default() };
        let Some(host) = host.and_then(normal) else { return Ok(plain()) };
        let Some(name) = host.strip_suffix(&self.base).and_then(|name| name.strip_suffix('.'))
        else {
            return Ok(plain());
        };
        match self.names.get(name) {
            Some(tenant) => {
                Ok(Addressed { url: format!("https://{host}"), tenant: tenant.clone() })
            }
            None => Err(Refusal::new(Code::NotFound, format!("no vault is called {name:?}"))),
        }
    }
}

/// `host[:port]` in the one form that is compared.
fn normal(authority: &str) -> Option<String> {
    let lower = authority.to_ascii_lowercase();
    let lower = lower.strip_suffix(":443").unwrap_or(&lower);
    let (host, port) = match lower.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (lower, None),
    };
    let plain = host.split('.').all(is_label);
    let port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (plain && port).then(|| lower.to_owned())
}

/// A label of a host name (RFC 1123, section 2.1), lower case.
fn is_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(allowed)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> Authority {
        let names = [("payroll".to_owned(), Tenant::parse("hr").unwrap())].into();
        Authority::new("https://keys.example:8443/", names).unwrap()
    }

    // attack 40
    #[test]
    fn a_host_header_chooses_between_listed_names_and_no_others() {
        let of = |host: &str| authority().of(Some(host));
        let plain =
            Addressed { url: "https://keys.example:8443".to_owned(), tenant: Tenant::default() };
        for host in ["keys.example:8443", "KEYS.example:8443", "10.0.0.1:8443", "evil.example"] {
            assert_eq!(of(host).unwrap(), plain, "{host}");
        }
        assert_eq!(authority().of(None).unwrap(), plain);
        for odd in
            ["", "a b", "keys.example:8443/x", "x@keys.example:8443", "evilkeys.example:8443"]
        {
            assert_eq!(of(odd).unwrap(), plain, "{odd}");
        }
        let payroll = of("Payroll.keys.example:8443").unwrap();
        assert_eq!(payroll.url, "https://payroll.keys.example:8443");
        assert_eq!(payroll.tenant.as_str(), "hr");
        for other in ["other.keys.example:8443", "x.payroll.keys.example:8443"] {
            assert_eq!(of(other).unwrap_err().code, Code::NotFound, "{other}");
        }
    }

    #[test]
    fn only_a_host_with_or_without_a_port_is_an_address() {
        let new = |url: &str| Authority::new(url, BTreeMap::new()).map(|authority| authority.url());
        assert_eq!(new("https://Keys.example").unwrap(), "https://keys.example");
        assert_eq!(new("https://keys.example:443").unwrap(), "https://keys.example");
        for bad in [
            "http://keys.example",
            "https://",
            "https://keys.example/v",
            "https://user@keys.example",
            "https://keys.example:0",
            "https://keys.example:x",
            "https://-keys.example",
        ] {
            assert_eq!(new(bad), Err(NotAnAuthority::Url), "{bad}");
        }
        let names = [("Pay roll".to_owned(), Tenant::default())].into();
        assert!(matches!(
            Authority::new("https://keys.example", names),
            Err(NotAnAuthority::Label(_))
        ));
    }
}
