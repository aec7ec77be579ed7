//! Signed certificate timestamps (RFC 6962, sections 3.2 and 3.3): the transparency log of certificates
//! took the signer's in before its authority gave it out, so that none is given out unseen.

use super::super::key;
use super::Log;
use crate::clock::Timestamp;
use crate::plugin::package::sha256;
use crate::quote::der::{self, Reader, tag};
use crate::quote::x509::Certificate;

/// SignedCertificateTimestampList, 1.3.6.1.4.1.11129.2.4.2.
pub(super) const LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];

/// The most timestamps that are looked at.
const MOST: usize = 8;

/// One timestamp.
struct Sct<'a> {
    log: &'a [u8],
    /// Milliseconds since the Unix epoch, as it is signed.
    milliseconds: [u8; 8],
    extensions: &'a [u8],
    algorithm: [u8; 2],
    signature: &'a [u8],
}

/// Whether a log vouches for the certificate that this issuer issued; why not.
pub(super) fn check(leaf: &Certificate, issuer: &Certificate, logs: &[Log]) -> Result<(), String> {
    let list = leaf.extensions.get(LIST).ok_or("it has no timestamp of a certificate log")?;
    let odd = "its certificate timestamps cannot be read";
    let list = Reader::new(list).expect(tag::OCTET_STRING).map_err(|_| odd)?.content;
    let mut left = Tls(list);
    let mut list = Tls(left.vector(2).filter(|_| left.0.is_empty()).ok_or(odd)?);
    let precertificate = without_list(leaf.tbs()).ok_or(odd)?;
    let issuer = sha256(issuer.spki().map_err(|fault| fault.to_string())?);
    let mut doubt = "it has no timestamp of a certificate log".to_owned();
    for _ in 0..MOST {
        if list.0.is_empty() {
            break;
        }
        let sct = list.vector(2).and_then(Sct::read).ok_or(odd)?;
        match sct.holds(&issuer, &precertificate, logs) {
            Ok(()) => return Ok(()),
            Err(why) => doubt = why,
        }
    }
    Err(doubt)
}

impl<'a> Sct<'a> {
    /// Version 1, and no other.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Tls(bytes);
        if fields.take(1)? != [0] {
            return None;
        }
        let sct = Self {
            log: fields.take(32)?,
            milliseconds: fields.take(8)?.try_into().ok()?,
            extensions: fields.vector(2)?,
            algorithm: fields.take(2)?.try_into().ok()?,
            signature: fields.vector(2)?,
        };
        fields.0.is_empty().then_some(sct)
    }

    fn holds(&self, issuer: &[u8; 32], tbs: &[u8], logs: &[Log]) -> Result<(), String> {
        let at = Timestamp(u64::from_be_bytes(self.milliseconds) / 1_000);
        let log = logs.iter().find(|log| log.id == self.log && log.valid.covers(at));
        let log = log.ok_or("its certificate log is not in the trusted root")?;
        // SHA-256 with ECDSA (RFC 5246, section 7.4.1.4.1), as the keys of Sigstore's logs sign.
        if self.algorithm != [4, 3] {
            return Err("its certificate timestamp is signed by another algorithm".to_owned());
        }
        let length = u32::try_from(tbs.len()).map_err(|_| "it is too large")?.to_be_bytes();
        let [0, length @ ..] = length else { return Err("it is too large".to_owned()) };
        let extensions = u16::try_from(self.extensions.len()).unwrap_or_default().to_be_bytes();
        let signed = [
            // v1, certificate_timestamp; precert_entry.
            &[0, 0][..],
            &self.milliseconds,
            &[0, 1],
            issuer,
            &length,
            tbs,
            &extensions,
            self.extensions,
        ];
        match key::verify(&log.key, &signed.concat(), self.signature) {
            true => Ok(()),
            false => Err("its certificate timestamp does not hold".to_owned()),
        }
    }
}

/// What a log signs of a certificate: its TBSCertificate without the timestamps.
fn without_list(tbs: &[u8]) -> Option<Vec<u8>> {
    const EXTENSIONS: u8 = tag::context(3);
    let inner = || -> der::Result<Vec<u8>> {
        let mut fields = Reader::whole(tbs, tag::SEQUENCE)?;
        let mut content = Vec::with_capacity(tbs.len());
        while !fields.is_empty() {
            let field = fields.any()?;
            if field.tag != EXTENSIONS {
                content.extend_from_slice(field.raw);
                continue;
            }
            let mut extensions = Reader::whole(field.content, tag::SEQUENCE)?;
            let mut kept = Vec::with_capacity(field.content.len());
            while !extensions.is_empty() {
                let extension = extensions.expect(tag::SEQUENCE)?;
                if Reader::new(extension.content).expect(tag::OID)?.content != LIST {
                    kept.extend_from_slice(extension.raw);
                }
            }
            content.extend(element(EXTENSIONS, &element(tag::SEQUENCE, &kept)));
        }
        Ok(content)
    };
    Some(element(tag::SEQUENCE, &inner().ok()?))
}

/// Tag, length, content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|byte| **byte == 0).count();
    let significant = length.get(zeros..).unwrap_or_default();
    let mut der = vec![tag];
    match (significant, u8::try_from(significant.len())) {
        ([], _) => der.push(0),
        ([short], _) if *short < 0x80 => der.push(*short),
        (long, count) => {
            der.push(0x80 | count.unwrap_or_default());
            der.extend_from_slice(long);
        }
    }
    der.extend_from_slice(content);
    der
}

/// Bytes in TLS' presentation language (RFC 8446, section 3).
struct Tls<'a>(&'a [u8]);

impl<'a> Tls<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A vector whose length stands before it, in so many bytes.
    fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.take(width)?.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.take(length)
    }
}
