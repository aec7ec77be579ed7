//! A verifier of one's own: it takes the place of the bundled `verifier-snp` and is stricter. Only
//! guests are taken whose launch was certified by an author key that the operator named: an
//! organisation's own, whose private half its build pipeline holds.
//!
//! It checks no signature and no chain. `quotes.snp` does, natively, and hands out the statement that
//! the verdict rests on; all that is left to a verifier is to say no.

use claviger_plugin_sdk::places::snp::{AUTHOR_KEY_DIGEST, REPORT_DATA};
use claviger_plugin_sdk::verifier::custody::Digest;
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict,
    Verifier, quotes, settings,
};

claviger_plugin_sdk::manifest! {
    // The name of the plugin whose place it takes.
    name: "verifier-snp",
    kind: "verifier",
    // `log` too: the SDK reports panics there.
    imports: ["custody", "log", "quotes", "settings"],
    settings: {
        "author-key-digests": "SHA-384 digests of author keys (AMD 56860, ID block), in lower-case hexadecimal, parted by commas.",
    },
}
claviger_plugin_sdk::register_verifier!(OurGuests);

/// The report as the firmware returns it.
const REPORT: &str = "application/vnd.amd.sev-snp-report";

/// AR4SI's value for what is as it should be.
const AFFIRMING: i8 = 2;

struct OurGuests;

impl Verifier for OurGuests {
    fn describe() -> Description {
        Description { tee: "snp".into(), evidence_types: vec![REPORT.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        // `?` turns the host's own finding into a rejection that says the same.
        let report = quotes::snp(&request.evidence, &request.attachments)?;
        let listed = settings::get("author-key-digests").unwrap_or_default();
        if !lists(&listed, &report.statement.read(AUTHOR_KEY_DIGEST)?) {
            let reason = "the guest's launch was not certified by a listed author key";
            return Err(Rejection::Untrusted(reason.into()));
        }
        Ok(Verdict {
            statements: vec![report.statement],
            bindings: vec![Binding {
                statement: 0,
                at: REPORT_DATA,
                carries: Carries::ChallengeDigest(Digest::Sha512),
            }],
            // What stands in the report the host reads itself.
            claims: Vec::new(),
            // At most this: the operator's appraisal policy lowers it where it must.
            trustworthiness: Trustworthiness {
                configuration: Some(AFFIRMING),
                hardware: Some(AFFIRMING),
                instance_identity: Some(AFFIRMING),
                runtime_opaque: Some(AFFIRMING),
                ..NO_CLAIM
            },
        })
    }
}

/// Whether one of the listed digests is this one. A guest without an author key has zeros there, and
/// zeros are nobody's key.
fn lists(listed: &str, digest: &[u8]) -> bool {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    digest.iter().any(|byte| *byte != 0) && listed.split(',').any(|one| one.trim() == hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_digest_is_taken_and_zeros_never() {
        let digest = [0xab; 48];
        let listed = format!("{}, {}", "00".repeat(48), "ab".repeat(48));
        assert!(lists(&listed, &digest));
        assert!(!lists(&listed, &[0; 48]));
        assert!(!lists(&listed, &[0xac; 48]));
        assert!(!lists("", &digest));
    }
}
