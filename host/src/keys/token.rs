//! Signed tokens: compact JWS (RFC 7515) with ES256 or ES384, holding a JWT claims set (RFC 7519).
//!
//! Only what this host writes is accepted back. The header has `alg`, `kid` and `typ` and nothing
//! else, the key comes from the host's own list, and the algorithm is the key's own: no member of a
//! token chooses how the token is checked.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use serde_json::{Map, Value};

use super::token_claims::Expected;
use super::token_key::VerificationKey;
use crate::json::{self, JsonError, Limits};

/// `typ` of an attestation result: the media type `application/eat+jwt` (RFC 9782, section 4.2)
/// without its prefix (RFC 7515, section 4.1.9).
pub const TYP_EAT: &str = "eat+jwt";

/// Bytes of a token that is looked at.
pub(super) const MAX_BYTES: usize = 96 << 10;

/// Why a token was refused, or not made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenError {
    /// `alg` is not the algorithm of the key that is named.
    #[error("the token's algorithm is not that of its key")]
    Algorithm,
    /// A claim is missing, of the wrong type, or not the one expected.
    #[error("the claim `{0}` is missing, malformed or not the one expected")]
    Claim(&'static str),
    /// The claims are not an object, or are one that is not read.
    #[error("the token's claims cannot be read: {0}")]
    Claims(JsonError),
    /// The claims to be signed are not an object.
    #[error("a token's claims must be an object")]
    ClaimsNotObject,
    /// `exp` is reached.
    #[error("the token has expired")]
    Expired,
    /// The header is not an object, or is one that is not read.
    #[error("the token's header cannot be read: {0}")]
    Header(JsonError),
    /// Not three parts of base64url, or too long.
    #[error("the token is malformed")]
    Malformed,
    /// `iat` or `nbf` lies in the future.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
    /// The signature does not hold.
    #[error("the token's signature does not hold")]
    Signature,
    /// `typ` is another one.
    #[error("the token is of another type")]
    Type,
    /// The header has a member that is not accepted: `jku`, `jwk`, `x5c`, `x5u`, `crit` and others.
    #[error("the token's header has a member that is not accepted")]
    UnexpectedHeader,
    /// `kid` is missing or names no key of this host, or one that is retired.
    #[error("the token names no key of this host")]
    UnknownKey,
}

/// Everything but the signature: header and claims, encoded.
pub(super) fn signing_input<T: Serialize>(
    key: &VerificationKey,
    typ: &str,
    claims: &T,
) -> Result<String, TokenError> {
    #[derive(Serialize)]
    struct Header<'a> {
        alg: &'a str,
        kid: &'a str,
        typ: &'a str,
    }
    let header = Header { alg: key.algorithm.name(), kid: &key.kid, typ };
    let header = serde_json::to_vec(&header).map_err(|_| TokenError::Provider)?;
    let claims = serde_json::to_vec(claims).map_err(|_| TokenError::ClaimsNotObject)?;
    if claims.first() != Some(&b'{') {
        return Err(TokenError::ClaimsNotObject);
    }
    let mut text = BASE64URL_NOPAD.encode(&header);
    text.push('.');
    BASE64URL_NOPAD.encode_append(&claims, &mut text);
    Ok(text)
}

/// Checks a token's form, header and signature, then its claims; `key` finds a verification key by
/// its `kid`.
pub(super) fn verify<'k>(
    token: &str,
    expected: &Expected<'_>,
    key: impl FnOnce(&str) -> Option<&'k VerificationKey>,
) -> Result<Map<String, Value>, TokenError> {
    if token.len() > MAX_BYTES {
        return Err(TokenError::Malformed);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, claims) = signed
        .split_once('.')
        .filter(|(_, claims)| !claims.contains('.'))
        .ok_or(TokenError::Malformed)?;
    let key = check_header(&octets(header)?, expected.typ, key)?;
    key.verify(signed.as_bytes(), &octets(signature)?)?;
    let claims: Map<String, Value> =
        json::object(&octets(claims)?, Limits::TOKEN).map_err(TokenError::Claims)?;
    expected.check(&claims)?;
    Ok(claims)
}

