//! OCSP responses (RFC 6960): what an authority, or whom it delegated, answers about single certificates.
//!
//! A response comes with evidence or from a source of the operator's, and is believed in the same way:
//! signed by the issuer of the certificate in question, or by a certificate that this issuer made for OCSP
//! and nothing else; about that very certificate; at this moment. A nonce is not asked for, so that an
//! answer can be kept for as long as it says.

pub(crate) mod id;
mod read;

use super::fault::Fault;
use super::key::Scheme;
use super::want::Validity;
use super::x509::Certificate;
use crate::clock::Timestamp;
use id::CertificateId;

/// Larger responses are refused before they are read.
pub(crate) const MAX_LENGTH: usize = 64 * 1024;

/// So many responses that come with evidence are looked at.
const MAX_RESPONSES: usize = 32;

/// Of those that speak of one certificate, so many are looked into: each may cost a few signature checks.
const MAX_TRIED: usize = 4;

/// A response, read but not yet trusted.
pub(crate) struct Response {
    tbs: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    answers: Vec<Answer>,
    /// Whoever signed may be among them.
    certificates: Vec<Vec<u8>>,
}

/// What it says about one certificate.
struct Answer {
    about: CertificateId,
    status: Status,
    this_update: Timestamp,
    next_update: Timestamp,
}

/// RFC 6960 section 4.2.1, CertStatus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Status {
    Good,
    /// For a while: it may be good again.
    OnHold,
    Revoked,
    /// The responder does not know it: no answer.
    Unknown,
}

/// For when a certificate is good by an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Good {
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Response({} answers)", self.answers.len())
    }
}

impl Response {
    /// Those among what came with evidence; everything else is passed over.
    pub(crate) fn among(attachments: &[Vec<u8>]) -> Vec<Self> {
        let responses = attachments.iter().filter(|bytes| read::may_be(bytes));
        responses.take(MAX_RESPONSES).filter_map(|bytes| Self::parse(bytes).ok()).collect()
    }

    /// The newest answer about a certificate, where there is one, at this moment.
    fn about(&self, serial: &[u8], issuer: &Certificate, at: Timestamp) -> Option<&Answer> {
        let answers = self.answers.iter().filter(|answer| answer.this_update <= at);
        let answers = answers.filter(|answer| answer.about.is_of(serial, issuer));
        answers.max_by_key(|answer| answer.this_update)
    }

    /// Whether `issuer` signed it, or somebody whom it made a responder and who is one at this moment.
    fn check_signed_by(&self, issuer: &Certificate, at: Timestamp) -> Result<(), Fault> {
        let direct = issuer.key.verify(self.scheme, &self.tbs, &self.signature);
        let mut fault = match direct {
            Ok(()) => return Ok(()),
            Err(fault) => fault,
        };
        for der in &self.certificates {
            let delegated = Certificate::parse_responder(der).and_then(|responder| {
                responder.check_issued_by(issuer)?;
                responder.check_dates(at)?;
                responder.check_end_entity()?;
                responder.key.verify(self.scheme, &self.tbs, &self.signature)
            });
            match delegated {
                Ok(()) => return Ok(()),
                Err(reason) => fault = reason,
            }
        }
        Err(fault)
    }
}

/// What responses say about a certificate that `issuer` issued: good for a while; none where no response
/// that is good for anything speaks of it.
///
/// # Errors
/// [`Fault::Revoked`] where one says so. A revocation counts however old it is; a hold until a newer answer.
pub(crate) fn judge(
    responses: &[Response],
    issuer: &Certificate,
    issued: &Certificate,
    at: Timestamp,
) -> Result<Option<Good>, Fault> {
    let mut newest: Option<&Answer> = None;
    let about = |response| Some((response, Response::about(response, &issued.serial, issuer, at)?));
    for (response, answer) in responses.iter().filter_map(about).take(MAX_TRIED) {
        if response.check_signed_by(issuer, at).is_err() {
            continue;
        }
        if answer.status == Status::Revoked {
            return Err(Fault::Revoked(format!("{}, by OCSP", issued.describe())));
        }
        if newest.is_none_or(|newest| newest.this_update < answer.this_update) {
            newest = Some(answer);
        }
    }
    match newest {
        Some(answer) if answer.status == Status::OnHold => {
            Err(Fault::Revoked(format!("{}, on hold by OCSP", issued.describe())))
        }
        Some(answer) if answer.status == Status::Good && at <= answer.next_update => {
            Ok(Some(Good { from: answer.this_update, until: answer.next_update }))
        }
        _ => Ok(None),
    }
}

/// What a source answers about the certificate of that serial number: it must say something, and now.
pub(crate) fn check_answer(
    response: &[u8],
    issuer: &[u8],
    serial: &[u8],
    at: Timestamp,
) -> Result<Validity, Fault> {
    let (response, issuer) = (Response::parse(response)?, Certificate::parse(issuer)?);
    let answer = response.about(serial, &issuer, at);
    let answer = answer.ok_or_else(|| Fault::untrusted("an answer about something else"))?;
    response.check_signed_by(&issuer, at)?;
    if answer.status == Status::Unknown {
        return Err(Fault::unsupported("the responder does not know the certificate"));
    }
    Validity { from: answer.this_update, until: answer.next_update }.at(at)
}
