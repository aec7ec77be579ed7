//! Endorsements of the utility VM: a document that its maker signed over the launch measurement, as
//! confidential containers send it along (COSE_Sign1, RFC 9052; `iss` is a did:x509 identifier). What
//! makes a compliance status is the signature, up to an anchor that the operator configured, and that the
//! measurement is the report's.

use std::sync::Arc;

use coset::iana::{self, EnumI64};
use coset::{AsCborValue, CoseSign1, Header, Label, RegisteredLabelWithPrivate};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value as Json};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::request::UvmRule;
use super::witness::Witnessed;
use crate::audit::Digest;
use crate::cbor::{self, Limits, Value as Cbor};
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::json;
use crate::quote::{Authority, Examination, SignatureAlgorithm};

/// COSE_Sign1's tag (RFC 9052, section 2).
const SIGN1: u64 = 18;

/// `x5chain` (RFC 9360, section 2); `iss` and `feed` as Microsoft's signing tool numbers them.
const X5CHAIN: i64 = 33;
const ISS: i64 = 391;
const FEED: i64 = 392;

/// The claims of one endorsement, added to those of the report. Where the operator says nothing of such
/// endorsements they are passed over, and there is no status.
pub(super) fn endorse(
    authority: &Arc<Authority>,
    rules: &[UvmRule],
    endorsements: &[Vec<u8>],
    witnessed: &Witnessed,
    claims: &mut Map<String, Json>,
) -> Result<(), Refusal> {
    if rules.is_empty() || endorsements.is_empty() {
        return Ok(());
    }
    let [endorsement] = endorsements else { return Err(unsound("there is more than one")) };
    let read = Endorsement::read(endorsement)?;
    let rule = rules.iter().find(|rule| rule.issuer == read.issuer && rule.feed == read.feed);
    let rule = rule.ok_or_else(|| unsound("its issuer and feed are none of the operator's"))?;
    let examination = Examination::new(Arc::clone(authority), witnessed.at);
    let certificates = read.did()?;
    let fault = |fault: crate::quote::Fault| unsound(&fault.to_string());
    let signer = examination.chain(certificates, &rule.anchors).map_err(fault)?;
    let algorithm = SignatureAlgorithm::RsaPssSha384;
    let checked = examination.check(&signer, algorithm, read.message.clone(), &read.signature);
    checked.map_err(fault)?;
    let measured = claims.get("x-ms-sevsnpvm-launchmeasurement");
    if measured.and_then(Json::as_str) != Some(read.measurement.as_str()) {
        return Err(unsound("it is about another launch measurement"));
    }
    if read.svn < rule.min_svn {
        return Err(unsound("its security version is lower than the operator wants"));
    }
    claims.insert("x-ms-sevsnpvm-guestsvn".to_owned(), read.svn.into());
    claims.insert("x-ms-compliance-status".to_owned(), rule.status.as_str().into());
    Ok(())
}

/// An endorsement, read but not yet believed.
struct Endorsement {
    issuer: String,
    feed: String,
    certificates: Vec<Vec<u8>>,
    message: Vec<u8>,
    signature: Vec<u8>,
    measurement: String,
    svn: u64,
}

impl Endorsement {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let malformed = || unsound("it is no COSE_Sign1 of the expected form");
        let parsed = cbor::parse(bytes, Limits::DOCUMENT).map_err(|_| malformed())?;
        let Cbor::Tag(SIGN1, sign1) = parsed else { return Err(malformed()) };
        let sign1 = CoseSign1::from_cbor_value(*sign1).map_err(|_| malformed())?;
        let header = &sign1.protected.header;
        let algorithm = match &header.alg {
            Some(RegisteredLabelWithPrivate::Assigned(algorithm)) => algorithm.to_i64(),
            _ => return Err(malformed()),
        };
        if algorithm != iana::Algorithm::PS384.to_i64() || !header.crit.is_empty() {
            return Err(malformed());
        }
        let text = |number, name| match entry(header, number, name)? {
            Cbor::Text(text) => Some(text.clone()),
            _ => None,
        };
        let issuer = text(ISS, "iss").ok_or_else(malformed)?;
        let feed = text(FEED, "feed").ok_or_else(malformed)?;
        let certificates = match entry(header, X5CHAIN, "x5chain") {
            Some(Cbor::Array(chain)) => {
                let der = |one: &Cbor| one.as_bytes().cloned();
                chain.iter().map(der).collect::<Option<Vec<_>>>().ok_or_else(malformed)?
            }
            _ => return Err(malformed()),
        };
        let payload = sign1.payload.as_deref().ok_or_else(malformed)?;
        let said: Map<String, Json> =
            json::parse(payload, json::Limits::TOKEN).map_err(|_| malformed())?;
        let measurement = said.get("x-ms-sevsnpvm-launchmeasurement").and_then(Json::as_str);
        let measurement = measurement.ok_or_else(malformed)?.to_ascii_lowercase();
        let svn = match said.get("x-ms-sevsnpvm-guestsvn") {
            Some(Json::String(text)) => text.parse().ok(),
            Some(Json::Number(number)) => number.as_u64(),
            _ => None,
        };
        let (message, signature) = (sign1.tbs_data(&[]), sign1.signature.clone());
        let svn = svn.ok_or_else(malformed)?;
        Ok(Self { issuer, feed, certificates, message, signature, measurement, svn })
    }

    /// `did:x509:0:sha256:FINGERPRINT::eku:OID`: an authority in the chain has that fingerprint, and the
    /// leaf is for that usage (github.com/microsoft/did-x509).
    fn did(&self) -> Result<&[Vec<u8>], Refusal> {
        let wrong = || unsound("its certificates are not those of its issuer");
        let did = self.issuer.strip_prefix("did:x509:0:sha256:").ok_or_else(wrong)?;
        let (fingerprint, usage) = did.split_once("::eku:").ok_or_else(wrong)?;
        let (leaf, authorities) = self.certificates.split_first().ok_or_else(wrong)?;
        let is = |der: &Vec<u8>| BASE64URL_NOPAD.encode(&Digest::of(der).0) == fingerprint;
        let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| wrong())?;
        let usages = leaf.extended_key_usage().ok().flatten().ok_or_else(wrong)?;
        let used = usages.value.other.iter().any(|oid| oid.to_id_string() == usage);
        match used && authorities.iter().any(is) {
            true => Ok(&self.certificates),
            false => Err(wrong()),
        }
    }
}

fn entry<'a>(header: &'a Header, number: i64, name: &str) -> Option<&'a Cbor> {
    let is = |label: &Label| match label {
        Label::Int(found) => *found == number,
        Label::Text(found) => found == name,
    };
    header.rest.iter().find(|(label, _)| is(label)).map(|(_, value)| value)
}

fn unsound(reason: &str) -> Refusal {
    let explanation = Explanation::of("uvm-endorsement")
        .seen(reason)
        .wanted("an endorsement of this launch measurement, signed below a configured anchor");
    Refusal::new(Code::EvidenceUntrusted, format!("the endorsement of the utility VM: {reason}"))
        .explain(explanation)
}
