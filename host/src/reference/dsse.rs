//! DSSE (secure-systems-lab/dsse v1): an envelope around a payload whose type is signed with it.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, Encoding};
use serde::{Deserialize, Serialize};

use super::document::LARGEST;
use super::error::ReferenceError;
use super::signer::{Scheme, Signature};
use crate::json::{self, Limits};

/// The most signatures on one document: each may cost a check under every listed key.
const MOST_SIGNATURES: usize = 8;

/// The payload in base64, and a little.
const LIMITS: Limits = Limits::REQUEST.with_bytes(LARGEST * 4 / 3 + (16 << 10));

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<Signed>,
}

/// What else stands beside a signature (a certificate, say) is not looked at: which key it must
/// hold under, the configuration says.
#[derive(Debug, Deserialize, Serialize)]
struct Signed {
    sig: String,
}

/// A payload, its type, and what was signed about it.
pub(super) struct Opened {
    pub(super) payload: Vec<u8>,
    pub(super) payload_type: String,
    pub(super) signatures: Vec<Signature>,
}

/// Opens an envelope. Nothing is checked yet.
pub(super) fn open(bytes: &[u8]) -> Result<Opened, ReferenceError> {
    let envelope: Envelope = json::parse(bytes, LIMITS)?;
    if !(1..=MOST_SIGNATURES).contains(&envelope.signatures.len()) {
        let reason = format!("an envelope has from 1 to {MOST_SIGNATURES} signatures");
        return Err(ReferenceError::Malformed(reason));
    }
    let payload = decode(&envelope.payload)?;
    let message = encode(&envelope.payload_type, &payload);
    let signature = |signed: &Signed| {
        let bytes = decode(&signed.sig)?;
        Ok(Signature { scheme: Scheme::OfTheKey, message: message.clone(), bytes })
    };
    let signatures = envelope.signatures.iter().map(signature);
    let signatures = signatures.collect::<Result<_, ReferenceError>>()?;
    Ok(Opened { payload, payload_type: envelope.payload_type, signatures })
}

/// PAE: what is signed. With the type's and the payload's lengths, nothing flows over.
pub(super) fn encode(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    message
}

/// The protocol allows both alphabets; padding is left out by some.
fn decode(text: &str) -> Result<Vec<u8>, ReferenceError> {
    const SPELLINGS: [&Encoding; 4] = [&BASE64, &BASE64URL, &BASE64_NOPAD, &BASE64URL_NOPAD];
    SPELLINGS
        .iter()
        .find_map(|spelling| spelling.decode(text.as_bytes()).ok())
        .ok_or_else(|| ReferenceError::Malformed("an envelope's base64".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The protocol's own example.
    #[test]
    fn what_is_signed_is_what_the_protocol_says() {
        let message = encode("http://example.com/HelloWorld", b"hello world");
        assert_eq!(message, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    // attack 35
    #[test]
    fn an_envelope_that_says_something_twice_or_is_too_much_is_refused() {
        let envelope = |signatures: usize| {
            let signature = r#"{"keyid":"","sig":"AA=="}"#;
            let signatures = vec![signature; signatures].join(",");
            format!(r#"{{"payload":"e30=","payloadType":"t","signatures":[{signatures}]}}"#)
        };
        assert!(open(envelope(8).as_bytes()).is_ok());
        for wrong in [
            envelope(0),
            envelope(9),
            envelope(1).replace("e30=", "e3"),
            envelope(1).replace("\"payloadType\"", "\"payload\":\"e30=\",\"payloadType\""),
            envelope(1).replace("\"payloadType\"", "\"more\":1,\"payloadType\""),
            envelope(1).replace("e30=", &"A".repeat(200 << 10)),
        ] {
            assert!(open(wrong.as_bytes()).is_err(), "{}", &wrong[..wrong.len().min(200)]);
        }
    }
}
