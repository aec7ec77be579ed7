//! A path has one spelling. Whatever could be read in two ways is no resource here: percent
//! encoding, empty and dot segments, backslashes, anything beyond ASCII.

use crate::error::{Code, Refusal};

/// Refuses a path that is not spelled plainly. Names that need other characters do not occur.
pub(super) fn require_plain(path: &str) -> Result<(), Refusal> {
    let refuse = |what: &str| {
        let reason = format!("the path {path:?} has {what}");
        Err(Refusal::new(Code::NotFound, reason))
    };
    let Some(segments) = path.strip_prefix('/') else {
        return refuse("no leading slash");
    };
    for segment in segments.split('/') {
        if segment.is_empty() {
            return refuse("an empty segment");
        }
        if segment.bytes().all(|byte| byte == b'.') {
            return refuse("a dot segment");
        }
        if !segment.bytes().all(is_plain) {
            return refuse("a character that is not plain");
        }
    }
    Ok(())
}

/// RFC 3986's unreserved characters, section 2.3.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_path_is_a_path() {
        // attack 40
        for plain in ["/v1/health", "/.well-known/jwks.json", "/t/a-b/v1/keys/Db_1~x/release"] {
            assert!(require_plain(plain).is_ok(), "{plain}");
        }
        for trick in [
            "",
            "*",
            "/",
            "//v1/health",
            "/v1//health",
            "/v1/health/",
            "/v1/../v1/health",
            "/v1/./health",
            "/v1/keys/.../release",
            "/v1/keys/a%2fb/release",
            "/v1/keys/a%252fb/release",
            "/v1/keys/a%2e%2e/release",
            "/v1\\health",
            "/v1/keys/a;b/release",
            "/v1/keys/ä/release",
            "/v1/keys/a\u{2215}b/release",
        ] {
            assert!(require_plain(trick).is_err(), "{trick}");
        }
    }
}
