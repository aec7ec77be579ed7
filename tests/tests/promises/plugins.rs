//! A plugin cannot harm the host, another plugin, or a request that is not its own: time, memory,
//! handles, host calls and output are bounded, and what goes beyond its world is not loaded.

use std::time::Duration;

use claviger::assemble::PluginPlan;
use claviger::assemble::inspect;
use claviger::error::Code;
use claviger::flow::Wanted;
use claviger::plugin::Limits;
use claviger_tests::hostile::{
    CONNECTOR, RECURSES, START_LOOPS, START_TRAPS, TABLE_GROWS, UNREACHABLE, VERIFIER, deed,
};
use claviger_tests::site::{Ground, Guest, Journal, Site, code, family};

/// A site whose verifier is this one.
async fn site(component: &[u8], limits: Limits) -> Site {
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("verifier-snp", component);
        plugin.limits = limits;
        plan.plugins.push(plugin);
    })
    .await;
    site.key("k").await;
    site
}

/// A guest that sends the chain of custody along: VCEK, ASK.
fn guest() -> Guest {
    let mut guest = Guest::new();
    guest.hardware.attachments.push(family().ask().to_vec());
    guest
}

/// What comes of telling the verifier to do this, while a sound guest is served beside.
async fn told(site: &Site, guest: &Guest, name: &str) -> Result<(), Code> {
    let challenge = site.challenge_for(guest, "k");
    let evidence = deed(name, &[&guest.report(&challenge)]);
    let hostile = site.submit(guest, "k", guest.answer_with(&challenge, evidence));
    let other = Guest::new();
    let (hostile, sound) = tokio::join!(hostile, site.release(&other, "k"));
    assert!(sound.is_ok(), "{name}: {sound:?}");
    hostile.map(drop).map_err(|refusal| refusal.code)
}

// attack 45, invariant 7
#[tokio::test]
async fn a_verifier_that_wastes_time_or_memory_is_stopped_and_others_are_served() {
    let site = site(VERIFIER, Limits::default()).await;
    let guest = guest();
    for (name, expected) in [
        ("endless-loop", Code::PluginTimeout),
        ("recursion", Code::PluginFailed),
        ("memory", Code::PluginFailed),
        ("statements", Code::PluginFailed),
        ("signers", Code::PluginFailed),
        ("giant-result", Code::PluginFailed),
        ("giant-words", Code::PluginFailed),
        ("giant-line", Code::PluginFailed),
        ("host-calls", Code::PluginFailed),
        ("panic", Code::PluginFailed),
        ("words", Code::EvidenceMalformed),
    ] {
        assert_eq!(told(&site, &guest, name).await, Err(expected), "{name}");
    }
    site.still_serves("after").await;
}

// attack 45, invariant 7
#[tokio::test]
async fn the_operator_learns_which_bound_a_verifier_ran_into() {
    let site = site(VERIFIER, Limits::default()).await;
    let guest = guest();
    for (name, reason) in [
        // A small stack inside the instance's own memory, below which there is nothing.
        ("recursion", "out of bounds memory access"),
        ("memory", "more memory than is allowed"),
        ("statements", "more handles than are allowed"),
        ("signers", "more handles than are allowed"),
        ("giant-result", "more data for the host than is allowed"),
        ("host-calls", "more calls of the host than are allowed"),
        ("panic", "last words of 1 reports"),
    ] {
        let challenge = site.challenge_for(&guest, "k");
        let evidence = deed(name, &[&guest.report(&challenge)]);
        let answer = guest.answer_with(&challenge, evidence);
        let refusal = site.submit(&guest, "k", answer).await.unwrap_err();
        assert!(refusal.reason.contains("verifier-snp"), "{refusal}");
        assert!(refusal.reason.contains(reason), "{refusal}");
    }
}

