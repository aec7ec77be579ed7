//! `explain`: what it reads in a log without a host.

use std::sync::Arc;

use claviger::audit::{AuditLog, Record, Settings, SigningKey};
use claviger::clock::{FixedClock, Timestamp};
use claviger::error::{Code, Refusal};
use claviger::explanation::Explanation;

use crate::run;

const NOW: Timestamp = Timestamp(1_800_000_000);

// attack 41
#[tokio::test]
async fn a_refusal_is_explained_from_the_log_as_text_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    let clock = Arc::new(FixedClock::new(NOW));
    let settings = Settings::default();
    let log = AuditLog::open(folder.path(), "host.example", &key, clock, settings).unwrap();
    let explanation = Explanation::of("binding").seen("00\n\u{1b}[2Jforged").wanted("01");
    let explanation = explanation.trust_path(vec!["anchor: root".to_owned()]);
    let refusal = Refusal::new(Code::EvidenceNotBound, "the report data").explain(explanation);
    log.record(&Record::refused(NOW, &refusal).request("abc123")).await.unwrap();
    log.close().await.unwrap();
    let directory = folder.path().to_str().unwrap();

    let (code, said, _) = run(&["explain", "abc123", "--audit", directory]);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(lines[0], "2027-01-15T08:00:00Z refused, refused: request abc123");
    for line in
        ["check      binding", "wanted     01", "what held, up to the break:", "anchor: root"]
    {
        assert!(lines.contains(&line), "{said}");
    }
    assert!(said.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{said:?}");
    let (code, said, _) = run(&["explain", "abc123", "--audit", directory, "--json"]);
    assert_eq!(code, Some(0), "{said}");
    let json: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(json["records"][0]["explanation"]["seen"], "00\n\u{1b}[2Jforged");

    let (code, said, _) = run(&["explain", "abc124", "--audit", directory]);
    assert_eq!((code, said.trim()), (Some(3), "nothing is known of request abc124"));
    for wrong in ["", "a\"b", "../x"] {
        assert_eq!(run(&["explain", wrong, "--audit", directory]).0, Some(1), "{wrong}");
    }
}
