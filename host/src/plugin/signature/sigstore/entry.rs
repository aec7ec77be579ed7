//! An entry of the transparency log (Rekor, versions 1 and 2): what it is about, when the log took it in,
//! and the proof that it is in the log.

use data_encoding::{BASE64, HEXLOWER};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;

use super::super::key;
use super::Log;
use crate::audit::merkle;
use crate::clock::Timestamp;
use crate::json::{self, Limits};
use crate::plugin::package::LARGEST_SIGNATURE;

/// The most hashes in a proof: a log of 2^63 entries needs no more.
const LONGEST_PROOF: usize = 63;

/// An entry as a bundle has it (`sigstore_rekor.proto`, `TransparencyLogEntry`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    log_index: Number,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default)]
    integrated_time: Option<Number>,
    #[serde(default)]
    inclusion_promise: Option<Promise>,
    #[serde(default)]
    inclusion_proof: Option<Proof>,
    canonicalized_body: String,
}

/// A whole number; Protocol Buffers' JSON has 64 bits as text.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

#[derive(Clone, Debug, Deserialize)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Promise {
    signed_entry_timestamp: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Proof {
    log_index: Number,
    root_hash: String,
    tree_size: Number,
    #[serde(default)]
    hashes: Vec<String>,
    checkpoint: Checkpoint,
}

#[derive(Clone, Debug, Deserialize)]
struct Checkpoint {
    envelope: String,
}

/// `hashedrekord`, as far as it is read: 0.0.1 or, of a log of version 2, 0.0.2.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<S> {
    kind: String,
    api_version: String,
    spec: S,
}

/// What a log says that it took in.
struct About {
    digest: Vec<u8>,
    signature: Vec<u8>,
    /// DER.
    certificate: Vec<u8>,
}

#[derive(Deserialize)]
struct Spec {
    data: Data,
    signature: BodySignature,
}

