//! Last steps: the key is fetched and wrapped, the release is recorded, and only what is recorded
//! is handed out.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value as Json};

use super::administer_policy::in_records;
use super::foreign::Basis;
use super::host::{Asked, Parts};
use super::permit::Permitted;
use super::request::{Caller, Evidence, ReleasedKey, WrapForm};
use super::source::Source;
use crate::audit::{AuditError, AuditLog, Digest, Event, Record};
use crate::error::{Code, Refusal};
use crate::json::{self, Limits};
use crate::keys::{HeldRecipient, RecipientKey, WrapError, WrapHeader};
use crate::plugin::{KeyReference, KmsFailure, KmsPlugin, ReleaseContext, Released};
use crate::secret::Secret;

/// A release whose audit record is durable. The wrapped key inside was never anywhere else.
#[derive(Debug)]
pub struct Recorded {
    key: ReleasedKey,
}

impl Permitted {
    /// Fetches the key, wraps it to the recipient that the evidence binds, and records the release.
    pub(super) async fn record(
        self,
        caller: &Caller,
        parts: &Arc<Parts>,
        asked: Asked<'_>,
    ) -> Result<Recorded, Refusal> {
        let Asked { evidence, principal, form, .. } = asked;
        let (wrapped, reads_key_material) = match &self.source {
            Source::Connector(kms) => {
                let wrapped = self.fetch(kms, parts, evidence, form).await?;
                let (tenant, now) = (self.basis.tenant(), parts.clock.now());
                let (name, version) = (kms.name(), &wrapped.version);
                parts.vault.releasable(tenant, name, &self.key, version, now)?;
                (wrapped, kms.reads_key_material())
            }
            Source::Secrets => (self.secret(parts, form)?, false),
        };
        self.still_by(&*parts.reference_values(self.basis.tenant()).await?)?;
        self.still(parts)?;
        let mut entry = self
            .basis
            .record(Event::Released, caller)
            .key(self.source.named(&self.key))
            .version(wrapped.version.as_str())
            .reads_key_material(reads_key_material)
            .wrapped_by_connector(wrapped.by_connector)
            .policy(in_records(&self.policy.id))
            .jwe(Digest::of(wrapped.jwe.as_bytes()));
        if let Source::Connector(kms) = &self.source {
            entry = entry.connector(kms.name(), kms.digest());
        }
        if let Some(principal) = principal {
            entry = entry.principal(principal);
        }
        if let WrapForm::RsaAes(wrap) = form {
            entry = entry.wrap(wrap.name());
        }
        let index = append(&parts.audit, &entry).await?;
        Ok(Recorded {
            key: ReleasedKey {
                jwe: wrapped.jwe,
                media_type: wrapped.media_type,
                version: wrapped.version,
                status: self.basis.status().name(),
                simulated: self.basis.simulated(),
                reads_key_material,
                audit_index: index,
            },
        })
    }

    async fn fetch(
        &self,
        kms: &KmsPlugin,
        parts: &Arc<Parts>,
        evidence: Option<Evidence>,
        form: WrapForm,
    ) -> Result<Wrapped, Refusal> {
        let recipient = self.basis.recipient();
        let held = match kms.host_is_recipient_for(recipient) {
            true => Some(Arc::new(make_held().await?)),
            false => None,
        };
        let reference = KeyReference { name: self.key.clone(), version: self.version.clone() };
        let context = ForConnector {
            basis: Arc::clone(&self.basis),
            parts: Arc::clone(parts),
            connector: kms.name().to_owned(),
            evidence,
            held: held.clone(),
        };
        let released = kms
            .release(self.basis.tenant(), &reference, Arc::new(context))
            .await
            .map_err(|failure| refuse_kms(kms.name(), failure))?;
        let released = match (released, held) {
            (Released::Wrapped { media_type, jwe, version }, Some(held)) => {
                let opened = held.open(&jwe).map_err(|why| {
                    Refusal::new(Code::PluginFailed, format!("{}: {why}", kms.name()))
                });
                Released::Held { media_type, key: opened?, version }
            }
            (released, _) => released,
        };
        match released {
            Released::Held { media_type, key, version } => {
                self.wrapped(&key, media_type, version, form)
            }
            Released::Wrapped { .. } if form != WrapForm::Jwe => {
                let reason = format!("{} wraps itself, and not in this form", kms.name());
                Err(Refusal::new(Code::KmsUnsupported, reason))
            }
            Released::Wrapped { media_type, jwe, version } => {
                if !addressed_to(recipient, &jwe) {
                    let reason = format!("{}: wrapped to another recipient", kms.name());
                    return Err(Refusal::new(Code::PluginFailed, reason));
                }
                Ok(Wrapped { jwe, media_type, version, by_connector: true })
            }
        }
    }

    /// A secret out of the host's own store.
    fn secret(&self, parts: &Parts, form: WrapForm) -> Result<Wrapped, Refusal> {
        let (tenant, now) = (self.basis.tenant(), parts.clock.now());
        let version = self.version.as_deref();
        let secret = parts.vault.secret_to_release(tenant, &self.key, version, now)?;
        self.wrapped(&secret.value, "text/plain; charset=utf-8".to_owned(), secret.version, form)
    }

