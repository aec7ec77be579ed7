//! Plugins come and go while the host serves: let in by the operator's verification file, loaded and
//! tried beside what serves, swapped in one step, and recorded.

use std::path::Path;
use std::sync::Arc;

use claviger::assemble::{Plan, PluginPlan};
use claviger::client::ClientError;
use claviger::error::Code;
use claviger::flow::{PluginChange, PluginSummary};
use claviger::http::Plugin;
use claviger::plugin::Package;
use claviger::plugin::dropped::Watch;
use claviger::plugin::signature::key::SigningKey;
use claviger::plugin::verification::Verification;
use claviger::tenant::Tenant;
use claviger_tests::components::{of_version, variant};
use claviger_tests::hostile::{CONNECTOR, START_LOOPS, START_TRAPS, UNREACHABLE, VERIFIER};
use claviger_tests::site::{Ground, Guest, Site, caller, code};
use serde_json::Value;

/// The operator's signer.
struct Acme(SigningKey);

impl Acme {
    fn new() -> Self {
        Self(SigningKey::read(&SigningKey::generate().unwrap()).unwrap())
    }

    /// Has only what it signed come in.
    fn rule(&self, ground: &Ground, plan: &mut Plan) {
        self.rule_with(ground, plan, "");
    }

    fn rule_with(&self, ground: &Ground, plan: &mut Plan, more: &str) {
        std::fs::write(ground.path().join("acme.pem"), self.0.public_pem()).unwrap();
        let rules = "[[signer]]\nname = \"acme\"\nkey = \"acme.pem\"\n\
                     [[rule]]\nplugins = [\"verifier-*\", \"kms-*\"]\nall_of = [\"acme\"]\n";
        let verification = Verification::parse(&format!("{rules}{more}"), ground.path()).unwrap();
        plan.life.verification = Some(Arc::new(verification));
    }

    fn sign(&self, component: Vec<u8>) -> Package {
        let signatures = vec![self.0.sign(&component).unwrap()];
        Package { component, signatures }
    }
}

/// A site on which `acme` signs plugins, and one key.
async fn site(acme: &Acme) -> Site {
    let site = Site::with(|ground, plan| acme.rule(ground, plan)).await;
    site.key("k").await;
    site
}

async fn change(site: &Site, change: PluginChange) -> Result<PluginSummary, (Code, String)> {
    let changed = site.host.change_plugin(&caller(&Tenant::default()), "alice", change).await;
    changed.map_err(|refusal| (refusal.code, refusal.reason))
}

fn swap(name: &str, package: Package) -> PluginChange {
    PluginChange::Swap { name: name.to_owned(), package, revoke: false }
}

fn back(name: &str) -> PluginChange {
    PluginChange::RollBack { name: name.to_owned(), revoke: false }
}

fn disable(name: &str) -> PluginChange {
    PluginChange::Disable { name: name.to_owned() }
}

/// Digests that serve under these two names.
fn serving(site: &Site) -> (String, String) {
    let of = |name: &str| {
        let plugins = site.host.plugins();
        let found = plugins.iter().find(|plugin| plugin.name == name && plugin.state == "serving");
        found.map(|plugin| plugin.digest.clone()).unwrap_or_default()
    };
    (of("verifier-snp"), of("kms-local"))
}

fn states(site: &Site, name: &str) -> Vec<(&'static str, &'static str)> {
    let plugins = site.host.plugins().into_iter().filter(|plugin| plugin.name == name);
    plugins.map(|plugin| (plugin.source, plugin.state)).collect()
}

/// The plugins that the last release went through.
fn used(site: &Site) -> (Value, Value) {
    let released = |record: &Value| record["event"] == "released";
    let record = site.records().into_iter().rfind(released).unwrap();
    (record["verifier"]["digest"].clone(), record["connector"]["digest"].clone())
}

// attack 49
#[tokio::test]
async fn verifier_and_connector_are_swapped_and_swapped_back_and_each_change_is_recorded() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let guest = Guest::new();
    let first = serving(&site);
    let verifier = acme.sign(variant("verifier-snp", 1));
    let connector = acme.sign(variant("kms-local", 1));
    let second = (verifier.hex_digest(), connector.hex_digest());
    let swapped = change(&site, swap("verifier-snp", verifier)).await.unwrap();
    assert_eq!((swapped.state, swapped.source), ("serving", "installed"));
    assert_eq!(swapped.signers, ["acme"]);
    change(&site, swap("kms-local", connector)).await.unwrap();
    assert_eq!(serving(&site), second);
    site.release(&guest, "k").await.unwrap();
    assert_eq!(used(&site), (second.0.clone().into(), second.1.clone().into()));
    assert_eq!(states(&site, "kms-local"), [("installed", "serving"), ("bundled", "checked")]);

    change(&site, back("verifier-snp")).await.unwrap();
    change(&site, back("kms-local")).await.unwrap();
    assert_eq!(serving(&site), first);
    site.release(&guest, "k").await.unwrap();
    assert_eq!(used(&site), (first.0.clone().into(), first.1.into()));

    let records = site.records();
    let of = |event: &str| {
        let found = records.iter().filter(|record| record["event"] == event);
        found.map(|record| record["outcome"].as_str().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of("plugin-swapped"), ["begun", "allowed", "begun", "allowed"]);
    assert_eq!(of("plugin-rolled-back"), ["begun", "allowed", "begun", "allowed"]);
    let rolled = records.iter().find(|record| record["event"] == "plugin-rolled-back").unwrap();
    assert_eq!(rolled["principal"], "alice");
    assert_eq!(rolled["verifier"]["digest"], Value::from(first.0));
}

