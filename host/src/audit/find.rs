//! Records found in the log's file by what they name, the newest first.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::error::Finding;
use super::files::Paths;

/// The file is read from its end in blocks of so many bytes.
const BLOCK: u64 = 256 << 10;

/// What one request left lies close together: so many bytes behind the first record that names it
/// nothing more is looked for.
const NEIGHBOURS: u64 = 4 << 20;

/// More records than any request leaves.
const MOST: usize = 64;

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The records, newest first.
    pub records: Vec<Value>,
    /// Whether there may be more, older than what was read.
    pub more: bool,
}

/// Finds the records of which `member` is `value`, both plain words, among the newest `bytes` of the
/// log in `directory`. It blocks, and needs no running host.
///
/// # Errors
/// [`Finding::File`] where the log cannot be read.
pub fn find(directory: &Path, member: &str, value: &str, bytes: u64) -> Result<Found, Finding> {
    let path = Paths::of(directory).log;
    let search = || {
        let mut search = Search {
            file: File::open(&path)?,
            member,
            value,
            needle: format!("\"{member}\":\"{value}\"").into_bytes(),
            found: Found::default(),
        };
        search.run(bytes)?;
        Ok(search.found)
    };
    search().map_err(|error: std::io::Error| Finding::file(&path, &error))
}

struct Search<'a> {
    file: File,
    member: &'a str,
    value: &'a str,
    needle: Vec<u8>,
    found: Found,
}

impl Search<'_> {
    fn run(&mut self, bytes: u64) -> std::io::Result<()> {
        let mut position = self.file.metadata()?.len();
        let mut floor = position.saturating_sub(bytes);
        // The beginning of a line whose end stands in the block before.
        let mut rest = Vec::new();
        while position > floor {
            let start = position.saturating_sub(BLOCK).max(floor);
            let mut block = Vec::new();
            self.file.seek(SeekFrom::Start(start))?;
            (&self.file).take(position - start).read_to_end(&mut block)?;
            block.append(&mut rest);
            let whole = match block.iter().position(|byte| *byte == b'\n') {
                _ if start == 0 => 0,
                Some(end) => end + 1,
                None => block.len(),
            };
            let before = self.found.records.len();
            for line in block.get(whole..).unwrap_or_default().split(|byte| *byte == b'\n').rev() {
                self.see(line);
            }
            if before == 0 && !self.found.records.is_empty() {
                floor = floor.max(start.saturating_sub(NEIGHBOURS));
            }
            block.truncate(whole);
            rest = block;
            position = start;
            if self.found.records.len() >= MOST || rest.len() as u64 > 2 * BLOCK {
                break;
            }
        }
        self.found.more = position > 0;
        Ok(())
    }

    fn see(&mut self, line: &[u8]) {
        if line.len() < self.needle.len() || self.found.records.len() >= MOST {
            return;
        }
        // A look at the bytes first: few lines are worth being parsed.
        if !line.windows(self.needle.len()).any(|window| window == self.needle) {
            return;
        }
        let record: Option<Value> = serde_json::from_slice(line).ok();
        self.found
            .records
            .extend(record.filter(|record| record.get(self.member) == Some(&self.value.into())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn log(lines: impl Iterator<Item = String>) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let text = lines.fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        });
        std::fs::write(directory.path().join("audit.jsonl"), text).unwrap();
        directory
    }

    fn record(request: usize) -> String {
        format!(r#"{{"n":{request},"request":"r{request}","pad":"{}"}}"#, "x".repeat(200))
    }

    #[test]
    fn every_record_is_found_wherever_the_blocks_are_cut() {
        let directory = log((0..4_000).map(record));
        for request in (0..4_000).step_by(37).chain([3_999]) {
            let found = find(directory.path(), "request", &format!("r{request}"), u64::MAX);
            let found = found.unwrap();
            assert_eq!(found.records.len(), 1, "r{request}");
            assert_eq!(found.records[0]["n"], request);
        }
        let absent = find(directory.path(), "request", "r4000", u64::MAX).unwrap();
        assert!(absent.records.is_empty() && !absent.more);
    }

    #[test]
    fn the_newest_stands_first_and_the_search_is_bounded() {
        let twice = (0..9_000).map(|n| record(if n == 8_000 { 7_990 } else { n }));
        let directory = log(twice);
        let found = find(directory.path(), "request", "r7990", u64::MAX).unwrap();
        assert_eq!(found.records.len(), 2);
        let within = find(directory.path(), "request", "r10", 1 << 20).unwrap();
        assert!(within.records.is_empty() && within.more);
        assert!(find(directory.path(), "request", "r8999", 300).unwrap().records.len() == 1);
    }

    // attack 41
    #[test]
    fn words_inside_of_a_text_are_no_member() {
        let forged = serde_json::json!({ "reason": "\"request\":\"mine\"", "request": "other" });
        let nested = serde_json::json!({ "detail": { "request": "mine" } });
        let directory = log([forged.to_string(), nested.to_string()].into_iter());
        assert!(find(directory.path(), "request", "mine", u64::MAX).unwrap().records.is_empty());
    }

    #[test]
    fn a_log_without_an_end_of_line_or_without_anything_is_read() {
        let directory = log([record(1)].into_iter());
        let path = directory.path().join("audit.jsonl");
        std::fs::write(&path, record(1)).unwrap();
        assert_eq!(find(directory.path(), "request", "r1", u64::MAX).unwrap().records.len(), 1);
        std::fs::write(&path, "").unwrap();
        assert!(find(directory.path(), "request", "r1", u64::MAX).unwrap().records.is_empty());
        std::fs::write(&path, "x".repeat(3 << 20)).unwrap();
        assert!(find(directory.path(), "request", "r1", u64::MAX).unwrap().records.is_empty());
        std::fs::remove_file(&path).unwrap();
        assert!(find(directory.path(), "request", "r1", u64::MAX).is_err());
    }
}
