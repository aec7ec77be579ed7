//! Certificate revocation lists (RFC 5280 section 5): complete, direct lists only.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::der::{self, NotDer, Reader, tag};
use super::fault::Fault;
use super::key::Scheme;
use super::name::Name;
use super::scope::Scope;
use super::signature::{self, ExtensionField, Signed};
use super::x509::{Certificate, usage};
use crate::clock::Timestamp;

/// Larger lists are refused before they are read.
pub(crate) const MAX_LENGTH: usize = 4 * 1024 * 1024;

/// A revocation list, read but not yet trusted.
pub(crate) struct Crl {
    tbs: Vec<u8>,
    scheme: Scheme,
    signature: Vec<u8>,
    pub(crate) issuer: Name,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// The CRL number, big-endian without leading zeros.
    number: Vec<u8>,
    pub(crate) scope: Scope,
    revoked: HashSet<Vec<u8>>,
}

impl Crl {
    /// Reads a list that fills `der`.
    pub(crate) fn parse(der: &[u8]) -> Result<Self, Fault> {
        let within = |bad: NotDer| bad.within("revocation list");
        if der.len() > MAX_LENGTH {
            return Err(Fault::malformed("revocation list: too large"));
        }
        let outer = Signed::read(der).map_err(within)?;
        let fields = Fields::read(outer.tbs).map_err(within)?;
        if fields.algorithm != outer.algorithm {
            return Err(Fault::malformed("revocation list: two different signature algorithms"));
        }
        let next_update = fields
            .next_update
            .ok_or_else(|| Fault::malformed("a revocation list without nextUpdate"))?;
        let Extensions { number, scope } = Extensions::read(fields.extensions)?;
        Ok(Self {
            tbs: outer.tbs.to_vec(),
            scheme: signature::scheme(outer.algorithm)?,
            signature: outer.signature.to_vec(),
            issuer: Name::new(fields.issuer),
            this_update: fields.this_update,
            next_update,
            number,
            scope,
            revoked: read_entries(fields.entries)?,
        })
    }

    /// Whether `issuer` signed this list and may do so.
    pub(crate) fn check_issued_by(&self, issuer: &Certificate) -> Result<(), Fault> {
        if self.issuer != issuer.subject {
            return Err(Fault::Untrusted(format!(
                "the revocation list of {} is not one of {}",
                self.issuer, issuer.subject
            )));
        }
        issuer.check_usage(usage::CRL_SIGN)?;
        issuer.key.verify(self.scheme, &self.tbs, &self.signature)
    }

    /// Whether the list names this certificate, which its issuer must have issued.
    pub(crate) fn lists(&self, certificate: &Certificate) -> bool {
        self.revoked.contains(&certificate.serial)
    }

    /// Which of two lists of one issuer came later: by date, then by number, for lists of different
    /// distribution points have numbers of their own.
    pub(crate) fn cmp_age(&self, other: &Self) -> Ordering {
        let dates = self.this_update.cmp(&other.this_update);
        let lengths = self.number.len().cmp(&other.number.len());
        dates.then(lengths).then_with(|| self.number.cmp(&other.number))
    }

    /// Whether `other`, a list of the same issuer, says the same: signed anew, perhaps.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.cmp_age(other).is_eq()
            && self.next_update == other.next_update
            && self.revoked == other.revoked
    }

    /// Whether this list names all that `other`, a list of the same issuer, names, and is newer.
    pub(crate) fn supersedes(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.cmp_age(other).is_ge()
            && other.revoked.is_subset(&self.revoked)
    }

    /// The CRL number in hexadecimal, for a person.
    pub(crate) fn number(&self) -> String {
        match self.number.as_slice() {
            [] => "without a number".to_owned(),
            number => format!("number 0x{}", data_encoding::HEXLOWER.encode(number)),
        }
    }
}

mod oid {
    pub(super) const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 0x14];
    pub(super) const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 0x1c];
}

/// What the extensions of a list say.
#[derive(Default)]
struct Extensions {
    number: Vec<u8>,
    scope: Scope,
}

impl Extensions {
    /// Delta lists mark themselves with a critical extension, and are refused as unknown: what they
    /// leave out would look unrevoked.
    fn read(content: Option<&[u8]>) -> Result<Self, Fault> {
        let within = |bad: NotDer| bad.within("revocation list extensions");
        let mut found = Self::default();
        for field in signature::extensions(content).map_err(within)? {
            let ExtensionField { oid, critical, value } = field;
            match oid {
                oid::CRL_NUMBER => found.number = number(value).map_err(within)?,
                oid::ISSUING_DISTRIBUTION_POINT => {
                    found.scope = Scope::read(value).map_err(within)?.ok_or_else(|| {
                        Fault::unsupported("a revocation list that is indirect or partial")
                    })?;
                }
                unknown if critical => return Err(unknown_critical(unknown)),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn number(value: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = Reader::new(value);
    let number = der::unsigned(reader.expect(tag::INTEGER)?.content)?;
    reader.finish()?;
    match number.len() {
        0..=20 => Ok(number.to_vec()),
        _ => Err(NotDer("a number of this size")),
    }
}

fn read_entries(content: Option<&[u8]>) -> Result<HashSet<Vec<u8>>, Fault> {
    let within = |bad: NotDer| bad.within("revocation list entry");
    let mut revoked = HashSet::new();
    let mut entries = Reader::new(content.unwrap_or_default());
    while !entries.is_empty() {
        let mut entry = entries.nested(tag::SEQUENCE).map_err(within)?;
        let serial = entry.expect(tag::INTEGER).map_err(within)?.content;
        entry.any().and_then(der::moment).map_err(within)?;
        let extensions = match entry.is_empty() {
            true => None,
            false => Some(entry.expect(tag::SEQUENCE).map_err(within)?.raw),
        };
        entry.finish().map_err(within)?;
        for extension in signature::extensions(extensions).map_err(within)? {
            if extension.critical {
                return Err(unknown_critical(extension.oid));
            }
        }
        revoked.insert(serial.to_vec());
    }
    Ok(revoked)
}

fn unknown_critical(oid: &[u8]) -> Fault {
    Fault::Unsupported(format!(
        "a revocation list with the unknown critical extension {}",
        data_encoding::HEXLOWER.encode(oid)
    ))
}

/// RFC 5280 section 5.1.2, borrowed.
struct Fields<'a> {
    algorithm: &'a [u8],
    issuer: &'a [u8],
    this_update: Timestamp,
    next_update: Option<Timestamp>,
    entries: Option<&'a [u8]>,
    extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    fn read(tbs: &'a [u8]) -> der::Result<Self> {
        let mut fields = Reader::whole(tbs, tag::SEQUENCE)?;
        if fields.expect(tag::INTEGER)?.content != [1] {
            return Err(NotDer("a version other than 2"));
        }
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let issuer = fields.expect(tag::SEQUENCE)?.raw;
        let this_update = der::moment(fields.any()?)?;
        let next_update = match fields.optional(tag::UTC_TIME)? {
            Some(time) => Some(time),
            None => fields.optional(tag::GENERALIZED_TIME)?,
        };
        let next_update = next_update.map(der::moment).transpose()?;
        let entries = fields.optional(tag::SEQUENCE)?.map(|list| list.content);
        let extensions = fields.optional(tag::context(0))?.map(|element| element.content);
        fields.finish()?;
        Ok(Self { algorithm, issuer, this_update, next_update, entries, extensions })
    }
}
