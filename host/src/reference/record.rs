//! A document as it is stored: what it said, who vouched for it, who added and who ended it.

use serde::{Deserialize, Serialize};

use super::document::{Document, Form, Group, Window};
use super::opened::Admitted;
use super::signer::Origin;
use crate::audit::Digest;
use crate::clock::Timestamp;

/// Who did something, and when.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// The administrator.
    pub by: String,
    /// The request, as the audit log knows it.
    pub request: String,
}

/// How a document's time ended before its window did.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ended {
    pub(super) act: Act,
    /// The document that took its place; none: it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) by: Option<Digest>,
}

/// As it stands in the store, under the digest of what is signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stored {
    pub(super) name: String,
    pub(super) form: Form,
    pub(super) media_type: String,
    pub(super) origin: Origin,
    pub(super) window: Window,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) builder: Option<String>,
    pub(super) groups: Vec<Group>,
    pub(super) added: Act,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ended: Option<Ended>,
}

impl Stored {
    pub(super) fn new(admitted: &Admitted, added: Act) -> Self {
        let Admitted { document, origin, container, .. } = admitted;
        Self {
            name: document.name.clone(),
            form: document.form,
            media_type: container.media_type().to_owned(),
            origin: origin.clone(),
            window: document.window,
            builder: document.builder.clone(),
            groups: document.groups.clone(),
            added,
            ended: None,
        }
    }

    /// The document that it was, for the question whether its signer may still sign it.
    pub(super) fn document(&self, digest: Digest) -> Document {
        Document {
            name: self.name.clone(),
            form: self.form,
            window: self.window,
            builder: self.builder.clone(),
            groups: self.groups.clone(),
            digest,
        }
    }
}

/// What may be known of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reference {
    /// Its identifier.
    pub id: Digest,
    /// What it says.
    pub document: Document,
    /// Who vouches for it.
    pub origin: Origin,
    /// Who added it.
    pub added: Act,
    /// What has become of it.
    pub state: State,
    /// What it came as.
    pub media_type: String,
}

/// What has become of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    /// Its values count.
    Good,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// Another took its place.
    Replaced,
    /// An administrator took it back.
    Revoked,
    /// Today's configuration would not let it in: its signer is gone, or may sign less.
    Unlisted,
}

impl State {
    /// The name that stands in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Expired => "expired",
            Self::NotYet => "not-yet",
            Self::Replaced => "replaced",
            Self::Revoked => "revoked",
            Self::Unlisted => "unlisted",
        }
    }
}

/// One line of the history.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Who, and when.
    pub act: Act,
    /// What.
    pub event: Event,
    /// Of which document.
    pub id: Digest,
    /// What its maker calls it.
    pub name: String,
}

/// What happened to a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// It was added.
    Added,
    /// This one took its place.
    Replaced(Digest),
    /// It was taken back.
    Revoked,
}