// attacks 45, 48 and 49
#[tokio::test]
async fn a_new_version_that_fails_leaves_the_old_one_serving_and_its_reason_is_told() {
    let acme = Acme::new();
    // The modules of the tests have no version that could be compared.
    let any_age = "never_older = false";
    let site = Site::with(|ground, plan| acme.rule_with(ground, plan, any_age)).await;
    site.key("k").await;
    let first = serving(&site);
    let foreign = wat::parse_str(
        r#"(component
            (@custom "claviger:manifest" "{\"name\":\"verifier-snp\",\"kind\":\"verifier\",\"version\":\"1.0.0\",\"imports\":[\"log\"]}")
            (import "wasi:cli/environment@0.2.0" (instance)))"#,
    );
    for (component, why) in [
        (START_TRAPS.to_vec(), "the plugin stopped"),
        (START_LOOPS.to_vec(), "longer than it may"),
        // It loads, and stops at whatever it is given.
        (UNREACHABLE.to_vec(), "what is no evidence"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "no manifest"),
        (foreign.unwrap(), "it imports `wasi:cli/environment@0.2.0`"),
        (variant("kms-local", 7), "names it \"kms-local\""),
    ] {
        let refused = change(&site, swap("verifier-snp", acme.sign(component))).await;
        let (code, reason) = refused.unwrap_err();
        assert_eq!(code, Code::PluginRefused, "{reason}");
        assert!(reason.contains(why), "{reason}");
        assert_eq!(serving(&site), first);
        site.release(&Guest::new(), "k").await.unwrap();
    }
    let refused = site.host.plugins().into_iter().find(|plugin| plugin.state == "refused");
    assert!(refused.unwrap().reason.unwrap().contains("wasi:cli/environment"));
    let records = site.records();
    let outcomes = records.iter().filter(|record| record["event"] == "plugin-swapped");
    let outcomes: Vec<_> = outcomes.map(|record| &record["outcome"]).collect();
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == "refused").count(), 4);
}

// attack 48
#[tokio::test]
async fn what_is_unsigned_altered_older_or_called_otherwise_is_not_let_in() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let first = serving(&site);
    let newer = of_version(&variant("verifier-snp", 1), "0.1.0", "0.2.0");
    let older = of_version(&variant("verifier-snp", 2), "0.1.0", "0.0.9");
    let signed = acme.sign(newer.clone());
    let mut altered = signed.clone();
    *altered.component.last_mut().unwrap() ^= 1;
    let stranger = Acme::new().sign(newer.clone());
    for (package, why) in [
        (Package::unsigned(newer.clone()), "it has no signature"),
        (altered, "of no listed key, or of other bytes"),
        (stranger, "of no listed key"),
        // Nothing older than what the binary has was ever in use, and signed it is.
        (acme.sign(older.clone()), "older than 0.1.0"),
    ] {
        let (code, reason) = change(&site, swap("verifier-snp", package)).await.unwrap_err();
        assert_eq!(code, Code::PluginRefused);
        assert!(reason.contains(why), "{reason}");
        assert_eq!(serving(&site), first);
    }
    change(&site, swap("verifier-snp", signed.clone())).await.unwrap();
    let (_, reason) = change(&site, swap("verifier-snp", acme.sign(variant("verifier-snp", 3))))
        .await
        .unwrap_err();
    assert!(reason.contains("version 0.1.0 is older than 0.2.0"), "{reason}");
    // Rolled back, the latest that has served is remembered; and so behind a new start.
    change(&site, back("verifier-snp")).await.unwrap();
    let site = site.again(|ground, plan| acme.rule(ground, plan)).await;
    let old = change(&site, swap("verifier-snp", acme.sign(older))).await.unwrap_err();
    assert!(old.1.contains("older than 0.2.0"), "{}", old.1);
    change(&site, back("verifier-snp")).await.unwrap();
    assert_eq!(serving(&site).0, signed.hex_digest());
}

