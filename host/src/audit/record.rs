//! One record: who asked for what, what was decided, and what the decision rests on.
//!
//! Nothing here is secret: key material lives in [`crate::secret::Secret`], which cannot be
//! serialised; challenges, evidence and wrapped keys are named by their digests.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::digest;
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::companion::Companion;
use super::event::Event;
use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::explanation::Explanation;

/// Longer reasons and details are cut, with a mark, at this many bytes.
const MAX_TEXT: usize = 2048;

/// How it ended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was allowed and done.
    #[default]
    Allowed,
    /// An administrative change that was allowed and begins now. A later record of the same request
    /// says how it ended; where there is none, the host ended in between.
    Begun,
    /// It was refused, or failed.
    Refused,
}

/// A SHA-256 digest; in JSON lower-case hexadecimal.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut out = [0; 32];
        out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(out)
    }

    /// Parses lower-case hexadecimal; none where it is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        bytes.and_then(|bytes| bytes.try_into().ok()).map(Self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; 64];
        HEXLOWER.encode_mut(&self.0, &mut text);
        serializer.serialize_str(std::str::from_utf8(&text).map_err(serde::ser::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("not a SHA-256 digest in hexadecimal"))
    }
}

/// A plugin, by name and by the digest of its component.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Module {
    /// The name it is configured under.
    pub name: String,
    /// SHA-256 of the component, in lower-case hexadecimal.
    pub digest: String,
}

