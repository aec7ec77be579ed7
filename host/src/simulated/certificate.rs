//! X.509 v3 certificates (RFC 5280 §4.1) with nothing that cannot be forged.

use super::algorithm::Algorithm;
use super::authority::AuthorityKey;
use super::der::{self, Oid};
use super::extension::Extension;
use super::name::Name;
use crate::clock::Timestamp;

/// A certificate before it is signed. Every field is free.
#[derive(Clone, Debug)]
pub struct CertificateTemplate {
    /// The version as it is encoded: 2 for v3.
    pub version: u8,
    /// The serial number; AMD's endorsement keys all have 0.
    pub serial: u64,
    /// Who signs, by name.
    pub issuer: Name,
    /// Whose key it is, by name.
    pub subject: Name,
    /// First second of the validity.
    pub not_before: Timestamp,
    /// Last second of the validity.
    pub not_after: Timestamp,
    /// The subject's key: SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
    /// In the order in which they are written.
    pub extensions: Vec<Extension>,
    /// How it is signed, and what is declared where the next two say nothing else.
    pub algorithm: Algorithm,
    /// What the signed part declares instead.
    pub declared_inside: Option<Algorithm>,
    /// What stands beside the signature instead.
    pub declared_outside: Option<Algorithm>,
}

impl CertificateTemplate {
    /// The signed certificate in DER.
    #[must_use]
    pub fn sign(&self, key: &AuthorityKey) -> Vec<u8> {
        let to_be_signed = self.to_be_signed();
        let declared = self.declared_outside.unwrap_or(self.algorithm);
        let signature = key.sign(self.algorithm, &to_be_signed);
        der::sequence([to_be_signed, declared.to_der(), der::bit_string(&signature)])
    }

    /// Leaves an extension out, however often it is there.
    pub fn remove(&mut self, oid: Oid) {
        self.extensions.retain(|extension| extension.oid != oid);
    }

    /// Writes an extension a second time, at the end.
    pub fn repeat(&mut self, oid: Oid) {
        let first = self.extensions.iter().find(|found| found.oid == oid);
        self.extensions.extend(first.cloned());
    }

    /// Puts an extension in the place of the one with its identifier, or at the end.
    pub fn replace(&mut self, extension: Extension) {
        match self.extensions.iter_mut().find(|found| found.oid == extension.oid) {
            Some(found) => *found = extension,
            None => self.extensions.push(extension),
        }
    }

    fn to_be_signed(&self) -> Vec<u8> {
        let declared = self.declared_inside.unwrap_or(self.algorithm);
        let mut parts = vec![
            der::explicit(0, &der::number(self.version.into())),
            der::number(self.serial),
            declared.to_der(),
            self.issuer.to_der(),
            der::sequence([der::time(self.not_before), der::time(self.not_after)]),
            self.subject.to_der(),
            self.public_key.clone(),
        ];
        if !self.extensions.is_empty() {
            let extensions = der::sequence(self.extensions.iter().map(Extension::to_der));
            parts.push(der::explicit(3, &extensions));
        }
        der::sequence(parts)
    }
}
