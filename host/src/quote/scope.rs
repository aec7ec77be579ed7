//! Which certificates a revocation list speaks for (RFC 5280 sections 4.2.1.13 and 5.2.5).
//!
//! A list with an issuing distribution point is complete only for the certificates that name the same
//! point: AMD's roots publish one list for chips and one for providers. So such a list can show that
//! a certificate is revoked, and that it is not only where the certificate names its point.

use super::der::{self, NotDer, Reader, tag};
use super::x509::Certificate;

/// id-ce-cRLDistributionPoints, 2.5.29.31
const DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];

/// What a list is complete for: everything that its issuer issued, unless it says otherwise.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Scope {
    /// The names of its distribution point, each in DER.
    point: Option<Vec<Vec<u8>>>,
    only: Option<Only>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Only {
    Authorities,
    EndEntities,
}

impl Scope {
    /// Reads an IssuingDistributionPoint. None where the list is one that is not read here: indirect,
    /// for some reasons only, or for attribute certificates; what it leaves out would look unrevoked.
    pub(crate) fn read(value: &[u8]) -> der::Result<Option<Self>> {
        let mut fields = Reader::whole(value, tag::SEQUENCE)?;
        let point = match fields.optional(tag::context(0))? {
            Some(point) => match full_name(point.content)? {
                Some(names) => Some(names.into_iter().map(<[u8]>::to_vec).collect()),
                None => return Ok(None),
            },
            None => None,
        };
        let mut flag = |number: u8| match fields.optional(0x80 | number)? {
            Some(flag) => der::boolean(flag.content),
            None => Ok(false),
        };
        let (end_entities, authorities) = (flag(1)?, flag(2)?);
        let some_reasons = fields.optional(0x83)?.is_some();
        let mut flag = |number: u8| match fields.optional(0x80 | number)? {
            Some(flag) => der::boolean(flag.content),
            None => Ok(false),
        };
        let (indirect, attributes) = (flag(4)?, flag(5)?);
        fields.finish()?;
        let only = match (end_entities, authorities) {
            (false, false) => None,
            (false, true) => Some(Only::Authorities),
            (true, false) => Some(Only::EndEntities),
            (true, true) => return Err(NotDer("a list for nothing")),
        };
        let read = !some_reasons && !indirect && !attributes;
        Ok(read.then_some(Self { point, only }))
    }

    /// Whether a certificate that is not on the list is not revoked.
    pub(crate) fn covers(&self, certificate: &Certificate) -> bool {
        let authority = certificate.extensions.authority.is_some();
        let kind = match self.only {
            None => true,
            Some(Only::Authorities) => authority,
            Some(Only::EndEntities) => !authority,
        };
        kind && self.point.as_ref().is_none_or(|names| {
            let theirs = points(certificate).unwrap_or_default();
            theirs.iter().any(|theirs| names.iter().any(|ours| ours == theirs))
        })
    }
}

/// The names of a certificate's distribution points, each in DER. Points for some reasons only, or
/// with lists of another issuer, are left out.
fn points(certificate: &Certificate) -> der::Result<Vec<&[u8]>> {
    let mut names = Vec::new();
    let Some(value) = certificate.extensions.get(DISTRIBUTION_POINTS) else {
        return Ok(names);
    };
    let mut points = Reader::whole(value, tag::SEQUENCE)?;
    while !points.is_empty() {
        let mut fields = points.nested(tag::SEQUENCE)?;
        let name = fields.optional(tag::context(0))?;
        if let Some(name) = name.filter(|_| fields.is_empty()) {
            names.extend(full_name(name.content)?.unwrap_or_default());
        }
    }
    Ok(names)
}

/// The GeneralNames of a DistributionPointName; none where it is relative to the issuer's name.
fn full_name(name: &[u8]) -> der::Result<Option<Vec<&[u8]>>> {
    let mut choice = Reader::new(name);
    let Some(full) = choice.optional(tag::context(0))? else {
        return Ok(None);
    };
    choice.finish()?;
    let mut names = Vec::new();
    let mut general = Reader::new(full.content);
    while !general.is_empty() {
        names.push(general.any()?.raw);
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // attack 24
    #[test]
    fn lists_that_leave_out_what_cannot_be_told_are_not_read() {
        for (value, read) in [
            (&[0x30, 0x00][..], true),
            (&[0x30, 0x03, 0x82, 0x01, 0xff], true),
            (&[0x30, 0x03, 0x81, 0x01, 0xff], true),
            (&[0x30, 0x07, 0xa0, 0x05, 0xa0, 0x03, 0x86, 0x01, b'x'], true),
            (&[0x30, 0x04, 0x83, 0x02, 0x06, 0x40], false),
            (&[0x30, 0x03, 0x84, 0x01, 0xff], false),
            (&[0x30, 0x03, 0x85, 0x01, 0xff], false),
            (&[0x30, 0x04, 0xa0, 0x02, 0xa1, 0x00], false),
        ] {
            assert_eq!(Scope::read(value).unwrap().is_some(), read, "{value:?}");
        }
        for broken in [
            &[0x30, 0x06, 0x81, 0x01, 0xff, 0x82, 0x01, 0xff][..],
            &[0x30, 0x03, 0x82, 0x01, 0x01],
            &[0x30, 0x06, 0x82, 0x01, 0xff, 0x81, 0x01, 0xff],
            &[0x30, 0x03, 0x86, 0x01, 0xff],
        ] {
            assert!(Scope::read(broken).is_err(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = Scope::read(&bytes);
        }
    }
}
