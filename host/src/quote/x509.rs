//! X.509 certificates (RFC 5280): read strictly, once, into what the checks need.

use std::sync::Arc;

use super::algorithm::DigestAlgorithm;
use super::der::{self, NotDer, Reader, tag};
use super::fault::Fault;
use super::key::{PublicKey, Scheme};
use super::name::Name;
use super::signature;
use crate::clock::Timestamp;

/// Larger than any certificate here; ML-DSA certificates reach 8 kB.
pub(crate) const MAX_LENGTH: usize = 32 * 1024;

/// A certificate, read but not yet trusted.
pub(crate) struct Certificate {
    der: Arc<[u8]>,
    fingerprint: [u8; 32],
    tbs: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) key: PublicKey,
    pub(crate) extensions: Extensions,
}

/// A certificate's extensions; each identifier stands once.
pub(crate) struct Extensions {
    all: Vec<Extension>,
    pub(crate) authority: Option<BasicConstraints>,
    key_usage: Option<u8>,
}

struct Extension {
    oid: Vec<u8>,
    value: Vec<u8>,
}

/// RFC 5280 section 4.2.1.9, where `cA` is true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BasicConstraints {
    /// How many intermediate certificates may follow.
    pub(crate) path_length: Option<u64>,
}

/// The first eight bits of RFC 5280 section 4.2.1.3, most significant first.
pub(crate) mod usage {
    pub(crate) const DIGITAL_SIGNATURE: u8 = 0x80;
    pub(crate) const KEY_CERT_SIGN: u8 = 0x04;
    pub(crate) const CRL_SIGN: u8 = 0x02;
}