// attack 48
#[tokio::test]
async fn a_production_host_without_a_verification_file_lets_nobody_in() {
    let site = Site::with(|_, plan| {
        plan.development = false;
        plan.simulated_roots.clear();
        plan.endorsements.clear();
    })
    .await;
    let package = Acme::new().sign(variant("verifier-snp", 1));
    let (code, reason) = change(&site, swap("verifier-snp", package)).await.unwrap_err();
    assert_eq!(code, Code::PluginRefused);
    assert!(reason.contains("no verification file"), "{reason}");
}

// attack 49, invariant 8
#[tokio::test]
async fn a_token_outlives_the_swap_of_its_verifier_unless_that_is_revoked_or_disabled() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let guest = Guest::new();
    let package = |number| acme.sign(variant("verifier-snp", number));
    let token = site.attest(&guest).await.unwrap().token;
    change(&site, swap("verifier-snp", package(1))).await.unwrap();
    site.redeem(&guest, "k", &token).await.unwrap();
    let revoking =
        PluginChange::Swap { name: "verifier-snp".into(), package: package(2), revoke: true };
    let second = site.attest(&guest).await.unwrap().token;
    change(&site, revoking).await.unwrap();
    for token in [&token, &second] {
        assert_eq!(code(site.redeem(&guest, "k", token).await), Code::TokenInvalid);
    }
    let third = site.attest(&guest).await.unwrap().token;
    site.redeem(&guest, "k", &third).await.unwrap();
    change(&site, disable("verifier-snp")).await.unwrap();
    assert_eq!(code(site.redeem(&guest, "k", &third).await), Code::TokenInvalid);
    assert_eq!(code(site.attest(&guest).await), Code::EvidenceUnsupported);
    change(&site, back("verifier-snp")).await.unwrap();
    site.redeem(&guest, "k", &third).await.unwrap();
}

// attack 49
#[tokio::test]
async fn a_disabled_connector_releases_nothing_until_it_is_rolled_back() {
    let acme = Acme::new();
    let site = site(&acme).await;
    change(&site, disable("kms-local")).await.unwrap();
    assert_eq!(states(&site, "kms-local"), [("bundled", "checked")]);
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::KmsUnavailable);
    assert!(!site.host.health().await.healthy);
    let twice = change(&site, disable("kms-local")).await.unwrap_err();
    assert_eq!(twice.0, Code::NotFound);
    change(&site, back("kms-local")).await.unwrap();
    site.still_serves("after").await;
}

// attack 49
#[tokio::test]
async fn what_was_installed_serves_at_the_next_start_as_far_as_it_is_still_let_in() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let first = serving(&site);
    let package = acme.sign(variant("verifier-snp", 1));
    let digest = package.hex_digest();
    change(&site, swap("verifier-snp", package)).await.unwrap();
    let site = site.again(|ground, plan| acme.rule(ground, plan)).await;
    assert_eq!(serving(&site), (digest.clone(), first.1.clone()));
    assert_eq!(states(&site, "verifier-snp"), [("installed", "serving"), ("bundled", "checked")]);
    // Its signer is listed no more: neither it nor, instead of it, the one before.
    let other = Acme::new();
    let site = site.again(|ground, plan| other.rule(ground, plan)).await;
    assert_eq!(serving(&site), (String::new(), first.1.clone()));
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::EvidenceUnsupported);
    let refused = site.host.plugins().into_iter().find(|plugin| plugin.state == "refused");
    assert_eq!(refused.unwrap().digest, digest);
    // Another component under its digest is not taken for it.
    let kept = site.ground.path().join("installed").join(format!("{digest}.tar"));
    std::fs::write(kept, acme.sign(variant("verifier-snp", 2)).to_archive()).unwrap();
    let site = site.again(|ground, plan| acme.rule(ground, plan)).await;
    assert_eq!(serving(&site).0, String::new());
    change(&site, back("verifier-snp")).await.unwrap();
    assert_eq!(serving(&site), first);
    let site = site.again(|ground, plan| acme.rule(ground, plan)).await;
    assert_eq!(serving(&site), first);
}

#[tokio::test]
async fn a_new_plugin_is_installed_and_of_two_verifiers_one_reads_an_evidence() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let connector = acme.sign(CONNECTOR.to_vec());
    let installed = change(&site, PluginChange::Install(connector.clone())).await.unwrap();
    // It could serve; the keys are held by another.
    assert_eq!((installed.kind, installed.state), ("kms", "checked"));
    let again = change(&site, PluginChange::Install(connector)).await.unwrap_err();
    assert_eq!(again.0, Code::Conflict);
    let none = change(&site, swap("kms-none", acme.sign(variant("kms-local", 1)))).await;
    assert_eq!(none.unwrap_err().0, Code::PluginRefused);
    let present = change(&site, PluginChange::Install(acme.sign(VERIFIER.to_vec()))).await;
    assert_eq!(present.unwrap_err().0, Code::Conflict);
    site.still_serves("after").await;
}

