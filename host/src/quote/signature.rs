//! What certificates and revocation lists share: the signed envelope, its algorithm, extensions.

use super::algorithm::DigestAlgorithm;
use super::der::{self, NotDer, Reader, tag};
use super::fault::Fault;
use super::key::Scheme;

/// `SEQUENCE { toBeSigned, signatureAlgorithm, signature }` (RFC 5280 sections 4.1 and 5.1).
pub(crate) struct Signed<'a> {
    /// With tag and length: what the signature is over.
    pub(crate) tbs: &'a [u8],
    /// The AlgorithmIdentifier with tag and length, to compare with the one inside.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn read(whole: &'a [u8]) -> der::Result<Self> {
        let mut fields = Reader::whole(whole, tag::SEQUENCE)?;
        let tbs = fields.expect(tag::SEQUENCE)?.raw;
        let algorithm = fields.expect(tag::SEQUENCE)?.raw;
        let signature = der::octets_of_bits(fields.expect(tag::BIT_STRING)?.content)?;
        fields.finish()?;
        Ok(Self { tbs, algorithm, signature })
    }
}

mod oid {
    /// 1.2.840.113549.1.1
    pub(super) const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
    /// id-mgf1, 1.2.840.113549.1.1.8
    pub(super) const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08];
    /// ecdsa-with-SHA2, 1.2.840.10045.4.3
    pub(super) const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
    /// id-Ed25519, 1.3.101.112
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    /// 2.16.840.1.101.3.4.2, the SHA-2 family
    pub(super) const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    /// 2.16.840.1.101.3.4.3: ML-DSA-65 and ML-DSA-87 are its arcs 18 and 19
    pub(super) const NIST_SIGNATURES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03];
}

/// The scheme that an AlgorithmIdentifier (with tag and length) names; its parameters must be those
/// that the scheme has (RFC 4055, RFC 5758, RFC 8410, RFC 9881).
pub(crate) fn scheme(identifier: &[u8]) -> Result<Scheme, Fault> {
    read_scheme(identifier)
        .map_err(|bad| bad.within("signature algorithm"))?
        .ok_or_else(|| Fault::unsupported("a certificate's signature algorithm"))
}

fn read_scheme(identifier: &[u8]) -> der::Result<Option<Scheme>> {
    use DigestAlgorithm::{Sha256, Sha384, Sha512};
    let mut fields = Reader::whole(identifier, tag::SEQUENCE)?;
    let oid = fields.expect(tag::OID)?.content;
    let parameters = match fields.is_empty() {
        true => None,
        false => Some(fields.any()?),
    };
    fields.finish()?;
    let Some((arc, family)) = oid.split_last() else {
        return Ok(None);
    };
    let null = parameters.is_some_and(|value| value.tag == tag::NULL && value.content.is_empty());
    let none = parameters.is_none();
    Ok(match (family, arc) {
        (oid::PKCS1, 10) => match parameters {
            Some(parameters) => pss(parameters.raw)?.map(Scheme::RsaPss),
            None => None,
        },
        (oid::PKCS1, 11) if null => Some(Scheme::RsaPkcs1(Sha256)),
        (oid::PKCS1, 12) if null => Some(Scheme::RsaPkcs1(Sha384)),
        (oid::PKCS1, 13) if null => Some(Scheme::RsaPkcs1(Sha512)),
        (oid::ECDSA_SHA2, 2) if none => Some(Scheme::EcdsaDer(Sha256)),
        (oid::ECDSA_SHA2, 3) if none => Some(Scheme::EcdsaDer(Sha384)),
        (oid::ECDSA_SHA2, 4) if none => Some(Scheme::EcdsaDer(Sha512)),
        (oid::NIST_SIGNATURES, 18 | 19) if none => Some(Scheme::MlDsa),
        _ if oid == oid::ED25519 && none => Some(Scheme::Ed25519),
        _ => None,
    })
}

/// RSASSA-PSS-params (RFC 4055 section 3.1). Taken where hash and MGF1 hash are the same of SHA-2
/// and the salt is as long as the hash; the defaults (SHA-1) are not taken.
fn pss(parameters: &[u8]) -> der::Result<Option<DigestAlgorithm>> {
    let mut fields = Reader::whole(parameters, tag::SEQUENCE)?;
    let hash = match fields.optional(tag::context(0))? {
        Some(field) => sha2(field.content)?,
        None => None,
    };
    let mask = match fields.optional(tag::context(1))? {
        Some(field) => {
            let mut identifier = Reader::whole(field.content, tag::SEQUENCE)?;
            let is_mgf1 = identifier.expect(tag::OID)?.content == oid::MGF1;
            let inner = sha2(identifier.expect(tag::SEQUENCE)?.raw)?;
            identifier.finish()?;
            inner.filter(|_| is_mgf1)
        }
        None => None,
    };
    let mut number = |context| -> der::Result<Option<u64>> {
        let Some(field) = fields.optional(tag::context(context))? else {
            return Ok(None);
        };
        let mut inside = Reader::new(field.content);
        let value = der::small(inside.expect(tag::INTEGER)?.content)?;
        inside.finish()?;
        Ok(Some(value))
    };
    let salt = number(2)?;
    let trailer = number(3)?;
    fields.finish()?;
    let length = hash.map(|hash| match hash {
        DigestAlgorithm::Sha256 => 32,
        DigestAlgorithm::Sha384 => 48,
        DigestAlgorithm::Sha512 => 64,
    });
    let sound = hash == mask && salt == length && matches!(trailer, None | Some(1));
    Ok(hash.filter(|_| sound))
}

/// A SHA-2 AlgorithmIdentifier, whose parameters are NULL or absent (RFC 5754 section 2).
pub(crate) fn sha2(identifier: &[u8]) -> der::Result<Option<DigestAlgorithm>> {
    let mut fields = Reader::whole(identifier, tag::SEQUENCE)?;
    let oid = fields.expect(tag::OID)?.content;
    fields.optional(tag::NULL)?;
    fields.finish()?;
    Ok(match oid.split_last() {
        Some((1, family)) if family == oid::SHA2 => Some(DigestAlgorithm::Sha256),
        Some((2, family)) if family == oid::SHA2 => Some(DigestAlgorithm::Sha384),
        Some((3, family)) if family == oid::SHA2 => Some(DigestAlgorithm::Sha512),
        _ => None,
    })
}

/// One of Extensions (RFC 5280 section 4.1).
pub(crate) struct ExtensionField<'a> {
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// Reads `SEQUENCE OF Extension`; an identifier that comes twice is an error.
pub(crate) fn extensions(content: Option<&[u8]>) -> der::Result<Vec<ExtensionField<'_>>> {
    let mut found: Vec<ExtensionField<'_>> = Vec::new();
    let Some(content) = content else {
        return Ok(found);
    };
    let mut list = Reader::whole(content, tag::SEQUENCE)?;
    while !list.is_empty() {
        let mut fields = list.nested(tag::SEQUENCE)?;
        let oid = fields.expect(tag::OID)?.content;
        let critical = match fields.optional(tag::BOOLEAN)? {
            Some(flag) => der::boolean(flag.content)?,
            None => false,
        };
        let value = fields.expect(tag::OCTET_STRING)?.content;
        fields.finish()?;
        if found.iter().any(|other| other.oid == oid) {
            return Err(NotDer("an extension that comes twice"));
        }
        found.push(ExtensionField { oid, critical, value });
    }
    Ok(found)
}
