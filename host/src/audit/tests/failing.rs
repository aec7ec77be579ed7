//! Disks that are full, fail or hang: no receipt, so nothing leaves.

use std::io;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;

use super::*;
use crate::audit::Receipt;
use crate::audit::sink::{FileSink, Sink};
use crate::audit::verify;

/// A disk that takes `takes` writes, then does `then`.
struct FakeSink {
    takes: usize,
    then: Then,
}

enum Then {
    Fail(io::ErrorKind),
    /// Says that it hangs, and takes everything once it is told to.
    Hang(Sender<()>, Receiver<()>),
    Panic,
}

impl Sink for FakeSink {
    fn commit(&mut self, _: &[u8]) -> io::Result<()> {
        if self.takes > 0 {
            self.takes -= 1;
            return Ok(());
        }
        match &self.then {
            Then::Fail(kind) => Err((*kind).into()),
            Then::Hang(hanging, until) => {
                hanging.send(()).map_err(io::Error::other)?;
                self.takes = usize::MAX;
                until.recv().map_err(io::Error::other)
            }
            Then::Panic => panic!("fake"),
        }
    }
}

fn fake(takes: usize, then: Then) -> Box<FakeSink> {
    Box::new(FakeSink { takes, then })
}

/// A disk that hangs at once, who learns of it, and who lets it go on (or, dropped, fail).
fn hanging() -> (Box<FakeSink>, Receiver<()>, Sender<()>) {
    let ((hangs, hung), (go, until)) = (channel(), channel());
    (fake(0, Then::Hang(hangs, until)), hung, go)
}

fn sound() -> Box<FakeSink> {
    fake(usize::MAX, Then::Panic)
}

// attack 56
#[tokio::test]
async fn a_full_or_read_only_disk_gives_no_receipt_ever_again() {
    for kind in
        [io::ErrorKind::StorageFull, io::ErrorKind::ReadOnlyFilesystem, io::ErrorKind::Other]
    {
        let log = AuditLog::over(fake(1, Then::Fail(kind)), sound(), clock(), quiet()).unwrap();
        log.record(&record(0)).await.unwrap();
        log.check().unwrap();
        for number in 1..4 {
            let error = log.record(&record(number)).await.unwrap_err();
            assert!(matches!(error, AuditError::Failed(_)), "{error}");
        }
        assert!(matches!(log.check(), Err(AuditError::Failed(_))));
        assert!(matches!(log.close().await, Err(AuditError::Failed(_))));
    }
}

// attack 56
#[tokio::test]
async fn everybody_in_a_failed_group_gets_an_error() {
    let (disk, hung, go) = hanging();
    let settings = Settings { gather: Duration::ZERO, ..quiet() };
    let log = AuditLog::over(disk, sound(), clock(), settings).unwrap();
    let records: Vec<_> = (0..50).map(record).collect();
    let mut calls: Vec<_> = records.iter().map(|record| Box::pin(log.record(record))).collect();
    for call in &mut calls {
        queue(call.as_mut()).await;
    }
    hung.recv().unwrap();
    drop(go);
    for call in calls {
        assert!(matches!(call.await, Err(AuditError::Failed(_))));
    }
}

/// Polls a call once: its line is queued then.
async fn queue(mut call: Pin<&mut impl Future<Output = Result<Receipt, AuditError>>>) {
    let first =
        std::future::poll_fn(|context| Poll::Ready(call.as_mut().poll(context).is_pending()));
    assert!(first.await);
}

// attack 56
#[tokio::test]
async fn a_checkpoint_that_cannot_be_written_stops_the_log() {
    let settings = Settings { checkpoint_records: 1, ..quiet() };
    let full = fake(0, Then::Fail(io::ErrorKind::StorageFull));
    let log = AuditLog::over(sound(), full, clock(), settings).unwrap();
    // This one was durable before the checkpoint was tried.
    log.record(&record(0)).await.unwrap();
    assert!(matches!(log.record(&record(1)).await, Err(AuditError::Failed(_))));
}

// attack 56
#[tokio::test]
async fn a_blocked_disk_gives_no_receipt_and_does_not_hang_the_request() {
    let (disk, _hung, _go) = hanging();
    let settings = Settings { timeout: Duration::from_millis(30), queue: 2, ..quiet() };
    let log = AuditLog::over(disk, sound(), clock(), settings).unwrap();
    assert!(matches!(log.record(&record(0)).await, Err(AuditError::Timeout)));
    // The writer hangs on the first; two may wait; more are refused at once.
    for number in 1..3 {
        assert!(matches!(log.record(&record(number)).await, Err(AuditError::Timeout)));
    }
    assert!(matches!(log.record(&record(3)).await, Err(AuditError::Busy)));
    assert!(matches!(log.close().await, Err(AuditError::Timeout)));
}

