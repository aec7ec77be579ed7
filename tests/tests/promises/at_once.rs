//! Two who change a key of a connector at once: a store that has something else done when it was read, or
//! before it swaps, stands between what the one read and what he writes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use claviger::error::Code;
use claviger::flow::NewKey;
use claviger::secret::Secret;
use claviger::store::{Store, StoreError};
use claviger::tenant::Tenant;
use claviger_tests::site::{Ground, Guest, Site, caller, new_key};

use crate::vault::{World, token};

/// At one of the accesses to connectors' records, counted from now, something else happens: behind a look,
/// before a change.
struct Between {
    inner: Arc<dyn Store>,
    left: AtomicUsize,
    /// Asks for it, and learns that it is done.
    meanwhile: Mutex<(Sender<()>, Receiver<()>)>,
}

impl Between {
    /// Between a ground and its store; and the two ends of what happens.
    fn of(ground: &mut Ground) -> (Arc<Self>, Receiver<()>, Sender<()>) {
        let ((ask, asked), (done, told)) = (channel(), channel());
        let between = Arc::new(Self {
            inner: Arc::clone(&ground.store),
            left: AtomicUsize::new(usize::MAX),
            meanwhile: Mutex::new((ask, told)),
        });
        ground.store = Arc::clone(&between) as Arc<dyn Store>;
        (between, asked, done)
    }

    fn access(&self, key: &str) {
        let due = |left: usize| Some(left.checked_sub(1).unwrap_or(usize::MAX));
        if key.contains("/record/")
            && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, due) == Ok(0)
        {
            let meanwhile = self.meanwhile.lock().unwrap();
            meanwhile.0.send(()).unwrap();
            meanwhile.1.recv().unwrap();
        }
    }

    /// Whether it happened behind so many accesses, after which nothing does any more.
    fn happened(&self, left: usize) -> bool {
        self.left.swap(usize::MAX, Ordering::SeqCst) > left
    }
}

impl Store for Between {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.inner.get(key);
        self.access(key);
        found
    }

    fn range(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, StoreError> {
        self.inner.range(prefix, after, limit)
    }

    fn swap(
        &self,
        key: &str,
        expected: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<bool, StoreError> {
        self.access(key);
        self.inner.swap(key, expected, value)
    }
}

fn given(name: &str, material: u8) -> NewKey {
    NewKey { material: Some(Secret::new(vec![material; 32])), ..new_key(name) }
}

/// Both make a key of one name: one does, and it is his that is released.
async fn one_makes_it(
    site: &Site,
    (between, asked, done): (Arc<Between>, Receiver<()>, Sender<()>),
) {
    const MOST: usize = 8;
    let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
    let (tell, other) = channel();
    thread::spawn(move || {
        for number in 0..MOST {
            if asked.recv().is_err() {
                return;
            }
            let (administrator, new) =
                (caller(&Tenant::default()), given(&format!("k{number}"), 2));
            let made = runtime.block_on(host.create_key(&administrator, "second", new));
            tell.send(made.map(drop).map_err(|refusal| refusal.code)).unwrap();
            done.send(()).unwrap();
        }
    });
    let mut races = 0;
    for number in 0..MOST {
        let (administrator, name) = (caller(&Tenant::default()), format!("k{number}"));
        between.left.store(number, Ordering::SeqCst);
        let first = site.host.create_key(&administrator, "first", given(&name, 1)).await;
        if !between.happened(number) {
            break;
        }
        let first = first.map(drop).map_err(|refusal| refusal.code);
        let material = match (first, other.recv().unwrap()) {
            (Ok(()), Err(Code::Conflict)) => 1,
            (Err(Code::Conflict), Ok(())) => 2,
            both => panic!("{number}: {both:?}"),
        };
        let guest = Guest::new();
        let released = site.release(&guest, &name).await.unwrap();
        assert_eq!(guest.open(&released.jwe), [material; 32], "{number}");
        races += 1;
    }
    assert!(races > 0);
}

// attack 15
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_make_a_key_at_once_one_does() {
    let mut ground = Ground::new();
    let between = Between::of(&mut ground);
    one_makes_it(&Site::on(ground, |_, _| ()).await, between).await;

    let mut ground = Ground::new();
    let between = Between::of(&mut ground);
    let datakeys = [("engine", "transit-datakey")];
    let world = World::over(ground, "kms-vault", &datakeys, token, |plugin| {
        plugin.targets[0].takes_keys = true;
    });
    one_makes_it(&world.await.site, between).await;
}

// attack 13
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_version_that_is_disabled_while_another_is_made_stays_disabled() {
    let mut ground = Ground::new();
    let (between, asked, done) = Between::of(&mut ground);
    let site = Site::on(ground, |_, _| ()).await;
    let administrator = caller(&Tenant::default());
    for number in 0..8 {
        site.key(&format!("k{number}")).await;
    }
    let (host, runtime) = (Arc::clone(&site.host), tokio::runtime::Handle::current());
    thread::spawn(move || {
        for number in 0..8 {
            if asked.recv().is_err() {
                return;
            }
            let (administrator, name) = (caller(&Tenant::default()), format!("k{number}"));
            let disabled = host.set_key_enabled(&administrator, "second", &name, Some("1"), false);
            runtime.block_on(disabled).unwrap();
            done.send(()).unwrap();
        }
    });
    let mut conflicts = 0;
    for number in 0..8 {
        let name = format!("k{number}");
        between.left.store(number, Ordering::SeqCst);
        let rotated = site.host.rotate_key(&administrator, "first", &name).await;
        if !between.happened(number) {
            break;
        }
        conflicts += usize::from(rotated.is_err_and(|refusal| refusal.code == Code::Conflict));
        let versions = site.host.key_versions(&administrator, &name).await.unwrap();
        assert!(versions.iter().all(|version| version.enabled == (version.version != "1")));
    }
    assert!(conflicts > 0);
}
