//! What goes on when the blow falls: guests who fetch keys, each answer sent twice at once, and an
//! administrator who makes, rotates and destroys others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use claviger::client::{Client, ClientError};
use claviger::http::{ChallengeRequest, Key, NewKeyRequest, Release, ReleaseRequest};
use claviger::keys::Unwrapped;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Guest, Host, Watch, block_on};

/// The key that guests fetch.
pub(super) const KEY: &str = "fetched";

/// When the host is killed.
#[derive(Debug)]
pub(super) enum Strike {
    /// So long after the work began.
    After(Duration),
    /// When a client has read so many released keys.
    AtAnswer(u64),
    /// When the audit log has grown so often: before the answer that waits for it is out.
    AtRecord(u64),
}

/// What clients know when the host is gone.
#[derive(Default)]
pub(super) struct Work {
    /// Every answer to a challenge that was sent, or was about to be.
    pub(super) answers: Vec<ReleaseRequest>,
    /// Every key that arrived.
    pub(super) received: Vec<(Release, Unwrapped)>,
    /// What is known of the keys under administration.
    pub(super) keys: BTreeMap<String, Known>,
    /// What the host said that it did: the event that must be recorded, key, version.
    pub(super) done: Vec<(&'static str, String, Option<String>)>,
}

/// What an administrator knows of a key.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// A change was asked for and not answered.
    InDoubt,
    /// It was deleted.
    Gone,
    /// It is there, in this version.
    There(String),
}

impl Work {
    /// Works on a host until it is killed.
    pub(super) fn until_killed(host: Host, round: usize, strike: &Strike) -> Self {
        let blow = Blow::new(host.pid(), strike);
        let work = block_on(async {
            let guests = [(); 2].map(|()| {
                let (client, twin, blow) = (host.client(), host.client(), Arc::clone(&blow));
                tokio::spawn(async move {
                    let _guard = Guard(Arc::clone(&blow));
                    fetch(&client, &twin, &blow).await
                })
            });
            let administrator = host.administrator();
            let administration =
                tokio::spawn(async move { administer(&administrator, round).await });
            let watch = match strike {
                Strike::AtRecord(records) => {
                    let watch = Watch::over(&host.state().join("audit"));
                    Some(watch.kill_at(super::as_count(*records), host.pid()))
                }
                Strike::After(time) => {
                    tokio::time::sleep(*time).await;
                    blow.fall();
                    None
                }
                Strike::AtAnswer(_) => None,
            };
            let mut work = administration.await.unwrap();
            for guest in guests {
                let fetched = guest.await.unwrap();
                work.answers.extend(fetched.answers);
                work.received.extend(fetched.received);
            }
            assert!(watch.is_none_or(|watch| watch.end().1), "the log was to grow until the blow");
            work
        });
        assert_eq!(host.ended().0, None, "the host was to be killed");
        work
    }
}

/// The blow, and what is left until it falls.
struct Blow {
    process: Pid,
    answers: Option<AtomicUsize>,
}

impl Blow {
    fn new(process: Pid, strike: &Strike) -> Arc<Self> {
        let answers = match strike {
            Strike::AtAnswer(answers) => Some(AtomicUsize::new(super::as_count(*answers))),
            Strike::After(_) | Strike::AtRecord(_) => None,
        };
        Arc::new(Self { process, answers })
    }

    fn fall(&self) {
        kill_process(self.process, Signal::KILL).unwrap();
    }

    /// An answer was read.
    fn answered(&self) {
        if self.answers.as_ref().is_some_and(|left| left.fetch_sub(1, Ordering::Relaxed) == 1) {
            self.fall();
        }
    }
}

/// Where one of those who work finds something wrong, nobody waits for the blow any more.
struct Guard(Arc<Blow>);

impl Drop for Guard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fall();
        }
    }
}

/// Fetches the key again and again, until nobody answers any more.
async fn fetch(client: &Client, twin: &Client, blow: &Blow) -> Work {
    let guest = Guest::new();
    let mut work = Work::default();
    let purpose = ChallengeRequest::Release { key: KEY.to_owned() };
    while let Some(challenge) = answered(client.challenge(&purpose).await, &[]) {
        let answer = guest.answer(&challenge);
        work.answers.push(answer.clone());
        let once = async {
            let outcome = client.release(KEY, &answer).await;
            outcome.inspect(|_| blow.answered())
        };
        let again = async {
            let outcome = twin.release(KEY, &answer).await;
            outcome.inspect(|_| blow.answered())
        };
        let (once, again) = tokio::join!(once, again);
        assert!(once.is_err() || again.is_err(), "one challenge, and two keys");
        for outcome in [once, again] {
            if let Some(release) = answered(outcome, &["challenge-spent", "key-not-found"]) {
                let opened = guest.open(&release);
                work.received.push((release, opened));
            }
        }
    }
    work
}

/// What came back; none where the connection broke, or it was refused with one of these codes.
fn answered<T>(outcome: Result<T, ClientError>, refused: &[&str]) -> Option<T> {
    match outcome {
        Ok(answer) => Some(answer),
        Err(ClientError::Connection { .. }) => None,
        Err(error) if error.code().is_some_and(|code| refused.contains(&code)) => None,
        Err(error) => panic!("{error}"),
    }
}

/// Makes and changes keys until nobody answers any more; every second one is destroyed again.
async fn administer(client: &Client, round: usize) -> Work {
    let mut work = Work::default();
    for number in 0.. {
        let name = format!("round-{round}-{number}");
        let made = work.change(&name, "key-created", client.create_key(&new(&name))).await;
        let Some(()) = made else { break };
        let Some(()) = work.change(&name, "key-rotated", client.rotate_key(&name)).await else {
            break;
        };
        if number % 2 == 0 {
            continue;
        }
        work.keys.insert(name.clone(), Known::InDoubt);
        let Some(()) = answered(client.delete_key(&name).await, &[]) else { break };
        work.done.push(("key-deleted", name.clone(), None));
        work.keys.insert(name, Known::Gone);
    }
    work
}

impl Work {
    /// Asks for a change that answers with the key.
    async fn change(
        &mut self,
        name: &str,
        event: &'static str,
        ask: impl Future<Output = Result<Key, ClientError>>,
    ) -> Option<()> {
        self.keys.insert(name.to_owned(), Known::InDoubt);
        let key = answered(ask.await, &[])?;
        self.done.push((event, name.to_owned(), Some(key.version.clone())));
        self.keys.insert(name.to_owned(), Known::There(key.version));
        Some(())
    }
}

/// A key to be made.
pub(super) fn new(name: &str) -> NewKeyRequest {
    NewKeyRequest {
        name: name.to_owned(),
        kind: "oct-256".to_owned(),
        material: None,
        release_policy: "affirming".into(),
    }
}