impl Certificate {
    /// Reads a certificate that fills `der`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Fault> {
        Self::parse_for(der, false)
    }

    /// Reads the certificate of an OCSP responder (RFC 6960 section 4.2.2.2): it says that it is one.
    pub(crate) fn parse_responder(der: &[u8]) -> Result<Self, Fault> {
        let responder = Self::parse_for(der, true)?;
        let purposes = responder.extensions.get(oid::EXTENDED_KEY_USAGE).unwrap_or_default();
        match names_ocsp(purposes) {
            Ok(true) => Ok(responder),
            Ok(false) => Err(Fault::Untrusted(format!("{} answers no OCSP", responder.subject))),
            Err(bad) => Err(bad.within("extended key usage")),
        }
    }

    /// Reads a certificate whose key is for certain purposes only; the caller asks which.
    pub(crate) fn parse_purposed(der: &[u8]) -> Result<Self, Fault> {
        Self::parse_for(der, true)
    }

    fn parse_for(der: &[u8], responder: bool) -> Result<Self, Fault> {
        if der.len() > MAX_LENGTH {
            return Err(Fault::malformed("certificate: too large"));
        }
        let outer = signature::Signed::read(der).map_err(|bad| bad.within("certificate"))?;
        let fields = Fields::read(outer.tbs).map_err(|bad| bad.within("certificate"))?;
        if fields.algorithm != outer.algorithm {
            return Err(Fault::malformed("certificate: two different signature algorithms"));
        }
        Ok(Self {
            der: Arc::from(der),
            fingerprint: fingerprint(der)?,
            tbs: outer.tbs.to_vec(),
            scheme: signature::scheme(outer.algorithm)?,
            signature: outer.signature.to_vec(),
            serial: fields.serial.to_vec(),
            issuer: Name::new(fields.issuer),
            subject: Name::new(fields.subject),
            not_before: fields.not_before,
            not_after: fields.not_after,
            key: PublicKey::from_spki(fields.spki)?,
            extensions: Extensions::read(fields.extensions, responder)?,
        })
    }

    /// The certificate as it came.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The public key's bits, as SHA digests of keys are made over them.
    pub(crate) fn key_bits(&self) -> Result<&[u8], Fault> {
        let bits = || {
            let mut fields = Reader::whole(Fields::read(&self.tbs)?.spki, tag::SEQUENCE)?;
            fields.expect(tag::SEQUENCE)?;
            der::octets_of_bits(fields.expect(tag::BIT_STRING)?.content)
        };
        bits().map_err(|bad| bad.within("certificate"))
    }

    /// What its issuer signed: the TBSCertificate, with tag and length.
    pub(crate) fn tbs(&self) -> &[u8] {
        &self.tbs
    }

    /// The SubjectPublicKeyInfo, with tag and length.
    pub(crate) fn spki(&self) -> Result<&[u8], Fault> {
        Fields::read(&self.tbs).map(|fields| fields.spki).map_err(|bad| bad.within("certificate"))
    }

    /// SHA-256 over the DER.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// Whether `issuer` issued this certificate: names, authority and signature. Neither dates nor
    /// path length.
    pub(crate) fn check_issued_by(&self, issuer: &Self) -> Result<(), Fault> {
        if self.issuer != issuer.subject {
            return Err(Fault::Untrusted(format!(
                "{} names {} as its issuer, not {}",
                self.subject, self.issuer, issuer.subject
            )));
        }
        if issuer.extensions.authority.is_none() {
            return Err(Fault::Untrusted(format!(
                "{} is no certificate authority",
                issuer.subject
            )));
        }
        issuer.check_usage(usage::KEY_CERT_SIGN)?;
        issuer.key.verify(self.scheme, &self.tbs, &self.signature)
    }

    /// Whether the certificate is valid at this moment; both ends count.
    pub(crate) fn check_dates(&self, at: Timestamp) -> Result<(), Fault> {
        if at < self.not_before {
            return Err(Fault::Expired(format!(
                "certificate {} is valid from {}, not yet at {at}",
                self.subject, self.not_before
            )));
        }
        if at > self.not_after {
            return Err(Fault::Expired(format!(
                "certificate {} was valid until {}, no longer at {at}",
                self.subject, self.not_after
            )));
        }
        Ok(())
    }

    /// Whether the key may be used so; a certificate without key usage allows all (RFC 5280).
    pub(crate) fn check_usage(&self, bit: u8) -> Result<(), Fault> {
        match self.extensions.key_usage {
            Some(allowed) if allowed & bit == 0 => Err(Fault::Untrusted(format!(
                "the key usage of {} does not allow what it was used for",
                self.subject
            ))),
            _ => Ok(()),
        }
    }

    /// Whether this certificate may stand at the end: no authority, and its key may sign.
    pub(crate) fn check_end_entity(&self) -> Result<(), Fault> {
        if self.extensions.authority.is_some() {
            return Err(Fault::Untrusted(format!(
                "{} is a certificate authority, not an end entity",
                self.subject
            )));
        }
        self.check_usage(usage::DIGITAL_SIGNATURE)
    }

    /// For a person: the subject, and the serial number that tells it from others.
    pub(crate) fn describe(&self) -> String {
        format!("{} (serial {})", self.subject, data_encoding::HEXLOWER.encode(&self.serial))
    }
}

impl Extensions {
    /// The value of an extension, by the content octets of its identifier.
    pub(crate) fn get(&self, oid: &[u8]) -> Option<&[u8]> {
        self.all.iter().find(|extension| extension.oid == oid).map(|found| &*found.value)
    }

    fn read(content: Option<&[u8]>, responder: bool) -> Result<Self, Fault> {
        let mut found = Self { all: Vec::new(), authority: None, key_usage: None };
        let within = |bad: NotDer| bad.within("certificate extensions");
        for extension in signature::extensions(content).map_err(within)? {
            let signature::ExtensionField { oid, critical, value } = extension;
            match oid {
                oid::BASIC_CONSTRAINTS => {
                    found.authority = basic_constraints(value).map_err(within)?;
                }
                oid::KEY_USAGE => found.key_usage = Some(key_usage(value).map_err(within)?),
                // Constraints that this host does not apply, so nobody may rely on them.
                oid::NAME_CONSTRAINTS | oid::POLICY_CONSTRAINTS => {
                    return Err(Fault::unsupported(
                        "a certificate with name or policy constraints",
                    ));
                }
                // Purposes that this host does not ask about: whoever made it critical wants that.
                oid::EXTENDED_KEY_USAGE if critical && !responder => {
                    return Err(Fault::unsupported(
                        "a certificate whose key is for certain purposes only",
                    ));
                }
                // They narrow nothing that is decided here.
                oid::EXTENDED_KEY_USAGE | oid::SUBJECT_ALT_NAME | oid::CERTIFICATE_POLICIES => {}
                unknown if critical => {
                    return Err(Fault::Unsupported(format!(
                        "a certificate with the unknown critical extension {}",
                        data_encoding::HEXLOWER.encode(unknown)
                    )));
                }
                _ => {}
            }
            found.all.push(Extension { oid: oid.to_vec(), value: value.to_vec() });
        }
        Ok(found)
    }
}

