//! Attestation policies under administration: read, set, reset; and who may sign them. Answers are
//! tokens of the service. Every change is recorded, before and after.

use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXUPPER};
use serde_json::{Map, Value as Json, json};

use super::policies::admitted;
use super::request::{AttestationKind, AttestationRules, MaaFailure};
use super::signed::{Distrusted, Signed};
use super::token;
use crate::audit::{Digest, Event};
use crate::error::{Code, Refusal};
use crate::flow::host::Host;
use crate::flow::request::Caller;
use crate::flow::waiting::waiting;

impl Host {
    /// The policy of a type, as the service answers.
    pub async fn maa_policy(
        &self,
        caller: &Caller,
        url: &str,
        kind: AttestationKind,
        rules: &AttestationRules,
    ) -> Result<String, Refusal> {
        let (parts, tenant) = (Arc::clone(&self.parts), caller.tenant.clone());
        let applied = waiting(move || parts.attestations.policies.read(&tenant, kind)).await?;
        let policy = applied.token.clone().unwrap_or_else(|| {
            let text = BASE64URL_NOPAD.encode(applied.policy.source().as_bytes());
            let body = json!({"AttestationPolicy": text});
            token::unsigned(body.as_object().unwrap_or(&Map::new()))
        });
        self.maa_answer(url, rules, json!({"x-ms-policy": policy})).await
    }

    /// Sets a policy: a JWT, signed where the operator wants it signed.
    pub async fn maa_set_policy(
        &self,
        caller: &Caller,
        principal: &str,
        url: &str,
        kind: AttestationKind,
        token: &str,
        rules: &AttestationRules,
    ) -> Result<String, MaaFailure> {
        let listed = self.signers(caller, rules).await?;
        let policy = admitted(token, &listed, rules.unsigned_policies)?;
        let policy = policy
            .ok_or_else(|| Refusal::new(Code::RequestMalformed, "the token holds no policy"))?;
        let named = format!("maa:{}", policy.hash());
        self.maa_change_policy(caller, principal, kind, named, Some(token.to_owned())).await?;
        let answer = changed("Updated", token);
        Ok(self.maa_answer(url, rules, answer).await?)
    }

    /// Puts the default in the place of a policy.
    pub async fn maa_reset_policy(
        &self,
        caller: &Caller,
        principal: &str,
        url: &str,
        kind: AttestationKind,
        token: &str,
        rules: &AttestationRules,
    ) -> Result<String, MaaFailure> {
        let listed = self.signers(caller, rules).await?;
        admitted(token, &listed, rules.unsigned_policies)?;
        let named = "maa:default".to_owned();
        self.maa_change_policy(caller, principal, kind, named, None).await?;
        Ok(self.maa_answer(url, rules, changed("Removed", token)).await?)
    }

    async fn maa_change_policy(
        &self,
        caller: &Caller,
        principal: &str,
        kind: AttestationKind,
        named: String,
        token: Option<String>,
    ) -> Result<(), Refusal> {
        let entry = self.entry(Event::PolicyChanged, caller, principal, kind.name()).policy(named);
        let tenant = caller.tenant.clone();
        let work = move |host: Self| async move {
            let parts = Arc::clone(&host.parts);
            waiting(move || parts.attestations.policies.put(&tenant, kind, token.as_deref())).await
        };
        self.change(entry, |()| None, work).await
    }

    /// The certificates of those who may sign policies.
    pub async fn maa_signers(
        &self,
        caller: &Caller,
        url: &str,
        rules: &AttestationRules,
    ) -> Result<String, Refusal> {
        let listed = self.signers(caller, rules).await?;
        let keys: Vec<Json> =
            listed.iter().map(|der| json!({"x5c": [BASE64.encode(der)]})).collect();
        let answer = json!({"x-ms-policy-certificates": {"keys": keys}});
        self.maa_answer(url, rules, answer).await
    }

