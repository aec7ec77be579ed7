//! Keys that sign tokens with RS256 (RFC 7518, section 3.3), each with a certificate of its own: what
//! clients of Microsoft Azure Attestation know. A key is called by the SHA-256 of its certificate, in
//! base64, as that service calls its own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use rcgen::{CertificateParams, DnType, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::token_keys::TokenKeyError;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::json::{self, Limits};
use crate::secret::Secret;

/// So many old keys may be believed at the same time.
const OLD_KEYS: usize = 16;

/// How long a certificate is good, in seconds. Nobody's trust rests on it: clients take the key set.
const CERTIFIED: u64 = 10 * 365 * 86_400;

/// One key pair with its certificate.
pub struct CertifiedKey {
    key: RsaKeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
    certificate: Vec<u8>,
    kid: String,
}

impl std::fmt::Debug for CertifiedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CertifiedKey({})", self.kid)
    }
}

impl CertifiedKey {
    /// A fresh key of 2048 bits, whose certificate it signed itself, in the name of `issuer`.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn generate(issuer: &str, at: Timestamp) -> Result<Self, TokenKeyError> {
        let failed = |_| TokenKeyError::Provider;
        let pair =
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(failed)?;
        let moment = |at: Timestamp| {
            let seconds = i64::try_from(at.0).map_err(|_| TokenKeyError::Provider)?;
            OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| TokenKeyError::Provider)
        };
        let mut parameters = CertificateParams::default();
        parameters.not_before = moment(Timestamp(at.0.saturating_sub(3600)))?;
        parameters.not_after = moment(at.plus(CERTIFIED))?;
        parameters.distinguished_name.push(DnType::CommonName, issuer);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let certificate = parameters.self_signed(&pair).map_err(failed)?.der().to_vec();
        Self::from_parts(Zeroizing::new(pair.serialize_der()), certificate)
    }

    fn from_parts(pkcs8: Zeroizing<Vec<u8>>, certificate: Vec<u8>) -> Result<Self, TokenKeyError> {
        let key = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|_| TokenKeyError::Malformed)?;
        let kid = kid(&certificate);
        Ok(Self { key, pkcs8, certificate, kid })
    }

    /// What tokens call it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs claims: a compact JWS with `alg`, `jku`, `kid` and `typ` in its header.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn sign(&self, jku: &str, claims: &Map<String, Value>) -> Result<String, TokenKeyError> {
        let header = json!({"alg": "RS256", "jku": jku, "kid": self.kid, "typ": "JWT"});
        let part = |value: &[u8]| BASE64URL_NOPAD.encode(value);
        let claims = serde_json::to_vec(claims).map_err(|_| TokenKeyError::Provider)?;
        let mut token = format!("{}.{}", part(header.to_string().as_bytes()), part(&claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| TokenKeyError::Provider)?;
        token.push('.');
        token.push_str(&part(&signature));
        Ok(token)
    }
}

/// The key that signs, and the certificates of those before it that are still believed.
#[derive(Debug)]
pub struct CertifiedKeys {
    signing: CertifiedKey,
    created: Timestamp,
    previous: Vec<Retiring>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Retiring {
    certificate: String,
    until: Timestamp,
}

#[derive(Deserialize, Serialize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
struct Stored {
    pkcs8: String,
    #[zeroize(skip)]
    certificate: String,
    #[zeroize(skip)]
    created: Timestamp,
    #[zeroize(skip)]
    previous: Vec<Retiring>,
}

impl CertifiedKeys {
    /// One fresh key.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn generate(issuer: &str, at: Timestamp) -> Result<Self, TokenKeyError> {
        let signing = CertifiedKey::generate(issuer, at)?;
        Ok(Self { signing, created: at, previous: Vec::new() })
    }

    /// Keys with a fresh one that signs from now on; tokens of the present one are believed until
    /// `until`. Old private halves are not kept.
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn rotated(
        &self,
        issuer: &str,
        at: Timestamp,
        until: Timestamp,
    ) -> Result<Self, TokenKeyError> {
        let present = Retiring { certificate: BASE64.encode(&self.signing.certificate), until };
        let mut previous = vec![present];
        previous.extend(self.previous.iter().filter(|old| old.until > at).cloned());
        previous.truncate(OLD_KEYS);
        Ok(Self { previous, ..Self::generate(issuer, at)? })
    }

    /// The key that signs.
    #[must_use]
    pub fn signing(&self) -> &CertifiedKey {
        &self.signing
    }

