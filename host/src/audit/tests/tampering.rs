//! Whoever has the disk but not the key cannot change the log unseen.

use super::*;
use crate::audit::checkpoint::CheckpointFault;
use crate::audit::{Finding, verify, verify_against};

/// What both ways of looking say; the host does not start where the offline check finds something.
fn findings(site: &Site) -> (Finding, Finding) {
    let offline = verify(site.path(), None).unwrap_err();
    match site.open() {
        Err(AuditError::Tampered(finding)) => (offline, finding),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("the log opened"),
    }
}

fn diverges(finding: &Finding) -> bool {
    matches!(finding, Finding::Diverges { .. })
}

// attack 56
#[tokio::test]
async fn an_edited_byte_shows_wherever_it_is() {
    let site = Site::closed(4).await;
    let path = site.path().join("audit.jsonl");
    let whole = std::fs::read(&path).unwrap();
    for position in 0..whole.len() {
        let mut edited = whole.clone();
        edited[position] ^= 1;
        std::fs::write(&path, &edited).unwrap();
        assert!(verify(site.path(), None).is_err(), "at {position}");
        assert!(matches!(site.open(), Err(AuditError::Tampered(_))), "at {position}");
    }
    std::fs::write(&path, &whole).unwrap();
    site.open().unwrap();
}

// attack 56
#[tokio::test]
async fn a_removed_moved_or_added_line_shows() {
    let site = Site::closed(5).await;
    let whole = site.log();
    let last = whole.len() as u64 - 1;

    let mut lines = whole.clone();
    lines.remove(2);
    site.rewrite(&lines);
    let shortened = Finding::Shortened { records: last, covered: last + 1 };
    assert_eq!(findings(&site), (shortened.clone(), shortened));

    let mut lines = whole.clone();
    lines.swap(2, 3);
    site.rewrite(&lines);
    let found = findings(&site);
    assert!(diverges(&found.0) && diverges(&found.1));

    let mut lines = whole.clone();
    lines.insert(3, whole[2].replace("request-1", "request-7"));
    site.rewrite(&lines);
    let found = findings(&site);
    assert!(diverges(&found.0) && diverges(&found.1));

    let mut lines = whole.clone();
    lines.push(whole[2].clone());
    site.rewrite(&lines);
    let appended = Finding::AppendedAfterClose { first: last + 1 };
    assert_eq!(findings(&site), (appended.clone(), appended));
}

// attack 56
#[tokio::test]
async fn a_log_cut_at_any_byte_shows() {
    let site = Site::closed(2).await;
    let path = site.path().join("audit.jsonl");
    let whole = std::fs::read(&path).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(matches!(findings(&site).1, Finding::Shortened { .. }), "at {end}");
        // What is found is left as it is found.
        assert_eq!(std::fs::metadata(&path).unwrap().len(), end as u64);
    }
}

// attack 56
#[tokio::test]
async fn checkpoints_say_between_which_records_the_edit_lies() {
    let site = Site::new();
    let log = site.open_with(Settings { checkpoint_records: 2, ..quiet() }).unwrap();
    for number in 0..6 {
        log.record(&record(number)).await.unwrap();
    }
    log.close().await.unwrap();
    let mut lines = site.log();
    lines[4] = lines[4].replace("request-3", "request-4");
    site.rewrite(&lines);
    let finding = verify(site.path(), None).unwrap_err();
    assert_eq!(finding, Finding::Diverges { first: 3, last: 4 });
    assert_eq!(finding.to_string(), "a record between 3 and 4 was changed, added or removed");
}

// attack 56
#[tokio::test]
async fn a_checkpoint_by_another_key_shows() {
    let site = Site::closed(2).await;
    let stranger = Site { key: SigningKey::generate().unwrap(), ..Site::new() };
    let log = stranger.open().unwrap();
    log.record(&record(0)).await.unwrap();
    log.record(&record(1)).await.unwrap();
    log.close().await.unwrap();
    // The stranger's log holds by itself, but not under the key that was kept elsewhere.
    let key = SigningKey::new("host.example/audit", &site.key).unwrap();
    verify(stranger.path(), None).unwrap();
    let finding = verify(stranger.path(), Some(key.verification())).unwrap_err();
    assert_eq!(finding, Finding::CheckpointForged { number: 0 });
    let opened = AuditLog::open(stranger.path(), "host.example/audit", &site.key, clock(), quiet());
    assert!(matches!(opened, Err(AuditError::Tampered(Finding::File { .. }))));
}

