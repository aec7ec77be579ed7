//! The material of a key in the host's hands, for the moment of an operation, and its public part.

use std::sync::Arc;

use serde_json::Value;

use super::record::internal;
use crate::error::{Code, Refusal};
use crate::flow::release::refuse_kms;
use crate::keys::PrivateKind;
use crate::plugin::{KeyReference, KmsPlugin, ReleaseContext, Released};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// What a connector is asked for here is for nobody outside: there is no recipient.
struct ForTheHost;

impl ReleaseContext for ForTheHost {
    fn recipient(&self) -> String {
        "{}".to_owned()
    }

    fn attestation(&self) -> Result<String, String> {
        Err("the key does not leave the host".to_owned())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        None
    }
}

/// The material of a version: PKCS#8, or raw bytes for `oct`.
pub(super) async fn of(
    kms: &KmsPlugin,
    tenant: &Tenant,
    name: &str,
    number: &str,
) -> Result<Secret, Refusal> {
    let reference = KeyReference { name: name.to_owned(), version: Some(number.to_owned()) };
    let released = kms.release(tenant, &reference, Arc::new(ForTheHost)).await;
    match released.map_err(|failure| refuse_kms(kms.name(), failure))? {
        Released::Held { key, .. } => Ok(key),
        Released::Wrapped { .. } => {
            let reason = format!("{} does not give keys into the host's hands", kms.name());
            Err(Refusal::new(Code::KmsUnsupported, reason))
        }
    }
}

/// The public part as a JWK; none for `oct`.
pub(super) fn public(kind: &str, material: &Secret) -> Result<Option<Value>, Refusal> {
    let private = PrivateKind::of(kind);
    let public = private.map(|private| private.public_jwk(material.expose()));
    public.transpose().map_err(|error| internal(&error))
}
