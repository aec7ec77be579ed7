//! Stored values: of one tenant, for their time, until they are taken back.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::audit::Digest;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::random::{Random, SystemRandomness};
use crate::reference::{Act, Event, Group, Reference, References, State};
use crate::store::{Embedded, MasterKey, SealedStore};

const NOW: Timestamp = Timestamp(1_767_225_600);

fn store() -> Arc<SealedStore> {
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let master = MasterKey::ephemeral(&*random).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    Arc::new(SealedStore::open(store, &master, random).unwrap())
}

fn act(at: Timestamp) -> Act {
    Act { at, by: "alice".to_owned(), request: "r".to_owned() }
}

fn add(references: &References, text: &Json, at: Timestamp) -> Result<Reference, Refusal> {
    replace(references, text, at, None)
}

fn replace(
    references: &References,
    text: &Json,
    at: Timestamp,
    replaces: Option<Digest>,
) -> Result<Reference, Refusal> {
    let admitted = admit_json(references.signers(), Container::Json, text)?;
    references.add(&Tenant::default(), &admitted, &act(at), replaces)
}

/// The first bytes of the measurements that are good in a tenant.
fn good_of(references: &References, tenant: &Tenant, at: Timestamp) -> Vec<String> {
    let snapshot = references.snapshot(tenant, at).unwrap();
    let values = snapshot.json["snp"]["measurement"].as_array().cloned().unwrap_or_default();
    let mut values: Vec<_> =
        values.iter().map(|value| value["value"].as_str().unwrap()[..2].to_owned()).collect();
    values.sort();
    values
}

fn good(references: &References, at: Timestamp) -> Vec<String> {
    good_of(references, &Tenant::default(), at)
}

// attack 54
#[test]
fn where_there_is_no_value_a_policy_finds_none() {
    let references = References::new(store(), unsigned(), Vec::new());
    let snapshot = references.snapshot(&Tenant::default(), NOW).unwrap();
    assert_eq!(snapshot.json, json!({}));
}

// attack 13
#[test]
fn what_is_revoked_counts_no_more_and_does_not_come_back() {
    let references = References::new(store(), unsigned(), Vec::new());
    let added = add(&references, &plain("a", 7), NOW).unwrap();
    assert_eq!(added.state, State::Good);
    let before = references.snapshot(&Tenant::default(), NOW).unwrap();
    assert_eq!(good(&references, NOW), ["07"]);
    references.revoke(&Tenant::default(), added.id, &act(NOW)).unwrap();
    assert!(references.remembered(&Tenant::default(), NOW).is_none());
    assert!(good(&references, NOW).is_empty());
    let after = references.snapshot(&Tenant::default(), NOW).unwrap();
    assert_ne!(before.digest, after.digest);
    // Nor by the same document once more, nor is it revoked twice.
    assert_eq!(add(&references, &plain("a", 7), NOW).unwrap_err().code, Code::Conflict);
    let again = references.revoke(&Tenant::default(), added.id, &act(NOW)).unwrap_err();
    assert_eq!(again.code, Code::Conflict);
    assert!(good(&references, NOW).is_empty());
}

#[test]
fn another_signature_makes_no_other_document() {
    let key = Key::p256();
    let references = References::new(store(), signers([key.plan("p")]), Vec::new());
    let payload = plain("a", 7).to_string();
    let add = || {
        let envelope = envelope(&key, PLAIN, payload.as_bytes());
        let admitted = admit_json(references.signers(), Container::Dsse, &envelope).unwrap();
        references.add(&Tenant::default(), &admitted, &act(NOW), None)
    };
    let id = add().unwrap().id;
    references.revoke(&Tenant::default(), id, &act(NOW)).unwrap();
    assert_eq!(add().unwrap_err().code, Code::Conflict);
}

// attack 13
#[test]
fn a_value_counts_inside_its_window_and_not_a_second_longer() {
    let references = References::new(store(), unsigned(), Vec::new());
    let mut text = plain("a", 7);
    text["not_before"] = json!(NOW.plus(10).to_string());
    text["not_after"] = json!(NOW.plus(20).to_string());
    let added = add(&references, &text, NOW).unwrap();
    assert_eq!(added.state, State::NotYet);
    let later = references.get(&Tenant::default(), added.id, NOW.plus(21)).unwrap();
    assert_eq!(later.state, State::Expired);
    add(&references, &plain("b", 8), NOW).unwrap();
    // In any order: a clock may be set back.
    for (second, expected) in [
        (0, &["08"][..]),
        (9, &["08"]),
        (10, &["07", "08"]),
        (20, &["07", "08"]),
        (21, &["08"]),
        (15, &["07", "08"]),
        (5, &["08"]),
    ] {
        assert_eq!(good(&references, NOW.plus(second)), expected, "{second}");
        let remembered = references.remembered(&Tenant::default(), NOW.plus(second));
        assert!(remembered.is_some(), "{second}");
    }
    // And one whose time is over is not even added.
    text["name"] = json!("c");
    assert_eq!(add(&references, &text, NOW.plus(21)).unwrap_err().code, Code::RequestMalformed);
}

