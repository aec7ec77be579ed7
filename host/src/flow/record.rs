//! What the audit log says of a decision.

use super::appraise::{Appraised, Part};
use super::challenge::Freshness;
use super::report_data::Companion as Named;
use super::request::Caller;
use crate::audit::{Companion, Digest, Event, Module, Record};
use crate::clock::Timestamp;
use crate::plugin::{Kind, VerifierPlugin};

/// A record of something that this caller did.
pub(super) fn plain(event: Event, caller: &Caller, at: Timestamp) -> Record {
    Record::new(at, event).tenant(caller.tenant.as_str()).request(caller.request_id.as_str())
}

/// The record, of this plugin.
pub(super) fn of_plugin(record: Record, kind: Kind, name: &str, digest: &str) -> Record {
    match kind {
        Kind::Kms => record.connector(name, digest),
        Kind::Verifier => record.verifier(name, digest),
    }
}

/// A record of a decision about evidence.
pub(super) fn of(event: Event, caller: &Caller, appraised: &Appraised) -> Record {
    let Part { subject, appraisal } = &appraised.main;
    let occasion = &appraised.occasion;
    let record = plain(event, caller, appraised.at)
        .tee(appraisal.tee.as_str())
        .recipient(&appraised.recipient.thumbprint())
        .freshness(occasion.freshness.name())
        .verifier(subject.verifier.name.as_str(), subject.verifier.digest.as_str())
        .policy(appraisal.policy.as_str())
        .trust_path(subject.path.clone())
        .companions(appraised.companions.iter().map(companion).collect())
        .simulated(occasion.simulated)
        .detail(appraised.why());
    let record = match occasion.freshness {
        Freshness::Challenge => record.challenge(Digest::of(&occasion.nonce)),
        Freshness::RecipientKey => record,
    };
    let record = match appraised.explanation() {
        Some(explanation) => record.explained(explanation),
        None => record,
    };
    let record = match &occasion.token {
        Some(token) => record.token(token.as_str()),
        None => record,
    };
    match &subject.evidence {
        Some(evidence) => record.evidence(*evidence),
        None => record,
    }
}

/// Evidence that came along, before anything is known of it.
pub(super) fn came_along(verifier: &VerifierPlugin, named: &Named) -> Companion {
    Companion {
        tee: named.tee.clone(),
        evidence: Some(Digest(named.evidence)),
        verifier: Module { name: verifier.name().to_owned(), digest: verifier.digest().to_owned() },
        policy: None,
        trust_path: Vec::new(),
    }
}

fn companion(part: &Part) -> Companion {
    let Part { subject, appraisal } = part;
    Companion {
        tee: appraisal.tee.clone(),
        evidence: subject.evidence,
        verifier: Module {
            name: subject.verifier.name.clone(),
            digest: subject.verifier.digest.clone(),
        },
        policy: Some(appraisal.policy.as_str().to_owned()),
        trust_path: subject.path.clone(),
    }
}
