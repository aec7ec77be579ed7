//! Records that are announced become durable together, and nobody waits long for one that never
//! comes. Where a test below would wait in vain it fails by the log's own time-out.

use std::io;
use std::sync::Mutex;

use super::*;
use crate::audit::sink::Sink;

/// Longer than a record waits for its receipt.
const ENDLESS: Duration = Duration::from_secs(3600);

/// Counts the lines of each commit.
#[derive(Clone, Default)]
struct FakeSink(Arc<Mutex<Vec<usize>>>);

impl Sink for FakeSink {
    fn commit(&mut self, bytes: &[u8]) -> io::Result<()> {
        let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
        self.0.lock().unwrap().push(lines);
        Ok(())
    }
}

fn open(gather: Duration) -> (AuditLog, FakeSink) {
    let sink = FakeSink::default();
    let settings = Settings { gather, ..quiet() };
    let log =
        AuditLog::over(Box::new(sink.clone()), Box::new(FakeSink::default()), clock(), settings);
    (log.unwrap(), sink)
}

#[tokio::test]
async fn a_record_alone_waits_for_nobody() {
    let (log, _) = open(ENDLESS);
    log.record(&record(0)).await.unwrap();
    let announced = log.announce();
    log.record_announced(&record(1), announced).await.unwrap();
}

#[tokio::test]
async fn announced_records_share_one_sync() {
    let (log, sink) = open(ENDLESS);
    let (first, second, third) = (log.announce(), log.announce(), log.announce());
    let (one, two, three) = (record(1), record(2), record(3));
    let receipts = tokio::join!(
        log.record_announced(&one, first),
        log.record_announced(&two, second),
        log.record_announced(&three, third),
    );
    assert!(receipts.0.is_ok() && receipts.1.is_ok() && receipts.2.is_ok());
    assert_eq!(*sink.0.lock().unwrap(), [3]);
}

#[tokio::test]
async fn an_announcement_that_is_taken_back_holds_nobody_up() {
    let (log, _) = open(ENDLESS);
    let (kept, taken_back) = (log.announce(), log.announce());
    let one = record(1);
    let waiting = log.record_announced(&one, kept);
    let (receipt, ()) = tokio::join!(waiting, async { drop(taken_back) });
    receipt.unwrap();
}

#[tokio::test]
async fn an_announced_record_that_never_comes_holds_the_others_up_a_moment_only() {
    let (log, _) = open(Duration::from_millis(1));
    let _never = log.announce();
    log.record(&record(0)).await.unwrap();
}

#[tokio::test]
async fn a_log_that_closes_does_not_wait_for_announced_records() {
    let (log, sink) = open(ENDLESS);
    let _never = log.announce();
    let one = record(1);
    let (receipt, closed) = tokio::join!(log.record(&one), log.close());
    assert!(receipt.is_ok() && closed.is_ok());
    assert_eq!(sink.0.lock().unwrap().first(), Some(&1));
}
