//! Signatures by an identity, verified offline against a trusted root (sigstore/protobuf-specs,
//! `sigstore_trustroot.proto`): the signer's certificate leads to its authority, a log of certificates
//! vouches for it, it was valid when the signature was made, and names who may sign; the transparency
//! log of signatures proves its entry under a signed checkpoint.
//!
//! When a signature was made say two sources: the log's promise, which is signed over its time, and
//! timestamps by the trusted root's timestamp authorities (RFC 3161). One of them must be there and hold,
//! and the certificate must have been valid at each moment that one of them tells. A promise that does
//! not hold is a refusal; a timestamp that does not, or is of an authority that the root does not list,
//! tells nothing, as if it had not come along.
//!
//! Read are entries of kind `hashedrekord` 0.0.1 and 0.0.2. A log of version 2 promises nothing and tells no
//! time, so that its entries need a timestamp. A trusted root without logs of certificates is
//! accepted, and said aloud: then no log vouches for certificates.

mod entry;
mod sct;
mod stamp;
#[cfg(test)]
mod tests;

use data_encoding::BASE64;
use serde::Deserialize;

use super::bundle::{Bundle, Material, WireChain};
use super::key;
use crate::clock::Timestamp;
use crate::json::{self, Limits};
use crate::quote::x509::Certificate;
use crate::quote::{PublicKey, der};

pub use entry::Entry;

/// The largest trusted root that is read, in bytes.
pub const LARGEST_ROOT: usize = 512 << 10;

mod oid {
    /// subjectAltName, 2.5.29.17
    pub(super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    /// extKeyUsage, 2.5.29.37
    pub(super) const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
    /// id-kp-codeSigning, 1.3.6.1.5.5.7.3.3
    pub(super) const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
    /// Fulcio's OIDC issuer, 1.3.6.1.4.1.57264.1.8: a DER UTF8String
    pub(super) const ISSUER: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x08];
    /// The same as plain text, before 1.8 was there: 1.3.6.1.4.1.57264.1.1
    pub(super) const ISSUER_V1: &[u8] =
        &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x01];
}

/// Who may sign, as a certificate of Sigstore's names him.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity {
    /// Who vouched for the identity: `https://token.actions.githubusercontent.com`.
    pub issuer: String,
    /// An address or a URI, exactly: the workflow that built it, or a mail address.
    pub subject: String,
}

/// Authorities and logs that are believed, and when.
#[derive(Clone)]
pub struct TrustedRoot {
    authorities: Vec<Authority>,
    logs: Vec<Log>,
    /// Logs of certificates; none: the trusted root lists none.
    certificate_logs: Option<Vec<Log>>,
    stampers: Vec<Authority>,
}

#[derive(Clone)]
struct Authority {
    /// Intermediates and root, in any order; DER.
    chain: Vec<Vec<u8>>,
    /// Certificates that sign for one purpose only, in its name; DER.
    signers: Vec<Vec<u8>>,
    valid: Period,
}

#[derive(Clone)]
struct Log {
    id: Vec<u8>,
    key: PublicKey,
    valid: Period,
}

#[derive(Clone, Copy)]
struct Period {
    start: Timestamp,
    end: Option<Timestamp>,
}

/// Why a signature does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Doubt {
    /// The certificate leads to no authority of the trusted root.
    #[error("its certificate leads to no authority of the trusted root: {0}")]
    Authority(String),
    /// The certificate cannot be read, or is not for signing.
    #[error("its certificate: {0}")]
    Certificate(String),
    /// The bundle is about something else.
    #[error("it is about other bytes")]
    Digest,
    /// No entry of a log speaks for it; what is wrong with the last one.
    #[error("no log entry holds: {0}")]
    Log(String),
    /// It comes without a certificate.
    #[error("it has no certificate")]
    NoCertificate,
    /// The signature does not hold under the certificate's key.
    #[error("the signature does not hold")]
    Signature,
}