// attack 49
#[tokio::test]
async fn over_the_api_an_administrator_swaps_and_is_told_why_not() {
    let acme = Acme::new();
    let site = site(&acme).await;
    let served = site.serve().await;
    let administrator = served.administrator();
    let package = acme.sign(variant("kms-local", 1));
    let swapped = administrator.swap_plugin("kms-local", &package, false).await.unwrap();
    assert_eq!((swapped.digest, swapped.state), (package.hex_digest(), "serving".to_owned()));
    let unsigned = Package::unsigned(variant("kms-local", 2));
    let refused = administrator.swap_plugin("kms-local", &unsigned, false).await;
    let Err(ClientError::Problem(problem)) = refused else { panic!("{refused:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (422, "plugin-refused"));
    assert!(problem.detail.unwrap().contains("it has no signature"));
    let back = administrator.roll_back_plugin("kms-local", false).await.unwrap();
    assert_eq!(back.source, "bundled");
    let listed = administrator.plugins().await.unwrap().plugins;
    let of = |plugin: &&Plugin| plugin.name == "kms-local";
    let states: Vec<_> = listed.iter().filter(of).map(|plugin| plugin.state.as_str()).collect();
    assert_eq!(states, ["serving", "checked", "refused"]);
    administrator.disable_plugin("kms-local").await.unwrap();
    assert!(administrator.disable_plugin("kms-local").await.is_err());
    // Nobody else may.
    let raw = served.raw_admin().await.post("/v1/plugins/kms-local/rollback", "{}").await;
    assert_eq!(raw.status, 401);
    let raw = served.raw().await.post("/v1/plugins/kms-local/rollback", "{}").await;
    assert_eq!(raw.status, 404);
}

// attacks 48 and 49
#[tokio::test]
async fn what_is_dropped_into_the_folder_serves_once_it_rests_and_is_signed() {
    let acme = Acme::new();
    let ground = Ground::new();
    let folder = ground.path().join("plugins.d");
    std::fs::create_dir(&folder).unwrap();
    let drop_in = |name: &str, package: &Package| {
        std::fs::write(folder.join(name), package.to_archive()).unwrap();
    };
    drop_in("a.tar", &acme.sign(variant("verifier-snp", 1)));
    let site = Site::on(ground, |ground, plan| {
        acme.rule(ground, plan);
        plan.life.directory = Some(ground.path().join("plugins.d"));
    })
    .await;
    site.key("k").await;
    assert_eq!(states(&site, "verifier-snp"), [("directory", "serving"), ("bundled", "checked")]);
    let mut watch = Watch::begun(&folder);
    let package = acme.sign(variant("kms-local", 1));
    drop_in("b.tar", &package);
    drop_in("c.tar", &Package::unsigned(variant("verifier-snp", 2)));
    let before = serving(&site);
    for _ in 0..2 {
        watch = site.host.look_at_plugins(watch, &folder).await;
    }
    assert_eq!(serving(&site), (before.0, package.hex_digest()));
    site.release(&Guest::new(), "k").await.unwrap();
    let record = site.records().into_iter().rfind(|record| record["event"] == "plugin-swapped");
    assert_eq!(record.unwrap()["principal"], "drop-in directory");
    let refused = site.host.plugins().into_iter().find(|plugin| plugin.state == "refused");
    assert!(refused.unwrap().reason.unwrap().contains("no signature"));
}

#[tokio::test]
async fn a_configured_path_needs_a_digest_or_a_signature() {
    let acme = Acme::new();
    let ground = Ground::new();
    let path = ground.path().join("v.wasm");
    let package = acme.sign(variant("verifier-snp", 1));
    std::fs::write(&path, &package.component).unwrap();
    let plan = |ground: &Ground, path: &Path| {
        let mut plan = ground.plan();
        acme.rule(ground, &mut plan);
        let path = Some(path.to_owned());
        let name = "verifier-snp".to_owned();
        plan.plugins.push(PluginPlan { name, path, ..PluginPlan::default() });
        plan
    };
    let refused = ground.try_build(plan(&ground, &path)).await.err().unwrap();
    assert!(refused.contains("it has no signature"), "{refused}");
    let signature = ground.path().join("v.wasm.sigstore.json");
    std::fs::write(signature, &package.signatures[0]).unwrap();
    let site =
        Site { host: Arc::new(ground.try_build(plan(&ground, &path)).await.unwrap()), ground };
    assert_eq!(states(&site, "verifier-snp"), [("file", "serving")]);
}
