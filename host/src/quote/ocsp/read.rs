//! The DER of a response (RFC 6960 section 4.2.1). What it may leave unsaid and what nobody here understands
//! is an error: a response that says less than it must is none.

use super::id::CertificateId;
use super::{Answer, MAX_LENGTH, Response, Status};
use crate::quote::der::{self, NotDer, Reader, tag};
use crate::quote::fault::Fault;
use crate::quote::signature;

/// So many certificates may one response speak of, and so many may come along.
const MAX_ANSWERS: usize = 16;
const MAX_CERTIFICATES: usize = 4;

const ENUMERATED: u8 = 0x0a;

/// id-pkix-ocsp-basic, 1.3.6.1.5.5.7.48.1.1
const BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];

/// CRLReason (RFC 5280 section 5.3.1).
const CERTIFICATE_HOLD: &[u8] = &[6];

/// Whether bytes begin as a successful response does: `SEQUENCE { ENUMERATED 0, …`.
pub(super) fn may_be(bytes: &[u8]) -> bool {
    let start = || Reader::new(bytes).nested(tag::SEQUENCE)?.expect(ENUMERATED).map(|e| e.content);
    bytes.len() <= MAX_LENGTH && start() == Ok(&[0])
}

impl Response {
    /// Reads a response that fills `der`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Fault> {
        if der.len() > MAX_LENGTH {
            return Err(Fault::malformed("OCSP response: too large"));
        }
        Basic::read(der).map_err(|bad| bad.within("OCSP response"))?.into_response()
    }
}

/// BasicOCSPResponse, borrowed.
struct Basic<'a> {
    tbs: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    certificates: Vec<Vec<u8>>,
}

impl<'a> Basic<'a> {
    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut outer = Reader::whole(der, tag::SEQUENCE)?;
        if outer.expect(ENUMERATED)?.content != [0] {
            return Err(NotDer("a refusal"));
        }
        let mut bytes = outer.nested(tag::context(0))?;
        outer.finish()?;
        let mut typed = bytes.nested(tag::SEQUENCE)?;
        bytes.finish()?;
        if typed.expect(tag::OID)?.content != BASIC {
            return Err(NotDer("another type than the basic one"));
        }
        let response = typed.expect(tag::OCTET_STRING)?.content;
        typed.finish()?;
        let mut fields = Reader::whole(response, tag::SEQUENCE)?;
        let tbs = fields.expect(tag::SEQUENCE)?.raw;
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let signature = der::octets_of_bits(fields.expect(tag::BIT_STRING)?.content)?;
        let mut certificates = Vec::new();
        if let Some(list) = fields.optional(tag::context(0))? {
            let mut list = Reader::whole(list.content, tag::SEQUENCE)?;
            while !list.is_empty() {
                certificates.push(list.expect(tag::SEQUENCE)?.raw.to_vec());
                if certificates.len() > MAX_CERTIFICATES {
                    return Err(NotDer("too many certificates"));
                }
            }
        }
        fields.finish()?;
        Ok(Self { tbs, algorithm, signature, certificates })
    }

    fn into_response(self) -> Result<Response, Fault> {
        let within = |bad: NotDer| bad.within("OCSP response");
        let mut data = Reader::whole(self.tbs, tag::SEQUENCE).map_err(within)?;
        let (responses, extensions) = (|| {
            // The version, where it is not the default, is one that is not known here.
            let responder = data.any()?;
            if responder.tag != tag::context(1) && responder.tag != tag::context(2) {
                return Err(NotDer("a version, or no responder"));
            }
            der::moment(data.expect(tag::GENERALIZED_TIME)?)?;
            let responses = data.nested(tag::SEQUENCE)?;
            let extensions = data.optional(tag::context(1))?.map(|element| element.content);
            data.finish()?;
            Ok((responses, extensions))
        })()
        .map_err(within)?;
        check_extensions(extensions)?;
        Ok(Response {
            tbs: self.tbs.to_vec(),
            scheme: signature::scheme(self.algorithm)?,
            signature: self.signature.to_vec(),
            answers: answers(responses)?,
            certificates: self.certificates,
        })
    }
}

fn answers(mut responses: Reader<'_>) -> Result<Vec<Answer>, Fault> {
    let within = |bad: NotDer| bad.within("OCSP response");
    let mut answers = Vec::new();
    while !responses.is_empty() {
        let mut fields = responses.nested(tag::SEQUENCE).map_err(within)?;
        let id = fields.expect(tag::SEQUENCE).map_err(within)?.raw;
        let answer = (|| {
            let status = status(fields.any()?)?;
            let this_update = der::moment(fields.expect(tag::GENERALIZED_TIME)?)?;
            let next_update = fields.optional(tag::context(0))?;
            let next_update = next_update.ok_or(NotDer("an answer without nextUpdate"))?;
            let next_update = der::moment(Reader::new(next_update.content).any()?)?;
            Ok((status, this_update, next_update))
        })();
        let (status, this_update, next_update) = answer.map_err(within)?;
        let extensions = fields.optional(tag::context(1)).map_err(within)?;
        fields.finish().map_err(within)?;
        check_extensions(extensions.map(|element| element.content))?;
        // Of an algorithm that is not known here: it speaks of nobody.
        if let Some(about) = CertificateId::read(id).map_err(within)? {
            answers.push(Answer { about, status, this_update, next_update });
        }
        if answers.len() > MAX_ANSWERS {
            return Err(Fault::malformed("OCSP response: too many answers"));
        }
    }
    Ok(answers)
}

fn status(element: der::Element<'_>) -> der::Result<Status> {
    match element.tag {
        0x80 if element.content.is_empty() => Ok(Status::Good),
        0x82 if element.content.is_empty() => Ok(Status::Unknown),
        0xa1 => {
            let mut fields = Reader::new(element.content);
            der::moment(fields.expect(tag::GENERALIZED_TIME)?)?;
            let reason = fields.optional(tag::context(0))?;
            fields.finish()?;
            let Some(reason) = reason else { return Ok(Status::Revoked) };
            let mut reason = Reader::new(reason.content);
            let code = reason.expect(ENUMERATED)?.content;
            reason.finish()?;
            Ok(if code == CERTIFICATE_HOLD { Status::OnHold } else { Status::Revoked })
        }
        _ => Err(NotDer("a status that is none")),
    }
}

/// Whoever made an extension critical wants it understood.
fn check_extensions(content: Option<&[u8]>) -> Result<(), Fault> {
    let extensions = signature::extensions(content).map_err(|bad| bad.within("OCSP response"))?;
    match extensions.iter().any(|extension| extension.critical) {
        true => Err(Fault::unsupported("an OCSP response with a critical extension")),
        false => Ok(()),
    }
}