/// The trusted root cannot be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the trusted root: {0}")]
pub struct RootError(String);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRoot {
    #[serde(default)]
    tlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<WireAuthority>,
    #[serde(default)]
    ctlogs: Vec<WireLog>,
    #[serde(default)]
    timestamp_authorities: Vec<WireAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    public_key: WireKey,
    log_id: WireId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: String,
    #[serde(default)]
    valid_for: WirePeriod,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireId {
    key_id: String,
}

#[derive(Default, Deserialize)]
struct WirePeriod {
    start: Option<String>,
    end: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    cert_chain: WireChain,
    #[serde(default)]
    valid_for: WirePeriod,
}

impl TrustedRoot {
    /// Reads a `trusted_root.json`.
    pub fn parse(bytes: &[u8]) -> Result<Self, RootError> {
        let wrong = |what: String| RootError(what);
        let root: WireRoot = json::parse(bytes, Limits::REQUEST.with_bytes(LARGEST_ROOT))
            .map_err(|error| wrong(error.to_string()))?;
        let logs = root.tlogs.iter().filter_map(|log| Log::read(log).transpose());
        let logs = logs.collect::<Result<Vec<_>, _>>()?;
        let authorities = root.certificate_authorities.iter().map(Authority::read);
        let authorities = authorities.collect::<Result<Vec<_>, _>>()?;
        if logs.is_empty() || authorities.is_empty() {
            return Err(wrong("no authority or no log that is read here".to_owned()));
        }
        let certificate_logs = match root.ctlogs.as_slice() {
            [] => {
                tracing::warn!(
                    "the trusted root lists no log of certificates (ctlogs): nothing vouches that \
                     its authorities gave out no certificate unseen"
                );
                None
            }
            // A log that is not read vouches for nothing, and is still one that is wanted.
            listed => {
                let logs = listed.iter().filter_map(|log| Log::read(log).transpose());
                Some(logs.collect::<Result<Vec<_>, _>>()?)
            }
        };
        let stampers = root.timestamp_authorities.iter().map(Authority::read);
        let stampers = stampers.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { authorities, logs, certificate_logs, stampers })
    }

    /// Who signed the component with this digest, if everything holds.
    pub fn signer(
        &self,
        bundle: &Bundle,
        component: &[u8],
        digest: &[u8; 32],
    ) -> Result<Identity, Doubt> {
        let Material::Certificate { leaf, entries, stamps } = &bundle.material else {
            return Err(Doubt::NoCertificate);
        };
        if bundle.digest != *digest {
            return Err(Doubt::Digest);
        }
        let certificate =
            Certificate::parse(leaf).map_err(|fault| Doubt::Certificate(fault.to_string()))?;
        let mut unseen = String::new();
        let stamped = stamps.iter().filter_map(|one| {
            let told = stamp::check(one, &bundle.signature, &self.stampers);
            told.map_err(|why| unseen = format!(" ({why})")).ok()
        });
        let mut moments: Vec<_> = stamped.collect();
        let mut doubt = "there is none".to_owned();
        let stamped = moments.first().copied();
        let taken_in = entries.iter().find_map(|entry| {
            let logged = entry.check(&self.logs, leaf, digest, &bundle.signature, stamped);
            logged.map_err(|why| doubt = why).ok()
        });
        moments.extend(taken_in.ok_or_else(|| Doubt::Log(format!("{doubt}{unseen}")))?);
        for at in moments {
            self.lead_to_authority(&certificate, at)?;
        }
        if !key::verify(&certificate.key, component, &bundle.signature) {
            return Err(Doubt::Signature);
        }
        identity(&certificate)
    }

    /// Leaf, intermediates and root, all of them valid at the moment that the log vouches for.
    fn lead_to_authority(&self, leaf: &Certificate, at: Timestamp) -> Result<(), Doubt> {
        leaf.check_end_entity().map_err(|fault| Doubt::Certificate(fault.to_string()))?;
        leaf.check_dates(at).map_err(|fault| Doubt::Certificate(fault.to_string()))?;
        if !signs_code(leaf) {
            return Err(Doubt::Certificate("its key is not for signing code".to_owned()));
        }
        let mut doubt = "none was good at that moment".to_owned();
        for authority in self.authorities.iter().filter(|authority| authority.valid.covers(at)) {
            match authority.issued(leaf, at) {
                Ok(issuer) => return self.vouched_for(leaf, &issuer),
                Err(why) => doubt = why,
            }
        }
        Err(Doubt::Authority(doubt))
    }
}

impl TrustedRoot {
    /// A log of certificates took the certificate in before it was given out.
    fn vouched_for(&self, leaf: &Certificate, issuer: &Certificate) -> Result<(), Doubt> {
        match &self.certificate_logs {
            None => Ok(()),
            Some(logs) => sct::check(leaf, issuer, logs).map_err(Doubt::Certificate),
        }
    }
}

impl Authority {
    fn read(wire: &WireAuthority) -> Result<Self, RootError> {
        let chain = wire.cert_chain.certificates.iter().map(|one| decode(&one.raw_bytes));
        let chain = chain.collect::<Result<Vec<_>, _>>()?;
        for certificate in &chain {
            Certificate::parse_purposed(certificate)
                .map_err(|fault| RootError(fault.to_string()))?;
        }
        let (chain, signers): (Vec<_>, Vec<_>) =
            chain.into_iter().partition(|certificate| Certificate::parse(certificate).is_ok());
        if chain.is_empty() {
            return Err(RootError("an authority without a certificate".to_owned()));
        }
        Ok(Self { chain, signers, valid: Period::read(&wire.valid_for)? })
    }

