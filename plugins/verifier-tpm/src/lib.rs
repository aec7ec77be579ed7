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

use claviger_plugin_sdk::tcg::Bank;
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
        "bank": "Where PCRs of several banks come together, the one that counts: sha256, sha384 or sha512; sha256 where it is not set.",
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
        let wanted = settings::get("bank").map(|name| bank(&name)).transpose()?;
        let quote = evidence.quote(wanted)?;
        let signature = quote.signature()?;
        let attester = Attester::find(&evidence, &request.attachments)?;
        let quoted = tpm::check(&attester.signer, &quote.message, &signature, &quote.values)?;
        let bank = quoted.bank(wanted)?;
        let mut claims = tpm::register_claims("tpm.", &quoted, bank, 1);
        claims.extend(tpm::quote_claims("tpm.", &quoted, 0));
        let claim = |name: &str, value| Claim { name: name.into(), value };
        claims.push(claim("tpm.ak", Value::Text(attester.found.name().into())));
        claims.push(claim("tpm.ak_fingerprint", Value::Bytes(attester.fingerprint.into())));
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

/// The bank that is set.
fn bank(name: &str) -> Result<Bank, Rejection> {
    let known = Bank::TRUSTED.into_iter().find(|bank| bank.name() == name);
    known.ok_or_else(|| Rejection::Unavailable("the setting `bank` names no bank".into()))
}

impl Evidence {
    /// The quote that counts: the one with values of the bank that is set, else of SHA-256, else of the strongest
    /// that there is.
    fn quote(&self, wanted: Option<Bank>) -> Result<&evidence::Quote, Rejection> {
        let of = |bank: Bank| self.quotes.iter().find(|quote| quote.values.has(bank));
        let found = match wanted {
            Some(bank) => of(bank),
            None => Bank::TRUSTED.into_iter().find_map(of).or(self.quotes.first()),
        };
        found.ok_or_else(|| Rejection::Malformed("no quote".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bank_that_is_set_is_found_in_a_quote_over_several() {
        let quote = |pcrs: &str| {
            let text = format!(r#"{{"quote": "AQ", "signature": "Ag", "pcrs": {{{pcrs}}}}}"#);
            evidence::read(text.as_bytes()).unwrap()
        };
        let both = quote(r#""sha256": {"0": "0a"}, "sha384": {"0": "0b"}"#);
        for wanted in [None, Some(Bank::Sha256), Some(Bank::Sha384)] {
            assert!(both.quote(wanted).is_ok(), "{wanted:?}");
        }
        assert!(both.quote(Some(Bank::Sha512)).is_err());
        let mut apart = quote(r#""sha384": {"0": "0b"}"#);
        apart.quotes.extend(quote(r#""sha512": {"0": "0c"}"#).quotes);
        assert!(apart.quote(None).unwrap().values.has(Bank::Sha512));
        assert!(apart.quote(Some(Bank::Sha384)).unwrap().values.has(Bank::Sha384));
        assert!(apart.quote(Some(Bank::Sha256)).is_err());
        assert!(bank("sha1").is_err() && bank("").is_err());
    }
}