#[test]
fn one_document_takes_the_place_of_another() {
    let references = References::new(store(), unsigned(), Vec::new());
    let tenant = Tenant::default();
    let old = add(&references, &plain("a", 7), NOW).unwrap().id;
    let new = replace(&references, &plain("b", 8), NOW.plus(1), Some(old)).unwrap().id;
    assert_eq!(good(&references, NOW.plus(1)), ["08"]);
    assert_eq!(references.get(&tenant, old, NOW.plus(1)).unwrap().state, State::Replaced);
    // What has ended or is not there is not replaced, and nothing is added instead.
    let again = replace(&references, &plain("c", 9), NOW, Some(old));
    assert_eq!(again.unwrap_err().code, Code::Conflict);
    let none = replace(&references, &plain("c", 9), NOW, Some(Digest([0; 32])));
    assert_eq!(none.unwrap_err().code, Code::NotFound);
    assert_eq!(good(&references, NOW.plus(1)), ["08"]);
    references.revoke(&tenant, new, &act(NOW.plus(2))).unwrap();
    let history = references.history(&tenant).unwrap();
    let told: Vec<_> =
        history.iter().map(|change| (change.act.at.since(NOW), change.event, change.id)).collect();
    assert_eq!((told.len(), told[0]), (4, (2, Event::Revoked, new)));
    assert!(told.contains(&(1, Event::Replaced(new), old)));
    assert!(told.contains(&(1, Event::Added, new)) && told.contains(&(0, Event::Added, old)));
    assert!(history.iter().all(|change| change.act.by == "alice"));
}

#[test]
fn one_tenants_values_are_not_anothers() {
    let configured = Group {
        tee: "snp".to_owned(),
        values: [("measurement".to_owned(), json!(measurement(1)))].into(),
    };
    let references = References::new(store(), unsigned(), vec![configured]);
    let (ours, theirs) = (Tenant::default(), Tenant::parse("team-7").unwrap());
    let id = add(&references, &plain("a", 7), NOW).unwrap().id;
    assert_eq!(good(&references, NOW), ["01", "07"]);
    assert_eq!(good_of(&references, &theirs, NOW), ["01"]);
    assert_eq!(references.get(&theirs, id, NOW).unwrap_err().code, Code::NotFound);
    assert_eq!(references.bytes(&theirs, id).unwrap_err().code, Code::NotFound);
    let revoked = references.revoke(&theirs, id, &act(NOW));
    assert_eq!(revoked.unwrap_err().code, Code::NotFound);
    assert_eq!(references.history(&theirs).unwrap(), []);
    assert_eq!(good_of(&references, &ours, NOW), ["01", "07"]);
}

// invariant 8
#[test]
fn a_signer_that_is_listed_no_more_takes_its_values_along() {
    let (key, other, store) = (Key::p256(), Key::p256(), store());
    let payload = plain("a", 7).to_string();
    let envelope = envelope(&key, PLAIN, payload.as_bytes());
    let before = References::new(Arc::clone(&store), signers([key.plan("p")]), Vec::new());
    let admitted = admit_json(before.signers(), Container::Dsse, &envelope).unwrap();
    let id = before.add(&Tenant::default(), &admitted, &act(NOW), None).unwrap().id;
    assert_eq!(good(&before, NOW), ["07"]);
    let host_data = Some(vec!["host_data".to_owned()]);
    for listed in [
        signers([]),
        unsigned(),
        signers([key.plan("q")]),
        signers([other.plan("p")]),
        signers([SignerPlan { claims: host_data, ..key.plan("p") }]),
    ] {
        let after = References::new(Arc::clone(&store), listed, Vec::new());
        assert!(good(&after, NOW).is_empty());
        let state = after.get(&Tenant::default(), id, NOW).unwrap().state;
        assert_eq!(state, State::Unlisted);
    }
    let again = References::new(store, signers([key.plan("p")]), Vec::new());
    assert_eq!(good(&again, NOW), ["07"]);
}

#[test]
fn values_that_were_let_in_unsigned_go_with_the_permission() {
    let store = store();
    let before = References::new(Arc::clone(&store), unsigned(), Vec::new());
    add(&before, &plain("a", 7), NOW).unwrap();
    assert_eq!(good(&before, NOW), ["07"]);
    let after = References::new(store, signers([]), Vec::new());
    assert!(good(&after, NOW).is_empty());
}

// invariant 11
#[test]
fn a_snapshot_does_not_depend_on_who_came_first() {
    let digest = |order: [u8; 2]| {
        let references = References::new(store(), unsigned(), Vec::new());
        for byte in order {
            add(&references, &plain(&byte.to_string(), byte), NOW).unwrap();
        }
        references.snapshot(&Tenant::default(), NOW).unwrap().digest
    };
    assert_eq!(digest([1, 2]), digest([2, 1]));
}

#[test]
fn a_list_comes_in_pages_and_a_document_as_it_came() {
    let references = References::new(store(), unsigned(), Vec::new());
    let tenant = Tenant::default();
    for byte in 0..5 {
        add(&references, &plain(&byte.to_string(), byte), NOW).unwrap();
    }
    let (first, more) = references.list(&tenant, None, 3, NOW).unwrap();
    assert!(more);
    let (rest, more) = references.list(&tenant, Some(first[2].id), 3, NOW).unwrap();
    assert!(!more && first.len() + rest.len() == 5);
    let bytes = references.bytes(&tenant, rest[0].id).unwrap();
    let again = Opened::read(Container::Json, &bytes).unwrap();
    assert_eq!(again.document(), &rest[0].document);
}