    /// When it was made.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.created
    }

    /// The JWK Set (RFC 7517) of the keys that are believed at a moment, each with its certificate.
    #[must_use]
    pub fn jwks(&self, at: Timestamp) -> Value {
        let present = (BASE64.encode(&self.signing.certificate), true);
        let previous = self.previous.iter().map(|old| (old.certificate.clone(), old.until > at));
        let believed = [present].into_iter().chain(previous).filter(|(_, believed)| *believed);
        let keys: Vec<Value> = believed.filter_map(|(certificate, _)| jwk(&certificate)).collect();
        json!({ "keys": keys })
    }

    /// The moment from which [`Self::jwks`] has one key less than at this one; none: never.
    #[must_use]
    pub fn fewer_from(&self, at: Timestamp) -> Option<Timestamp> {
        self.previous.iter().map(|old| old.until).filter(|until| *until > at).min()
    }

    /// The keys for storage; see [`Self::from_stored`].
    ///
    /// # Errors
    /// [`TokenKeyError::Provider`].
    pub fn to_stored(&self) -> Result<Secret, TokenKeyError> {
        let stored = Stored {
            pkcs8: BASE64.encode(&self.signing.pkcs8),
            certificate: BASE64.encode(&self.signing.certificate),
            created: self.created,
            previous: self.previous.clone(),
        };
        let mut bytes = Vec::with_capacity((self.previous.len() + 4).saturating_mul(2048));
        serde_json::to_writer(&mut bytes, &stored).map_err(|_| TokenKeyError::Provider)?;
        Ok(Secret::new(bytes))
    }

    /// The keys from storage.
    ///
    /// # Errors
    /// [`TokenKeyError::Malformed`].
    pub fn from_stored(stored: &Secret) -> Result<Self, TokenKeyError> {
        let malformed = || TokenKeyError::Malformed;
        let stored: Stored =
            json::parse(stored.expose(), Limits::TOKEN).map_err(|_| malformed())?;
        let decode = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| malformed());
        let pkcs8 = Zeroizing::new(decode(&stored.pkcs8)?);
        let signing = CertifiedKey::from_parts(pkcs8, decode(&stored.certificate)?)?;
        Ok(Self { signing, created: stored.created, previous: stored.previous.clone() })
    }
}

fn kid(certificate: &[u8]) -> String {
    BASE64.encode(&Digest::of(certificate).0)
}

/// The JWK of a certificate in base64.
fn jwk(certificate: &str) -> Option<Value> {
    let der = BASE64.decode(certificate.as_bytes()).ok()?;
    let (_, parsed) = X509Certificate::from_der(&der).ok()?;
    let Ok(PublicKey::RSA(key)) = parsed.public_key().parsed() else { return None };
    let number = |octets: &[u8]| {
        let octets: Vec<u8> = octets.iter().copied().skip_while(|byte| *byte == 0).collect();
        BASE64URL_NOPAD.encode(&octets)
    };
    Some(json!({
        "alg": "RS256",
        "e": number(key.exponent),
        "kid": kid(&der),
        "kty": "RSA",
        "n": number(key.modulus),
        "use": "sig",
        "x5c": [certificate],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::foreign::Issuer;

    const AT: Timestamp = Timestamp(1_800_000_000);
    const ISSUER: &str = "https://keys.example";

    fn claims(exp: u64) -> Map<String, Value> {
        let claims = json!({"iss": ISSUER, "iat": AT.0, "nbf": AT.0, "exp": exp});
        claims.as_object().unwrap().clone()
    }

    async fn believed(keys: &CertifiedKeys, token: &str, at: Timestamp) -> bool {
        let jwks = keys.jwks(at).to_string().into_bytes();
        let issuer = Issuer::own(ISSUER.into(), jwks, 86_400).unwrap();
        issuer.check_access(token, at).await.is_ok()
    }

    // attack 52
    #[tokio::test]
    async fn a_rotation_breaks_no_token_that_is_out_and_the_old_key_retires() {
        let old = CertifiedKeys::generate(ISSUER, AT).unwrap();
        let token = old.signing().sign("https://keys.example/certs", &claims(AT.0 + 1000)).unwrap();
        let new = old.rotated(ISSUER, AT, AT.plus(100)).unwrap();
        let new = CertifiedKeys::from_stored(&new.to_stored().unwrap()).unwrap();
        assert_ne!(new.signing().kid(), old.signing().kid());
        assert!(believed(&new, &token, AT.plus(99)).await);
        assert!(!believed(&new, &token, AT.plus(100)).await);
        let fresh = new.signing().sign("x", &claims(AT.0 + 1000)).unwrap();
        assert!(believed(&new, &fresh, AT.plus(100)).await);
        assert!(!believed(&old, &fresh, AT).await);
        assert!(CertifiedKeys::from_stored(&Secret::new(b"{}".to_vec())).is_err());
        let mut tampered = token.clone().into_bytes();
        let last = tampered.len() - 10;
        tampered[last] ^= 1;
        assert!(!believed(&old, std::str::from_utf8(&tampered).unwrap(), AT).await);
        let private = BASE64.encode(&new.signing.pkcs8);
        assert!(!format!("{new:?}").contains(&private[..40]));
    }
}