#[derive(Deserialize)]
struct Data {
    hash: Hash,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodySignature {
    content: String,
    public_key: BodyKey,
}

#[derive(Deserialize)]
struct BodyKey {
    content: String,
}

/// 0.0.2 (`rekor/v2/hashedrekord.proto`, in Protocol Buffers' JSON).
#[derive(Deserialize)]
struct Spec2 {
    #[serde(rename = "hashedRekordV002")]
    record: Record2,
}

#[derive(Deserialize)]
struct Record2 {
    data: Data2,
    signature: Signature2,
}

#[derive(Deserialize)]
struct Data2 {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
struct Signature2 {
    content: String,
    verifier: Verifier2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Verifier2 {
    x509_certificate: Certificate2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Certificate2 {
    raw_bytes: String,
}

impl Spec {
    fn about(self) -> Result<About, String> {
        let Hash { algorithm, value } = self.data.hash;
        let digest = HEXLOWER.decode(value.as_bytes()).ok().filter(|_| algorithm == "sha256");
        let pem = base64(&self.signature.public_key.content)?;
        let shown = CertificateDer::from_pem_slice(&pem).map_err(|error| error.to_string())?;
        Ok(About {
            digest: digest.ok_or("it is about other bytes")?,
            signature: base64(&self.signature.content)?,
            certificate: shown.to_vec(),
        })
    }
}

impl Spec2 {
    fn about(self) -> Result<About, String> {
        let Record2 { data, signature } = self.record;
        if data.algorithm != "SHA2_256" {
            return Err("it is about other bytes".to_owned());
        }
        Ok(About {
            digest: base64(&data.digest)?,
            signature: base64(&signature.content)?,
            certificate: base64(&signature.verifier.x509_certificate.raw_bytes)?,
        })
    }
}

impl Number {
    fn value(&self) -> Result<u64, String> {
        match self {
            Self::Number(number) => Ok(*number),
            Self::Text(text) => text.parse().map_err(|_| "a number that is none".to_owned()),
        }
    }
}

impl Entry {
    /// When the log took in this signature by this certificate over this digest, where it promised to
    /// and so told its time. Without, somebody else must have told the time (`stamped`).
    pub(super) fn check(
        &self,
        logs: &[Log],
        leaf: &[u8],
        digest: &[u8; 32],
        signature: &[u8],
        stamped: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, String> {
        let body = base64(&self.canonicalized_body)?;
        self.is_about(&body, leaf, digest, signature)?;
        let id = base64(&self.log_id.key_id)?;
        let promised = match (&self.inclusion_promise, stamped) {
            (None, None) => return Err("the log did not promise it, and nobody else saw it".into()),
            (None, Some(_)) => None,
            (Some(_), _) => {
                let at = self.integrated_time.as_ref().ok_or("it has no time")?.value()?;
                Some(Timestamp(at))
            }
        };
        let at = promised.or(stamped).ok_or("it has no time")?;
        let log = logs.iter().find(|log| log.id == id && log.valid.covers(at));
        let log = log.ok_or("it is of a log that is not in the trusted root")?;
        if let Some(at) = promised {
            self.promised(log, &id, at)?;
        }
        self.included(log, &body)?;
        Ok(promised)
    }

    fn is_about(
        &self,
        body: &[u8],
        leaf: &[u8],
        digest: &[u8; 32],
        signature: &[u8],
    ) -> Result<(), String> {
        let KindVersion { kind, version } = &self.kind_version;
        let about = match (kind.as_str(), version.as_str()) {
            ("hashedrekord", "0.0.1") => self.body::<Spec>(body)?.about()?,
            ("hashedrekord", "0.0.2") => self.body::<Spec2>(body)?.about()?,
            _ => return Err(format!("it is of kind {kind:?} {version}, which is not read")),
        };
        if about.digest != digest {
            return Err("it is about other bytes".to_owned());
        }
        if about.signature != signature {
            return Err("it is about another signature".to_owned());
        }
        match about.certificate == leaf {
            true => Ok(()),
            false => Err("it is about another certificate".to_owned()),
        }
    }

    fn body<S: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<S, String> {
        let body: Body<S> = json::parse(body, Limits::REQUEST.with_bytes(LARGEST_SIGNATURE))
            .map_err(|error| error.to_string())?;
        let KindVersion { kind, version } = &self.kind_version;
        match (&body.kind, &body.api_version) == (kind, version) {
            true => Ok(body.spec),
            false => Err("its body is of another kind".to_owned()),
        }
    }

    /// The log's signature over entry, index and time: its promise to take it in, and its clock.
    fn promised(&self, log: &Log, id: &[u8], at: Timestamp) -> Result<(), String> {
        let promise = self.inclusion_promise.as_ref().ok_or("the log did not promise it")?;
        // Canonical JSON (RFC 8785) of an object with these members: nothing in it needs escaping.
        let promised = format!(
            r#"{{"body":"{}","integratedTime":{},"logID":"{}","logIndex":{}}}"#,
            self.canonicalized_body,
            at.0,
            HEXLOWER.encode(id),
            self.log_index.value()?,
        );
        let signature = base64(&promise.signed_entry_timestamp)?;
        match key::verify(&log.key, promised.as_bytes(), &signature) {
            true => Ok(()),
            false => Err("the log's promise does not hold".to_owned()),
        }
    }

    /// The path to a root hash, and the log's signature over that (C2SP tlog-checkpoint).
    fn included(&self, log: &Log, body: &[u8]) -> Result<(), String> {
        let proof = self.inclusion_proof.as_ref().ok_or("it has no proof of inclusion")?;
        if proof.hashes.len() > LONGEST_PROOF {
            return Err("its proof is too long".to_owned());
        }
        let path = proof.hashes.iter().map(|hash| hash32(hash));
        let path = path.collect::<Result<Vec<_>, _>>()?;
        let (root, size) = (hash32(&proof.root_hash)?, proof.tree_size.value()?);
        let index = proof.log_index.value()?;
        if !merkle::verify_inclusion(&merkle::leaf(body), index, size, &path, &root) {
            return Err("its proof does not lead to the root hash".to_owned());
        }
        let note = &proof.checkpoint.envelope;
        let (text, signatures) = note.split_once("\n\n").ok_or("its checkpoint is no note")?;
        let mut lines = text.lines().skip(1);
        let (said_size, said_root) = (lines.next(), lines.next());
        if said_size != Some(size.to_string().as_str())
            || said_root != Some(BASE64.encode(&root).as_str())
        {
            return Err("its checkpoint is of another tree".to_owned());
        }
        let text = format!("{text}\n");
        let signed = signatures.lines().take(8).any(|line| {
            let signature = line.strip_prefix("\u{2014} ").and_then(|line| line.rsplit_once(' '));
            let signature = signature.and_then(|(_, signature)| base64(signature).ok());
            // Four bytes of the key's identifier go before the signature.
            let signature = signature.as_deref().and_then(|bytes| bytes.split_at_checked(4));
            signature.is_some_and(|(hint, signature)| {
                log.id.starts_with(hint) && key::verify(&log.key, text.as_bytes(), signature)
            })
        });
        match signed {
            true => Ok(()),
            false => Err("its checkpoint is not signed by the log".to_owned()),
        }
    }
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(text.as_bytes()).map_err(|_| "base64 that is none".to_owned())
}

fn hash32(text: &str) -> Result<[u8; 32], String> {
    base64(text)?.try_into().map_err(|_| "a hash that is not 32 bytes".to_owned())
}
