//! What a plugin may say in the head of a request, and what it hears of the head of an answer.

use http::header::{
    AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHENTICATE, SET_COOKIE,
};

use super::EgressError;
use crate::secret::Secret;

/// The most headers of a request.
const MOST: usize = 32;

/// Names and values of a request's headers together, in bytes.
const BYTES: usize = 8 << 10;

/// What the host alone says: where a message ends, to whom it goes, how it is coded.
const HOSTS_OWN: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The headers that a plugin gave, each a token with a value on one line (RFC 9110, section 5).
pub(super) fn checked(given: &[(String, String)]) -> Result<HeaderMap, EgressError> {
    let denied = |why: &str| EgressError::Denied(why.to_owned());
    let bytes: usize = given.iter().map(|(name, value)| name.len() + value.len()).sum();
    if given.len() > MOST || bytes > BYTES {
        return Err(EgressError::TooLarge);
    }
    let mut headers = HeaderMap::with_capacity(given.len() + 4);
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| denied("a header's name is not one"))?;
        if HOSTS_OWN.contains(&name.as_str()) {
            return Err(denied("a header that is for the host to write"));
        }
        let visible = |byte: u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        let plain = value.bytes().all(visible).then(|| HeaderValue::from_str(value).ok());
        let value = plain
            .flatten()
            .ok_or_else(|| denied("a header's value is not one line of visible characters"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

/// Adds a credential's headers. A plugin that wrote one of them itself is refused: two of a name may
/// be read in two ways.
pub(super) fn attach(
    headers: &mut HeaderMap,
    credential: &[(HeaderName, HeaderValue)],
) -> Result<(), EgressError> {
    let written = |name: &HeaderName| headers.contains_key(name);
    let both = credential.iter().any(|(name, _)| written(name));
    if both || !credential.is_empty() && written(&AUTHORIZATION) {
        let why = "the request has a header that the credential brings";
        return Err(EgressError::Denied(why.to_owned()));
    }
    for (name, value) in credential {
        let mut value = value.clone();
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
    }
    Ok(())
}

/// The headers of an answer as the plugin gets them: text, without cookies, and without any that
/// repeats the credential or what is withheld of the body.
pub(super) fn heard(headers: &HeaderMap, secrets: &[Secret]) -> Vec<(String, String)> {
    let told =
        headers.iter().filter(|(name, _)| **name != SET_COOKIE && **name != PROXY_AUTHENTICATE);
    let told = told.filter_map(|(name, value)| {
        let repeats = super::mask::holds(value.as_bytes(), secrets);
        let text = value.to_str().ok().filter(|_| !repeats)?;
        Some((name.as_str().to_owned(), text.to_owned()))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    // attack 42
    #[test]
    fn a_header_cannot_end_its_line_or_the_message() {
        for (name, value) in [
            ("x-a", "b\r\nHost: evil"),
            ("x-a", "b\nX-Vault-Token: t"),
            ("x-a", "b\0"),
            ("x-a", "k\u{e9}y"),
            ("x a", "b"),
            ("x-a:", "b"),
            ("x-a\r\nhost", "b"),
            ("", "b"),
            ("Host", "evil"),
            ("Content-Length", "0"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "x-vault-token"),
            ("Expect", "100-continue"),
            ("Proxy-Authorization", "Basic x"),
        ] {
            assert!(checked(&given(name, value)).is_err(), "{name:?}: {value:?}");
        }
        assert_eq!(checked(&given("X-A", "b")).unwrap()["x-a"], "b");
        assert_eq!(checked(&vec![("a".into(), "b".into()); 33]), Err(EgressError::TooLarge));
        assert_eq!(checked(&given("a", &"b".repeat(BYTES))), Err(EgressError::TooLarge));
    }

    #[test]
    fn a_plugin_does_not_write_over_a_credential() {
        let token = HeaderName::from_static("x-vault-token");
        let credential = [(token, HeaderValue::from_static("t"))];
        for name in ["X-Vault-Token", "authorization"] {
            let mut headers = checked(&given(name, "mine")).unwrap();
            assert!(attach(&mut headers, &credential).is_err(), "{name}");
        }
        let mut headers = checked(&given("accept", "x")).unwrap();
        attach(&mut headers, &credential).unwrap();
        assert!(headers["x-vault-token"].is_sensitive());
    }

    #[test]
    fn a_header_that_repeats_the_credential_is_not_passed_on() {
        let mut headers = HeaderMap::new();
        headers.insert("x-echo", HeaderValue::from_static("you sent s.3cr3t-token"));
        headers.insert("x-other", HeaderValue::from_static("1"));
        headers.insert("set-cookie", HeaderValue::from_static("a=b"));
        let secrets = [Secret::new(b"s.3cr3t-token".to_vec())];
        assert_eq!(heard(&headers, &secrets), given("x-other", "1"));
    }
}