/// Reads the header and finds the key that it names.
fn check_header<'k>(
    header: &[u8],
    typ: &str,
    key: impl FnOnce(&str) -> Option<&'k VerificationKey>,
) -> Result<&'k VerificationKey, TokenError> {
    let header: Map<String, Value> =
        json::object(header, Limits::TOKEN).map_err(TokenError::Header)?;
    let text = |name| header.get(name).and_then(Value::as_str);
    let algorithm = text("alg").filter(|alg| ["ES256", "ES384"].contains(alg));
    let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
    if text("typ") != Some(typ) {
        return Err(TokenError::Type);
    }
    if header.keys().any(|name| !["alg", "kid", "typ"].contains(&name.as_str())) {
        return Err(TokenError::UnexpectedHeader);
    }
    let key = text("kid").and_then(key).ok_or(TokenError::UnknownKey)?;
    match key.algorithm.name() == algorithm {
        true => Ok(key),
        false => Err(TokenError::Algorithm),
    }
}

/// Base64url without padding, foreign characters or left-over bits.
fn octets(part: &str) -> Result<Vec<u8>, TokenError> {
    BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{TokenAlgorithm, TokenKeys};
    use super::*;
    use crate::clock::Timestamp;

    const AT: Timestamp = Timestamp(1_000_000);
    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://host.example",
        audience: "default",
        typ: TYP_EAT,
        at: AT,
        skew: 30,
    };

    fn keys_of_one_host() -> TokenKeys {
        TokenKeys::generate(TokenAlgorithm::Es256, AT).unwrap()
    }

    fn claims() -> Value {
        json!({"iss": "https://host.example", "aud": "default", "iat": 999_990, "exp": 1_000_300})
    }

    fn without(mut claims: Value, name: &str) -> Value {
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    fn with(mut claims: Value, name: &str, value: Value) -> Value {
        claims[name] = value;
        claims
    }

    fn header(keys: &TokenKeys) -> Value {
        json!({"alg": "ES256", "kid": keys.kid(), "typ": TYP_EAT})
    }

    /// Signs any header and payload with the real key, as no host would.
    fn forge(keys: &TokenKeys, header: &str, payload: &str) -> String {
        let encode = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!("{}.{}", encode(header), encode(payload));
        keys.seal(signed).unwrap()
    }

    fn outcome(header: impl Fn(&TokenKeys) -> Value, claims: &Value) -> Result<(), TokenError> {
        let keys = keys_of_one_host();
        let token = forge(&keys, &header(&keys).to_string(), &claims.to_string());
        keys.verify(&token, &EXPECTED).map(|_| ())
    }

    #[test]
    fn a_token_that_this_host_signed_is_accepted() {
        let keys = keys_of_one_host();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        let verified = keys.verify(&token, &EXPECTED).unwrap();
        assert_eq!(Value::Object(verified), claims());
        assert_eq!(outcome(header, &claims()), Ok(()));
    }

    // attack 52
    #[test]
    fn a_token_without_a_signature_is_refused() {
        for alg in ["none", "None", "NONE", ""] {
            let header = |keys: &TokenKeys| with(header(keys), "alg", json!(alg));
            assert_eq!(outcome(header, &claims()), Err(TokenError::Algorithm));
        }
        let keys = keys_of_one_host();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert_eq!(keys.verify(&format!("{signed}."), &EXPECTED), Err(TokenError::Signature));
        assert!(keys.verify(signed, &EXPECTED).is_err());
    }

    // attack 52
    #[test]
    fn a_token_with_a_mac_under_the_public_key_is_refused() {
        use aws_lc_rs::hmac;
        let keys = keys_of_one_host();
        let public = keys.jwks(AT)["keys"][0].to_string();
        for alg in ["HS256", "ES256"] {
            let header = with(header(&keys), "alg", json!(alg)).to_string();
            let signed = forge(&keys, &header, &claims().to_string());
            let (signed, _) = signed.rsplit_once('.').unwrap();
            let mac = hmac::sign(
                &hmac::Key::new(hmac::HMAC_SHA256, public.as_bytes()),
                signed.as_bytes(),
            );
            let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(mac.as_ref()));
            assert!(keys.verify(&token, &EXPECTED).is_err(), "{alg}");
        }
    }

    // attack 52
    #[test]
    fn another_algorithm_is_refused_even_if_the_signature_holds() {
        for alg in [json!("ES384"), json!("RS256"), json!("es256"), json!(["ES256"]), json!(256)] {
            let header = |keys: &TokenKeys| with(header(keys), "alg", alg.clone());
            assert_eq!(outcome(header, &claims()), Err(TokenError::Algorithm));
        }
        let header = |keys: &TokenKeys| without(header(keys), "alg");
        assert_eq!(outcome(header, &claims()), Err(TokenError::Algorithm));
    }

    // attack 52
    #[test]
    fn a_key_is_used_with_its_own_algorithm_and_no_other() {
        let keys = TokenKeys::generate(TokenAlgorithm::Es384, AT).unwrap();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        assert!(keys.verify(&token, &EXPECTED).is_ok());
        let signature = token.rsplit('.').next().unwrap();
        assert_eq!(octets(signature).unwrap().len(), 96);
        // The same key, the same curve, the signature holds: the name of the algorithm is a lie.
        let token = forge(&keys, &header(&keys).to_string(), &claims().to_string());
        assert_eq!(keys.verify(&token, &EXPECTED), Err(TokenError::Algorithm));
    }

    // attack 52
    #[test]
    fn a_token_cannot_bring_or_point_to_its_own_key() {
        for name in ["jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "crit", "b64", "cty", "x"] {
            let header = |keys: &TokenKeys| with(header(keys), name, json!("https://evil.example"));
            assert_eq!(outcome(header, &claims()), Err(TokenError::UnexpectedHeader), "{name}");
        }
    }

    // attack 52
    #[test]
    fn a_kid_that_is_not_one_of_ours_is_refused() {
        for kid in
            [json!("../../../../dev/null"), json!("' OR 1=1 --"), json!(""), json!(0), json!([])]
        {
            let header = |keys: &TokenKeys| with(header(keys), "kid", kid.clone());
            assert_eq!(outcome(header, &claims()), Err(TokenError::UnknownKey));
        }
        let header = |keys: &TokenKeys| without(header(keys), "kid");
        assert_eq!(outcome(header, &claims()), Err(TokenError::UnknownKey));
    }

    // attack 52
    #[test]
    fn another_host_s_token_is_refused_under_its_own_kid_and_under_ours() {
        let (ours, theirs) = (keys_of_one_host(), keys_of_one_host());
        let token = theirs.sign(&claims(), TYP_EAT).unwrap();
        assert_eq!(ours.verify(&token, &EXPECTED), Err(TokenError::UnknownKey));
        let token = forge(&theirs, &header(&ours).to_string(), &claims().to_string());
        assert_eq!(ours.verify(&token, &EXPECTED), Err(TokenError::Signature));
    }

    // attack 52
    #[test]
    fn a_token_of_another_type_is_refused() {
        for typ in [json!("JWT"), json!("EAT+JWT"), json!(["eat+jwt"])] {
            let header = |keys: &TokenKeys| with(header(keys), "typ", typ.clone());
            assert_eq!(outcome(header, &claims()), Err(TokenError::Type));
        }
        let header = |keys: &TokenKeys| without(header(keys), "typ");
        assert_eq!(outcome(header, &claims()), Err(TokenError::Type));
    }

    // attack 52
    #[test]
    fn claims_are_checked_after_the_signature() {
        let claims = without(claims(), "aud");
        assert_eq!(outcome(header, &claims), Err(TokenError::Claim("aud")));
        let claims = with(claims.clone(), "exp", json!(1_000_300.5));
        assert_eq!(outcome(header, &claims), Err(TokenError::Claims(JsonError::Float)));
    }

    // attack 52
    #[test]
    fn claims_that_are_not_an_object_are_refused() {
        for payload in ["[]", "\"x\"", "1", "", "{}{}"] {
            let keys = keys_of_one_host();
            let token = forge(&keys, &header(&keys).to_string(), payload);
            let outcome = keys.verify(&token, &EXPECTED);
            assert!(matches!(outcome, Err(TokenError::Claims(_))), "{payload}");
        }
        let keys = keys_of_one_host();
        let outcome = keys.sign(&json!([claims()]), TYP_EAT);
        assert_eq!(outcome, Err(TokenError::ClaimsNotObject));
    }

    // attack 52
    #[test]
    fn a_member_that_stands_twice_is_refused() {
        let keys = keys_of_one_host();
        let twice = claims().to_string().replacen('{', r#"{"aud":"evil","#, 1);
        let token = forge(&keys, &header(&keys).to_string(), &twice);
        assert_eq!(
            keys.verify(&token, &EXPECTED),
            Err(TokenError::Claims(JsonError::DuplicateMember("aud".to_owned())))
        );
        let twice = header(&keys).to_string().replacen('{', r#"{"alg":"none","#, 1);
        let token = forge(&keys, &twice, &claims().to_string());
        assert_eq!(
            keys.verify(&token, &EXPECTED),
            Err(TokenError::Header(JsonError::DuplicateMember("alg".to_owned())))
        );
    }

    // attack 52
    #[test]
    fn a_token_has_one_spelling() {
        let keys = keys_of_one_host();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        // 64 bytes leave four bits over in the last character.
        let (head, last) = token.split_at(token.len() - 1);
        let last = last.as_bytes()[0];
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let at = alphabet.iter().position(|letter| *letter == last).unwrap();
        let trailing_bits = format!("{head}{}", char::from(alphabet[at + 1]));
        for spelling in [
            trailing_bits,
            format!("{token}="),
            format!("{token}=="),
            format!("{token}\n"),
            format!(" {token}"),
            token.replacen('.', "..", 1),
            format!("{token}.e30"),
            format!("{}.{token}", "A".repeat(100_000)),
            String::new(),
        ] {
            assert_eq!(
                keys.verify(&spelling, &EXPECTED),
                Err(TokenError::Malformed),
                "{spelling:.200}"
            );
        }
    }

    // attack 52
    #[test]
    fn an_altered_token_is_refused() {
        let keys = keys_of_one_host();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let octets = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        for bit in 0..octets.len() * 8 {
            let mut altered = octets.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(&altered));
            assert_eq!(keys.verify(&token, &EXPECTED), Err(TokenError::Signature));
        }
        let other = keys.sign(&with(claims(), "sub", json!("x")), TYP_EAT).unwrap();
        let (other, _) = other.rsplit_once('.').unwrap();
        let moved = format!("{other}.{signature}");
        assert_eq!(keys.verify(&moved, &EXPECTED), Err(TokenError::Signature));
    }

    // attack 52
    #[test]
    fn a_signature_of_zeros_or_in_der_or_of_another_length_is_refused() {
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
        let keys = keys_of_one_host();
        let token = keys.sign(&claims(), TYP_EAT).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let octets = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        let stored: Value = serde_json::from_slice(keys.to_stored().unwrap().expose()).unwrap();
        let pkcs8 = stored["signing"].as_str().unwrap().as_bytes();
        let pkcs8 = BASE64URL_NOPAD.decode(pkcs8).unwrap();
        let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8)
            .and_then(|key| Ok(key.sign(&SystemRandom::new(), signed.as_bytes())?))
            .unwrap();
        let zero = [0; 32];
        for signature in [
            vec![0; 64],
            [zero.as_slice(), &octets[32..]].concat(),
            [&octets[..32], zero.as_slice()].concat(),
            der.as_ref().to_vec(),
            octets[..63].to_vec(),
            [octets.as_slice(), &[0]].concat(),
            [&[0], octets.as_slice()].concat(),
            Vec::new(),
        ] {
            let token = format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature));
            assert_eq!(keys.verify(&token, &EXPECTED), Err(TokenError::Signature));
        }
    }
}
