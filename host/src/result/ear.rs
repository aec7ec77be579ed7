//! The claims of a result. Integer labels: RFC 8392 (1 to 7), RFC 8747 (8), RFC 9711 (10, 265, 266),
//! draft-ietf-rats-ear-04 (from 1000).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::claims::{Member, claims_set};
use super::confirmation::Confirmation;
use super::values::{
    ClaimMap, Identifier, Nonce, Profile, Tier, TrustVector, Unreadable, from_cbor, to_cbor,
};
use crate::clock::Timestamp;

claims_set! {
    /// An attestation result.
    pub struct Ear<'a> {
        /// Which profile of EAT it follows.
        pub profile: Profile = "eat_profile" / 265,
        /// The host.
        pub issuer: Cow<'a, str> = "iss" / 1,
        /// For whom it is.
        pub audience: Cow<'a, str> = "aud" / 3,
        /// When it was made.
        pub issued: Timestamp = "iat" / 6,
        /// From this moment it is refused.
        pub expires: Timestamp = "exp" / 4,
        /// Names this result in the audit log.
        pub id: Identifier<'a> = "jti" / 7,
        /// The nonce that the evidence answered.
        pub nonce: Nonce = "eat_nonce" / 10,
        /// The recipient key: who may use what is released by this result.
        pub recipient: Confirmation<'a> = "cnf" / 8,
        /// Who appraised.
        pub verifier: VerifierId<'a> = "ear_verifier_id" / 1004,
        /// The appraisals, by the attester's kind; further ones of a kind with their number.
        pub submods: BTreeMap<Cow<'a, str>, Submod<'a>> = "submods" / 266,
        /// What no draft has a claim for.
        pub own: Own<'a> = "claviger",
    }
}

claims_set! {
    /// Who appraised: a developer and a build.
    pub struct VerifierId<'a> {
        /// A URL.
        pub developer: Cow<'a, str> = "developer" / 0,
        /// Name and version.
        pub build: Cow<'a, str> = "build" / 1,
    }
}

claims_set! {
    /// The appraisal of one attester.
    pub struct Submod<'a> {
        /// The worst of the vector.
        pub status: Tier = "ear_status" / 1000,
        /// Claim by claim.
        pub vector: TrustVector = "ear_trustworthiness_vector" / 1001,
        /// The policies that judged, each with its digest.
        pub policies: Vec<Cow<'a, str>> = "ear_appraisal_policy_ids" / 1003,
        /// What the host itself read in the evidence.
        pub facts: ClaimMap<'a> = "ear_attester_claims" / 1005,
        /// What the verifier plugin says beyond that.
        pub claims: ClaimMap<'a> = "ear_verifier_claims" / 1006,
    }
}

claims_set! {
    /// What a release by this result is judged by, and what an auditor wants to see.
    pub struct Own<'a> {
        /// The purpose of the challenge.
        pub purpose: Cow<'a, str> = "purpose",
        /// What is fresh: `challenge`, or `recipient-key` where evidence answered none.
        pub freshness: Cow<'a, str> = "freshness",
        /// Whether any of it rests on simulated hardware.
        pub simulated: bool = "simulated",
        /// From this moment a certificate or revocation list behind it is out of date.
        pub evidence_expires: Timestamp = "evidence_expires",
        /// The plugin that read the evidence.
        pub verifier: VerifierModule<'a> = "verifier",
        /// What that plugin at most affirmed.
        pub verifier_vector: TrustVector = "verifier_vector",
        /// The custody operations that all of it rests on, anchor first; where somebody asked.
        pub trust_path: Option<Cow<'a, [String]>> = "trust_path",
        /// The attesters that came along, in the order in which the main one vouched for them.
        pub companions: Option<Vec<Accompanying<'a>>> = "companions",
    }
}

claims_set! {
    /// What is said of an attester that came along.
    pub struct Accompanying<'a> {
        /// The name of its submodule.
        pub submod: Cow<'a, str> = "submod",
        /// Its kind.
        pub tee: Cow<'a, str> = "tee",
        /// The plugin that read its evidence.
        pub verifier: VerifierModule<'a> = "verifier",
        /// What that plugin at most affirmed.
        pub verifier_vector: TrustVector = "verifier_vector",
        /// The custody operations that it rests on; where somebody asked.
        pub trust_path: Option<Cow<'a, [String]>> = "trust_path",
    }
}

claims_set! {
    /// A plugin.
    pub struct VerifierModule<'a> {
        /// Its name.
        pub name: Cow<'a, str> = "name",
        /// SHA-256 of its component, lower-case hexadecimal.
        pub digest: Cow<'a, str> = "digest",
    }
}

impl Ear<'_> {
    /// As a CWT claims set.
    ///
    /// # Errors
    /// [`Unreadable`] where a claim cannot be written.
    pub fn to_cbor(&self) -> Result<Vec<u8>, Unreadable> {
        to_cbor(self)
    }

    /// Out of a CWT claims set, in exactly the spelling in which this host writes it: no longer
    /// lengths, no other order, no tags, nothing behind.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn from_cbor(bytes: &[u8]) -> Result<Self, Unreadable> {
        let read: Self = from_cbor(bytes)?;
        match read.to_cbor()? == bytes {
            true => Ok(read),
            false => Err(Unreadable("another spelling than this host's".to_owned())),
        }
    }

    /// Out of the claims of a JWT, which were read as strict JSON.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn from_json(
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Self, Unreadable> {
        serde_json::from_value(serde_json::Value::Object(claims))
            .map_err(|error| Unreadable(error.to_string()))
    }
}

impl Member for Cow<'_, str> {}
impl Member for bool {}
impl Member for Timestamp {}
impl Member for Own<'_> {}
impl Member for VerifierId<'_> {}
impl Member for VerifierModule<'_> {}
impl Member for BTreeMap<Cow<'_, str>, Submod<'_>> {}
impl Member for Vec<Cow<'_, str>> {}
