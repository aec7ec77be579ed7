//! What simulated Intel certifies: certificates of all authorities, the PCK's, revocation lists.

use super::super::SimulationError;
use super::super::der;
use super::super::extension::Extension;
use super::super::name::Name;
use super::{Intel, Key};
use crate::clock::Timestamp;

const DAY: u64 = 86_400;

/// ecdsa-with-SHA256
const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
/// 1.2.840.113741.1.13.1, in which the PCK certificate names its platform.
const SGX: &[u64] = &[1, 2, 840, 113_741, 1, 13, 1];

const ROOT: &str = "Intel SGX Root CA";
const AUTHORITY: &str = "Intel SGX PCK Platform CA";
const TCB_SIGNER: &str = "Intel SGX TCB Signing";
const PCK: &str = "Intel SGX PCK Certificate";

/// Serial numbers.
const AUTHORITY_SERIAL: u64 = 2;
const TCB_SIGNER_SERIAL: u64 = 3;
const PCK_SERIAL: u64 = 4;

/// What a PCK certificate says.
#[derive(Clone, Debug)]
pub struct PckTemplate {
    /// The platform's kind.
    pub fmspc: [u8; 6],
    /// The PCE's id.
    pub pce_id: [u8; 2],
    /// The SVNs of the TCB's components.
    pub components: [u8; 16],
    /// PCESVN.
    pub pce_svn: u16,
    /// The certificate's last moment.
    pub not_after: Timestamp,
    /// The subject's common name.
    pub name: &'static str,
}

/// Which certificates are revoked.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Revocations {
    /// The PCK's.
    pub pck: bool,
    /// That of the authority for PCKs.
    pub authority: bool,
    /// That of who signs collateral.
    pub tcb_signer: bool,
}

/// Who is certified, and by whom.
struct Issue<'a> {
    subject: &'a str,
    key: &'a Key,
    issuer: &'a str,
    by: &'a Key,
    serial: u64,
    not_after: Timestamp,
    extensions: Vec<Extension>,
}

impl Intel {
    /// The root certificate, DER.
    #[must_use]
    pub fn root(&self) -> Vec<u8> {
        let [root, ..] = &self.certificates;
        root.clone()
    }

    /// The certificate of the authority for PCKs, DER.
    #[must_use]
    pub fn authority(&self) -> Vec<u8> {
        let [_, authority, _] = &self.certificates;
        authority.clone()
    }

    /// The certificate of who signs collateral, DER.
    #[must_use]
    pub fn tcb_signer(&self) -> Vec<u8> {
        let [.., tcb_signer] = &self.certificates;
        tcb_signer.clone()
    }

    pub(super) fn authorities(&self) -> Result<[Vec<u8>; 3], SimulationError> {
        let below = |subject, key, serial, days, extensions| {
            self.certify(&Issue {
                subject,
                key,
                issuer: ROOT,
                by: &self.root,
                serial,
                not_after: self.minted.plus(days * DAY),
                extensions,
            })
        };
        let signs = vec![Extension::key_usage(&[0, 1])];
        Ok([
            below(ROOT, &self.root, 1, 9000, authority(1))?,
            below(AUTHORITY, &self.authority, AUTHORITY_SERIAL, 3000, authority(0))?,
            below(TCB_SIGNER, &self.tcb_signer, TCB_SIGNER_SERIAL, 2000, signs)?,
        ])
    }

    /// A PCK certificate as Intel would issue it.
    #[must_use]
    pub fn pck_template(&self) -> PckTemplate {
        PckTemplate {
            fmspc: [0x5a; 6],
            pce_id: [0; 2],
            components: [7; 16],
            pce_svn: 11,
            not_after: self.minted.plus(1000 * DAY),
            name: PCK,
        }
    }