// attack 45, invariant 7
#[tokio::test]
async fn an_endless_verifier_holds_up_nobody_on_the_same_thread() {
    // One thread serves both, and the hostile call would last an hour.
    let limits = Limits { deadline: Duration::from_secs(3600), ..Limits::default() };
    let site = site(VERIFIER, limits).await;
    let guest = guest();
    let challenge = site.challenge_for(&guest, "k");
    let evidence = deed("endless-loop", &[&guest.report(&challenge)]);
    let mut hostile = Box::pin(site.submit(&guest, "k", guest.answer_with(&challenge, evidence)));
    for name in ["one", "two", "three"] {
        tokio::select! {
            biased;
            outcome = &mut hostile => panic!("{outcome:?}"),
            () = site.still_serves(name) => {}
        }
    }
}

// attack 45, invariant 7
#[tokio::test]
async fn a_verifier_whose_table_or_stack_grows_or_that_traps_is_stopped() {
    for (component, words) in [
        (RECURSES, "more stack than is allowed"),
        (TABLE_GROWS, "more table elements than are allowed"),
        (UNREACHABLE, "wasm `unreachable` instruction executed"),
    ] {
        let site = site(component, Limits::default()).await;
        let refusal = site.release(&Guest::new(), "k").await.unwrap_err();
        assert_eq!(refusal.code, Code::PluginFailed);
        assert!(refusal.reason.contains(words), "{refusal}");
        assert!(site.host.health().await.healthy);
        assert_eq!(site.releases(), 0);
    }
}

// attacks 41 and 45, invariant 7
#[tokio::test]
async fn what_a_verifier_logs_stands_under_its_name_on_one_line_and_has_an_end() {
    let journal = Journal::open();
    let site = site(VERIFIER, Limits::default()).await;
    let guest = guest();
    assert_eq!(told(&site, &guest, "log-forgery").await, Ok(()));
    let forged = journal.lines(&["forgery"]);
    assert!(!forged.is_empty());
    for line in &forged {
        assert!(line.contains(r"forgery\u{d}\u{a}2026-11-24 INFO key released\u{1b}[2K\u{202e}"));
        assert!(line.contains("claviger::plugin"), "{line}");
        assert!(line.contains(r#"plugin="verifier-snp""#), "{line}");
    }
    assert_eq!(told(&site, &guest, "log-flood").await, Ok(()));
    let flood = journal.lines(&["flood "]);
    assert!((1..=20).contains(&flood.len()), "{} lines", flood.len());
    assert_eq!(journal.lines(&["the plugin logs more than it may"]).len(), 1);
}

// attacks 41 and 45
#[tokio::test]
async fn the_last_words_of_a_panic_stand_in_the_log_under_the_plugins_name() {
    let journal = Journal::open();
    let site = site(VERIFIER, Limits::default()).await;
    assert_eq!(told(&site, &guest(), "panic").await, Err(Code::PluginFailed));
    let words = journal.lines(&["last words of 1 reports"]);
    assert!(!words.is_empty());
    for line in words {
        assert!(line.contains("verifier-snp"), "{line}");
        assert!(line.contains(r"\u{a}and a second line"), "{line}");
    }
    assert!(!journal.text().lines().any(|line| line.starts_with("and a second line")));
}

// attack 41
#[tokio::test]
async fn a_verifiers_words_reach_neither_the_log_nor_the_caller_as_they_are() {
    let journal = Journal::open();
    let site = site(VERIFIER, Limits::default()).await;
    let (served, guest) = (site.serve().await, guest());
    let challenge = site.challenge_for(&guest, "k");
    let evidence = deed("words", &[&guest.report(&challenge)]);
    let answer = guest.answer_with(&challenge, evidence);
    let request = claviger_tests::site::with_evidence(answer);
    let body = serde_json::to_string(&request).unwrap();
    let answer = served.raw().await.post("/v1/keys/k/release", &body).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "evidence-malformed"));
    assert!(!answer.text.contains("words"), "{}", answer.text);
    let request = answer.body()["request_id"].as_str().unwrap().to_owned();
    let lines = journal.lines(&[&request, "refused"]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("words") && !lines[0].contains('\u{1b}'), "{}", lines[0]);
}

