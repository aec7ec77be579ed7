//! Collateral as it comes: with evidence or from the operator, in any order, known by its content.
//!
//! JSON is read in the form of Intel's PCS (`{"tcbInfo": …, "signature": …}`,
//! `{"enclaveIdentity": …, "signature": …}`) and in that of the crate `dcap-qvl`
//! (`tcb_info`, `tcb_info_signature`, `qe_identity`, `qe_identity_signature`, `root_ca_crl` and `pck_crl`
//! in hexadecimal, issuer chains in PEM). Certificates and lists are read as everywhere
//! ([`Bundle`]).

use std::sync::Arc;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::bundle::Bundle;
use super::super::crl::Crl;
use super::super::fault::Fault;
use super::super::x509::Certificate;
use super::qe::QeIdentity;
use super::signed_json::Document;
use super::tcb::TcbInfo;
use crate::json::{self, Limits};

/// JSON that is larger is passed over.
const MAX_JSON: usize = 512 * 1024;
/// This many of each kind are looked at.
const MAX_EACH: usize = 8;

const LIMITS: Limits =
    Limits { values: 1 << 16, nulls: true, floats: true, ..Limits::REQUEST.with_bytes(MAX_JSON) };

/// What came along; nothing is trusted yet.
#[derive(Default)]
pub(crate) struct Brought {
    pub(crate) tcb: Vec<Arc<Document<TcbInfo>>>,
    pub(crate) qe: Vec<Arc<Document<QeIdentity>>>,
    pub(crate) certificates: Vec<Arc<Certificate>>,
    pub(crate) lists: Vec<Arc<Crl>>,
    /// Why the first thing that should have been one of these is none.
    pub(crate) fault: Option<Fault>,
}

/// Members of both forms; others are of no interest.
#[derive(Deserialize)]
struct Members {
    #[serde(rename = "tcbInfo")]
    pcs_tcb_info: Option<Box<RawValue>>,
    #[serde(rename = "enclaveIdentity")]
    pcs_enclave_identity: Option<Box<RawValue>>,
    signature: Option<String>,
    tcb_info: Option<String>,
    tcb_info_signature: Option<String>,
    qe_identity: Option<String>,
    qe_identity_signature: Option<String>,
    root_ca_crl: Option<String>,
    pck_crl: Option<String>,
}

impl Brought {
    /// Takes apart what came with evidence; what is not understood is passed over.
    pub(crate) fn read<'a>(attachments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut found = Self::default();
        for attachment in attachments {
            found.add(attachment);
        }
        found
    }

    /// Adds what the operator supplied.
    pub(crate) fn with(mut self, other: &Self) -> Self {
        self.tcb.extend(other.tcb.iter().cloned());
        self.qe.extend(other.qe.iter().cloned());
        self.certificates.extend(other.certificates.iter().cloned());
        self.lists.extend(other.lists.iter().cloned());
        self
    }

    /// Whether there is nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.tcb.is_empty()
            && self.qe.is_empty()
            && self.certificates.is_empty()
            && self.lists.is_empty()
    }

    fn add(&mut self, attachment: &[u8]) {
        let bundle = Bundle::brought([attachment]);
        for item in bundle.certificates.iter().take(MAX_EACH) {
            match Certificate::parse(&item.der) {
                Ok(certificate) => self.certificates.push(Arc::new(certificate)),
                Err(fault) => self.note(fault),
            }
        }
        for item in bundle.lists.iter().take(MAX_EACH) {
            self.list(&item.der);
        }
        if attachment.trim_ascii_start().starts_with(b"{") {
            match json::parse::<Members>(attachment, LIMITS) {
                Ok(members) => self.members(members),
                Err(error) => self.note(Fault::Malformed(format!("collateral: {error}"))),
            }
        }
    }

    fn members(&mut self, members: Members) {
        let signature = members.signature.as_deref();
        let pcs_tcb = members.pcs_tcb_info.as_deref().map(RawValue::get).zip(signature);
        let pcs_qe = members.pcs_enclave_identity.as_deref().map(RawValue::get).zip(signature);
        let tcb = members.tcb_info.as_deref().zip(members.tcb_info_signature.as_deref());
        let qe = members.qe_identity.as_deref().zip(members.qe_identity_signature.as_deref());
        for (text, signature) in [pcs_tcb, tcb].into_iter().flatten() {
            match Document::read(text, signature).and_then(|one| one.prepared(TcbInfo::prepared)) {
                Ok(document) if self.tcb.len() < MAX_EACH => self.tcb.push(Arc::new(document)),
                Ok(_) => self.note(Fault::malformed("more TCB info than is read")),
                Err(fault) => self.note(fault),
            }
        }
        for (text, signature) in [pcs_qe, qe].into_iter().flatten() {
            match Document::read(text, signature).and_then(|one| one.prepared(QeIdentity::prepared))
            {
                Ok(document) if self.qe.len() < MAX_EACH => self.qe.push(Arc::new(document)),
                Ok(_) => self.note(Fault::malformed("more QE identities than are read")),
                Err(fault) => self.note(fault),
            }
        }
        for list in [members.root_ca_crl, members.pck_crl].into_iter().flatten() {
            match HEXLOWER_PERMISSIVE.decode(list.trim().as_bytes()) {
                Ok(der) => self.list(&der),
                // PEM, which was found already.
                Err(_) if list.contains("-----BEGIN") => {}
                Err(_) => self.note(Fault::malformed("a revocation list in collateral")),
            }
        }
    }

    fn list(&mut self, der: &[u8]) {
        match Crl::parse(der) {
            Ok(list) if self.lists.len() < MAX_EACH => self.lists.push(Arc::new(list)),
            Ok(_) => self.note(Fault::malformed("more revocation lists than are read")),
            Err(fault) => self.note(fault),
        }
    }

    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}
