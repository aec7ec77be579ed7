//! Reference values decide as long as they are good: signed by whom they may be, inside their time,
//! not taken back, and each tenant's its own.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger::assemble::{Plan, assemble};
use claviger::clock::{Clock, Timestamp};
use claviger::error::{Code, Refusal};
use claviger::flow::Host;
use claviger::reference::{Container, Reference};
use claviger::simulated::report::ReportTemplate;
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, NOW, Site, caller, code, tenant};
use serde_json::{Value, json};

/// A document that approves the measurement of the simulated guests.
fn document(name: &str) -> Value {
    let measurement: String =
        ReportTemplate::default().measurement.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "type": "claviger-reference/1",
        "name": name,
        "tee": "snp",
        "values": [{ "measurement": measurement }],
    })
}

async fn add(host: &Host, tenant: &Tenant, document: &Value) -> Result<Reference, Refusal> {
    let bytes = document.to_string().into_bytes();
    host.add_reference(&caller(tenant), "alice", Container::Json, bytes, None).await
}

/// No value stands in the configuration.
fn bare(plan: &mut Plan) {
    plan.snp.measurements.clear();
}

async fn site() -> Site {
    Site::with(|_, plan| bare(plan)).await
}

// attacks 13 and 54, invariants 6 and 8
#[tokio::test]
async fn a_value_releases_from_the_moment_it_is_added_until_it_is_taken_back() {
    let (site, guest) = (site().await, Guest::new());
    let material = site.key("k").await;
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
    let added = add(&site.host, &Tenant::default(), &document("a")).await.unwrap();
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    let id = added.id.to_string();
    let administrator = caller(&Tenant::default());
    site.host.revoke_reference(&administrator, "alice", &id).await.unwrap();
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
    // Nor does it come back, over a restart or by being added once more.
    let site = site.again(|_, plan| bare(plan)).await;
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    let again = add(&site.host, &Tenant::default(), &document("a")).await;
    assert_eq!(code(again), Code::Conflict);
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
}

// attack 13
#[tokio::test]
async fn a_value_counts_inside_its_window_and_a_token_does_not_outlive_it() {
    let (site, guest) = (site().await, Guest::new());
    site.key("k").await;
    let mut window = document("a");
    window["not_before"] = json!(NOW.plus(10).to_string());
    window["not_after"] = json!(NOW.plus(20).to_string());
    add(&site.host, &Tenant::default(), &window).await.unwrap();
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
    site.at(20);
    let token = site.attest(&guest).await.unwrap().token;
    assert!(site.redeem(&guest, "k", &token).await.is_ok());
    site.at(21);
    assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::NotAffirming);
    assert_eq!(code(site.release(&guest, "k").await), Code::NotAffirming);
}

/// Shows [`NOW`] so many times, and a second later from then on.
struct Stepping(AtomicUsize);

impl Clock for Stepping {
    fn now(&self) -> Timestamp {
        let left =
            self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() { NOW } else { NOW.plus(1) }
    }
}

// attack 13, invariant 8
#[tokio::test]
async fn a_value_whose_time_ends_while_the_key_is_fetched_does_not_release_it() {
    let ground = Ground::new();
    let (mut plan, random) = (ground.plan(), ground.random.clone());
    bare(&mut plan);
    let clock = Arc::new(Stepping(AtomicUsize::new(usize::MAX)));
    let told: Arc<dyn Clock> = clock.clone();
    let built = tokio::task::spawn_blocking(move || assemble(plan, told, random));
    let site = Site { ground, host: Arc::new(built.await.unwrap().unwrap()) };
    site.key("k").await;
    let mut window = document("a");
    window["not_after"] = json!(NOW.to_string());
    add(&site.host, &Tenant::default(), &window).await.unwrap();
    let (guest, mut refused) = (Guest::new(), HashSet::new());
    // Over before it was judged, and over between then and the release. The audit log looks at the
    // clock, too, whenever it likes: hence more than one sweep, if need be.
    let wanted = HashSet::from([Code::NotAffirming, Code::Conflict]);
    for looks in (0..16).cycle().take(256) {
        clock.0.store(usize::MAX, Ordering::SeqCst);
        let challenge = site.challenge_for(&guest, "k");
        clock.0.store(looks, Ordering::SeqCst);
        let outcome = site.submit(&guest, "k", guest.answer(&challenge)).await;
        refused.extend(outcome.err().map(|refusal| refusal.code));
        if refused.is_superset(&wanted) {
            break;
        }
    }
    assert_eq!(refused, wanted);
}

// attack 6
#[tokio::test]
async fn a_value_of_one_tenant_releases_nothing_of_another() {
    let (site, ours, theirs) = (site().await, tenant("team-7"), tenant("team-8"));
    let (our_guest, their_guest) = (Guest::new().of(&ours), Guest::new().of(&theirs));
    site.key_of(&ours, "k").await;
    site.key_of(&theirs, "k").await;
    let id = add(&site.host, &ours, &document("a")).await.unwrap().id.to_string();
    assert!(site.release(&our_guest, "k").await.is_ok());
    assert_eq!(code(site.release(&their_guest, "k").await), Code::NotAffirming);
    let stranger = caller(&theirs);
    assert_eq!(code(site.host.get_reference(&stranger, &id).await), Code::NotFound);
    let revoked = site.host.revoke_reference(&stranger, "bob", &id).await;
    assert_eq!(code(revoked), Code::NotFound);
    assert!(site.host.reference_history(&stranger).await.unwrap().is_empty());
    assert!(site.release(&our_guest, "k").await.is_ok());
}

// attack 64
#[tokio::test]
async fn what_is_added_taken_back_or_refused_stands_in_the_log() {
    let site = Site::with(|_, plan| plan.reference.allow_unsigned = false).await;
    let administrator = caller(&Tenant::default());
    let refused = add(&site.host, &Tenant::default(), &document("a")).await;
    assert_eq!(code(refused), Code::ReferenceRefused);
    let site = site.again(|_, _| {}).await;
    let id = add(&site.host, &Tenant::default(), &document("a")).await.unwrap().id.to_string();
    site.host.revoke_reference(&administrator, "bob", &id).await.unwrap();
    let again = site.host.revoke_reference(&administrator, "bob", &id).await;
    assert_eq!(code(again), Code::Conflict);
    let records = site.records();
    let told = records.iter().filter_map(|record| {
        let event = record["event"].as_str().filter(|event| event.starts_with("reference-"))?;
        Some((event, record["outcome"].as_str()?, record["principal"].as_str()?))
    });
    let expected = [
        ("reference-added", "refused", "alice"),
        ("reference-added", "begun", "alice"),
        ("reference-added", "allowed", "alice"),
        ("reference-revoked", "begun", "bob"),
        ("reference-revoked", "allowed", "bob"),
        ("reference-revoked", "begun", "bob"),
        ("reference-revoked", "refused", "bob"),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
    let added = records.iter().find(|record| record["outcome"] == "begun").unwrap();
    let detail = added["detail"].as_str().unwrap();
    assert!(detail.contains(&id) && detail.contains("UNSIGNED"), "{detail}");
    let history = site.host.reference_history(&administrator).await.unwrap();
    let who: Vec<_> = history.iter().map(|change| change.act.by.as_str()).collect();
    assert_eq!(who.len(), 2);
    assert!(who.contains(&"alice") && who.contains(&"bob"));
}
