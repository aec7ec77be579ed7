//! The log when nothing is wrong, and after a crash.

use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::audit::merkle::leaf;
use crate::audit::{Finding, ProofFault, prove, verify};

#[tokio::test]
async fn a_receipt_names_the_line_that_is_on_the_disk() {
    let site = Site::new();
    let log = Arc::new(site.open().unwrap());
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { (number, log.record(&record(number)).await.unwrap()) })
        })
        .collect();
    for task in tasks {
        let (number, receipt) = task.await.unwrap();
        // The log is open still: what was answered is there.
        let line = &site.log()[usize::try_from(receipt.index).unwrap()];
        assert!(line.contains(&format!("\"request-{number}\"")));
        assert_eq!(receipt.leaf, leaf(line.as_bytes()));
    }
    log.close().await.unwrap();
    let found = verify(site.path(), None).unwrap();
    assert_eq!((found.records, found.covered, found.unfinished), (202, 202, 0));
}

#[tokio::test]
async fn a_log_goes_on_where_it_ended() {
    let site = Site::closed(3).await;
    let log = site.open().unwrap();
    assert_eq!(log.record(&record(9)).await.unwrap().index, 6);
    log.close().await.unwrap();
    assert!(matches!(log.record(&record(10)).await, Err(AuditError::Closed)));
    let found = verify(site.path(), Some(log.verification())).unwrap();
    assert_eq!((found.records, found.covered), (8, 8));
    let events: Vec<_> = site.log().iter().map(|line| line.contains("\"log-")).collect();
    assert_eq!(events, [true, false, false, false, true, true, false, true]);
}

#[tokio::test]
async fn checkpoints_are_signed_by_number_and_by_time() {
    let site = Site::new();
    let log = site.open_with(Settings { checkpoint_records: 2, ..quiet() }).unwrap();
    for number in 0..6 {
        log.record(&record(number)).await.unwrap();
    }
    log.close().await.unwrap();
    assert_eq!(verify(site.path(), None).unwrap().checkpoints, 6);

    let interval = Duration::from_millis(20);
    let log = site.open_with(Settings { checkpoint_interval: interval, ..quiet() }).unwrap();
    let before = log.record(&record(7)).await.unwrap().index;
    let mut covered = 0;
    for _ in 0..200 {
        tokio::time::sleep(interval).await;
        covered = verify(site.path(), None).unwrap().covered;
        if covered > before {
            break;
        }
    }
    assert!(covered > before);
}

#[tokio::test]
async fn every_record_is_proven_to_whoever_has_the_public_key() {
    let site = Site::closed(9).await;
    let log = site.open().unwrap();
    let fresh = log.record(&record(9)).await.unwrap().index;
    // The opening's checkpoint covers what was before it; this record waits for the next.
    assert_eq!(prove(site.path(), fresh).unwrap(), None);
    for index in 0..fresh {
        let proof = prove(site.path(), index).unwrap().unwrap();
        let text = serde_json::to_string(&proof).unwrap();
        let mut proof: crate::audit::Proof = serde_json::from_str(&text).unwrap();
        let checkpoint = proof.verify(log.verification()).unwrap();
        assert_eq!(checkpoint.size, fresh);
        proof.index = (index + 1) % fresh;
        assert_eq!(proof.verify(log.verification()), Err(ProofFault::NotIncluded));
        proof.index = index;
        proof.record.push(' ');
        assert_eq!(proof.verify(log.verification()), Err(ProofFault::NotIncluded));
    }
    let stranger = SigningKey::new("host.example/audit", &SigningKey::generate().unwrap());
    let proof = prove(site.path(), 0).unwrap().unwrap();
    let fault = proof.verify(stranger.unwrap().verification());
    assert!(matches!(fault, Err(ProofFault::Checkpoint(_))));
}

// attack 57
#[tokio::test]
async fn after_a_crash_every_answered_record_is_there() {
    let site = Site::new();
    let log = site.open().unwrap();
    for number in 0..5 {
        log.record(&record(number)).await.unwrap();
    }
    let crashed = site.crashed();
    // The crash came in the middle of a write, of a record and of a checkpoint.
    append(&crashed, "audit.jsonl", b"{\"time\":\"2027");
    append(&crashed, "audit.checkpoints", b"host.example/audit\n12\n");
    assert_eq!(verify(crashed.path(), None).unwrap().unfinished, 13);
    let again = crashed.open().unwrap();
    again.record(&record(5)).await.unwrap();
    again.close().await.unwrap();
    let lines = crashed.log();
    assert!((0..5).all(|number| lines[number + 1].contains(&format!("request-{number}"))));
    assert!(lines[6].contains("log-opened"));
    assert!(lines[6].contains("5 records behind the last checkpoint, 13 bytes of an unfinished"));
    assert_eq!(verify(crashed.path(), None).unwrap().records, 9);
}

