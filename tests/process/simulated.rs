//! Simulated hardware proves nothing, unless the development switch says so.

use std::fs;

use serde_json::Value;

use crate::support::{Guest, claviger, family};

// attacks 34, 61
#[test]
fn without_the_development_switch_simulated_evidence_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let evidence = Guest::new().hardware.evidence([7; 64]);
    let report = put("report.bin", &evidence.data);
    let root = put("ark.der", family().ark());
    let mut arguments = vec!["verify", "--tee", "snp", &report, "--json"];
    let mut with = vec![put("vcek.der", &evidence.attachments[0])];
    with.push(put("ask.der", family().ask()));
    with.push(put("ark-too.der", family().ark()));
    with.push(put("revoked.crl", &family().crl(&family().crl_template())));
    for path in &with {
        arguments.extend(["--with", path]);
    }

    let refused = claviger(&arguments);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    let verdict: Value = serde_json::from_str(&refused.output).unwrap();
    assert_eq!(
        (&verdict["verdict"], &verdict["code"]),
        (&"refused".into(), &"evidence-untrusted".into())
    );

    arguments.extend(["--dev-simulated-roots", &root]);
    let accepted = claviger(&arguments);
    assert_eq!(accepted.code, Some(0), "{accepted:?}");
    let verdict: Value = serde_json::from_str(&accepted.output).unwrap();
    assert_eq!((&verdict["verdict"], &verdict["simulated"]), (&"genuine".into(), &true.into()));
    assert_eq!(verdict["facts"]["snp.revocation"], "checked");
    assert!(accepted.errors.contains("DEVELOPMENT"), "{}", accepted.errors);
}

#[test]
fn a_folder_with_evidence_is_verified_like_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let evidence = Guest::new().hardware.evidence([7; 64]);
    fs::write(folder.path().join("report.bin"), &evidence.data).unwrap();
    fs::write(folder.path().join("vcek.der"), &evidence.attachments[0]).unwrap();
    fs::write(folder.path().join("ask.der"), family().ask()).unwrap();
    let root = tempfile::NamedTempFile::new().unwrap();
    fs::write(root.path(), family().ark()).unwrap();
    let ran = claviger([
        "verify",
        "--tee",
        "snp",
        folder.path().to_str().unwrap(),
        "--dev-simulated-roots",
        root.path().to_str().unwrap(),
        "--waive",
        "revocation",
    ]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.output.starts_with("genuine: snp evidence at "), "{}", ran.output);
    let said = format!("snp.report_data {:>21}{}", "", "07".repeat(64));
    let words = |text: &str| text.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(ran.output.lines().any(|line| words(line) == words(&said)), "{}", ran.output);
}
