//! X.509 v2 certificate revocation lists (RFC 5280 §5), as the ARK issues them for ASK and ASVK.

use super::algorithm::Algorithm;
use super::authority::AuthorityKey;
use super::der;
use super::extension::Extension;
use super::name::Name;
use crate::clock::Timestamp;

/// One revoked certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Revoked {
    /// Its serial number.
    pub serial: u64,
    /// Since when.
    pub at: Timestamp,
}

/// A revocation list before it is signed. Every field is free.
#[derive(Clone, Debug)]
pub struct CrlTemplate {
    /// Who signs, by name.
    pub issuer: Name,
    /// When it was made.
    pub this_update: Timestamp,
    /// By when the next one is out; RFC 5280 demands it, the encoding does not.
    pub next_update: Option<Timestamp>,
    /// What is revoked; an empty list is left out of the encoding.
    pub revoked: Vec<Revoked>,
    /// Authority key identifier and number, as a rule.
    pub extensions: Vec<Extension>,
    /// How it is signed, and what is declared where the next two say nothing else.
    pub algorithm: Algorithm,
    /// What the signed part declares instead.
    pub declared_inside: Option<Algorithm>,
    /// What stands beside the signature instead.
    pub declared_outside: Option<Algorithm>,
}

impl CrlTemplate {
    /// The signed list in DER.
    #[must_use]
    pub fn sign(&self, key: &AuthorityKey) -> Vec<u8> {
        let to_be_signed = self.to_be_signed();
        let declared = self.declared_outside.unwrap_or(self.algorithm);
        let signature = key.sign(self.algorithm, &to_be_signed);
        der::sequence([to_be_signed, declared.to_der(), der::bit_string(&signature)])
    }

    /// Adds a serial number, revoked since `at`.
    #[must_use]
    pub fn revoke(mut self, serial: u64, at: Timestamp) -> Self {
        self.revoked.push(Revoked { serial, at });
        self
    }

    /// Sets the list's number.
    #[must_use]
    pub fn numbered(mut self, number: u64) -> Self {
        let extension = Extension::crl_number(number);
        self.extensions.retain(|found| found.oid != extension.oid);
        self.extensions.push(extension);
        self
    }

    fn to_be_signed(&self) -> Vec<u8> {
        let declared = self.declared_inside.unwrap_or(self.algorithm);
        let mut parts = vec![
            der::number(1),
            declared.to_der(),
            self.issuer.to_der(),
            der::time(self.this_update),
        ];
        parts.extend(self.next_update.map(der::time));
        if !self.revoked.is_empty() {
            parts.push(der::sequence(self.revoked.iter().map(|revoked| {
                der::sequence([der::number(revoked.serial), der::time(revoked.at)])
            })));
        }
        if !self.extensions.is_empty() {
            let extensions = der::sequence(self.extensions.iter().map(Extension::to_der));
            parts.push(der::explicit(0, &extensions));
        }
        der::sequence(parts)
    }
}
