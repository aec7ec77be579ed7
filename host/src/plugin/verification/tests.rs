use super::*;
use crate::plugin::signature::key::SigningKey;

struct Ground {
    folder: tempfile::TempDir,
    keys: Vec<(&'static str, SigningKey)>,
}

/// The signers `acme`, `backup` and `stranger`; the last one is not listed.
fn ground() -> Ground {
    let folder = tempfile::tempdir().unwrap();
    let key = |name| (name, SigningKey::read(&SigningKey::generate().unwrap()).unwrap());
    let keys = vec![key("acme"), key("backup"), key("stranger")];
    for (name, key) in &keys {
        std::fs::write(folder.path().join(format!("{name}.pem")), key.public_pem()).unwrap();
    }
    Ground { folder, keys }
}

const SIGNERS: &str = r#"
    [[signer]]
    name = "acme"
    key = "acme.pem"
    [[signer]]
    name = "backup"
    key = "backup.pem"
"#;

impl Ground {
    fn rules(&self, rules: &str) -> Verification {
        Verification::parse(&format!("{SIGNERS}{rules}"), self.folder.path()).unwrap()
    }

    fn signed(&self, component: &[u8], by: &[&str]) -> Package {
        let signature = |name: &&str| {
            let (_, key) = self.keys.iter().find(|(known, _)| known == name).unwrap();
            key.sign(component).unwrap()
        };
        Package { component: component.to_vec(), signatures: by.iter().map(signature).collect() }
    }
}

fn manifest(name: &str, version: &str) -> Manifest {
    let json =
        format!(r#"{{"name":"{name}","kind":"verifier","version":"{version}","imports":[]}}"#);
    serde_json::from_str(&json).unwrap()
}

fn outcome(
    rules: &Verification,
    name: &str,
    version: &str,
    package: &Package,
) -> Result<Vec<String>, String> {
    let admitted = rules.admit(&manifest(name, version), package, None);
    admitted.map(|names| names.into_iter().collect()).map_err(|error| error.to_string())
}

// attack 48
#[test]
fn only_what_a_rule_names_and_its_signers_signed_is_let_in() {
    let ground = ground();
    let rules = ground.rules("[[rule]]\nplugins = [\"verifier-acme\"]\nall_of = [\"acme\"]");
    let component = b"component";
    let signed = ground.signed(component, &["acme"]);
    assert_eq!(outcome(&rules, "verifier-acme", "1.0.0", &signed), Ok(vec!["acme".to_owned()]));
    for (package, why) in [
        (ground.signed(component, &[]), "it has no signature"),
        (ground.signed(component, &["stranger"]), "of no listed key"),
        (ground.signed(component, &["backup"]), "signed by backup"),
        (Package { component: b"other".to_vec(), ..signed.clone() }, "of other bytes"),
    ] {
        let refused = outcome(&rules, "verifier-acme", "1.0.0", &package).unwrap_err();
        assert!(refused.contains("not signed") && refused.contains(why), "{refused}");
    }
    let other = outcome(&rules, "verifier-acme-too", "1.0.0", &signed).unwrap_err();
    assert!(other.contains("no rule"), "{other}");
    let broken = Package { signatures: vec![b"{}".to_vec()], ..signed };
    assert!(outcome(&rules, "verifier-acme", "1.0.0", &broken).unwrap_err().contains("malformed"));
}

// attack 48
#[test]
fn all_of_any_of_and_a_minimum_are_counted_by_signers_not_by_signatures() {
    let ground = ground();
    let two =
        ground.rules("[[rule]]\nplugins = [\"*\"]\nany_of = [\"acme\", \"backup\"]\nminimum = 2");
    let component = b"component";
    let by = |by: &[&str]| outcome(&two, "x", "1.0.0", &ground.signed(component, by)).is_ok();
    assert!(by(&["acme", "backup"]));
    assert!(!by(&["acme"]) && !by(&["acme", "acme"]) && !by(&["acme", "stranger"]));
    // Every rule that names a plugin must hold.
    let both = ground.rules(
        "[[rule]]\nplugins = [\"ver*\"]\nall_of = [\"acme\"]\n[[rule]]\nplugins = [\"*\"]\nany_of = [\"backup\"]",
    );
    let signed = |by: &[&str]| ground.signed(component, by);
    assert!(outcome(&both, "verifier-x", "1.0.0", &signed(&["acme"])).is_err());
    assert!(outcome(&both, "verifier-x", "1.0.0", &signed(&["acme", "backup"])).is_ok());
    assert!(outcome(&both, "kms-x", "1.0.0", &signed(&["backup"])).is_ok());
}

// attack 48
#[test]
fn a_listed_digest_stands_for_a_signature_and_for_nothing_else() {
    let ground = ground();
    let package = ground.signed(b"component", &[]);
    let rules = ground.rules(&format!(
        "[[rule]]\nplugins = [\"x\"]\ndigests = [\"sha256:{}\"]",
        package.hex_digest()
    ));
    assert_eq!(outcome(&rules, "x", "1.0.0", &package), Ok(Vec::new()));
    let other = ground.signed(b"another", &["acme"]);
    assert!(outcome(&rules, "x", "1.0.0", &other).unwrap_err().contains("of a listed digest"));
}

// attack 48
#[test]
fn an_older_version_is_refused_however_well_it_is_signed() {
    let ground = ground();
    let least = "[[rule]]\nplugins = [\"x\"]\nall_of = [\"acme\"]\nminimum_version = \"1.2.0\"";
    let rules = ground.rules(least);
    let signed = ground.signed(b"component", &["acme"]);
    assert!(outcome(&rules, "x", "1.1.9", &signed).unwrap_err().contains("older than 1.2.0"));
    assert!(outcome(&rules, "x", "1.10.0", &signed).is_ok());
    assert!(outcome(&rules, "x", "latest", &signed).unwrap_err().contains("semantic"));
    let served = Version::new(1, 4, 0);
    let admit = |rules: &Verification, version: &str| {
        rules.admit(&manifest("x", version), &signed, Some(&served)).map_err(|e| e.to_string())
    };
    assert!(admit(&rules, "1.3.9").unwrap_err().contains("which has served here"));
    assert!(admit(&rules, "1.4.0").is_ok() && admit(&rules, "1.4.1").is_ok());
    let free = ground.rules(&format!("{least}\nnever_older = false\nrollback = false"));
    assert!(admit(&free, "1.3.9").is_ok());
    assert!(rules.permits_rollback("x") && !free.permits_rollback("x"));
}

#[test]
fn what_makes_no_sense_is_refused_when_it_is_read() {
    let ground = ground();
    for (rules, why) in [
        ("[[rule]]\nplugins = []\nall_of = [\"acme\"]", "names no plugin"),
        ("[[rule]]\nplugins = [\"x\"]", "must name somebody"),
        ("[[rule]]\nplugins = [\"x\"]\nall_of = [\"nobody\"]", "no signer"),
        ("[[rule]]\nplugins = [\"x\"]\nany_of = [\"acme\"]\nminimum = 2", "`minimum`"),
        ("[[rule]]\nplugins = [\"x\"]\nany_of = [\"acme\"]\nminimum = 0", "`minimum`"),
        ("[[rule]]\nplugins = [\"x\"]\ndigests = [\"abc\"]", "digest"),
        ("[[rule]]\nplugins = [\"x\"]\nall = [\"acme\"]", "unknown field"),
        ("[[signer]]\nname = \"acme\"\nkey = \"acme.pem\"", "taken"),
        ("[[signer]]\nname = \"a\"\nissuer = \"i\"\nidentity = \"s\"", "trusted root"),
        ("[[signer]]\nname = \"a\"\nkey = \"none.pem\"", "none.pem"),
    ] {
        let text = format!("{SIGNERS}{rules}");
        let error = Verification::parse(&text, ground.folder.path()).unwrap_err().to_string();
        assert!(error.contains(why), "{rules}: {error}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_place_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("verification.toml");
    let place = path.display().to_string();
    for (text, wanted) in [
        ("[[rule]]\nplugins = [\"x\"]\nall = [\"acme\"]", "unknown field `all`"),
        ("[[rule]]\nplugins = []\nall_of = [\"acme\"]", "names no plugin"),
    ] {
        std::fs::write(&path, text).unwrap();
        let error = Verification::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&place) && error.contains(wanted), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    std::fs::write(&path, "\n rule = 1").unwrap();
    let error = Verification::read(&path).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{place}: line 2, column ")), "{error}");
    std::fs::write(&path, [0xff]).unwrap();
    assert_eq!(Verification::read(&path).unwrap_err().to_string(), format!("{place}: not UTF-8"));
}
