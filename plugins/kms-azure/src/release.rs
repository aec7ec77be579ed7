//! Secure key release (learn.microsoft.com: Key Vault REST, `keys/release`): the vault checks the
//! environment assertion against the key's own policy, and wraps the key to the RSA key in it.

use claviger_plugin_sdk::base64;
use claviger_plugin_sdk::json::{self, Value};
use claviger_plugin_sdk::kms::{Context, Error, Wrapped};
use claviger_plugin_sdk::rest;

use crate::configuration::Configuration;
use crate::service;

/// RSA-OAEP with SHA-256 of an AES key, and the key wrapped under that (RFC 5649).
const ENC: &str = "RSA_AES_KEY_WRAP_256";

/// Has the vault release a key to the recipient.
pub(crate) fn release(
    of: &Configuration,
    name: &str,
    version: Option<&str>,
    context: &Context,
) -> Result<Wrapped, Error> {
    let recipient = Recipient::of(&context.recipient())?;
    let assertion = context.attestation().map_err(Error::Unsupported)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !assertion.bytes().all(plain) {
        return Err(Error::Unsupported("the attestation result is no JWT".into()));
    }
    let at = version.map_or_else(String::new, |version| format!("/{version}"));
    let path = format!("keys/{name}{at}/release");
    let body = format!("{{\"target\":\"{assertion}\",\"enc\":\"{ENC}\"}}");
    let answer = rest::send("POST", service::url(of, &path), &[], Some(body))?;
    if !answer.is_success() {
        return Err(service::failure(&answer));
    }
    let signed = answer.text(&["value"]).ok_or_else(unreadable)?;
    let payload = part(signed, 1)?;
    let key = member(&payload, &["response", "key", "key"]).ok_or_else(unreadable)?;
    let version = text(key, "kid").and_then(|kid| {
        let (place, found) = kid.rsplit_once('/')?;
        place.ends_with(&format!("/keys/{name}")).then(|| found.to_owned())
    });
    let version =
        version.ok_or_else(|| Error::Unavailable("its answer is of another key".into()))?;
    let wrapped = text(key, "key_hsm").and_then(base64::decode).ok_or_else(unreadable)?;
    let wrapped = json::parse(&wrapped).map_err(|_| unreadable())?;
    let ciphertext =
        text(&wrapped, "ciphertext").and_then(base64::decode).ok_or_else(unreadable)?;
    let header = wrapped.member("header").ok_or_else(unreadable)?;
    let enc = text(header, "enc").unwrap_or_default();
    // The vault says which key it took; where it names none, its length has to be the recipient's.
    let kid = text(header, "kid").unwrap_or_default();
    let named = kid.is_empty() || kid == recipient.kid || recipient.named.as_deref() == Some(kid);
    if enc != ENC || !named || ciphertext.len() < recipient.modulus + 16 {
        return Err(Error::Unavailable("its answer is not wrapped to the recipient's key".into()));
    }
    let media_type = match text(key, "kty").unwrap_or_default() {
        "oct" | "oct-HSM" => of.media_type.clone(),
        _ => "application/pkcs8".to_owned(),
    };
    let bytes = recipient.jwe(&ciphertext);
    Ok(Wrapped { media_type, bytes, version })
}

/// The recipient's RSA key.
struct Recipient {
    /// Its thumbprint (RFC 7638).
    kid: String,
    /// What its JWK calls it.
    named: Option<String>,
    /// The modulus's length, in bytes.
    modulus: usize,
}

impl Recipient {
    fn of(jwk: &str) -> Result<Self, Error> {
        let jwk = json::parse(jwk.as_bytes()).map_err(|_| unreadable())?;
        let not_rsa = || Error::Unsupported("Azure releases to RSA keys only".into());
        if text(&jwk, "kty") != Some("RSA") {
            return Err(not_rsa());
        }
        let (n, e) = (text(&jwk, "n").ok_or_else(not_rsa)?, text(&jwk, "e").ok_or_else(not_rsa)?);
        let modulus = base64::decode(n).ok_or_else(not_rsa)?.len();
        let canonical = format!("{{\"e\":\"{e}\",\"kty\":\"RSA\",\"n\":\"{n}\"}}");
        let kid = base64::url(&claviger_plugin_sdk::sha256::digest(canonical.as_bytes()));
        Ok(Self { kid, named: text(&jwk, "kid").map(str::to_owned), modulus })
    }

    /// The ciphertext as the vault made it, in the parts of a JWE. Its header is the vault's own
    /// (`key_hsm`), with the recipient's thumbprint: no algorithm of JOSE is this one.
    fn jwe(&self, ciphertext: &[u8]) -> Vec<u8> {
        let header = format!("{{\"alg\":\"dir\",\"enc\":\"{ENC}\",\"kid\":\"{}\"}}", self.kid);
        format!("{}...{}.", base64::url(header.as_bytes()), base64::url(ciphertext)).into_bytes()
    }
}

/// A part of a compact JWS, as JSON. Its signature is the vault's, under a certificate of the same
/// authorities as its TLS, and says nothing that the connection does not.
fn part(signed: &str, index: usize) -> Result<Value<'static>, Error> {
    let part = signed.split('.').nth(index).and_then(base64::decode).ok_or_else(unreadable)?;
    json::parse(&part).map(Value::into_owned).map_err(|_| unreadable())
}

fn member<'a>(value: &'a Value<'a>, members: &[&str]) -> Option<&'a Value<'a>> {
    members.iter().try_fold(value, |value, member| value.member(member))
}

fn text<'a>(value: &'a Value<'_>, member: &str) -> Option<&'a str> {
    match value.member(member) {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

fn unreadable() -> Error {
    Error::Unavailable("its answer cannot be read".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 7638 section 3.1
    #[test]
    fn a_recipient_is_known_by_its_thumbprint() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let recipient = Recipient::of(&format!(r#"{{"kty":"RSA","n":"{n}","e":"AQAB"}}"#)).unwrap();
        assert_eq!(recipient.kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
        assert_eq!(recipient.modulus, 256);
        let jwe = String::from_utf8(recipient.jwe(b"x")).unwrap();
        assert_eq!(jwe.split('.').count(), 5);
        assert!(Recipient::of(r#"{"kty":"EC","crv":"P-256"}"#).is_err());
    }
}