// attack 57
#[tokio::test]
async fn a_crash_at_any_byte_of_a_write_leaves_a_log_that_opens() {
    let site = Site::new();
    let log = site.open().unwrap();
    let covered = std::fs::metadata(site.path().join("audit.jsonl")).unwrap().len();
    for number in 0..2 {
        log.record(&record(number)).await.unwrap();
    }
    let length = std::fs::metadata(site.path().join("audit.jsonl")).unwrap().len();
    for cut in covered..=length {
        let crashed = site.crashed();
        let file = std::fs::OpenOptions::new()
            .write(true)
            .open(crashed.path().join("audit.jsonl"))
            .unwrap();
        file.set_len(cut).unwrap();
        let log = crashed.open().unwrap();
        log.close().await.unwrap();
        verify(crashed.path(), None).unwrap();
    }
}

// attack 57
#[tokio::test]
async fn a_crash_at_any_byte_of_a_checkpoint_leaves_a_log_that_opens() {
    let site = Site::new();
    let log = site.open().unwrap();
    log.record(&record(0)).await.unwrap();
    let before = std::fs::metadata(site.path().join("audit.checkpoints")).unwrap().len();
    let crashed = site.crashed();
    log.close().await.unwrap();
    let whole = std::fs::read(site.path().join("audit.checkpoints")).unwrap();
    let first = usize::try_from(before).unwrap();
    // The closing's record is under the closing's checkpoint.
    let log_file = std::fs::read(site.path().join("audit.jsonl")).unwrap();
    std::fs::write(crashed.path().join("audit.jsonl"), log_file).unwrap();
    for cut in first..=whole.len() {
        let crashed = crashed.crashed();
        std::fs::write(crashed.path().join("audit.checkpoints"), &whole[..cut]).unwrap();
        crashed.open().unwrap().close().await.unwrap();
        verify(crashed.path(), None).unwrap();
    }
}

// attack 57
#[tokio::test]
async fn a_crash_while_reopening_leaves_a_log_that_opens() {
    let site = Site::closed(1).await;
    let closed = site.crashed();
    let log = site.open().unwrap();
    // The record of the opening was written, its checkpoint was not; and that twice.
    for copies in 1..3 {
        let crashed = closed.crashed();
        let line = format!("{}\n", site.log().last().unwrap());
        append(&crashed, "audit.jsonl", line.repeat(copies).as_bytes());
        verify(crashed.path(), None).unwrap();
        crashed.open().unwrap().close().await.unwrap();
    }
    drop(log);
}

#[tokio::test]
async fn a_log_is_written_by_one_host() {
    let site = Site::new();
    let log = site.open().unwrap();
    assert!(matches!(site.open(), Err(AuditError::Locked(_))));
    log.close().await.unwrap();
    site.open().unwrap();
}

#[tokio::test]
async fn a_log_keeps_its_key_and_its_name() {
    let site = Site::closed(1).await;
    let other = SigningKey::generate().unwrap();
    let open = |origin: &str, key: &Secret| {
        AuditLog::open(site.path(), origin, key, clock(), quiet()).err()
    };
    let tampered = |error| matches!(error, Some(AuditError::Tampered(Finding::File { .. })));
    assert!(tampered(open("host.example/audit", &other)));
    assert!(tampered(open("other.example/audit", &other)));
    // Somebody changed the configuration, and nobody the log.
    let renamed = open("other.example/audit", &site.key).unwrap().to_string();
    assert!(renamed.contains("\"host.example/audit\""), "{renamed}");
    assert!(renamed.contains("host.id") && !renamed.contains("tamper"), "{renamed}");
    assert!(open("host.example/audit", &site.key).is_none());
}

// attack 63
#[tokio::test]
async fn a_log_that_others_may_read_or_write_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::closed(1).await;
    let mode = |name: &str, mode| {
        std::fs::set_permissions(site.path().join(name), PermissionsExt::from_mode(mode)).unwrap();
    };
    mode("audit.jsonl", 0o644);
    assert!(matches!(site.open(), Err(AuditError::Insecure(_))));
    mode("audit.jsonl", 0o600);
    mode("", 0o770);
    assert!(matches!(site.open(), Err(AuditError::Insecure(_))));
    mode("", 0o750);
    site.open().unwrap();
}

fn append(site: &Site, name: &str, bytes: &[u8]) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.append(true).open(site.path().join(name)).unwrap();
    file.write_all(bytes).unwrap();
}
