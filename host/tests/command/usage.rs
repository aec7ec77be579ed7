//! What is wrong usage ends with 2, and is told.

use crate::run;

#[test]
fn a_moment_or_a_name_that_is_none_is_wrong_usage() {
    for (arguments, why) in [
        (&["verify", "--tee", "snp", "report.bin", "--at", "nonsense"][..], "RFC 3339"),
        (&["key", "--ca", "ca.pem", "create", "ui_key"], "A-Z, a-z, 0-9 and -"),
        (&["serve", "--dev", "--listen", "0.0.0.0:0"], "loopback"),
    ] {
        let (code, _, errors) = run(arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(why), "{errors}");
    }
}

#[test]
fn a_kind_of_evidence_that_nothing_reads_is_named_with_those_that_there_are() {
    let evidence = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let (code, _, errors) = run(&["verify", "--tee", "foo", evidence]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("reads foo; there are: az-snp, az-tdx, "), "{errors}");
}

#[test]
fn which_host_is_meant_may_be_said_before_the_subcommand_or_behind_it() {
    let missing = "/no/such/ca.pem";
    for arguments in [
        &["key", "--ca", missing, "list"][..],
        &["key", "list", "--ca", missing],
        &["secret", "list", "--url", "https://localhost:1", "--ca", missing],
        &["token-key", "list", "--ca", missing, "--token-file", "token"],
        &["plugin", "status", "--ca", missing],
        &["reference", "list", "--tenant", "hr", "--ca", missing],
    ] {
        let (code, _, errors) = run(arguments);
        assert_eq!(code, Some(1), "{arguments:?}: {errors}");
        assert!(errors.contains(missing), "{arguments:?}: {errors}");
    }
}
