//! What changes while a key is being fetched. A host asks for the time before it fetches and again
//! behind it: a clock that has something done when it is asked stands between the two.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use claviger::assemble::assemble;
use claviger::clock::{Clock, Timestamp};
use claviger::error::Code;
use claviger::flow::NewReleasePolicy;
use claviger::release_policy::Language;
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, NOW, Site, caller, new_key};
use serde_json::json;

/// After so many looks at the clock, something else happens before the answer.
struct Interrupting {
    looks: AtomicUsize,
    /// Asks for it (or, false, for no more), and learns that it is done.
    meanwhile: Mutex<(Sender<bool>, Receiver<()>)>,
}

impl Clock for Interrupting {
    fn now(&self) -> Timestamp {
        // The audit log's own thread must go on: what happens is recorded.
        let ours = thread::current().name() != Some("audit");
        let due = |looks: usize| Some(looks.checked_sub(1).unwrap_or(usize::MAX));
        if ours && self.looks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, due) == Ok(0) {
            let meanwhile = self.meanwhile.lock().unwrap();
            meanwhile.0.send(true).unwrap();
            meanwhile.1.recv().unwrap();
        }
        NOW
    }
}

/// Nobody meets it.
fn refusing() -> NewReleasePolicy {
    let policy = json!({"version": "1.0.0", "anyOf": [{"authority": "https://elsewhere.test",
        "allOf": [{"claim": "iss", "equals": "nobody"}]}]});
    NewReleasePolicy { language: Language::Akv, text: policy.to_string(), immutable: false }
}

// attack 13, invariant 8
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_policy_that_becomes_stricter_while_the_key_is_fetched_does_not_release_it() {
    let ((ask, asked), (done, told)) = (channel(), channel());
    let looks = AtomicUsize::new(usize::MAX);
    let clock = Arc::new(Interrupting { looks, meanwhile: Mutex::new((ask, told)) });
    let ground = Ground::new();
    let (plan, random, told) = (ground.plan(), ground.random.clone(), clock.clone());
    let built = tokio::task::spawn_blocking(move || assemble(plan, told, random));
    let site = Site { ground, host: Arc::new(built.await.unwrap().unwrap()) };
    let administrator = caller(&Tenant::default());
    site.host.create_key(&administrator, "tests", new_key("k")).await.unwrap();
    let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
    let changing = thread::spawn(move || {
        while asked.recv() == Ok(true) {
            let set = host.set_release_policy(&administrator, "alice", "k", refusing());
            runtime.block_on(set).unwrap();
            done.send(()).unwrap();
        }
    });
    let (guest, mut ends) = (Guest::new(), HashSet::new());
    for looks in 0..12 {
        let administrator = caller(&Tenant::default());
        let affirming = NewReleasePolicy::affirming();
        site.host.set_release_policy(&administrator, "alice", "k", affirming).await.unwrap();
        let challenge = site.challenge_for(&guest, "k");
        clock.looks.store(looks, Ordering::SeqCst);
        let outcome = site.submit(&guest, "k", guest.answer(&challenge)).await;
        clock.looks.store(usize::MAX, Ordering::SeqCst);
        ends.insert(outcome.map(drop).map_err(|refusal| refusal.code));
    }
    // Stricter before the policy was asked, and between then and the release; and after it.
    for end in [Err(Code::ReleaseDenied), Err(Code::Conflict), Ok(())] {
        assert!(ends.contains(&end), "{end:?} is not among {ends:?}");
    }
    assert_eq!(ends.len(), 3);
    clock.meanwhile.lock().unwrap().0.send(false).unwrap();
    changing.join().unwrap();
}