    /// Issues a PCK certificate, DER.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn pck(&self, template: &PckTemplate) -> Result<Vec<u8>, SimulationError> {
        self.certify(&Issue {
            subject: template.name,
            key: &self.pck,
            issuer: AUTHORITY,
            by: &self.authority,
            serial: PCK_SERIAL,
            not_after: template.not_after,
            extensions: vec![
                Extension::key_usage(&[0, 1]),
                Extension::plain(SGX, sgx_extension(template)),
            ],
        })
    }

    /// The revocation lists of the root and of the authority for PCKs, DER.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn lists(&self, revoked: Revocations) -> Result<[Vec<u8>; 2], SimulationError> {
        let mut below_root = Vec::new();
        below_root.extend(revoked.authority.then_some(AUTHORITY_SERIAL));
        below_root.extend(revoked.tcb_signer.then_some(TCB_SIGNER_SERIAL));
        let pcks: Vec<u64> = revoked.pck.then_some(PCK_SERIAL).into_iter().collect();
        Ok([
            self.list(ROOT, &self.root, &below_root)?,
            self.list(AUTHORITY, &self.authority, &pcks)?,
        ])
    }

    fn certify(&self, issue: &Issue<'_>) -> Result<Vec<u8>, SimulationError> {
        let extensions = der::sequence(issue.extensions.iter().map(Extension::to_der));
        let not_before = Timestamp(self.minted.0.saturating_sub(DAY));
        let tbs = der::sequence([
            der::explicit(0, &der::number(2)),
            der::number(issue.serial),
            der::sequence([der::oid(ECDSA_SHA256)]),
            Name::simulated(issue.issuer).to_der(),
            der::sequence([der::time(not_before), der::time(issue.not_after)]),
            Name::simulated(issue.subject).to_der(),
            issue.key.spki()?,
            der::explicit(3, &extensions),
        ]);
        signed(issue.by, tbs)
    }

    fn list(&self, issuer: &str, by: &Key, serials: &[u64]) -> Result<Vec<u8>, SimulationError> {
        let from = Timestamp(self.minted.0.saturating_sub(3600));
        let entry = |serial: &u64| der::sequence([der::number(*serial), der::time(from)]);
        let mut parts = vec![
            der::number(1),
            der::sequence([der::oid(ECDSA_SHA256)]),
            Name::simulated(issuer).to_der(),
            der::time(from),
            der::time(self.minted.plus(30 * DAY)),
        ];
        if !serials.is_empty() {
            parts.push(der::sequence(serials.iter().map(entry)));
        }
        let number = Extension::crl_number(1).to_der();
        parts.push(der::explicit(0, &der::sequence([number])));
        signed(by, der::sequence(parts))
    }
}

fn authority(path_length: u8) -> Vec<Extension> {
    vec![Extension::key_usage(&[5, 6]), Extension::basic_constraints(true, Some(path_length))]
}

fn signed(by: &Key, tbs: Vec<u8>) -> Result<Vec<u8>, SimulationError> {
    let signature = der::bit_string(&by.sign_der(&tbs)?);
    Ok(der::sequence([tbs, der::sequence([der::oid(ECDSA_SHA256)]), signature]))
}

/// The fields of Intel SGX PCK Certificate and CRL Profile Specification, section 1.3.5.
fn sgx_extension(template: &PckTemplate) -> Vec<u8> {
    let field = |arcs: &[u64], value: Vec<u8>| {
        let oid = [SGX, arcs].concat();
        der::sequence([der::oid(&oid), value])
    };
    let components = (1..).zip(template.components);
    let mut tcb: Vec<Vec<u8>> =
        components.map(|(arc, svn)| field(&[2, arc], der::number(svn.into()))).collect();
    tcb.push(field(&[2, 17], der::number(template.pce_svn.into())));
    tcb.push(field(&[2, 18], der::octet_string(&template.components)));
    der::sequence([
        field(&[1], der::octet_string(&[0x77; 16])),
        field(&[2], der::sequence(tcb)),
        field(&[3], der::octet_string(&template.pce_id)),
        field(&[4], der::octet_string(&template.fmspc)),
        field(&[5], der::element(0x0a, &[1])),
    ])
}
