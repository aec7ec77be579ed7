//! What front doors bring and what they take back. Nothing here is trusted or decides anything.

use std::borrow::Cow;

use serde::Serialize;

use crate::claim::Value;
use crate::clock::Timestamp;
use crate::keys::RsaAesKeyWrap;
use crate::plugin::Package;
use crate::release_policy::Language;
use crate::result::Form;
use crate::secret::Secret;
use crate::tenant::Tenant;

/// Who asks, as far as the front door knows: the request's identifier and its tenant (from the
/// path, never from a header).
#[derive(Clone, Debug)]
pub struct Caller {
    /// Made by this host for this request; stands in the log, the audit record and the answer.
    pub request_id: String,
    /// Whose keys and policies apply.
    pub tenant: Tenant,
}

/// What a challenge is for. Evidence made for one purpose is refused for another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// An attestation result (a token).
    Attestation,
    /// One key, in the same call as the evidence.
    Release {
        /// The key's name, or a secret's with `secrets/` before it.
        key: String,
    },
}

impl Purpose {
    /// The form that stands in the signed report data: `attestation`, or `release:` and the name.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Attestation => "attestation".to_owned(),
            Self::Release { key } => format!("release:{key}"),
        }
    }
}

/// A challenge as it is handed out.
#[derive(Clone, Debug)]
pub struct IssuedChallenge {
    /// To be sent back with the evidence, unchanged.
    pub token: String,
    /// Goes into the report data.
    pub nonce: [u8; 32],
    /// From this moment the challenge is refused.
    pub expires: Timestamp,
    /// This host's identifier; goes into the report data.
    pub host: String,
    /// The purpose's label; goes into the report data.
    pub purpose: String,
}

/// Evidence as it came.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The attester's kind, which names the verifier: `snp`.
    pub tee: String,
    /// The media type; the verifier's first one where absent.
    pub media_type: Option<String>,
    /// The evidence itself.
    pub data: Vec<u8>,
    /// Certificates, logs and other things that came with it.
    pub attachments: Vec<Vec<u8>>,
}

/// Evidence in answer to a challenge, for a recipient key.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The challenge's token.
    pub challenge: String,
    /// The evidence.
    pub evidence: Evidence,
    /// The evidence of further attesters of the same workload, for which the first one vouches.
    pub companions: Vec<Evidence>,
    /// The recipient's public key, a JWK.
    pub recipient: serde_json::Value,
}

/// What a client wants of a result.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted {
    /// Its form.
    pub form: Form,
    /// Whether the custody operations that it rests on stand in it.
    pub trust_path: bool,
}

/// An attestation result.
#[derive(Clone, Debug)]
pub struct Attested {
    /// The result: a signed EAR, bound to the recipient key. A JWT as it is, a CWT in base64url.
    pub token: String,
    /// From this moment the token is refused.
    pub expires: Timestamp,
    /// AR4SI status: `affirming`, `warning`, `contraindicated` or `none`.
    pub status: &'static str,
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// The leaf of the audit record.
    pub audit_index: u64,
}

/// What a released key is wrapped as.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum WrapForm {
    /// A JWE in compact form (RFC 7516).
    #[default]
    Jwe,
    /// An RSA AES key wrap, for recipients with an RSA key.
    RsaAes(RsaAesKeyWrap),
}

/// A released key.
#[derive(Clone, Debug)]
pub struct ReleasedKey {
    /// The key, wrapped to the recipient: JWE in compact form, or where it was asked for, the octets
    /// of an RSA AES key wrap in base64url.
    pub jwe: String,
    /// What is inside: `application/octet-stream`, `application/pkcs8`.
    pub media_type: String,
    /// The key's version.
    pub version: String,
    /// AR4SI status of the appraisal behind it; `none` where another service's token is.
    pub status: &'static str,
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// Whether the connector that it came from may read key bytes.
    pub reads_key_material: bool,
    /// The leaf of the audit record.
    pub audit_index: u64,
}

