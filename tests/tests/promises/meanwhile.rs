//! What changes while a key is being fetched. A host asks for the time before it fetches and again
//! behind it: a clock that has something done when it is asked stands between the two.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use claviger::assemble::assemble;
use claviger::clock::{Clock, Timestamp};
use claviger::error::Code;
use claviger::flow::vault::{Actor, Attributes, NewSecret};
use claviger::flow::{Host, NewReleasePolicy};
use claviger::permission::Permissions;
use claviger::release_policy::Language;
use claviger::secret::Secret;
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

/// Whose policy it is.
#[derive(Clone, Copy, Debug)]
enum Of {
    Key,
    Secret,
}

impl Of {
    fn name(self) -> &'static str {
        match self {
            Self::Key => "k",
            Self::Secret => "secrets/s",
        }
    }

    async fn put(self, host: &Host, policy: NewReleasePolicy) {
        let caller = caller(&Tenant::default());
        match self {
            Self::Key => {
                host.set_release_policy(&caller, "alice", "k", policy).await.unwrap();
            }
            Self::Secret => {
                let permissions = Permissions::all();
                let actor =
                    Actor { caller: &caller, principal: "alice", permissions: &permissions };
                host.secret_set_release_policy(actor, "s", policy).await.unwrap();
            }
        }
    }

    async fn make(self, host: &Host) {
        let caller = caller(&Tenant::default());
        match self {
            Self::Key => {
                host.create_key(&caller, "tests", new_key("k")).await.unwrap();
            }
            Self::Secret => {
                let permissions = Permissions::all();
                let actor =
                    Actor { caller: &caller, principal: "alice", permissions: &permissions };
                let new = NewSecret {
                    name: "s".to_owned(),
                    value: Secret::new(b"value".to_vec()),
                    content_type: None,
                    attributes: Attributes::default(),
                    tags: BTreeMap::new(),
                    release_policy: Some(NewReleasePolicy::affirming()),
                };
                host.secret_set(actor, new).await.unwrap();
            }
        }
    }
}

// attack 13, invariant 8
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_policy_that_becomes_stricter_while_the_key_is_fetched_does_not_release_it() {
    stricter_meanwhile(Of::Key).await;
}

// attack 13, invariant 8
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nor_a_secret() {
    stricter_meanwhile(Of::Secret).await;
}

async fn stricter_meanwhile(of: Of) {
    let ((ask, asked), (done, told)) = (channel(), channel());
    let looks = AtomicUsize::new(usize::MAX);
    let clock = Arc::new(Interrupting { looks, meanwhile: Mutex::new((ask, told)) });
    let ground = Ground::new();
    let (plan, random, told) = (ground.plan(), ground.random.clone(), clock.clone());
    let built = tokio::task::spawn_blocking(move || assemble(plan, told, random));
    let site = Site { ground, host: Arc::new(built.await.unwrap().unwrap()) };
    of.make(&site.host).await;
    let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
    let changing = thread::spawn(move || {
        while asked.recv() == Ok(true) {
            runtime.block_on(of.put(&host, refusing()));
            done.send(()).unwrap();
        }
    });
    let (guest, mut ends) = (Guest::new(), HashSet::new());
    for looks in 0..12 {
        of.put(&site.host, NewReleasePolicy::affirming()).await;
        let challenge = site.challenge_for(&guest, of.name());
        clock.looks.store(looks, Ordering::SeqCst);
        let outcome = site.submit(&guest, of.name(), guest.answer(&challenge)).await;
        clock.looks.store(usize::MAX, Ordering::SeqCst);
        ends.insert(outcome.map(drop).map_err(|refusal| refusal.code));
    }
    // Stricter before the policy was asked, and between then and the release; and after it.
    for end in [Err(Code::ReleaseDenied), Err(Code::Conflict), Ok(())] {
        assert!(ends.contains(&end), "{of:?}: {end:?} is not among {ends:?}");
    }
    assert_eq!(ends.len(), 3);
    clock.meanwhile.lock().unwrap().0.send(false).unwrap();
    changing.join().unwrap();
}
