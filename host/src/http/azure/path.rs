//! Paths as Microsoft's clients write them: a version that was left out leaves an empty segment
//! (`/keys/name//release`, `/keys/name/`), and `/attest/` is written in any case. All else that could be read
//! in two ways is refused, as in the native API.

use crate::error::{Code, Refusal};

/// Which service a path belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http) enum Service {
    /// Azure Attestation.
    Attestation,
    /// Azure Key Vault and Managed HSM.
    Vault,
}

impl Service {
    /// By the first segment; none: the path is not of this face.
    pub(super) fn of(path: &str) -> Option<Self> {
        let first = segments(path).next()?.to_ascii_lowercase();
        match first.as_str() {
            "deletedkeys" | "deletedsecrets" | "keys" | "rng" | "secrets" => Some(Self::Vault),
            "attest"
            | "certificates"
            | "certificates:add"
            | "certificates:remove"
            | "certs"
            | "policies"
            | "tcbbaselines" => Some(Self::Attestation),
            _ => None,
        }
    }
}

/// The path in its one spelling.
pub(super) fn normal(path: &str) -> Result<String, Refusal> {
    let mut normal = String::with_capacity(path.len());
    for (index, segment) in segments(path).enumerate() {
        if segment.bytes().all(|byte| byte == b'.') || !segment.bytes().all(is_plain) {
            let reason = format!("the path {path:?} has a segment that is not plain");
            return Err(Refusal::new(Code::NotFound, reason));
        }
        normal.push('/');
        let attest = normal.starts_with("/attest/");
        match index == 0 || attest {
            true => normal.push_str(&segment.to_ascii_lowercase()),
            false => normal.push_str(segment),
        }
    }
    Ok(normal)
}

fn segments(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| !segment.is_empty())
}

/// RFC 3986's unreserved characters, and the colon before an action (`:reset`).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_segment_is_a_version_that_was_left_out() {
        for (written, meant) in [
            ("/keys/name/", "/keys/name"),
            ("/keys/name//release", "/keys/name/release"),
            ("//Keys/Name", "/keys/Name"),
            ("/attest/SevSnpVM", "/attest/sevsnpvm"),
            ("/policies/SgxEnclave:reset", "/policies/SgxEnclave:reset"),
        ] {
            assert_eq!(normal(written).unwrap(), meant);
        }
    }

    // attack 40
    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_no_path() {
        for trick in [
            "/keys/../secrets/x",
            "/keys/./x",
            "/keys/a%2fb",
            "/keys/a%2e%2e",
            "/keys/a\\b",
            "/keys/a;b",
            "/keys/ä",
        ] {
            assert_eq!(normal(trick).unwrap_err().code, Code::NotFound, "{trick}");
        }
    }

    #[test]
    fn the_native_api_keeps_its_paths() {
        for native in ["/", "/v1/keys/x/release", "/t/a/v1/health", "/.well-known/jwks.json"] {
            assert_eq!(Service::of(native), None, "{native}");
        }
        assert_eq!(Service::of("/keys"), Some(Service::Vault));
        assert_eq!(Service::of("//RNG"), Some(Service::Vault));
        assert_eq!(Service::of("/Attest/x"), Some(Service::Attestation));
    }
}
