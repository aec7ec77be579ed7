//! Timestamps of a timestamp authority (RFC 3161) over a signature: a CMS SignedData (RFC 5652) by a
//! certificate for that purpose, which leads to an authority of the trusted root.

use aws_lc_rs::digest::{self, SHA256, SHA384, SHA512};

use super::Authority;
use crate::clock::Timestamp;
use crate::quote::der::{self, Element, NotDer, Reader, tag};
use crate::quote::x509::Certificate;
use crate::quote::{DigestAlgorithm, SignatureKind, SignatureScheme};

/// The largest timestamp, in bytes.
const LARGEST: usize = 32 << 10;

mod oid {
    /// id-signedData, 1.2.840.113549.1.7.2
    pub(super) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
    /// id-ct-TSTInfo, 1.2.840.113549.1.9.16.1.4
    pub(super) const TST_INFO: &[u8] =
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
    /// contentType, 1.2.840.113549.1.9.3
    pub(super) const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
    /// messageDigest, 1.2.840.113549.1.9.4
    pub(super) const MESSAGE_DIGEST: &[u8] =
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
    /// extKeyUsage, 2.5.29.37
    pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    /// id-kp-timeStamping, 1.3.6.1.5.5.7.3.8
    pub(super) const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
    /// 2.16.840.1.101.3.4.2, the SHA-2 family
    pub(super) const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
}

/// When an authority saw the signature; why it is not to be believed.
pub(super) fn check(
    stamp: &[u8],
    signature: &[u8],
    authorities: &[Authority],
) -> Result<Timestamp, String> {
    if stamp.len() > LARGEST {
        return Err("the timestamp is too large".to_owned());
    }
    let token = Token::read(stamp).map_err(|bad| format!("the timestamp: {bad}"))?;
    let info = Info::read(token.content).map_err(|bad| format!("the timestamp: {bad}"))?;
    if hashed(info.algorithm, signature)?.as_ref() != info.imprint {
        return Err("the timestamp is of another signature".to_owned());
    }
    token.attributes_hold()?;
    let mut doubt = "no timestamp authority of the trusted root was good at its moment".to_owned();
    for authority in authorities.iter().filter(|authority| authority.valid.covers(info.at)) {
        match token.signed_by(authority, info.at) {
            Ok(()) => return Ok(info.at),
            Err(why) => doubt = why,
        }
    }
    Err(doubt)
}

/// What is signed, and how.
struct Token<'a> {
    content: &'a [u8],
    certificates: Vec<&'a [u8]>,
    digest: &'a [u8],
    /// The signed attributes' content.
    attributes: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Token<'a> {
    /// TimeStampResp (RFC 3161, section 2.4.2) that was granted, with one signer.
    fn read(response: &'a [u8]) -> der::Result<Self> {
        let mut response = Reader::whole(response, tag::SEQUENCE)?;
        let mut status = response.nested(tag::SEQUENCE)?;
        if der::small(status.expect(tag::INTEGER)?.content)? > 1 {
            return Err(NotDer("it was not granted"));
        }
        let mut info = response.nested(tag::SEQUENCE)?;
        response.finish()?;
        named(&mut info, oid::SIGNED_DATA)?;
        let mut explicit = info.nested(tag::context(0))?;
        info.finish()?;
        let mut data = explicit.nested(tag::SEQUENCE)?;
        explicit.finish()?;
        data.expect(tag::INTEGER)?;
        data.expect(tag::SET)?;
        let mut encapsulated = data.nested(tag::SEQUENCE)?;
        named(&mut encapsulated, oid::TST_INFO)?;
        let mut explicit = encapsulated.nested(tag::context(0))?;
        let content = explicit.expect(tag::OCTET_STRING)?.content;
        explicit.finish()?;
        encapsulated.finish()?;
        let mut certificates = Vec::new();
        if let Some(shown) = data.optional(tag::context(0))? {
            let mut shown = Reader::new(shown.content);
            while !shown.is_empty() && certificates.len() < 8 {
                certificates.push(shown.any()?.raw);
            }
        }
        data.optional(tag::context(1))?;
        let mut signers = data.nested(tag::SET)?;
        data.finish()?;
        let mut signer = signers.nested(tag::SEQUENCE)?;
        signers.finish()?;
        signer.expect(tag::INTEGER)?;
        // Who it is says the certificate under which the signature holds.
        signer.any()?;
        let digest = algorithm(signer.expect(tag::SEQUENCE)?)?;
        let attributes = signer.expect(tag::context(0))?.content;
        signer.expect(tag::SEQUENCE)?;
        let signature = signer.expect(tag::OCTET_STRING)?.content;
        Ok(Self { content, certificates, digest, attributes, signature })
    }

    /// The signed attributes name what is signed: its type and its digest, once each.
    fn attributes_hold(&self) -> Result<(), String> {
        let (mut types, mut digests) = (Vec::new(), Vec::new());
        let mut read = || -> der::Result<()> {
            let mut attributes = Reader::new(self.attributes);
            while !attributes.is_empty() {
                let mut attribute = attributes.nested(tag::SEQUENCE)?;
                let name = attribute.expect(tag::OID)?.content;
                let mut values = attribute.nested(tag::SET)?;
                attribute.finish()?;
                let into = match name {
                    oid::CONTENT_TYPE => &mut types,
                    oid::MESSAGE_DIGEST => &mut digests,
                    _ => continue,
                };
                into.push(values.any()?.content);
                values.finish()?;
            }
            Ok(())
        };
        read().map_err(|bad| format!("the timestamp: {bad}"))?;
        let digest = hashed(self.digest, self.content)?;
        match types == [oid::TST_INFO] && digests == [digest.as_ref()] {
            true => Ok(()),
            false => Err("the timestamp signs something else".to_owned()),
        }
    }

    /// Whether a certificate for timestamps of this authority's signed it.
    fn signed_by(&self, authority: &Authority, at: Timestamp) -> Result<(), String> {
        // The attributes are signed as a SET (RFC 5652, section 5.4), whose length they keep.
        let signed = super::sct::element(tag::SET, self.attributes);
        let shown = self.certificates.iter().copied();
        let listed = authority.signers.iter().chain(&authority.chain).map(Vec::as_slice);
        let candidates = listed.chain(shown);
        let candidates = candidates.filter_map(|der| Certificate::parse_purposed(der).ok());
        let mut doubt = "no certificate of its authority signed the timestamp".to_owned();
        for signer in candidates.filter(stamps_time) {
            let Some(scheme) = scheme(&signer, self.digest) else { continue };
            if signer.key.verify(scheme, &signed, self.signature).is_err() {
                continue;
            }
            let good = signer
                .check_end_entity()
                .and_then(|()| signer.check_dates(at))
                .map_err(|fault| fault.to_string());
            match good.and_then(|()| authority.issued(&signer, at)) {
                Ok(_) => return Ok(()),
                Err(why) => doubt = why,
            }
        }
        Err(doubt)
    }
}

