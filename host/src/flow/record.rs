//! What the audit log says of a decision.

use super::appraise::Appraised;
use super::request::Caller;
use crate::audit::{Digest, Event, Record};
use crate::clock::Timestamp;

/// A record of something that this caller did.
pub(super) fn plain(event: Event, caller: &Caller, at: Timestamp) -> Record {
    Record::new(at, event).tenant(caller.tenant.as_str()).request(caller.request_id.as_str())
}

/// A record of a decision about evidence.
pub(super) fn of(event: Event, caller: &Caller, appraised: &Appraised) -> Record {
    let subject = &appraised.subject;
    let record = plain(event, caller, appraised.at)
        .tee(appraised.appraisal.tee.as_str())
        .recipient(&appraised.recipient.thumbprint())
        .challenge(Digest::of(&subject.nonce))
        .verifier(subject.verifier.name.as_str(), subject.verifier.digest.as_str())
        .policy(appraised.appraisal.policy.as_str())
        .trust_path(subject.path.clone())
        .simulated(subject.simulated)
        .detail(appraised.why());
    let record = match appraised.explanation() {
        Some(explanation) => record.explained(explanation),
        None => record,
    };
    let record = match &subject.token {
        Some(token) => record.token(token.as_str()),
        None => record,
    };
    match &subject.evidence {
        Some(evidence) => record.evidence(*evidence),
        None => record,
    }
}
