//! The tables in `tests/README.md` and `README.md` name tests and commands that are there.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("target") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_test_that_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut files = Vec::new();
    for folder in ["host", "plugins", "sidecar", "tests"] {
        sources(&root.join(folder), &mut files);
    }
    let mut functions = HashSet::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('('));
        functions.extend(names.map(|(name, _)| name.to_owned()));
    }
    let readme = std::fs::read_to_string(root.join("tests/README.md")).unwrap();
    let tables = readme.split("## Invariants").nth(1).unwrap();
    let named: Vec<_> = tables.split('`').skip(1).step_by(2).collect();
    assert!(named.len() > 100, "{}", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !functions.contains(**name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_report_data_of_the_readme_is_that_of_the_host() {
    let readme = include_str!("../../../README.md");
    let mut rows = 0;
    for row in readme.lines().filter(|line| line.starts_with("| `claviger")) {
        let cells: Vec<_> = row.split('`').skip(1).step_by(2).collect();
        let [host, tenant, purpose, digest] = cells[..] else { panic!("{row}") };
        let input = claviger::flow::ReportDataInput {
            host,
            tenant: &claviger::tenant::Tenant::parse(tenant).unwrap(),
            purpose,
            nonce: &[1; 32],
            recipient: &[2; 32],
            companions: &[],
        };
        assert_eq!(data_encoding::HEXLOWER.encode(&input.digest()), digest);
        rows += 1;
        if rows == 1 {
            let companions = [3, 4].map(|byte| claviger::flow::Companion {
                tee: "nvidia".to_owned(),
                evidence: [byte; 32],
            });
            let input = claviger::flow::ReportDataInput { companions: &companions, ..input };
            let digest = data_encoding::HEXLOWER.encode(&input.digest());
            assert!(readme.contains(&format!("becomes `{digest}`")));
        }
    }
    assert_eq!(rows, 2);
}

#[test]
fn the_contracts_readme_names_what_its_worlds_import() {
    let (worlds, readme) =
        (include_str!("../../../wit/worlds.wit"), include_str!("../../../wit/README.md"));
    for name in ["verifier-plugin", "kms-plugin"] {
        let world = worlds.split(&format!("world {name} {{")).nth(1).unwrap();
        let lines = world.split('}').next().unwrap().lines();
        let imports: Vec<_> = lines
            .filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'))
            .map(|import| format!("`{import}`"))
            .collect();
        assert!(imports.len() > 4, "{imports:?}");
        let row = readme.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        assert!(row.ends_with(&format!("| {} |", imports.join(", "))), "{row}: {imports:?}");
    }
}
