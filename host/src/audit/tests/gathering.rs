//! Records of requests that are ready together become durable together, and nobody waits for one that never
//! comes. Where a test below would wait in vain it fails by the log's own time-out.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::Poll;

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
    for number in 0..3 {
        log.record(&record(number)).await.unwrap();
    }
}

#[tokio::test]
async fn records_that_are_ready_together_share_one_sync() {
    let (log, sink) = open(ENDLESS);
    let log = Arc::new(log);
    let tasks: Vec<_> = (0..5)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { log.record(&record(number)).await.unwrap().index })
        })
        .collect();
    for (number, task) in (0..).zip(tasks) {
        assert_eq!(task.await.unwrap(), number);
    }
    assert_eq!(*sink.0.lock().unwrap(), [5]);
}

#[tokio::test]
async fn the_record_of_a_request_that_went_away_is_written_all_the_same() {
    let (log, sink) = open(ENDLESS);
    let one = record(1);
    let mut left = Box::pin(log.record(&one));
    assert!(begun(left.as_mut()).await);
    std::thread::sleep(Duration::from_millis(20));
    assert!(sink.0.lock().unwrap().is_empty());
    drop(left);
    assert!(is_written(&sink));
}

#[tokio::test]
async fn a_record_waits_no_longer_than_it_may_for_one_that_does_not_come_back() {
    let (log, sink) = open(Duration::ZERO);
    let (one, two) = (record(1), record(2));
    let (mut first, mut second) = (Box::pin(log.record(&one)), Box::pin(log.record(&two)));
    assert!(begun(first.as_mut()).await && begun(second.as_mut()).await);
    assert!(is_written(&sink));
}

/// Lets a record get into the queue, and no further.
async fn begun<F: Future>(mut record: Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(record.as_mut().poll(context).is_pending())).await
}

fn is_written(sink: &FakeSink) -> bool {
    (0..1_000).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        !sink.0.lock().unwrap().is_empty()
    })
}

#[tokio::test]
async fn a_log_that_closes_writes_what_is_there() {
    let (log, sink) = open(ENDLESS);
    let one = record(1);
    let (receipt, closed) = tokio::join!(log.record(&one), log.close());
    assert!(receipt.is_ok() && closed.is_ok());
    assert_eq!(sink.0.lock().unwrap().first(), Some(&1));
}
