//! Each tenant's attestation policies, one of each type, and the certificates of those who may sign
//! them. What nobody set is the service's default. Policies are compiled before they are stored.

use std::sync::Arc;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::request::{AttestationKind, MaaFailure};
use super::signed::{self, Signed};
use crate::audit::Digest;
use crate::error::{Code, Refusal};
use crate::json::{self, Limits};
use crate::policy::maa::{MaaPolicy, default_policy};
use crate::secret::Secret;
use crate::store::{SealedStore, StoreError, names};
use crate::tenant::Tenant;

/// Where policies and certificates stand in the store.
const COLLECTION: &str = "attestation-policy";
const SIGNERS: &str = "attestation-policy-signers";

/// The most certificates that a tenant adds.
const MOST_SIGNERS: usize = 32;

/// How many policies are kept compiled.
const COMPILED: u64 = 256;

/// A policy, as it is stored: the JWT with which it was set.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    token: String,
}

/// A tenant's certificates, DER in base64.
#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct StoredSigners {
    certificates: Vec<String>,
}

/// A policy that applies.
#[derive(Debug)]
pub(in crate::flow) struct Applied {
    pub(super) policy: MaaPolicy,
    /// The JWT with which it was set; none: nobody set one.
    pub(super) token: Option<String>,
    /// `x-ms-policy-signer`, where somebody signed it.
    pub(super) signer: Option<Json>,
}

/// Policies and their signers.
pub(in crate::flow) struct Policies {
    store: Arc<SealedStore>,
    compiled: Cache<Digest, Arc<Applied>>,
}

impl Policies {
    pub(super) fn new(store: Arc<SealedStore>) -> Self {
        Self { store, compiled: Cache::new(COMPILED) }
    }

    /// The policy that applies.
    pub(super) fn read(
        &self,
        tenant: &Tenant,
        kind: AttestationKind,
    ) -> Result<Arc<Applied>, Refusal> {
        let stored = self.store.get(&place(tenant, kind)).map_err(unavailable)?;
        let digest = match &stored {
            Some(stored) => Digest::of(stored.expose()),
            None => Digest::of(kind.name().as_bytes()),
        };
        if let Some(known) = self.compiled.get(&digest) {
            return Ok(known);
        }
        // What cannot be read does not permit.
        let broken = |reason: String| {
            Refusal::new(Code::PolicyInvalid, format!("the policy of {}: {reason}", kind.name()))
        };
        let applied = match &stored {
            Some(stored) => {
                let Stored { token } = serde_json::from_slice(stored.expose())
                    .map_err(|error| broken(error.to_string()))?;
                let signed = Signed::read(&token).map_err(|fault| broken(fault.to_owned()))?;
                let text = signed.policy().map_err(|fault| broken(fault.to_owned()))?;
                let text = text.ok_or_else(|| broken("it is empty".to_owned()))?;
                let policy = MaaPolicy::parse(&text).map_err(|fault| broken(fault.to_string()))?;
                Applied { policy, signer: signed.signer(), token: Some(token) }
            }
            None => {
                let text = default_policy(kind.name()).unwrap_or_default();
                let policy = MaaPolicy::parse(text).map_err(|fault| broken(fault.to_string()))?;
                Applied { policy, token: None, signer: None }
            }
        };
        let applied = Arc::new(applied);
        self.compiled.insert(digest, Arc::clone(&applied));
        Ok(applied)
    }

    /// Puts a policy in place, or none in place of the one that is there.
    pub(super) fn put(
        &self,
        tenant: &Tenant,
        kind: AttestationKind,
        token: Option<&str>,
    ) -> Result<(), Refusal> {
        let written = token.map(|token| json!({"token": token}).to_string().into_bytes());
        let place = place(tenant, kind);
        for _ in 0..8 {
            let kept = self.store.get(&place).map_err(unavailable)?;
            let old = kept.as_ref().map(Secret::expose);
            if self.store.swap(&place, old, written.as_deref()).map_err(unavailable)? {
                return Ok(());
            }
        }
        Err(Refusal::new(Code::Conflict, "the policy keeps changing"))
    }

    /// The certificates that a tenant added.
    pub(super) fn signers(&self, tenant: &Tenant) -> Result<Vec<Vec<u8>>, Refusal> {
        let kept = self.store.get(&signers(tenant)).map_err(unavailable)?;
        certificates(kept.as_ref())
    }

    /// Adds a certificate, or takes one away; whether it was there before.
    pub(super) fn change_signers(
        &self,
        tenant: &Tenant,
        certificate: &[u8],
        present: bool,
    ) -> Result<bool, Refusal> {
        let place = signers(tenant);
        for _ in 0..8 {
            let kept = self.store.get(&place).map_err(unavailable)?;
            let mut known = certificates(kept.as_ref())?;
            let was = known.iter().any(|one| one == certificate);
            if was == present {
                return Ok(was);
            }
            known.retain(|one| one != certificate);
            if present {
                if known.len() >= MOST_SIGNERS {
                    let reason = format!("{MOST_SIGNERS} certificates are there already");
                    return Err(Refusal::new(Code::Conflict, reason));
                }
                known.push(certificate.to_vec());
            }
            let certificates =
                known.iter().map(|der| data_encoding::BASE64.encode(der)).collect::<Vec<_>>();
            let written = json!({"certificates": certificates}).to_string();
            let old = kept.as_ref().map(Secret::expose);
            let written = Some(written.as_bytes());
            if self.store.swap(&place, old, written).map_err(unavailable)? {
                return Ok(was);
            }
        }
        Err(Refusal::new(Code::Conflict, "the certificates keep changing"))
    }
}

fn certificates(stored: Option<&Secret>) -> Result<Vec<Vec<u8>>, Refusal> {
    let Some(stored) = stored else { return Ok(Vec::new()) };
    let broken = || Refusal::new(Code::StoreUnavailable, "the certificates cannot be read");
    let limits = Limits { text: 64 << 10, ..Limits::REQUEST };
    let StoredSigners { certificates } =
        json::parse(stored.expose(), limits).map_err(|_| broken())?;
    let decoded = certificates
        .iter()
        .map(|one| data_encoding::BASE64.decode(one.as_bytes()).map_err(|_| broken()));
    decoded.collect()
}

/// A policy that somebody wants to set was read and may be set by whoever signed it.
pub(super) fn admitted(
    token: &str,
    signers: &[Vec<u8>],
    unsigned: bool,
) -> Result<Option<MaaPolicy>, MaaFailure> {
    let malformed = |fault: &'static str| Refusal::new(Code::RequestMalformed, fault);
    let signed = Signed::read(token).map_err(malformed)?;
    signed.check(signers, unsigned).map_err(|signed::Distrusted(why)| {
        Refusal::new(Code::Forbidden, format!("the policy: {why}"))
    })?;
    let text = signed.policy().map_err(malformed)?;
    Ok(text.map(|text| MaaPolicy::parse(&text)).transpose()?)
}

fn place(tenant: &Tenant, kind: AttestationKind) -> String {
    names::of_tenant(tenant, COLLECTION, kind.name())
}

fn signers(tenant: &Tenant) -> String {
    names::of_tenant(tenant, SIGNERS, "all")
}

fn unavailable(error: StoreError) -> Refusal {
    Refusal::new(Code::StoreUnavailable, error.to_string())
}
