//! A key, fetched once.

use crate::support::{Host, ran};

#[test]
fn a_key_opens_for_a_recipient_of_every_kind() {
    let Some(host) = Host::start() else { return };
    host.import("of-every-kind", &[0xa5; 32]);
    for kind in ["x-wing", "x25519", "p256", "p384", "p521", "rsa2048", "rsa3072", "rsa4096"] {
        let mut command = match kind {
            "p384" | "rsa4096" => host.sidecar("recipient = \"x25519\""),
            kind => host.sidecar(&format!("recipient = \"{kind}\"")),
        };
        if matches!(kind, "p384" | "rsa4096") {
            command.args(["--recipient", kind]);
        }
        let (code, output, errors) = ran(command.args(["fetch", "of-every-kind"]));
        assert_eq!((code, output), (Some(0), format!("{}\n", "a5".repeat(32))), "{kind}: {errors}");
    }
    // Init data that no hardware signed the digest of are passed over.
    let mut command = host.sidecar("");
    command.env("UVM_SECURITY_POLICY", "cG9saWN5").args(["fetch", "of-every-kind"]);
    assert_eq!(ran(&mut command).0, Some(0));
    host.key(["put", "generated", "--release-policy", "affirming"]);
    let (_, output, errors) = ran(host.sidecar("").args(["fetch", "generated"]));
    assert_eq!(output.trim().len(), 64, "{errors}");
    // A secret, too, where it has a release policy.
    host.secret("a-password", "correct horse");
    let mut command = host.sidecar("");
    command.args(["fetch", "secrets/a-password", "--encoding", "raw"]);
    assert_eq!(ran(&mut command).1, "correct horse");
    // Refused, and said by the host's code.
    let (code, _, errors) = ran(host.sidecar("").args(["fetch", "nobodys"]));
    assert_eq!(code, Some(77), "{errors}");
    assert!(errors.contains("key-not-found"), "{errors}");
}

#[test]
fn a_result_counts_by_the_hosts_own_keys_and_about_this_workload() {
    let Some(host) = Host::start() else { return };
    let (code, output, errors) = ran(host.sidecar("").arg("attest"));
    assert_eq!((code, output.split('.').count()), (Some(0), 3), "{errors}");
    let (code, output, errors) = ran(host.sidecar("issuer = \"https://other\"").arg("attest"));
    assert_eq!((code, output.as_str()), (Some(70), ""));
    assert!(errors.contains("`iss`"), "{errors}");
    // Keys of somebody else, pinned.
    let (x, jwks) = ("A".repeat(43), host.path("jwks.json"));
    let set = format!(
        r#"{{"keys": [{{"kty": "EC", "crv": "P-256", "kid": "other", "x": "{x}", "y": "{x}"}}]}}"#
    );
    std::fs::write(&jwks, set).unwrap();
    let pinned = format!("jwks = \"{}\"", jwks.display());
    let (code, output, errors) = ran(host.sidecar(&pinned).arg("attest"));
    assert_eq!((code, output.as_str()), (Some(70), ""));
    assert!(errors.contains("names no key of this host"), "{errors}");
}

#[test]
fn a_host_that_is_not_the_one_that_was_meant_gets_no_evidence() {
    let Some(host) = Host::start() else { return };
    host.import("of-another-host", &[0xa5; 32]);
    let pin = format!("pins = [\"{}\"]", "00".repeat(32));
    let (code, output, errors) = ran(host.sidecar(&pin).args(["fetch", "of-another-host"]));
    assert_eq!((code, output.as_str()), (Some(70), ""), "{errors}");
    assert!(errors.contains("certificate is not trusted"), "{errors}");
    let (code, _, errors) =
        ran(host.sidecar("id = \"another\"").args(["fetch", "of-another-host"]));
    assert_eq!(code, Some(70), "{errors}");
    let (code, _, errors) =
        ran(host.sidecar("tenant = \"another\"").args(["fetch", "of-another-host"]));
    assert_eq!(code, Some(77), "{errors}");
}

// attack 61
#[test]
fn without_the_development_flag_there_is_no_platform_here_and_no_key() {
    let (code, output, errors) = ran(crate::support::sidecar().args(["fetch", "disk"]));
    if code == Some(64) {
        // A machine with a TEE: then the configuration is what is missing.
        return;
    }
    assert_eq!((code, output.as_str()), (Some(70), ""));
    assert!(errors.contains("no trusted execution environment is found"), "{errors}");
}
