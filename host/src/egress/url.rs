//! Addresses of requests (RFC 3986), in one spelling only. What a server or a proxy on the way could
//! read in another way than the grant was compared with is refused, not repaired.

use std::fmt;

/// The longest URL, in bytes.
const LONGEST: usize = 2_048;

/// How the service is spoken to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scheme {
    /// In the clear; only to addresses that are granted one by one.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A URL that means one thing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Url {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// The host in lower case; an IPv6 address without its brackets.
    pub host: String,
    /// The port, its default where none was written.
    pub port: u16,
    /// The path, from its `/` on.
    pub path: String,
    /// What stands behind `?`.
    pub query: Option<String>,
}

impl Url {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, in words that repeat nothing of it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST {
            return Err("the URL is too long");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}#".contains(&byte)) {
            return Err("the URL has characters that no URL has, or a fragment");
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err("the URL is neither https nor http"),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, behind) = rest.split_at(end);
        let (host, port) = host_and_port(authority, scheme)?;
        let (path, query) = match behind.split_once('?') {
            None => (behind, None),
            Some((path, query)) => (path, Some(query.to_owned())),
        };
        let path = if path.is_empty() { "/" } else { path };
        check_path(path)?;
        if query.as_deref().is_some_and(|query| !escapes(query)) {
            return Err("the query has a broken percent-encoding");
        }
        Ok(Self { scheme, host, port, path: path.to_owned(), query })
    }

    /// `host` or `host:port`, as it stands in the header `host`.
    pub(crate) fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == self.scheme.port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }

    /// Path and query, as they stand in the request's line.
    pub(super) fn path_and_query(&self) -> String {
        match &self.query {
            None => self.path.clone(),
            Some(query) => format!("{}?{query}", self.path),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme.name(), self.authority(), self.path_and_query())
    }
}

fn host_and_port(authority: &str, scheme: Scheme) -> Result<(String, u16), &'static str> {
    const HOST: Result<(String, u16), &str> = Err("the URL's host is not a plain name or address");
    if authority.contains(['@', '%']) {
        return HOST;
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let Some((host, port)) = rest.split_once(']') else { return HOST };
            let Ok(address) = host.parse::<std::net::Ipv6Addr>() else { return HOST };
            (address.to_string(), port.strip_prefix(':').or(port.is_empty().then_some("")))
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            let label = |label: &str| {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                (1..=63).contains(&label.len()) && label.bytes().all(plain)
            };
            if host.len() > 253 || !host.split('.').all(label) {
                return HOST;
            }
            let colon = authority.len() > host.len();
            (host.to_ascii_lowercase(), (!colon || !port.is_empty()).then_some(port))
        }
    };
    let port = match port {
        Some("") => scheme.port(),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = port.parse().ok().filter(|port| *port != 0);
            port.ok_or("the URL's port is not one")?
        }
        _ => return Err("the URL's port is not one"),
    };
    Ok((host, port))
}

/// No path that another reader could take for one outside its prefix: no dot segments, no empty
/// ones, no encoded slashes, dots, percents or controls, no parameters of a segment.
fn check_path(path: &str) -> Result<(), &'static str> {
    if !path.starts_with('/') {
        return Err("the URL's path does not begin with a slash");
    }
    if !escapes(path) {
        return Err("the path has a broken percent-encoding");
    }
    let mut rest = path;
    while let Some((_, behind)) = rest.split_once('%') {
        let (digits, behind) = behind.split_at_checked(2).unwrap_or_default();
        match u8::from_str_radix(digits, 16) {
            Ok(0..=0x20 | b'%' | b'.' | b'/' | b';' | b'\\' | 0x7f) | Err(_) => {
                return Err("the path has an encoded slash, dot, percent or control character");
            }
            Ok(_) => rest = behind,
        }
    }
    if path.contains(';') {
        return Err("the path has parameters of a segment");
    }
    // A slash at the end is common, and makes one empty segment there.
    let inner = path.strip_suffix('/').unwrap_or(path);
    let segments = inner.split('/').skip(1);
    for segment in segments {
        if matches!(segment, "" | "." | "..") {
            return Err("the path has an empty or a dot segment");
        }
    }
    Ok(())
}

/// Whether every percent sign begins an escape.
fn escapes(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    parts.all(|part| part.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_into_its_parts() {
        let url = Url::parse("https://Vault.Example:8200/v1/secret/data/a%20b?version=2");
        assert!(url.is_err(), "an encoded space");
        let url = Url::parse("https://Vault.Example:8200/v1/secret/data/a-b?version=2").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("vault.example", 8200));
        assert_eq!(url.path, "/v1/secret/data/a-b");
        assert_eq!(url.query.as_deref(), Some("version=2"));
        assert_eq!(url.to_string(), "https://vault.example:8200/v1/secret/data/a-b?version=2");
        let url = Url::parse("http://[::1]:9/").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 9));
        assert_eq!(url.authority(), "[::1]:9");
        assert_eq!(Url::parse("https://a").unwrap().path, "/");
        assert_eq!(Url::parse("https://a/b/").unwrap().path, "/b/");
    }

    // attacks 40 and 42
    #[test]
    fn what_could_be_read_in_two_ways_is_no_url() {
        for text in [
            "",
            "/v1/a",
            "ftp://a/",
            "HTTPS://a/",
            "file:///etc/passwd",
            "https://",
            "https:///v1",
            "https://user@a/",
            "https://a:b@c/",
            "https://a@/",
            "https://a%2eb/",
            "https://a..b/",
            "https://a./",
            "https://a:/",
            "https://a:0/",
            "https://a:65536/",
            "https://a:+1/",
            "https://[::1/",
            "https://[::1]x/",
            "https://[fe80::1%25eth0]/",
            "https://a/../b",
            "https://a/v1/..",
            "https://a/v1/./b",
            "https://a//b",
            "https://a/v1//",
            "https://a/v1/%2e%2e/b",
            "https://a/v1/.%2E/b",
            "https://a/v1%2fb",
            "https://a/v1%5cb",
            "https://a/v1\\b",
            "https://a/v1/..;/b",
            "https://a/v1;x/b",
            "https://a/v1%3b/b",
            "https://a/v1%252f..",
            "https://a/v1%00",
            "https://a/v1%0d%0aX:1",
            "https://a/v1%2",
            "https://a/v1%zz",
            "https://a/v1%+1",
            "https://a/v1?q=%2",
            "https://a/v1#x",
            "https://a/v1 b",
            "https://a/v1\r\nHost: b",
            "https://a/k\u{e9}y",
            "https://\u{ff41}/",
        ] {
            assert!(Url::parse(text).is_err(), "{text:?}");
        }
        assert!(Url::parse(&format!("https://a/{}", "x".repeat(LONGEST))).is_err());
    }
}
