//! Which key of a foreign token is released to: the one that is meant for encryption among
//! `x-ms-runtime.keys` (Microsoft Azure Attestation), or `cnf.jwk` (RFC 7800, section 3.2). Where
//! more than one fits, nobody here chooses.

use serde_json::{Map, Value};

use super::ForeignError;
use crate::keys::RecipientKey;

/// `kid` of the key that a guest's vTPM made for releases.
const EPHEMERAL: &str = "TpmEphemeralEncryptionKey";

/// The longest name of a key that is repeated, in bytes.
const LONGEST_NAME: usize = 256;

/// A recipient key, and what its owner calls it; its thumbprint where he does not.
pub(super) struct Recipient {
    pub(super) key: RecipientKey,
    pub(super) kid: String,
}

fn is_name(kid: &str) -> bool {
    (1..=LONGEST_NAME).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The one recipient key that the claims name. The key of the hardware report inside
/// (`x-ms-isolation-tee.x-ms-runtime.keys`) is another one and never meant.
pub(super) fn of(claims: &Map<String, Value>) -> Result<Recipient, ForeignError> {
    let runtime = claims.get("x-ms-runtime").and_then(|runtime| runtime.get("keys"));
    let runtime = match runtime {
        None => &[],
        Some(Value::Array(keys)) => keys.as_slice(),
        Some(_) => return Err(ForeignError::Claim("x-ms-runtime")),
    };
    let confirmed = claims.get("cnf").and_then(|confirmation| confirmation.get("jwk"));
    let mut meant = runtime.iter().filter(|key| for_encryption(key));
    let jwk = match (meant.next(), meant.next(), confirmed) {
        (Some(_), Some(_), _) => return Err(ForeignError::ManyRecipients),
        (Some(jwk), None, _) | (None, _, Some(jwk)) => jwk,
        (None, _, None) => return Err(ForeignError::NoRecipient),
    };
    let key = RecipientKey::from_jwk(jwk).map_err(ForeignError::Recipient)?;
    // Where a token has both, they are the same key, or nobody here chooses.
    let same = |jwk: &Value| {
        RecipientKey::from_jwk(jwk).is_ok_and(|other| other.thumbprint() == key.thumbprint())
    };
    if !confirmed.is_none_or(same) {
        return Err(ForeignError::ManyRecipients);
    }
    let kid = jwk.get("kid").and_then(Value::as_str).unwrap_or_default();
    let kid = if is_name(kid) { kid.to_owned() } else { key.kid() };
    Ok(Recipient { key, kid })
}

/// The key of claims that this host is about to sign; none where they name none.
pub(crate) fn recipient_of(
    claims: &Map<String, Value>,
) -> Result<Option<RecipientKey>, ForeignError> {
    match of(claims) {
        Ok(recipient) => Ok(Some(recipient.key)),
        Err(ForeignError::NoRecipient) => Ok(None),
        Err(error) => Err(error),
    }
}

fn for_encryption(key: &Value) -> bool {
    let is = |name: &str, wanted: &str| key.get(name).is_some_and(|value| value == wanted);
    let operations = key.get("key_ops").and_then(Value::as_array);
    let encrypts = operations.is_some_and(|given| given.iter().any(|name| name == "encrypt"));
    encrypts || is("use", "enc") || is("key_use", "enc") || is("kid", EPHEMERAL)
}
