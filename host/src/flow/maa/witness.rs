//! Evidence that answers no challenge: read, bound to runtime data, judged. What is not bound to any is
//! refused; nothing would be fresh of it.

use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde_json::Value as Json;

use super::guest::{self, Guest};
use super::request::{AttestationRules, RuntimeData};
use crate::appraisal::{Appraisal, Case, Status};
use crate::audit::{Digest, Event};
use crate::claim::Value;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::explanation::Explanation;
use crate::flow::appraise::{Appraised, Occasion, Part, Subject};
use crate::flow::bind::not_bound;
use crate::flow::challenge::{Fresh, Freshness};
use crate::flow::gate::Verified;
use crate::flow::host::{Host, step, verifier_of};
use crate::flow::record;
use crate::flow::release::append;
use crate::flow::request::{Caller, Evidence};
use crate::flow::verify::Genuine;
use crate::flow::waiting::waiting;
use crate::foreign::recipient_of;
use crate::keys::RecipientKey;
use crate::quote::NATIVE;
use crate::reference::Snapshot;
use crate::tenant::Tenant;

/// Genuine evidence that is bound to runtime data and was judged.
#[derive(Debug)]
pub(in crate::flow) struct Witnessed {
    pub(super) tenant: Tenant,
    pub(super) at: Timestamp,
    pub(super) occasion: Occasion,
    pub(super) main: Part,
    /// The key among the runtime data that things may be wrapped to.
    pub(super) recipient: Option<RecipientKey>,
    references: Arc<Snapshot>,
}

/// Genuine evidence that is bound to runtime data.
struct BoundToData {
    fresh: Fresh,
    verified: Verified,
}

impl Genuine {
    /// The whole REPORTDATA of a report that the host checked itself must be the digest of these bytes
    /// and zeros, and what was chosen at launch that of the others. Of a guest with a virtual TPM the digest
    /// in its key's name must be that of these bytes.
    fn bind_to_data(
        self,
        runtime: &RuntimeData,
        initial: Option<&RuntimeData>,
        guest: Option<&Guest>,
    ) -> Result<BoundToData, Refusal> {
        let Self { fresh, verified, .. } = self;
        let known = match guest {
            None => NATIVE.contains(&verified.tee()),
            Some(_) => guest::TEES.iter().any(|(tee, _)| *tee == verified.tee()),
        };
        if fresh.freshness() != Freshness::RecipientKey || !known {
            let explanation = Explanation::of("binding").wanted("runtime data in a known format");
            return Err(not_bound(&verified, explanation, "not the way of runtime data"));
        }
        let padded = padded(&runtime.bytes);
        let wanted = match guest {
            None => padded.as_slice(),
            Some(_) => padded.get(..DIGEST).unwrap_or_default(),
        };
        let mut bound = false;
        for (_, bytes) in verified.bound_bytes() {
            if bytes != Some(wanted) {
                let hex = |bytes| HEXLOWER.encode(bytes);
                let explanation = Explanation::of("binding")
                    .seen(bytes.map_or_else(|| "nothing that may bind".to_owned(), hex))
                    .wanted(hex(wanted));
                let reason = "the report data is not the digest of the runtime data and zeros";
                return Err(not_bound(&verified, explanation, reason));
            }
            bound = true;
        }
        if !bound {
            let explanation = Explanation::of("binding").seen("no binding");
            return Err(not_bound(&verified, explanation, "nothing binds the runtime data"));
        }
        if let Some(guest) = guest
            && let Err(explanation) = guest.is_in(&verified)
        {
            return Err(not_bound(
                &verified,
                explanation,
                "the guest's request is of other evidence",
            ));
        }
        if let Some(initial) = initial {
            check_initial(&verified, initial)?;
        }
        Ok(BoundToData { fresh, verified })
    }
}

/// Bytes of a digest by SHA-256.
const DIGEST: usize = 32;

/// SHA-256, then zeros: 64 bytes.
fn padded(bytes: &[u8]) -> [u8; 64] {
    let mut padded = [0; 64];
    let digest = digest::digest(&digest::SHA256, bytes);
    for (to, from) in padded.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    padded
}

/// HOST_DATA of SNP, MRCONFIGID of TDX, CONFIGID of SGX: the digest, and zeros where there is more room.
fn check_initial(verified: &Verified, initial: &RuntimeData) -> Result<(), Refusal> {
    let name = match verified.tee() {
        "snp" => "snp.host_data",
        "tdx" => "tdx.mrconfigid",
        _ => "sgx.config_id",
    };
    let held = verified.facts().iter().find(|fact| fact.name == name).map(|fact| &fact.value);
    let wanted = padded(&initial.bytes);
    let holds = match held {
        Some(Value::Bytes(bytes)) => bytes.len() >= 32 && wanted.get(..bytes.len()) == Some(bytes),
        _ => false,
    };
    if holds {
        return Ok(());
    }
    let seen = match held {
        Some(Value::Bytes(bytes)) => HEXLOWER.encode(bytes),
        _ => "nothing".to_owned(),
    };
    let explanation = Explanation::of("binding").seen(seen).wanted(HEXLOWER.encode(&wanted));
    Err(not_bound(verified, explanation, format!("{name} is not the digest of the init data")))
}

