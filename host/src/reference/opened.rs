//! From bytes to a document that somebody vouches for.

use super::document::{Document, LARGEST};
use super::error::ReferenceError;
use super::signer::{Origin, Signature, Signers};
use super::{corim, dsse, json, provenance, rim};
use crate::tenant::Tenant;

/// What bytes are, by their media type.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Container {
    /// A signed CoRIM.
    Corim,
    /// A DSSE envelope around the plain form or an in-toto statement.
    Dsse,
    /// The plain form, unsigned.
    Json,
    /// A reference integrity manifest of NVIDIA's.
    Rim,
}

impl Container {
    const ALL: [Self; 4] = [Self::Corim, Self::Dsse, Self::Json, Self::Rim];

    /// The media type.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Corim => "application/rim+cose",
            Self::Dsse => "application/vnd.dsse.envelope.v1+json",
            Self::Json => "application/vnd.claviger.reference+json",
            Self::Rim => "application/swid+xml",
        }
    }

    /// The container of a media type. Parameters are none of ours.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.media_type().eq_ignore_ascii_case(media_type))
    }

    /// What a file looks like: for people who name no media type.
    #[must_use]
    pub fn guess(bytes: &[u8]) -> Self {
        let payload = |json: serde_json::Value| json.get("payloadType").is_some();
        match bytes.trim_ascii_start().first() {
            Some(b'{') if serde_json::from_slice(bytes).is_ok_and(payload) => Self::Dsse,
            Some(b'{') => Self::Json,
            Some(b'<') => Self::Rim,
            _ => Self::Corim,
        }
    }
}

/// A document that was read, and of which nothing is believed.
pub struct Opened {
    document: Document,
    signatures: Vec<Signature>,
    bytes: Vec<u8>,
    container: Container,
}

/// A document that a listed signer vouches for, or, where the configuration allows it, the
/// administrator who adds it.
#[derive(Debug)]
pub struct Admitted {
    pub(super) document: Document,
    pub(super) origin: Origin,
    pub(super) bytes: Vec<u8>,
    pub(super) container: Container,
}

impl Opened {
    /// Reads a document.
    pub fn read(container: Container, bytes: &[u8]) -> Result<Self, ReferenceError> {
        // The envelope holds base64.
        if bytes.len() > LARGEST * 3 / 2 {
            return Err(ReferenceError::Malformed(format!("more than {LARGEST} bytes")));
        }
        let (document, signatures) = match container {
            Container::Corim => {
                let opened = corim::open(bytes)?;
                (opened.document, vec![opened.signature])
            }
            Container::Dsse => {
                let opened = dsse::open(bytes)?;
                let document = match opened.payload_type.as_str() {
                    "application/vnd.in-toto+json" => provenance::read(&opened.payload)?,
                    "application/vnd.claviger.reference+json" => json::read(&opened.payload)?,
                    other => {
                        let reason = format!("the payload type {other:?}");
                        return Err(ReferenceError::Unsupported(reason));
                    }
                };
                (document, opened.signatures)
            }
            Container::Json => (json::read(bytes)?, Vec::new()),
            Container::Rim => {
                let opened = rim::open(bytes)?;
                (opened.document, vec![opened.signature])
            }
        };
        Ok(Self { document, signatures, bytes: bytes.to_vec(), container })
    }

    /// What it says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// How many signatures are on it.
    #[must_use]
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// Asks who vouches for it in `tenant`.
    pub fn admit(self, signers: &Signers, tenant: &Tenant) -> Result<Admitted, ReferenceError> {
        let Self { document, signatures, bytes, container } = self;
        let origin = signers.origin(&document, &signatures, tenant)?;
        Ok(Admitted { document, origin, bytes, container })
    }
}

impl Admitted {
    /// What it says.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// Who vouches for it.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// For the audit log.
    #[must_use]
    pub fn describe(&self) -> String {
        let Document { name, form, groups, digest, .. } = &self.document;
        let by = match &self.origin {
            Origin::Signed { signer, .. } => format!("signed by {signer}"),
            Origin::Unsigned => "UNSIGNED".to_owned(),
        };
        let groups = groups.len();
        format!("reference {digest} {name:?}: {}, {by}, {groups} groups of values", form.name())
    }
}