// attack 56
#[tokio::test]
async fn a_host_whose_audit_disk_hangs_is_not_healthy_until_it_answers_again() {
    let settings = Settings { timeout: Duration::from_millis(30), ..quiet() };
    for checkpoint_hangs in [false, true] {
        let (disk, hung, go) = hanging();
        let log = match checkpoint_hangs {
            false => AuditLog::over(disk, sound(), clock(), settings).unwrap(),
            true => {
                let settings = Settings { checkpoint_records: 1, ..settings };
                AuditLog::over(sound(), disk, clock(), settings).unwrap()
            }
        };
        drop(log.record(&record(0)).await);
        hung.recv().unwrap();
        // The write has begun, and this waits as long as one may take.
        assert!(matches!(log.record(&record(1)).await, Err(AuditError::Timeout)));
        assert!(matches!(log.check(), Err(AuditError::Stalled)));
        go.send(()).unwrap();
        while log.record(&record(2)).await.is_err() || log.check().is_err() {}
    }
}

// attack 56
#[tokio::test]
async fn a_writer_that_dies_gives_no_receipt() {
    let log = AuditLog::over(fake(0, Then::Panic), sound(), clock(), quiet()).unwrap();
    for number in 0..2 {
        assert!(matches!(log.record(&record(number)).await, Err(AuditError::Failed(_))));
    }
}

#[tokio::test]
async fn a_caller_that_stops_waiting_loses_only_its_own_receipt() {
    let site = Site::new();
    let log = site.open().unwrap();
    {
        let abandoned = record(0);
        let call = log.record(&abandoned);
        tokio::pin!(call);
        // The line is queued, and the caller goes.
        queue(call.as_mut()).await;
    }
    assert_eq!(log.record(&record(1)).await.unwrap().index, 2);
    log.close().await.unwrap();
    assert!(site.log()[1].contains("request-0"));
    verify(site.path(), None).unwrap();
}

// attack 56
#[tokio::test]
async fn a_record_that_is_too_long_for_a_line_is_refused_and_harms_no_other() {
    let site = Site::new();
    let log = site.open().unwrap();
    let long = record(0).key("\u{1f511}".repeat(6000));
    assert!(matches!(log.record(&long).await, Err(AuditError::Record(_))));
    assert_eq!(log.record(&record(1)).await.unwrap().index, 1);
}

// attack 56
#[tokio::test]
async fn a_real_full_device_gives_no_receipt() {
    let device = std::fs::OpenOptions::new().append(true).open("/dev/full").unwrap();
    let full = Box::new(FileSink::new(device, 0));
    let log = AuditLog::over(full, sound(), clock(), quiet()).unwrap();
    assert!(matches!(log.record(&record(0)).await, Err(AuditError::Failed(_))));
}

// attack 56
#[test]
fn a_file_that_may_not_grow_keeps_every_receipt_and_no_half_line() {
    let site = Site::new();
    let pkcs8 = data_encoding::HEXLOWER.encode(site.key.expose());
    // A child with a file size limit of 8 KiB; the signal that goes with it is ignored.
    let child = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "audit::tests::failing::child_with_a_small_disk"])
        .args(["--ignored", "--nocapture"])
        .env("AUDIT_CHILD_DIRECTORY", site.path())
        .env("AUDIT_CHILD_KEY", pkcs8)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    let receipts = output.split("receipts: ").nth(1).unwrap();
    let receipts: u64 = receipts.split_whitespace().next().unwrap().parse().unwrap();
    let found = verify(site.path(), None).unwrap();
    // Besides the receipts there is the record of the opening.
    assert_eq!((found.records, found.unfinished), (receipts + 1, 0));
    site.open().unwrap();
}

#[tokio::test]
#[ignore = "runs in a child process with a file size limit"]
async fn child_with_a_small_disk() {
    let directory = std::env::var_os("AUDIT_CHILD_DIRECTORY").unwrap();
    let key = std::env::var("AUDIT_CHILD_KEY").unwrap();
    let key = Secret::new(data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap());
    let origin = "host.example/audit";
    let log = AuditLog::open(Path::new(&directory), origin, &key, clock(), quiet()).unwrap();
    let mut receipts = 0;
    while log.record(&record(receipts)).await.is_ok() {
        receipts += 1;
        assert!(receipts < 10_000, "there was no limit");
    }
    assert!(matches!(log.check(), Err(AuditError::Failed(_))));
    println!("receipts: {receipts} ");
}