    /// Material in the host's hands, wrapped to the recipient.
    fn wrapped(
        &self,
        material: &Secret,
        media_type: String,
        version: String,
        form: WrapForm,
    ) -> Result<Wrapped, Refusal> {
        let recipient = self.basis.recipient();
        if let WrapForm::RsaAes(wrap) = form {
            let wrapped = recipient.rsa_aes_wrap(material.expose(), wrap);
            let jwe = BASE64URL_NOPAD.encode(&wrapped.map_err(refuse_wrap)?);
            return Ok(Wrapped { jwe, media_type, version, by_connector: false });
        }
        let header = WrapHeader {
            cty: media_type.clone(),
            tenant: self.basis.tenant().to_string(),
            key: self.source.named(&self.key),
            version: version.clone(),
            challenge: self.basis.occasion(),
            audit: None,
        };
        let jwe = recipient.wrap(material.expose(), &header).map_err(refuse_wrap)?;
        Ok(Wrapped { jwe, media_type, version, by_connector: false })
    }
}

/// What a connector may ask about the release.
struct ForConnector {
    basis: Arc<Basis>,
    parts: Arc<Parts>,
    connector: String,
    evidence: Option<Evidence>,
    /// The host's own key, where that is what the service is to wrap to.
    held: Option<Arc<HeldRecipient>>,
}

impl ReleaseContext for ForConnector {
    fn recipient(&self) -> String {
        let held = self.held.as_ref().map(|held| held.public());
        held.unwrap_or(self.basis.recipient()).jwk().to_string()
    }

    fn attestation(&self) -> Result<String, String> {
        let appraised = match &*self.basis {
            Basis::Own(appraised) => appraised,
            Basis::Foreign(_) if self.held.is_some() => {
                return Err("the token of another service names no key of this host's".to_owned());
            }
            // It names the recipient as well, and was not made for this host alone.
            Basis::Foreign(vouched) => {
                let token = std::str::from_utf8(vouched.token.expose());
                return token.map(str::to_owned).map_err(|error| error.to_string());
            }
        };
        let minted = self.parts.identifier().and_then(|jti| {
            let held = self.held.as_ref().map(|held| held.public());
            self.parts.tokens.for_connector(appraised, &jti, &self.connector, held)
        });
        minted.map(|minted| minted.token).map_err(|refusal| refusal.code.title().to_owned())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        let evidence = self.evidence.as_ref()?;
        Some((evidence.media_type.clone().unwrap_or_default(), evidence.data.clone()))
    }
}

/// The host's own key for one release, made on a thread that may compute.
async fn make_held() -> Result<HeldRecipient, Refusal> {
    let failed = |why: String| Refusal::new(Code::Internal, why);
    let made = tokio::task::spawn_blocking(HeldRecipient::generate).await;
    made.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))
}

impl Recorded {
    /// Hands the key out.
    #[must_use]
    pub fn release(self) -> ReleasedKey {
        self.key
    }
}

struct Wrapped {
    jwe: String,
    media_type: String,
    version: String,
    by_connector: bool,
}

/// Whether the header of a compact JWE names this recipient. More cannot be seen from outside.
fn addressed_to(recipient: &RecipientKey, jwe: &str) -> bool {
    let header = jwe.split('.').next().unwrap_or_default();
    let header = BASE64URL_NOPAD.decode(header.as_bytes()).ok();
    let header: Option<Map<String, Json>> =
        header.and_then(|header| json::parse(&header, Limits::TOKEN).ok());
    header.is_some_and(|header| header.get("kid") == Some(&Json::String(recipient.kid())))
}

/// Appends a record and waits until it is durable.
pub(super) async fn append(audit: &AuditLog, record: &Record) -> Result<u64, Refusal> {
    let receipt = audit.record(record).await.map_err(refuse_audit)?;
    Ok(receipt.index)
}

fn refuse_audit(error: AuditError) -> Refusal {
    Refusal::new(Code::AuditUnavailable, error.to_string())
}

fn refuse_wrap(error: WrapError) -> Refusal {
    Refusal::new(Code::RecipientKeyInvalid, error.to_string())
}

pub(super) fn refuse_kms(name: &str, failure: KmsFailure) -> Refusal {
    let code = match &failure {
        KmsFailure::Conflict(_) => Code::Conflict,
        KmsFailure::Deadline => Code::PluginTimeout,
        KmsFailure::Denied(_) => Code::KmsDenied,
        KmsFailure::Disabled => Code::KeyDisabled,
        KmsFailure::Invalid(_) | KmsFailure::Limit(_) | KmsFailure::Trap(_) => Code::PluginFailed,
        KmsFailure::Malformed(_) => Code::RequestMalformed,
        KmsFailure::Misconfigured(_) => Code::KmsMisconfigured,
        KmsFailure::NotFound => Code::KeyNotFound,
        KmsFailure::Unavailable(_) => Code::KmsUnavailable,
        KmsFailure::Unsupported(_) => Code::KmsUnsupported,
    };
    Refusal::new(code, format!("{name}: {failure}"))
}
