//! How an OCSP request and its answer name a certificate (RFC 6960 section 4.1.1, CertID): by digests of its
//! issuer's name and key, and by its serial number.

use crate::quote::algorithm::DigestAlgorithm;
use crate::quote::der::{self, Reader, tag};
use crate::quote::fault::Fault;
use crate::quote::signature;
use crate::quote::x509::Certificate;

/// SHA-384, 2.16.840.1.101.3.4.2.2
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];

/// CertID. Digests by SHA-1 are not read: a host asks with SHA-384, as NVIDIA's own verifiers do.
pub(crate) struct CertificateId {
    algorithm: DigestAlgorithm,
    issuer_name: Vec<u8>,
    issuer_key: Vec<u8>,
    serial: Vec<u8>,
}

impl CertificateId {
    /// Reads one; none where its digests are by another algorithm.
    pub(super) fn read(der: &[u8]) -> der::Result<Option<Self>> {
        let mut fields = Reader::whole(der, tag::SEQUENCE)?;
        let algorithm = signature::sha2(fields.expect(tag::SEQUENCE)?.raw)?;
        let issuer_name = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let issuer_key = fields.expect(tag::OCTET_STRING)?.content.to_vec();
        let serial = fields.expect(tag::INTEGER)?.content.to_vec();
        fields.finish()?;
        let Some(algorithm) = algorithm else { return Ok(None) };
        Ok(Some(Self { algorithm, issuer_name, issuer_key, serial }))
    }

    /// Whether it names the certificate of that serial number that `issuer` issued.
    pub(super) fn is_of(&self, serial: &[u8], issuer: &Certificate) -> bool {
        let digest = |bytes: &[u8]| self.algorithm.digest(bytes);
        self.serial == serial
            && self.issuer_name == digest(issuer.subject.der()).as_ref()
            && issuer.key_bits().is_ok_and(|key| self.issuer_key == digest(key).as_ref())
    }
}

/// A request about one certificate, by its issuer and its serial number, with SHA-384 and without a nonce.
pub(crate) fn request(issuer: &Certificate, serial: &[u8]) -> Result<Vec<u8>, Fault> {
    let digest = |bytes: &[u8]| DigestAlgorithm::Sha384.digest(bytes).as_ref().to_vec();
    let key = issuer.key_bits()?;
    let algorithm = tlv(tag::SEQUENCE, &[tlv(tag::OID, SHA384), tlv(tag::NULL, &[])].concat());
    let id = [
        algorithm,
        tlv(tag::OCTET_STRING, &digest(issuer.subject.der())),
        tlv(tag::OCTET_STRING, &digest(key)),
        tlv(tag::INTEGER, serial),
    ];
    // OCSPRequest, TBSRequest, its list, Request.
    let request = tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &id.concat()));
    Ok(tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &tlv(tag::SEQUENCE, &request))))
}

/// A value of less than 256 bytes: all that a request holds.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or(u8::MAX);
    let mut out = vec![tag];
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(length);
    out.extend_from_slice(content);
    out
}