/// One line of the log. Absent members are not written.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Record {
    #[serde(with = "moment")]
    time: Timestamp,
    event: Event,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    challenge: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verifier: Option<Module>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    connector: Option<Module>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trust_path: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    companions: Vec<Companion>,
    #[serde(default, skip_serializing_if = "is_false")]
    simulated: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    reads_key_material: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    wrapped_by_connector: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wrap: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jwe: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authority: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freshness: Option<Cow<'static, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    explanation: Option<Box<Explanation>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Record {
    /// A record of something that was allowed, at `time`.
    #[must_use]
    pub fn new(time: Timestamp, event: Event) -> Self {
        Self {
            time,
            event,
            outcome: Outcome::Allowed,
            tenant: None,
            request: None,
            principal: None,
            code: None,
            reason: None,
            detail: None,
            tee: None,
            key: None,
            version: None,
            recipient: None,
            challenge: None,
            evidence: None,
            verifier: None,
            connector: None,
            policies: Vec::new(),
            trust_path: Vec::new(),
            companions: Vec::new(),
            simulated: false,
            reads_key_material: false,
            wrapped_by_connector: false,
            wrap: None,
            jwe: None,
            token: None,
            authority: None,
            freshness: None,
            explanation: None,
        }
    }

    /// A record of a request that was refused at `time`.
    #[must_use]
    pub fn refused(time: Timestamp, refusal: &Refusal) -> Self {
        Self::new(time, Event::Refused).refusal(refusal)
    }

    /// When.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// What.
    #[must_use]
    pub fn event(&self) -> Event {
        self.event
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The event begins.
    #[must_use]
    pub fn begun(mut self) -> Self {
        self.outcome = Outcome::Begun;
        self
    }

    /// The event was refused, with this code and reason.
    #[must_use]
    pub fn refusal(mut self, refusal: &Refusal) -> Self {
        self.outcome = Outcome::Refused;
        self.code = Some(Cow::Borrowed(refusal.code.as_str()));
        self.reason = Some(cut(refusal.reason.clone()));
        self.explanation =
            refusal.explanation.as_deref().map(|why| Box::new(why.clone().bounded()));
        self
    }

    /// Why it is not what it might be, though it was not refused.
    #[must_use]
    pub fn explained(mut self, explanation: Explanation) -> Self {
        self.explanation = Some(Box::new(explanation.bounded()));
        self
    }

    /// The tenant whose request it was.
    #[must_use]
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.tenant = Some(tenant.into());
        self
    }

    /// The request's identifier, as the caller was told it.
    #[must_use]
    pub fn request(mut self, id: impl Into<String>) -> Self {
        self.request = Some(id.into());
        self
    }

    /// Who administered.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<String>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Whatever a person should know besides; cut at 2048 bytes.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(cut(detail.into()));
        self
    }

    /// The kind of environment that the evidence came from: `snp`.
    #[must_use]
    pub fn tee(mut self, tee: impl Into<String>) -> Self {
        self.tee = Some(tee.into());
        self
    }

    /// The key.
    #[must_use]
    pub fn key(mut self, name: impl Into<String>) -> Self {
        self.key = Some(name.into());
        self
    }

    /// The key's version.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The recipient key by its RFC 7638 thumbprint (SHA-256); written in base64url, as JOSE does.
    #[must_use]
    pub fn recipient(mut self, thumbprint: &[u8; 32]) -> Self {
        self.recipient = Some(BASE64URL_NOPAD.encode(thumbprint));
        self
    }

    /// The digest of the challenge's nonce.
    #[must_use]
    pub fn challenge(mut self, digest: Digest) -> Self {
        self.challenge = Some(digest);
        self
    }

    /// The digest of the evidence as it was submitted.
    #[must_use]
    pub fn evidence(mut self, digest: Digest) -> Self {
        self.evidence = Some(digest);
        self
    }

    /// The verifier plugin: its name and the hexadecimal digest of its component.
    #[must_use]
    pub fn verifier(mut self, name: impl Into<String>, digest: impl Into<String>) -> Self {
        self.verifier = Some(Module { name: name.into(), digest: digest.into() });
        self
    }

    /// The KMS connector: its name and the hexadecimal digest of its component.
    #[must_use]
    pub fn connector(mut self, name: impl Into<String>, digest: impl Into<String>) -> Self {
        self.connector = Some(Module { name: name.into(), digest: digest.into() });
        self
    }

    /// The identifier (`jti`) of the token that was issued or presented.
    #[must_use]
    pub fn token(mut self, id: impl Into<String>) -> Self {
        self.token = Some(id.into());
        self
    }

    /// The other service whose token it rests on, and what kept that token from being of use to
    /// anybody else: `recipient-key`.
    #[must_use]
    pub fn authority(mut self, issuer: &str, freshness: &'static str) -> Self {
        self.authority = Some(cut(issuer.to_owned()));
        self.freshness = Some(Cow::Borrowed(freshness));
        self
    }

    /// What is fresh of the evidence: `challenge`, or `recipient-key`.
    #[must_use]
    pub fn freshness(mut self, freshness: &'static str) -> Self {
        self.freshness = Some(Cow::Borrowed(freshness));
        self
    }

    /// Whether the key management service wrapped the key, so that the host cannot vouch for it.
    #[must_use]
    pub fn wrapped_by_connector(mut self, wrapped: bool) -> Self {
        self.wrapped_by_connector = wrapped;
        self
    }

    /// A policy that decided; one after the other.
    #[must_use]
    pub fn policy(mut self, identifier: impl Into<String>) -> Self {
        self.policies.push(identifier.into());
        self
    }

    /// The custody operations from the trust anchor down to what was believed.
    #[must_use]
    pub fn trust_path(mut self, steps: Vec<String>) -> Self {
        self.trust_path = steps;
        self
    }

    /// The attesters that came along, in their order.
    #[must_use]
    pub fn companions(mut self, companions: Vec<Companion>) -> Self {
        self.companions = companions;
        self
    }

    /// Whether simulated hardware signed the evidence, or the host runs for development.
    #[must_use]
    pub fn simulated(mut self, simulated: bool) -> Self {
        self.simulated = simulated;
        self
    }

    /// Whether a connector was granted to read key bytes.
    #[must_use]
    pub fn reads_key_material(mut self, reads: bool) -> Self {
        self.reads_key_material = reads;
        self
    }

    /// The name of the wrap of what was released, where it is no JWE.
    #[must_use]
    pub fn wrap(mut self, name: &'static str) -> Self {
        self.wrap = Some(Cow::Borrowed(name));
        self
    }

    /// The digest of the wrapped key as it is about to leave.
    #[must_use]
    pub fn jwe(mut self, digest: Digest) -> Self {
        self.jwe = Some(digest);
        self
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push_str(" [cut]");
    }
    text
}

/// RFC 3339 text, so that a person can read the log.
mod moment {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 moment"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::encoding;
    use crate::error::Code;

    // attack 41
    #[test]
    fn a_client_string_cannot_forge_a_line() {
        let forged = "x\"}\n{\"event\":\"released\"}\r\n\u{1b}[1A\u{9b}2K\u{2028}\u{7f}";
        let record = Record::new(Timestamp(0), Event::Attested)
            .request(forged)
            .tenant(forged)
            .key(forged)
            .refusal(&Refusal::new(Code::NotFound, forged));
        let line = encoding::line(&record).unwrap();
        assert!(encoding::is_printable(&line));
        assert_eq!(serde_json::from_slice::<Record>(&line).unwrap(), record);
    }

    #[test]
    fn absent_members_are_not_written() {
        let line = encoding::line(&Record::new(Timestamp(0), Event::HostStarted)).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            r#"{"time":"1970-01-01T00:00:00Z","event":"host-started","outcome":"allowed"}"#
        );
    }

    #[test]
    fn a_long_reason_is_cut_with_a_mark() {
        let refusal = Refusal::new(Code::Internal, "\u{1f511}".repeat(5000));
        let record = Record::refused(Timestamp(0), &refusal);
        let reason = record.reason.unwrap();
        assert!(reason.len() <= MAX_TEXT + 6 && reason.ends_with(" [cut]"));
    }
}