    /// Adds a certificate to them, or takes one away that was added. `token`: a JWT that one of them
    /// signed, whatever is allowed of policies.
    pub async fn maa_change_signers(
        &self,
        caller: &Caller,
        principal: &str,
        url: &str,
        token: &str,
        present: bool,
        rules: &AttestationRules,
    ) -> Result<String, MaaFailure> {
        let listed = self.signers(caller, rules).await?;
        let malformed = |fault: &'static str| Refusal::new(Code::RequestMalformed, fault);
        let signed = Signed::read(token).map_err(malformed)?;
        signed.check(&listed, false).map_err(|Distrusted(why)| {
            Refusal::new(Code::Forbidden, format!("the certificates: {why}"))
        })?;
        // The service's reference has the one name, its client for Python writes the other.
        let named = signed.claim("policyCertificate");
        let named = named.or_else(|| signed.claim("maa-policyCertificate"));
        let certificate =
            named.and_then(|jwk| BASE64.decode(jwk.get("x5c")?.get(0)?.as_str()?.as_bytes()).ok());
        let certificate =
            certificate.ok_or_else(|| malformed("policyCertificate has no certificate"))?;
        if !present && rules.policy_signers.contains(&certificate) {
            let reason = "the operator listed this certificate, and takes it away himself";
            return Err(Refusal::new(Code::Conflict, reason).into());
        }
        let digest = Digest::of(&certificate);
        let verb = if present { "may sign policies: " } else { "signs policies no more: " };
        let entry = self
            .entry(Event::PolicyChanged, caller, principal, "attestation-policy-signers")
            .detail(format!("{verb}{digest}"));
        let (tenant, der) = (caller.tenant.clone(), certificate.clone());
        let work = move |host: Self| async move {
            let parts = Arc::clone(&host.parts);
            let policies =
                move || parts.attestations.policies.change_signers(&tenant, &der, present);
            waiting(policies).await
        };
        self.change(entry, |_: &bool| None, work).await?;
        let sha1 =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate);
        let answer = json!({
            "x-ms-certificate-thumbprint": HEXUPPER.encode(sha1.as_ref()),
            "x-ms-policycertificates-result": if present { "IsPresent" } else { "IsAbsent" },
        });
        Ok(self.maa_answer(url, rules, answer).await?)
    }

    async fn signers(
        &self,
        caller: &Caller,
        rules: &AttestationRules,
    ) -> Result<Vec<Vec<u8>>, Refusal> {
        let (parts, tenant) = (Arc::clone(&self.parts), caller.tenant.clone());
        let added = waiting(move || parts.attestations.policies.signers(&tenant)).await?;
        Ok(rules.policy_signers.iter().cloned().chain(added).collect())
    }

    /// A token of the service that says something of the service itself. It is no attestation result,
    /// and names no recipient.
    async fn maa_answer(
        &self,
        url: &str,
        rules: &AttestationRules,
        says: Json,
    ) -> Result<String, Refusal> {
        let now = self.parts.clock.now();
        let jti = token::identifier(&*self.parts.random)?;
        let mut claims = says.as_object().cloned().unwrap_or_default();
        let own = json!({
            "iss": url,
            "iat": now.0,
            "nbf": now.0,
            "exp": now.plus(rules.token_seconds).0,
            "jti": jti,
            "x-ms-ver": "1.0",
        });
        claims.extend(own.as_object().cloned().unwrap_or_default());
        let keys = self.maa_keys(url, rules).await?;
        let signed = keys.signing().sign(&format!("{url}/certs"), &claims);
        signed.map_err(|error| Refusal::new(Code::Internal, error.to_string()))
    }
}

/// The result of a change, by the digest of the token as it was sent.
fn changed(result: &str, token: &str) -> Json {
    let hash = BASE64URL_NOPAD.encode(&Digest::of(token.as_bytes()).0);
    let signer = Signed::read(token).ok().and_then(|signed| signed.signer());
    match signer {
        Some(signer) => json!({
            "x-ms-policy-result": result,
            "x-ms-policy-token-hash": hash,
            "x-ms-policy-signer": signer,
        }),
        None => json!({"x-ms-policy-result": result, "x-ms-policy-token-hash": hash}),
    }
}