// attack 45, invariant 7
#[tokio::test]
async fn a_plugin_that_fails_before_it_is_called_stops_the_start() {
    for (component, words) in [
        (START_TRAPS, "the plugin stopped: wasm trap: wasm `unreachable` instruction executed"),
        (START_LOOPS, "the plugin took longer than it may"),
    ] {
        let ground = Ground::new();
        let mut plan = ground.plan();
        plan.plugins.push(ground.plugin("verifier-snp", component));
        let refused = ground.try_build(plan).await.err().unwrap();
        assert!(refused.contains("plugin verifier-snp") && refused.contains(words), "{refused}");
    }
}

/// What the verifier claims when it is told to do this.
async fn claimed(site: &Site, name: &str) -> serde_json::Value {
    let guest = guest();
    let challenge = site.challenge(&guest);
    let evidence = deed(name, &[&guest.report(&challenge)]);
    let answer = guest.answer_with(&challenge, evidence);
    let attested =
        site.host.attest(&guest.caller(), answer.into(), Wanted::default()).await.unwrap();
    let claims = attested.token.split('.').nth(1).unwrap();
    let claims = data_encoding::BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["submods"]["snp"]["ear_verifier_claims"].clone()
}

// attack 51, invariant 7
#[tokio::test]
async fn an_instance_lives_for_one_call_and_remembers_no_other() {
    let site = site(VERIFIER, Limits::default()).await;
    for _ in 0..3 {
        assert_eq!(claimed(&site, "remembers").await, serde_json::json!({ "acme.calls": 1 }));
    }
}

// attack 51, invariant 7
#[tokio::test]
async fn a_plugin_reads_its_own_settings_and_nobody_elses() {
    let site = Site::with(|ground, plan| {
        let mut verifier = ground.plugin("verifier-snp", VERIFIER);
        verifier.values.insert("mine".into(), "own".into());
        let mut connector = ground.plugin("kms-hostile", CONNECTOR);
        connector.values.insert("token".into(), "s.3cr3t".into());
        plan.plugins.extend([verifier, connector]);
    })
    .await;
    let settings = serde_json::json!({ "acme.settings": ["own"] });
    assert_eq!(claimed(&site, "settings").await, settings);
}

/// A component of nothing but an import and a manifest.
fn importing(import: &str, kind: &str) -> Vec<u8> {
    declaring(import, kind, "")
}

/// The same, with what its manifest says that it imports.
fn declaring(import: &str, kind: &str, declared: &str) -> Vec<u8> {
    let manifest =
        format!(r#"{{"name":"x","kind":"{kind}","version":"1","imports":[{declared}]}}"#)
            .replace('"', "\\\"");
    wat::parse_str(format!(
        r#"(component
            (@custom "claviger:manifest" "{manifest}")
            (import "{import}" (instance)))"#
    ))
    .unwrap()
}

// attacks 48 and 51, invariant 7
#[tokio::test]
async fn a_component_that_imports_what_is_not_in_its_world_is_refused_by_the_imports_name() {
    for (import, kind) in [
        ("wasi:cli/environment@0.2.0", "verifier"),
        ("wasi:sockets/tcp@0.2.0", "kms"),
        ("wasi:http/outgoing-handler@0.2.0", "kms"),
        ("claviger:plugin/http@0.1.0", "verifier"),
        ("claviger:plugin/sealed-store@0.1.0", "verifier"),
        ("claviger:plugin/material@0.1.0", "verifier"),
        ("claviger:plugin/custody@0.1.0", "kms"),
        ("claviger:plugin/log@0.2.0", "verifier"),
        ("claviger:other/log@0.1.0", "verifier"),
    ] {
        let refused = inspect(&importing(import, kind)).unwrap().refused.unwrap();
        assert!(refused.contains(&format!("it imports `{import}`")), "{refused}");
        assert!(refused.contains("does not have"), "{refused}");
    }
}

