//! X.509 extensions, as AMD writes them.

use super::der::{self, Oid};
use super::oid;

/// One extension of a certificate or a revocation list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Extension {
    /// Which one.
    pub oid: Oid,
    /// Whether a reader that does not know it must refuse the whole.
    pub critical: bool,
    /// The content of the OCTET STRING: as a rule one DER element.
    pub value: Vec<u8>,
}

impl Extension {
    /// Basic constraints, critical.
    #[must_use]
    pub fn basic_constraints(authority: bool, path_length: Option<u8>) -> Self {
        let mut parts = Vec::new();
        // FALSE is the default and DER leaves defaults out.
        parts.extend(authority.then(|| der::boolean(true)));
        parts.extend(path_length.map(|length| der::number(length.into())));
        Self::critical(oid::BASIC_CONSTRAINTS, der::sequence(parts))
    }

    /// Key usage, critical, by bit numbers (RFC 5280 §4.2.1.3): 5 keyCertSign, 6 cRLSign.
    #[must_use]
    pub fn key_usage(bits: &[u8]) -> Self {
        Self::critical(oid::KEY_USAGE, der::named_bits(bits))
    }

    /// Subject key identifier.
    #[must_use]
    pub fn subject_key_identifier(id: &[u8]) -> Self {
        Self::plain(oid::SUBJECT_KEY_IDENTIFIER, der::octet_string(id))
    }

    /// Authority key identifier, with the key identifier alone.
    #[must_use]
    pub fn authority_key_identifier(id: &[u8]) -> Self {
        let value = der::sequence([der::element(0x80, id)]);
        Self::plain(oid::AUTHORITY_KEY_IDENTIFIER, value)
    }

    /// One CRL distribution point with one URI.
    #[must_use]
    pub fn crl_distribution_point(uri: &str) -> Self {
        let full_name = der::explicit(0, &der::element(0x86, uri.as_bytes()));
        let point = der::sequence([der::explicit(0, &full_name)]);
        Self::plain(oid::CRL_DISTRIBUTION_POINTS, der::sequence([point]))
    }

    /// The number of a revocation list.
    #[must_use]
    pub fn crl_number(number: u64) -> Self {
        Self::plain(oid::CRL_NUMBER, der::number(number))
    }

    /// One of AMD's INTEGER extensions: the structure version or a security patch level.
    #[must_use]
    pub fn level(oid: Oid, value: u8) -> Self {
        Self::plain(oid, der::number(value.into()))
    }

    /// One of AMD's IA5String extensions: the product name or the provider's id.
    #[must_use]
    pub fn text(oid: Oid, value: &str) -> Self {
        Self::plain(oid, der::ia5(value))
    }

    /// AMD's hardware identity: raw bytes, 64 of them, on Turin 8.
    #[must_use]
    pub fn hardware_id(bytes: &[u8]) -> Self {
        Self::plain(oid::AMD_HARDWARE_ID, bytes.to_vec())
    }

    /// An extension that is not critical.
    #[must_use]
    pub fn plain(oid: Oid, value: Vec<u8>) -> Self {
        Self { oid, critical: false, value }
    }

    /// A critical extension.
    #[must_use]
    pub fn critical(oid: Oid, value: Vec<u8>) -> Self {
        Self { oid, critical: true, value }
    }

    /// The extension in DER.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let mut parts = vec![der::oid(self.oid)];
        parts.extend(self.critical.then(|| der::boolean(true)));
        parts.push(der::octet_string(&self.value));
        der::sequence(parts)
    }
}
