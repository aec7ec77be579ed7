//! Reads quotes of TPMs 2.0. The host leads the attestation key (AK) back to an anchor of the operator's
//! and checks what it signed; what is left here is how quote, PCR values and logs are packed.
//!
//! A key that came with the evidence vouches for nothing: it counts where a certificate of the anchor
//! set `tpm` names it, or where the operator enrolled it there.

mod attester;
mod evidence;
mod go;
mod packed;
mod protobuf;
mod x509;

use claviger_plugin_sdk::tpm::{self, Quoted};
use claviger_plugin_sdk::verifier::types::{Claim, Value};
use claviger_plugin_sdk::verifier::{
    Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier, settings,
};

use attester::Attester;
use evidence::{Evidence, JSON, PROTOBUF};

claviger_plugin_sdk::manifest! {
    name: "verifier-tpm",
    kind: "verifier",
    imports: ["custody", "log", "settings"],
    anchors: ["tpm"],
    settings: {
        "bank": "Where quotes of several banks come together, the one that counts: sha256, sha384 or sha512; sha256 where it is not set.",
    },
}
claviger_plugin_sdk::register_verifier!(Tpm);

/// A log as firmware hands it over.
const EVENT_LOG: &str = "application/vnd.tcg.pcclient-eventlog";

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;

struct Tpm;

impl Verifier for Tpm {
    fn describe() -> Description {
        let types = [PROTOBUF, JSON, EVENT_LOG];
        Description { tee: "tpm".into(), evidence_types: types.map(Into::into).into() }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        let evidence = match request.evidence_type.as_str() {
            PROTOBUF => packed::read(&request.evidence)?,
            JSON => evidence::read(&request.evidence)?,
            EVENT_LOG => {
                return Err(Rejection::Unsupported(
                    "an event log alone, which nobody signed".into(),
                ));
            }
            other => return Err(Rejection::Unsupported(other.into())),
        };
        let quote = evidence.quote(settings::get("bank").as_deref())?;
        let signature = quote.signature()?;
        let attester = Attester::find(&evidence, &request.attachments)?;
        let quoted = tpm::check(&attester.signer, &quote.message, &signature, &quote.values)?;
        let bank = quoted.bank()?;
        let mut claims = tpm::register_claims("tpm.", &quoted, bank, 1);
        claims.extend(tpm::quote_claims("tpm.", &quoted, 0));
        claims.push(Claim {
            name: "tpm.ak".into(),
            value: Value::Text(attester.found.name().into()),
        });
        let log = evidence.event_log.as_deref();
        if let Some(log) = log.or_else(|| tpm::find_log(&request.attachments)) {
            claims.extend(tpm::replay(&quoted, bank, log)?.claims("tpm."));
        }
        let list = evidence.ima_list.as_deref();
        if let Some(list) = list.or_else(|| tpm::find_list(&request.attachments)) {
            claims.extend(tpm::measured(&quoted, list)?.claims());
        }
        Ok(verdict(quoted, claims))
    }
}

fn verdict(quoted: Quoted, claims: Vec<Claim>) -> Verdict {
    Verdict {
        bindings: tpm::binding(&quoted.attest, 0).into_iter().collect(),
        statements: vec![quoted.statement, quoted.registers],
        claims,
        trustworthiness: Trustworthiness {
            // The key is of one TPM, by its maker's word or the operator's.
            instance_identity: Some(AFFIRMING),
            hardware: Some(AFFIRMING),
            ..NO_CLAIM
        },
    }
}

impl Evidence {
    /// The quote that counts: of the bank that is set, else SHA-256, else whichever there is.
    fn quote(&self, bank: Option<&str>) -> Result<&evidence::Quote, Rejection> {
        let wanted = bank.unwrap_or("sha256");
        if !["sha256", "sha384", "sha512"].contains(&wanted) {
            return Err(Rejection::Unavailable("the setting `bank` names no bank".into()));
        }
        let named = self.quotes.iter().find(|quote| quote.bank.name() == wanted);
        // The strongest last, as the TCG numbers them.
        let other = self.quotes.iter().max_by_key(|quote| quote.bank.digest().map(|_| quote.bank));
        let none = || Rejection::Malformed("no quote".into());
        named.or(other.filter(|_| bank.is_none())).ok_or_else(none)
    }
}
