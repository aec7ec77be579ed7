//! What a quote is checked with, asked for where it did not come along, and whether an answer is that.

use std::sync::Arc;

use super::super::anchors::MAX_CHAIN;
use super::super::authority::{Authority, INTEL};
use super::super::bundle::Bundle;
use super::super::crl::Crl;
use super::super::fault::Fault;
use super::super::want::{IntelAuthority, IntelTee, Validity, Want};
use super::super::x509::Certificate;
use super::brought::Brought;
use super::endorsement::TCB_SIGNER;
use super::frame::{Frame, Kind};
use super::pck::Pck;
use super::signed_json::{Dated, Document};
use crate::clock::Timestamp;

/// All that may have been missing; none where the quote names no platform.
pub(crate) fn wanted(authority: &Authority, frame: &Frame<'_>) -> Vec<Want> {
    let tee = match frame.kind {
        Kind::Sgx => IntelTee::Sgx,
        Kind::Td10 | Kind::Td15 => IntelTee::Tdx,
    };
    let bundle = Bundle::brought([frame.chain]);
    let mut chain = bundle.certificates.iter().take(MAX_CHAIN);
    let mut next = || chain.next().and_then(|item| Certificate::parse(&item.der).ok());
    let (Some(leaf), Some(issuer)) = (next(), next()) else { return Vec::new() };
    let Ok(pck) = Pck::read(&leaf, &issuer) else { return Vec::new() };
    let mut wants = vec![Want::IntelTcbInfo { tee, fmspc: pck.fmspc }, Want::IntelQeIdentity(tee)];
    if authority.requires_revocation_of(INTEL) {
        let named = |one: &&IntelAuthority| issuer.subject.common_name() == Some(one.name());
        wants.extend(IntelAuthority::ALL.iter().find(named).map(|one| Want::IntelPckCrl(*one)));
        wants.push(Want::IntelRootCrl);
    }
    wants
}

/// Checks an answer: what was asked for, in time, and signed by whom Intel's root vouches for.
pub(crate) fn check(
    authority: &Authority,
    want: &Want,
    parts: &[Vec<u8>],
    at: Timestamp,
) -> Result<Validity, Fault> {
    let brought = Brought::read(parts.iter().map(Vec::as_slice));
    let checking = Checking { authority, brought: &brought, at };
    match want {
        Want::IntelTcbInfo { tee, fmspc } => checking.document(&brought.tcb, |document| {
            document.says.is_of(tee.name()) && document.says.fmspc.0 == *fmspc
        }),
        Want::IntelQeIdentity(tee) => {
            checking.document(&brought.qe, |document| document.says.is_for(tee.name()))
        }
        Want::IntelPckCrl(_) | Want::IntelRootCrl => {
            let (list, _) = checking.list(want)?;
            Validity { from: list.this_update, until: list.next_update }.at(at)
        }
        Want::AmdCrl(_) | Want::AmdVcek { .. } | Want::NvidiaOcsp { .. } => {
            Err(Fault::unsupported("not Intel's"))
        }
    }
}

/// A revocation list whose signature holds.
pub(crate) struct IssuedList {
    pub(crate) list: Arc<Crl>,
    /// The fingerprint of the issuer's key.
    pub(crate) issuer: [u8; 32],
}

/// The revocation list that an answer is; none where something else was asked for.
pub(crate) fn list(
    authority: &Authority,
    want: &Want,
    parts: &[Vec<u8>],
    at: Timestamp,
) -> Result<Option<IssuedList>, Fault> {
    if !matches!(want, Want::IntelPckCrl(_) | Want::IntelRootCrl) {
        return Ok(None);
    }
    let brought = Brought::read(parts.iter().map(Vec::as_slice));
    let checking = Checking { authority, brought: &brought, at };
    let (list, issuer) = checking.list(want)?;
    Ok(Some(IssuedList { list: Arc::clone(list), issuer: issuer.key.fingerprint()? }))
}

struct Checking<'a> {
    authority: &'a Authority,
    brought: &'a Brought,
    at: Timestamp,
}

impl Checking<'_> {
    fn document<T: serde::de::DeserializeOwned + Dated>(
        &self,
        documents: &[Arc<Document<T>>],
        asked_for: impl Fn(&Document<T>) -> bool,
    ) -> Result<Validity, Fault> {
        let document = match documents {
            [document] if asked_for(document) => document,
            [_] => return Err(Fault::untrusted("it is about something else")),
            _ => return Err(self.unreadable()),
        };
        let signer = self.below_root(TCB_SIGNER)?;
        document.check_signed_by(&signer)?;
        let (first, last) = document.says.window();
        Validity { from: first.0, until: last.0 }.at(self.at)
    }

    /// With its issuer: the authority that is meant, or the root itself.
    fn list(&self, want: &Want) -> Result<(&Arc<Crl>, Arc<Certificate>), Fault> {
        let [list] = self.brought.lists.as_slice() else { return Err(self.unreadable()) };
        let issuer = match want {
            Want::IntelPckCrl(issuer) => {
                let issuer = self.below_root(issuer.name())?;
                list.check_issued_by(&issuer)?;
                issuer
            }
            _ => self.root_of(list)?,
        };
        Ok((list, issuer))
    }

    fn root_of(&self, list: &Crl) -> Result<Arc<Certificate>, Fault> {
        let mut anchors = self.authority.set(INTEL)?.anchors.iter();
        let root = anchors.find(|anchor| list.check_issued_by(&anchor.certificate).is_ok());
        let root = root.map(|anchor| Arc::clone(&anchor.certificate));
        root.ok_or_else(|| Fault::Untrusted(format!("a revocation list of {}", list.issuer)))
    }

    /// A certificate of that name that came along and that Intel's root issued.
    fn below_root(&self, name: &str) -> Result<Arc<Certificate>, Fault> {
        let set = self.authority.set(INTEL)?;
        let named = self.brought.certificates.iter();
        let mut named = named.filter(|one| one.subject.common_name() == Some(name));
        let issued = named.find(|one| {
            let mut anchors = set.anchors.iter();
            anchors.any(|anchor| one.check_issued_by(&anchor.certificate).is_ok())
        });
        let issued = issued.ok_or_else(|| {
            Fault::Untrusted(format!("no certificate of {name} by Intel's root came along"))
        })?;
        issued.check_dates(self.at)?;
        Ok(Arc::clone(issued))
    }

    fn unreadable(&self) -> Fault {
        let nothing = || Fault::malformed("an answer that is not one document");
        self.brought.fault.clone().unwrap_or_else(nothing)
    }
}
