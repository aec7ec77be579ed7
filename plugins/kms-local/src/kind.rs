//! Kinds of keys, as people write them.

use claviger_plugin_sdk::kms::sealed_keys::Kind;

/// How a raw key is released.
const RAW: &str = "application/octet-stream";

/// How a private key is released: PKCS#8 (RFC 5208).
const PKCS8: &str = "application/pkcs8";

/// Reads `oct-256`, `rsa-3072`, `ec-p256`, `ed25519`; what the host does not make, it refuses.
pub(crate) fn parse(text: &str) -> Option<Kind> {
    match text {
        "ec-p256" => return Some(Kind::EcP256),
        "ec-p384" => return Some(Kind::EcP384),
        "ec-p521" => return Some(Kind::EcP521),
        "ed25519" => return Some(Kind::Ed25519),
        _ => {}
    }
    let (family, bits) = text.split_once('-')?;
    let digits = bits.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || bits.starts_with('0') {
        return None;
    }
    let bits = bits.parse().ok()?;
    match family {
        "oct" => Some(Kind::Oct(bits)),
        "rsa" => Some(Kind::Rsa(bits)),
        _ => None,
    }
}

/// The one spelling of a kind.
pub(crate) fn name(kind: Kind) -> String {
    match kind {
        Kind::Oct(bits) => format!("oct-{bits}"),
        Kind::Rsa(bits) => format!("rsa-{bits}"),
        Kind::EcP256 => "ec-p256".into(),
        Kind::EcP384 => "ec-p384".into(),
        Kind::EcP521 => "ec-p521".into(),
        Kind::Ed25519 => "ed25519".into(),
    }
}

/// How a key of the kind is written when it is released.
pub(crate) fn media_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Oct(_) => RAW,
        _ => PKCS8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_spelling() {
        for text in ["oct-256", "rsa-4096", "ec-p256", "ec-p384", "ec-p521", "ed25519"] {
            assert_eq!(name(parse(text).unwrap()), text);
        }
        for text in [
            "",
            "oct",
            "oct-",
            "oct-0256",
            "oct-+256",
            "oct-1e3",
            "OCT-256",
            "rsa-99999999999",
            "aes-256",
            "ec-p257",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