impl BoundToData {
    fn case(&self) -> Case<'_> {
        self.verified.case(self.fresh.at())
    }

    fn judged(
        self,
        appraisal: Appraisal,
        recipient: Option<RecipientKey>,
        references: Arc<Snapshot>,
    ) -> Witnessed {
        let Self { fresh, verified } = self;
        let occasion = Occasion {
            nonce: *fresh.nonce(),
            freshness: fresh.freshness(),
            purpose: fresh.purpose().to_owned(),
            token: None,
            simulated: verified.simulated(),
            expires: verified.expires(),
        };
        let (tenant, at) = (fresh.tenant().clone(), fresh.at());
        let main = Part { subject: Subject::of(verified), appraisal };
        Witnessed { tenant, at, occasion, main, recipient, references }
    }
}

impl Host {
    /// Runtime data in the challenge's place → evidence → binding → judgement.
    pub(super) async fn witness(
        &self,
        caller: &Caller,
        evidence: Evidence,
        runtime: &RuntimeData,
        initial: Option<&RuntimeData>,
        guest: Option<&Guest>,
        rules: &AttestationRules,
    ) -> Result<Witnessed, Refusal> {
        if runtime.bytes.is_empty() {
            let reason = "no runtime data: nothing would be fresh of the evidence";
            return Err(Refusal::new(Code::RequestMalformed, reason));
        }
        let recipient = recipient(runtime)?;
        let plugins = self.parts.catalogue.plugins();
        let verifier = verifier_of(&plugins, &evidence)?;
        let now = self.parts.clock.now();
        let digest = Digest::of(&evidence.data);
        let bytes = Digest::of(&runtime.bytes);
        let fresh = Fresh::by_runtime_data(&caller.tenant, bytes.0, now);
        let thumbprint = recipient.as_ref().map(RecipientKey::thumbprint);
        let witnessed = async {
            let authority = Arc::clone(&self.parts.authority);
            let endorsements = self.parts.endorsements.as_ref();
            let genuine =
                fresh.verify(&verifier, authority, endorsements, evidence, digest).await?;
            step(caller, "genuine");
            let bound = genuine.bind_to_data(runtime, initial, guest)?;
            step(caller, "bound");
            check_age(&bound.verified, now, rules)?;
            self.judge_data(bound, recipient).await
        };
        match witnessed.await {
            Ok(witnessed) => Ok(witnessed),
            Err(refusal) => {
                let entry = record::plain(Event::Refused, caller, now)
                    .tee(verifier.description().tee.as_str())
                    .freshness(Freshness::RecipientKey.name())
                    .evidence(digest)
                    .verifier(verifier.name(), verifier.digest())
                    .refusal(&refusal);
                let entry = match &thumbprint {
                    Some(thumbprint) => entry.recipient(thumbprint),
                    None => entry,
                };
                append(&self.parts.audit, &entry).await?;
                Err(refusal)
            }
        }
    }

    async fn judge_data(
        &self,
        bound: BoundToData,
        recipient: Option<RecipientKey>,
    ) -> Result<Witnessed, Refusal> {
        let references = self.parts.reference_values(bound.fresh.tenant()).await?;
        let known = self.parts.appraiser.appraise_from_memory(&bound.case(), &references)?;
        if let Some(appraisal) = known {
            return Ok(bound.judged(appraisal, recipient, references));
        }
        let parts = Arc::clone(&self.parts);
        waiting(move || {
            let appraisal = parts.appraiser.appraise(&bound.case(), &references)?;
            Ok(bound.judged(appraisal, recipient, references))
        })
        .await
    }
}

/// Evidence has no date of its own. What came along, or vouches for it, has: where the newest of it is
/// old, nobody asked for the evidence lately.
fn check_age(verified: &Verified, now: Timestamp, rules: &AttestationRules) -> Result<(), Refusal> {
    let issued = verified.collateral_from();
    let age = issued.map(|issued| now.since(issued));
    if age.is_some_and(|age| age <= rules.collateral_seconds) {
        return Ok(());
    }
    let explanation = Explanation::of("collateral-age")
        .seen(issued.map_or_else(|| "no date".to_owned(), |issued| issued.to_string()))
        .wanted(format!("at most {} seconds before {now}", rules.collateral_seconds));
    let reason = "the newest collateral of the evidence is too old";
    Err(Refusal::new(Code::EvidenceExpired, reason).explain(explanation))
}

/// The one key for encryption among the runtime data; none where there is none. One that is weak, and
/// more than one, is refused: a release would not know where to.
fn recipient(runtime: &RuntimeData) -> Result<Option<RecipientKey>, Refusal> {
    let Some(json) = &runtime.json else { return Ok(None) };
    let claims = serde_json::Map::from_iter([("x-ms-runtime".to_owned(), Json::clone(json))]);
    recipient_of(&claims).map_err(|error| {
        let explanation = Explanation::of("recipient").seen(error.to_string());
        Refusal::new(Code::RecipientKeyInvalid, error.to_string())
            .explain(explanation.wanted("a public key that can be wrapped to"))
    })
}

impl Witnessed {
    pub(super) fn status(&self) -> Status {
        self.main.appraisal.status
    }

    pub(super) fn why(&self) -> String {
        let rules: Vec<_> = self.main.appraisal.findings.iter().map(|one| &*one.rule).collect();
        format!("status {}; {}", self.status().name(), rules.join(", "))
    }

    /// The same as every other judgement, where there is somebody to release to.
    pub(super) fn appraised(&self) -> Option<Appraised> {
        Some(Appraised {
            tenant: self.tenant.clone(),
            at: self.at,
            recipient: RecipientKey::from_jwk(self.recipient.as_ref()?.jwk()).ok()?,
            occasion: self.occasion.clone(),
            main: self.main.clone(),
            companions: Vec::new(),
            references: Arc::clone(&self.references),
        })
    }
}
