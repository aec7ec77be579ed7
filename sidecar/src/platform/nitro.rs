//! AWS Nitro Enclaves by `/dev/nsm`: one CBOR request, one CBOR answer with the attestation document.

use std::fs::File;
use std::path::Path;

use ciborium::Value;
use claviger_client::{Evidence, PlatformError};

use super::{Attester, device};

/// The device.
pub(super) struct Nitro(File);

impl Nitro {
    pub(super) const PATH: &str = "/dev/nsm";

    pub(super) fn open(path: &Path) -> Result<Self, PlatformError> {
        device::open(path).map(Self).map_err(|error| PlatformError::new(Self::PATH, error))
    }
}

impl Attester for Nitro {
    fn name(&self) -> &'static str {
        "nitro"
    }

    fn gather(&self, data: &[u8]) -> Result<Evidence, PlatformError> {
        let answer = device::nsm(&self.0, &request(data)?)
            .map_err(|error| PlatformError::new(Self::PATH, error))?;
        let document = document(&answer)?;
        Ok(Evidence::new("nitro", "application/vnd.aws.nitro-attestation", document))
    }
}

/// `{"Attestation": {"user_data": data, "nonce": null, "public_key": null}}`.
fn request(data: &[u8]) -> Result<Vec<u8>, PlatformError> {
    let text = |text: &str| Value::Text(text.to_owned());
    let members = vec![
        (text("user_data"), Value::Bytes(data.to_vec())),
        (text("nonce"), Value::Null),
        (text("public_key"), Value::Null),
    ];
    let request = Value::Map(vec![(text("Attestation"), Value::Map(members))]);
    let mut bytes = Vec::new();
    ciborium::into_writer(&request, &mut bytes)
        .map_err(|error| PlatformError::new(Nitro::PATH, error))?;
    Ok(bytes)
}

/// The document of `{"Attestation": {"document": …}}`; `{"Error": …}` says why there is none.
fn document(answer: &[u8]) -> Result<Vec<u8>, PlatformError> {
    let wrong = |reason: &str| PlatformError::new(Nitro::PATH, reason);
    let answer: Value = ciborium::from_reader(answer).map_err(|_| wrong("no CBOR answered"))?;
    let member = |value: &Value, name: &str| {
        let members = value.as_map()?.iter();
        members
            .into_iter()
            .find(|(key, _)| key.as_text() == Some(name))
            .map(|(_, value)| value.clone())
    };
    if let Some(error) = member(&answer, "Error") {
        return Err(wrong(&format!("refused: {:.80}", error.as_text().unwrap_or_default())));
    }
    let document = member(&answer, "Attestation").and_then(|inner| member(&inner, "document"));
    match document {
        Some(Value::Bytes(document)) => Ok(document),
        _ => Err(wrong("no document answered")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The forms that aws-nitro-enclaves-nsm-api (serde_cbor) writes and reads.
    #[test]
    fn the_request_has_the_modules_form_and_its_answer_is_read() {
        let bytes = request(&[0xaa; 2]).unwrap();
        let wanted =
            b"\xa1\x6bAttestation\xa3\x69user_data\x42\xaa\xaa\x65nonce\xf6\x6apublic_key\xf6";
        assert_eq!(bytes, wanted);
        let answer = b"\xa1\x6bAttestation\xa1\x68document\x42\x01\x02";
        assert_eq!(document(answer).unwrap(), [1, 2]);
    }

    #[test]
    fn a_refusal_and_anything_else_is_no_document() {
        let refused = document(b"\xa1\x65Error\x6eInputTooLarge__").unwrap_err();
        assert!(refused.to_string().contains("InputTooLarge"), "{refused}");
        for answer in [&b""[..], b"\xa0", b"\xf6", b"\xa1\x6bAttestation\xa0", &[0xff; 9]] {
            assert!(document(answer).is_err());
        }
    }
}
