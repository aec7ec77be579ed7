//! What changes while a key is being fetched. A host asks for the time before it fetches and again
//! behind it: a clock that has something done when it is asked stands between the two.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use claviger::assemble::assemble;
use claviger::clock::{Clock, Timestamp};
use claviger::error::{Code, Refusal};
use claviger::flow::vault::{Actor, Attributes, NewSecret};
use claviger::flow::{Host, NewReleasePolicy};
use claviger::permission::Permissions;
use claviger::release_policy::Language;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, NOW, Site, caller, code, new_key};
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

    async fn put(self, host: &Host, name: &str, policy: NewReleasePolicy) -> Result<(), Refusal> {
        let caller = caller(&Tenant::default());
        match self {
            Self::Key => host.set_release_policy(&caller, "alice", name, policy).await.map(drop),
            Self::Secret => {
                let permissions = Permissions::all();
                let actor =
                    Actor { caller: &caller, principal: "alice", permissions: &permissions };
                let name = name.trim_start_matches("secrets/");
                host.secret_set_release_policy(actor, name, policy).await.map(drop)
            }
        }
    }

    async fn make(self, host: &Host, name: &str) {
        let caller = caller(&Tenant::default());
        match self {
            Self::Key => {
                host.create_key(&caller, "tests", new_key(name)).await.unwrap();
            }
            Self::Secret => {
                let permissions = Permissions::all();
                let actor =
                    Actor { caller: &caller, principal: "alice", permissions: &permissions };
                let new = NewSecret {
                    name: name.trim_start_matches("secrets/").to_owned(),
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

/// A host by such a clock, and the two ends of what happens meanwhile.
async fn site() -> (Site, Arc<Interrupting>, Receiver<bool>, Sender<()>) {
    let ((ask, asked), (done, told)) = (channel(), channel());
    let looks = AtomicUsize::new(usize::MAX);
    let clock = Arc::new(Interrupting { looks, meanwhile: Mutex::new((ask, told)) });
    let ground = Ground::new();
    let (plan, random, told) = (ground.plan(), ground.random.clone(), clock.clone());
    let built = tokio::task::spawn_blocking(move || assemble(plan, told, random));
    let site = Site { ground, host: Arc::new(built.await.unwrap().unwrap()) };
    (site, clock, asked, done)
}

async fn stricter_meanwhile(of: Of) {
    let (site, clock, asked, done) = site().await;
    of.make(&site.host, of.name()).await;
    let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
    let changing = thread::spawn(move || {
        while asked.recv() == Ok(true) {
            runtime.block_on(of.put(&host, of.name(), refusing())).unwrap();
            done.send(()).unwrap();
        }
    });
    let (guest, mut ends) = (Guest::new(), HashSet::new());
    for looks in 0..12 {
        of.put(&site.host, of.name(), NewReleasePolicy::affirming()).await.unwrap();
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

/// Two change a policy at once, and one of them makes it immutable: the other, who read it before, does not
/// come after him.
// attack 60, invariant 4
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_became_immutable_meanwhile_is_not_overwritten() {
    for of in [Of::Key, Of::Secret] {
        let (site, clock, asked, done) = site().await;
        let name = move |looks: usize| format!("{}{looks}", of.name());
        for looks in 0..6 {
            of.make(&site.host, &name(looks)).await;
        }
        let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
        let changing = thread::spawn(move || {
            for looks in 0..6 {
                if asked.recv() != Ok(true) {
                    return;
                }
                let strict = NewReleasePolicy { immutable: true, ..refusing() };
                runtime.block_on(of.put(&host, &name(looks), strict)).unwrap();
                done.send(()).unwrap();
            }
        });
        let (guest, mut ends) = (Guest::new(), HashSet::new());
        for looks in 0..6 {
            let name = name(looks);
            let text = "package claviger.release\n\nallow if true".to_owned();
            let lax = NewReleasePolicy { language: Language::Rego, text, immutable: false };
            clock.looks.store(looks, Ordering::SeqCst);
            let put = of.put(&site.host, &name, lax).await;
            let interrupted = clock.looks.swap(usize::MAX, Ordering::SeqCst) > looks;
            if !interrupted {
                break;
            }
            ends.insert(put.map_err(|refusal| refusal.code));
            let released = site.release(&guest, &name).await.map(drop);
            assert_eq!(code(released), Code::ReleaseDenied, "{of:?} {looks}");
        }
        assert!(ends.contains(&Err(Code::Conflict)), "{of:?}: {ends:?}");
        clock.meanwhile.lock().unwrap().0.send(false).unwrap();
        changing.join().unwrap();
    }
}