// attacks 42, 48 and 51, invariants 7 and 10
#[tokio::test]
async fn a_connector_that_imports_the_network_or_secrets_is_refused_without_a_grant() {
    for (import, name) in [
        ("claviger:plugin/http@0.1.0", r#""http""#),
        ("claviger:plugin/secrets@0.1.0", r#""secrets""#),
    ] {
        let component = declaring(import, "kms", name);
        let ground = Ground::new();
        let mut plan = ground.plan();
        plan.plugins.push(ground.plugin("x", &component));
        let refused = ground.try_build(plan).await.err().unwrap();
        let expected = format!("it imports `{import}`, which it is not granted");
        assert!(refused.contains(&expected), "{refused}");
    }
}

// attack 48, invariant 7
#[tokio::test]
async fn a_component_that_imports_more_than_its_manifest_says_is_refused() {
    let import = "claviger:plugin/sealed-keys@0.1.0";
    let refused = inspect(&declaring(import, "kms", r#""log""#)).unwrap().refused.unwrap();
    let expected = format!("it imports `{import}`, which its manifest does not name");
    assert!(refused.contains(&expected), "{refused}");
}

// attack 48
#[tokio::test]
async fn a_component_of_the_wrong_world_or_without_one_manifest_is_refused() {
    let empty = importing("claviger:plugin/types@0.1.0", "verifier");
    let refused = inspect(&empty).unwrap().refused.unwrap();
    assert!(refused.contains("it does not fit the world `verifier-plugin`"), "{refused}");
    let empty = importing("claviger:plugin/types@0.1.0", "kms");
    let refused = inspect(&empty).unwrap().refused.unwrap();
    assert!(refused.contains("it does not fit the world `kms-plugin`"), "{refused}");

    let bare = wat::parse_str("(component)").unwrap();
    assert!(inspect(&bare).unwrap_err().to_string().contains("no manifest"));
    let twice =
        r#"(component (@custom "claviger:manifest" "{}") (@custom "claviger:manifest" "{}"))"#;
    let twice = inspect(&wat::parse_str(twice).unwrap()).unwrap_err().to_string();
    assert!(twice.contains("more than one manifest"), "{twice}");
    assert!(inspect(b"\0asm not a component").is_err());
    assert!(inspect(b"").is_err());
}

// attack 48
#[tokio::test]
async fn a_connector_in_a_verifiers_place_leaves_no_verifier() {
    let ground = Ground::new();
    let mut plan = ground.plan();
    plan.plugins.push(ground.plugin("verifier-snp", CONNECTOR));
    let host = ground.try_build(plan).await.unwrap();
    let site = Site { ground, host: host.into() };
    site.key("k").await;
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::EvidenceUnsupported);
    assert_eq!(site.releases(), 0);
}

// attack 46, invariant 6
#[tokio::test]
async fn two_verifiers_of_the_same_evidence_stop_the_start() {
    let ground = Ground::new();
    let mut plan = ground.plan();
    plan.plugins.push(ground.plugin("verifier-snp-too", VERIFIER));
    let refused = ground.try_build(plan).await.err().unwrap();
    assert!(refused.contains("another verifier reads snp already"), "{refused}");
}

// attack 48
#[tokio::test]
async fn a_plugin_of_another_digest_or_with_a_setting_that_it_does_not_know_stops_the_start() {
    let ground = Ground::new();
    let mut plan = ground.plan();
    let given = ground.plugin("verifier-snp", VERIFIER);
    plan.plugins.push(PluginPlan { digest: Some([7; 32]), ..given });
    let refused = ground.try_build(plan).await.err().unwrap();
    assert!(refused.contains("its digest is sha256:"), "{refused}");
    let mut plan = ground.plan();
    let values = [("vmlp".to_owned(), "0".to_owned())].into();
    plan.plugins.push(PluginPlan { name: "verifier-snp".into(), values, ..PluginPlan::default() });
    let refused = ground.try_build(plan).await.err().unwrap();
    assert!(refused.contains("its manifest names no setting \"vmlp\""), "{refused}");
}