// attack 56
#[tokio::test]
async fn an_older_state_that_was_put_back_shows_against_a_checkpoint_kept_elsewhere() {
    let site = Site::closed(2).await;
    let older = site.crashed();
    let log = site.open().unwrap();
    log.record(&record(7)).await.unwrap();
    log.close().await.unwrap();
    let kept = log.newest_checkpoint();
    let key = log.verification().clone();
    verify_against(site.path(), None, &kept).unwrap();
    verify_against(site.path(), Some(&key), &kept).unwrap();

    // By itself the older state is a log that holds.
    verify(older.path(), Some(&key)).unwrap();
    let finding = verify_against(older.path(), Some(&key), &kept).unwrap_err();
    assert_eq!(finding, Finding::Shortened { records: 4, covered: 7 });
    // So is one that went on otherwise.
    let otherwise = older.open().unwrap();
    otherwise.record(&record(8)).await.unwrap();
    otherwise.record(&record(9)).await.unwrap();
    otherwise.close().await.unwrap();
    verify(older.path(), Some(&key)).unwrap();
    let finding = verify_against(older.path(), Some(&key), &kept).unwrap_err();
    assert!(diverges(&finding), "{finding}");

    // And one that was written anew, with another key beside it.
    let stranger = Site { key: SigningKey::generate().unwrap(), ..Site::new() };
    stranger.open().unwrap().close().await.unwrap();
    verify(stranger.path(), None).unwrap();
    let finding = verify_against(stranger.path(), None, &kept).unwrap_err();
    assert_eq!(finding, Finding::KeptCheckpoint(CheckpointFault::Forged));

    // A checkpoint elsewhere is none beside the log.
    std::fs::write(site.path().join("audit.checkpoints"), "").unwrap();
    let finding = verify_against(site.path(), Some(&key), &kept).unwrap_err();
    assert_eq!(finding, Finding::Uncovered);
}

// attack 56
#[tokio::test]
async fn checkpoints_that_are_gone_show() {
    let site = Site::closed(2).await;
    let path = site.path().join("audit.checkpoints");
    let whole = std::fs::read_to_string(&path).unwrap();

    std::fs::write(&path, "").unwrap();
    assert_eq!(findings(&site), (Finding::Uncovered, Finding::Uncovered));

    std::fs::write(&path, format!("{whole}{}", "x\n".repeat(9000))).unwrap();
    assert!(matches!(findings(&site).1, Finding::File { .. }));

    // An older state of both files is a log that holds; only a checkpoint that was kept elsewhere
    // tells. Checkpoints in another order, though, show here.
    let notes: Vec<_> = whole.split_inclusive('\n').collect();
    let (first, last) = (notes[..5].concat(), notes[10..].concat());
    std::fs::write(&path, format!("{last}{first}")).unwrap();
    let finding = verify(site.path(), None).unwrap_err();
    assert_eq!(finding, Finding::CheckpointOrder { number: 1 });

    // A log that is gone, with its key left.
    std::fs::remove_file(&path).unwrap();
    std::fs::remove_file(site.path().join("audit.jsonl")).unwrap();
    assert!(matches!(site.open(), Err(AuditError::Tampered(Finding::File { .. }))));
}

// attack 56
#[tokio::test]
async fn a_malformed_line_behind_the_last_checkpoint_shows() {
    for line in ["", "{}", "null", "{\"time\":\"then\",\"event\":\"released\"}", "\u{1b}[2J"] {
        let site = Site::new();
        let log = site.open().unwrap();
        let crashed = site.crashed();
        drop(log);
        let mut lines = crashed.log();
        lines.push(line.to_owned());
        crashed.rewrite(&lines);
        let (offline, opening) = findings(&crashed);
        assert!(matches!(offline, Finding::RecordMalformed { index: 1, .. }), "{line}");
        assert_eq!(offline, opening);
    }
}

// attack 56
#[tokio::test]
async fn a_line_forged_while_the_host_runs_stops_it() {
    let site = Site::new();
    let log = site.open().unwrap();
    log.record(&record(0)).await.unwrap();
    let mut lines = site.log();
    lines.push(lines[1].clone());
    site.rewrite(&lines);
    assert!(matches!(log.record(&record(1)).await, Err(AuditError::Failed(_))));
    assert!(matches!(log.check(), Err(AuditError::Failed(_))));
}