/// A key to be made or imported.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its name.
    pub name: String,
    /// `oct-256`, `rsa-3072`, `ec-p256`, `ed25519`, …
    pub kind: String,
    /// Given material; none: the KMS generates.
    pub material: Option<Secret>,
    /// When it may leave. There is no default.
    pub release_policy: NewReleasePolicy,
}

/// A release policy to be set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewReleasePolicy {
    /// What it is written in.
    pub language: Language,
    /// The policy; empty in a language without text.
    pub text: String,
    /// Whether it can never be changed again, except by deleting the key.
    pub immutable: bool,
}

impl NewReleasePolicy {
    /// Released where the appraisal's status is affirming.
    #[must_use]
    pub fn affirming() -> Self {
        Self { language: Language::Affirming, text: String::new(), immutable: false }
    }
}

/// A key's release policy, as the administration shows it.
#[derive(Clone, Debug)]
pub struct ReleasePolicySummary {
    /// What stands in the audit records: `akv:sha256:…`, of the text.
    pub id: String,
    /// The policy.
    pub policy: NewReleasePolicy,
    /// When it was set.
    pub created: Timestamp,
}

/// What may be known of a key.
#[derive(Clone, Debug, Serialize)]
pub struct KeySummary {
    /// Its name.
    pub name: String,
    /// The version that this speaks of.
    pub version: String,
    /// `oct-256`, `rsa-3072`, …
    pub kind: String,
    /// Whether it may be released now.
    pub enabled: bool,
    /// When this version was made.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
}

/// What an administrator does with a plugin.
#[derive(Clone, Debug)]
pub enum PluginChange {
    /// A connector that is loaded holds the keys from now on.
    Choose {
        /// Its name.
        name: String,
    },
    /// Nothing serves under its name from now on; a rollback undoes it.
    Disable {
        /// Its name.
        name: String,
    },
    /// It serves under the name in its manifest, under which nothing serves yet.
    Install(Package),
    /// What served before serves again; the same once more undoes it.
    RollBack {
        /// Its name.
        name: String,
        /// Whether tokens on the verdicts of the one that goes are believed no more.
        revoke: bool,
    },
    /// It takes the place of what serves under its name.
    Swap {
        /// Its name, as its manifest has it.
        name: String,
        /// The new version.
        package: Package,
        /// Whether tokens on the verdicts of the one that goes are believed no more.
        revoke: bool,
    },
}

/// A plugin, as the administration shows it.
#[derive(Clone, Debug, Serialize)]
pub struct PluginSummary {
    /// Its name.
    pub name: String,
    /// `verifier` or `kms`.
    pub kind: &'static str,
    /// Its version, as its manifest says.
    pub version: String,
    /// SHA-256 of the component, lower-case hexadecimal.
    pub digest: String,
    /// Where it came from: `bundled`, `file`, `directory` or `installed`.
    pub source: &'static str,
    /// Who signed it, as the verification file calls them.
    pub signers: Vec<String>,
    /// What it imports from the host.
    pub imports: Vec<String>,
    /// Whether the operator let it read the bytes of key material.
    pub reads_key_material: bool,
    /// `serving`, `checked`, `draining` or `refused`.
    pub state: &'static str,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How the host is.
#[derive(Clone, Debug, Serialize)]
pub struct Health {
    /// Whether it can release keys now.
    pub healthy: bool,
    /// Whether development switches are on.
    pub development: bool,
    /// Part by part: `ok`, or what is wrong (without detail that helps an attacker).
    pub parts: Vec<(&'static str, String)>,
}

/// One finding of an appraisal: a rule, what was seen, what was wanted.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule's name, stable.
    pub rule: Cow<'static, str>,
    /// The claim that it looked at.
    pub claim: String,
    /// What stood there; none: nothing did.
    pub seen: Option<Value>,
    /// What the rule wants.
    pub wanted: String,
    /// The policy's file, where a policy said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