    /// From the leaf upwards, in whatever order the file has the chain, to a certificate that nobody in
    /// it issued: the operator's file is the trust in that one. Gives who issued the leaf.
    fn issued(&self, leaf: &Certificate, at: Timestamp) -> Result<Certificate, String> {
        let chain = self.chain.iter().map(|der| Certificate::parse(der));
        let mut chain = chain.collect::<Result<Vec<_>, _>>().map_err(|fault| fault.to_string())?;
        let mut below = 0_u64;
        let (mut first, mut last): (Option<Certificate>, Option<Certificate>) = (None, None);
        loop {
            let issued = last.as_ref().or(first.as_ref()).unwrap_or(leaf);
            let issuer = chain.iter().position(|one| issued.check_issued_by(one).is_ok());
            let Some(issuer) = issuer else { break };
            let issuer = chain.swap_remove(issuer);
            issuer.check_dates(at).map_err(|fault| fault.to_string())?;
            let longest = issuer.extensions.authority.and_then(|authority| authority.path_length);
            if longest.is_some_and(|longest| below > longest) {
                return Err("an authority may not have so many below it".to_owned());
            }
            below = below.saturating_add(1);
            match first {
                None => first = Some(issuer),
                Some(_) => last = Some(issuer),
            }
        }
        match first {
            Some(issuer) => Ok(issuer),
            None => Err(format!("none issued {}", leaf.describe())),
        }
    }
}

impl Log {
    /// None: a log whose key this host does not read, and on which nothing rests then.
    fn read(wire: &WireLog) -> Result<Option<Self>, RootError> {
        let Ok(key) = PublicKey::from_spki(&decode(&wire.public_key.raw_bytes)?) else {
            return Ok(None);
        };
        let valid = Period::read(&wire.public_key.valid_for)?;
        Ok(Some(Self { id: decode(&wire.log_id.key_id)?, key, valid }))
    }
}

impl Period {
    fn read(wire: &WirePeriod) -> Result<Self, RootError> {
        let moment = |text: &String| {
            Timestamp::parse(text).ok_or_else(|| RootError(format!("{text:?} is no moment")))
        };
        let start = wire.start.as_ref().map(moment).transpose()?.unwrap_or(Timestamp(0));
        Ok(Self { start, end: wire.end.as_ref().map(moment).transpose()? })
    }

    fn covers(&self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, RootError> {
    BASE64.decode(text.as_bytes()).map_err(|_| RootError("base64 that is none".to_owned()))
}

fn signs_code(leaf: &Certificate) -> bool {
    let Some(value) = leaf.extensions.get(oid::EXTENDED_KEY_USAGE) else { return false };
    let purposes = || -> der::Result<bool> {
        let mut purposes = der::Reader::whole(value, der::tag::SEQUENCE)?;
        let mut found = false;
        while !purposes.is_empty() {
            found |= purposes.expect(der::tag::OID)?.content == oid::CODE_SIGNING;
        }
        Ok(found)
    };
    purposes().unwrap_or(false)
}

/// Who a certificate is for: exactly one name, and who vouched for it.
fn identity(leaf: &Certificate) -> Result<Identity, Doubt> {
    let wrong = |what: &str| Doubt::Certificate(what.to_owned());
    let issuer = match (leaf.extensions.get(oid::ISSUER), leaf.extensions.get(oid::ISSUER_V1)) {
        (Some(value), _) => {
            let mut reader = der::Reader::new(value);
            let text = reader.expect(der::tag::UTF8).ok().filter(|_| reader.is_empty());
            text.map(|text| text.content)
        }
        (None, value) => value,
    };
    let issuer = issuer.and_then(|issuer| std::str::from_utf8(issuer).ok());
    let issuer = issuer.ok_or_else(|| wrong("it does not say who vouched for the identity"))?;
    let names = leaf.extensions.get(oid::SUBJECT_ALT_NAME);
    let names = names.ok_or_else(|| wrong("it names nobody"))?;
    let subject = || -> der::Result<Option<&[u8]>> {
        /// rfc822Name and uniformResourceIdentifier (RFC 5280, section 4.2.1.6).
        const TAGS: [u8; 2] = [0x81, 0x86];
        let mut names = der::Reader::whole(names, der::tag::SEQUENCE)?;
        let name = names.any()?;
        names.finish()?;
        Ok(TAGS.contains(&name.tag).then_some(name.content))
    };
    let subject = subject().ok().flatten().and_then(|name| std::str::from_utf8(name).ok());
    let subject = subject.ok_or_else(|| wrong("it does not name one address or URI"))?;
    Ok(Identity { issuer: issuer.to_owned(), subject: subject.to_owned() })
}

impl std::fmt::Debug for TrustedRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrustedRoot")
            .field("authorities", &self.authorities.len())
            .field("logs", &self.logs.len())
            .field("certificate_logs", &self.certificate_logs.as_ref().map(Vec::len))
            .field("stampers", &self.stampers.len())
            .finish()
    }
}
