//! JWK (RFC 7517) public keys: EC and RSA (RFC 7518 section 6), Ed25519 (RFC 8037), ML-DSA (`kty`
//! `AKP`, draft-ietf-cose-dilithium).

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::super::fault::Fault;
use super::{Kind, PublicKey};

/// Larger than any public key here: ML-DSA-87 needs 3.5 kB.
const MAX_LENGTH: usize = 8 * 1024;

/// The members that matter; a member that comes twice is refused, others are stepped over.
#[derive(Deserialize)]
struct Members {
    kty: String,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    r#pub: Option<String>,
    r#use: Option<String>,
    d: Option<IgnoredAny>,
    r#priv: Option<IgnoredAny>,
}

/// Reads a JWK object that fills `bytes`.
pub(super) fn decode(bytes: &[u8]) -> Result<PublicKey, Fault> {
    if bytes.len() > MAX_LENGTH {
        return Err(Fault::malformed("a JWK of this size"));
    }
    let key: Members =
        serde_json::from_slice(bytes).map_err(|error| Fault::Malformed(format!("JWK: {error}")))?;
    if key.d.is_some() || key.r#priv.is_some() {
        return Err(Fault::malformed("a JWK with a private part"));
    }
    if key.r#use.as_deref().is_some_and(|usage| usage != "sig") {
        return Err(Fault::malformed("a JWK that is not meant for signatures"));
    }
    match (key.kty.as_str(), key.crv.as_deref()) {
        ("EC", Some(curve)) => {
            let kind = match curve {
                "P-256" => Kind::P256,
                "P-384" => Kind::P384,
                "P-521" => Kind::P521,
                _ => return Err(Fault::unsupported("a JWK on this curve")),
            };
            PublicKey::from_x_y(kind, &member(key.x)?, &member(key.y)?)
        }
        ("OKP", Some("Ed25519")) => PublicKey::of_kind(Kind::Ed25519, &member(key.x)?),
        ("RSA", _) => PublicKey::from_rsa(&member(key.n)?, &member(key.e)?),
        ("AKP", _) => {
            let kind = match key.alg.as_deref() {
                Some("ML-DSA-65") => Kind::MlDsa65,
                Some("ML-DSA-87") => Kind::MlDsa87,
                _ => return Err(Fault::unsupported("a JWK of this algorithm")),
            };
            PublicKey::of_kind(kind, &member(key.r#pub)?)
        }
        _ => Err(Fault::unsupported("a JWK of this type or curve")),
    }
}

fn member(text: Option<String>) -> Result<Vec<u8>, Fault> {
    text.and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok()).ok_or_else(|| {
        Fault::malformed("a JWK that lacks a member or does not write it in base64url")
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 7515 appendix A.3.1.
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    #[test]
    fn an_ec_key_of_rfc_7515_is_read() {
        let jwk = format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","kid":"1"}}"#);
        assert_eq!(decode(jwk.as_bytes()).unwrap().kind(), Kind::P256);
    }

    #[test]
    fn a_jwk_with_something_wrong_is_refused() {
        for jwk in [
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","d":"AQ"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","x":"{X}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}=","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}","use":"enc"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-384","x":"{X}","y":"{Y}"}}"#),
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{X}","y":"{Y}"}} "more""#),
            r#"{"kty":"oct","k":"AQ"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB"}"#.to_owned(),
        ] {
            assert!(decode(jwk.as_bytes()).is_err(), "{jwk}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            let _ = decode(text.as_bytes());
        }
    }
}