mod oid {
    pub(super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
    pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    pub(super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
    pub(super) const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
    pub(super) const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 0x20];
    pub(super) const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x24];
    pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
}

/// Whether a list of purposes names OCSP signing, 1.3.6.1.5.5.7.3.9.
fn names_ocsp(value: &[u8]) -> der::Result<bool> {
    const OCSP_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x09];
    if value.is_empty() {
        return Ok(false);
    }
    let mut purposes = Reader::whole(value, tag::SEQUENCE)?;
    let mut found = false;
    while !purposes.is_empty() {
        found |= purposes.expect(tag::OID)?.content == OCSP_SIGNING;
    }
    Ok(found)
}

fn basic_constraints(value: &[u8]) -> der::Result<Option<BasicConstraints>> {
    let mut fields = Reader::whole(value, tag::SEQUENCE)?;
    let authority = match fields.optional(tag::BOOLEAN)? {
        Some(flag) => der::boolean(flag.content)?,
        None => false,
    };
    let path_length = match fields.optional(tag::INTEGER)? {
        Some(number) => Some(der::small(number.content)?),
        None => None,
    };
    fields.finish()?;
    match (authority, path_length) {
        (true, path_length) => Ok(Some(BasicConstraints { path_length })),
        (false, None) => Ok(None),
        (false, Some(_)) => Err(NotDer("a path length without authority")),
    }
}

/// The first octet of the bits; a ninth bit (decipherOnly) matters to nobody here.
fn key_usage(value: &[u8]) -> der::Result<u8> {
    let mut reader = Reader::new(value);
    let bits = reader.expect(tag::BIT_STRING)?.content;
    reader.finish()?;
    match bits {
        [0..=7, first] | [0..=7, first, _] => Ok(*first),
        _ => Err(NotDer("a key usage of this size")),
    }
}

pub(crate) fn fingerprint(der: &[u8]) -> Result<[u8; 32], Fault> {
    let digest = DigestAlgorithm::Sha256.digest(der);
    digest.as_ref().try_into().map_err(|_| Fault::malformed("a digest"))
}

/// RFC 5280 section 4.1.2, borrowed.
struct Fields<'a> {
    serial: &'a [u8],
    algorithm: &'a [u8],
    issuer: &'a [u8],
    not_before: Timestamp,
    not_after: Timestamp,
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(tbs: &'a [u8]) -> der::Result<Self> {
        let mut fields = Reader::whole(tbs, tag::SEQUENCE)?;
        let mut version = fields.nested(tag::context(0))?;
        if version.expect(tag::INTEGER)?.content != [2] || !version.is_empty() {
            return Err(NotDer("a version other than 3"));
        }
        let serial = fields.expect(tag::INTEGER)?.content;
        if serial.is_empty() || serial.len() > 21 {
            return Err(NotDer("a serial number of this size"));
        }
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let issuer = fields.expect(tag::SEQUENCE)?.raw;
        let mut validity = fields.nested(tag::SEQUENCE)?;
        let not_before = der::moment(validity.any()?)?;
        let not_after = der::moment(validity.any()?)?;
        validity.finish()?;
        let subject = fields.expect(tag::SEQUENCE)?.raw;
        let spki = fields.expect(tag::SEQUENCE)?.raw;
        // issuerUniqueID and subjectUniqueID: [1] and [2], implicit bit strings, of no use.
        fields.optional(0x81)?;
        fields.optional(0x82)?;
        let extensions = fields.optional(tag::context(3))?.map(|element| element.content);
        fields.finish()?;
        Ok(Self { serial, algorithm, issuer, not_before, not_after, subject, spki, extensions })
    }
}