/// TSTInfo (RFC 3161, section 2.4.2), as far as it is read.
struct Info<'a> {
    algorithm: &'a [u8],
    imprint: &'a [u8],
    at: Timestamp,
}

impl<'a> Info<'a> {
    fn read(content: &'a [u8]) -> der::Result<Self> {
        let mut fields = Reader::whole(content, tag::SEQUENCE)?;
        if der::small(fields.expect(tag::INTEGER)?.content)? != 1 {
            return Err(NotDer("a version that is not read"));
        }
        fields.expect(tag::OID)?;
        let mut imprint = fields.nested(tag::SEQUENCE)?;
        let algorithm = algorithm(imprint.expect(tag::SEQUENCE)?)?;
        let digest = imprint.expect(tag::OCTET_STRING)?.content;
        imprint.finish()?;
        fields.expect(tag::INTEGER)?;
        let time = fields.expect(tag::GENERALIZED_TIME)?;
        Ok(Self { algorithm, imprint: digest, at: whole_seconds(time)? })
    }
}

/// A time that may have a fraction of a second, which is dropped.
fn whole_seconds(time: Element<'_>) -> der::Result<Timestamp> {
    let Some(dot) = time.content.iter().position(|byte| *byte == b'.') else {
        return der::moment(time);
    };
    let (seconds, fraction) = time.content.split_at(dot);
    let digits = fraction.strip_prefix(b".").and_then(|rest| rest.strip_suffix(b"Z"));
    if !digits.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)) {
        return Err(NotDer("a time that is not one"));
    }
    let content = [seconds, b"Z"].concat();
    der::moment(Element { content: &content, raw: &content, ..time })
}

fn named(fields: &mut Reader<'_>, wanted: &[u8]) -> der::Result<()> {
    match fields.expect(tag::OID)?.content == wanted {
        true => Ok(()),
        false => Err(NotDer("it is something else")),
    }
}

/// The object identifier of an AlgorithmIdentifier.
fn algorithm(identifier: Element<'_>) -> der::Result<&[u8]> {
    Reader::new(identifier.content).expect(tag::OID).map(|oid| oid.content)
}

/// The arc below the SHA-2 family: 1, 2, 3 for 256, 384, 512.
fn sha2(algorithm: &[u8]) -> Option<u8> {
    match algorithm.strip_prefix(oid::SHA2) {
        Some([arc @ 1..=3]) => Some(*arc),
        _ => None,
    }
}

fn hashed(algorithm: &[u8], bytes: &[u8]) -> Result<digest::Digest, String> {
    let hash = match sha2(algorithm) {
        Some(1) => &SHA256,
        Some(2) => &SHA384,
        Some(3) => &SHA512,
        _ => return Err("the timestamp is by another hash than SHA-2".to_owned()),
    };
    Ok(digest::digest(hash, bytes))
}

/// How a certificate's key signs with this digest.
fn scheme(signer: &Certificate, algorithm: &[u8]) -> Option<SignatureScheme> {
    let digest = match sha2(algorithm)? {
        1 => DigestAlgorithm::Sha256,
        2 => DigestAlgorithm::Sha384,
        _ => DigestAlgorithm::Sha512,
    };
    match signer.key.kind() {
        SignatureKind::P256 | SignatureKind::P384 => Some(SignatureScheme::EcdsaDer(digest)),
        SignatureKind::Ed25519 => Some(SignatureScheme::Ed25519),
        _ => None,
    }
}

/// Whether timestamps are all that the certificate is for (RFC 3161, section 2.3).
fn stamps_time(signer: &Certificate) -> bool {
    let Some(value) = signer.extensions.get(oid::EXTENDED_KEY_USAGE) else { return false };
    let only = || -> der::Result<bool> {
        let mut purposes = Reader::whole(value, tag::SEQUENCE)?;
        let purpose = purposes.expect(tag::OID)?.content;
        purposes.finish()?;
        Ok(purpose == oid::TIME_STAMPING)
    };
    only().unwrap_or(false)
}
