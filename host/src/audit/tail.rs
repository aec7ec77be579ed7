//! The end of the log, and what is added to it, safe to print.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::error::Finding;
use super::files::{Ending, Paths, read_line};

/// Reads the log from near its end on.
pub struct Tail {
    file: File,
    path: std::path::PathBuf,
    /// Where the first line begins that was not yet given out.
    position: u64,
}

impl Tail {
    /// Opens the log in `directory` and gives its last `lines` lines.
    ///
    /// # Errors
    /// [`Finding::File`] where the log cannot be read.
    pub fn open(directory: &Path, lines: usize) -> Result<(Self, Vec<String>), Finding> {
        let path = Paths::of(directory).log;
        let file = File::open(&path).map_err(|error| Finding::file(&path, &error))?;
        let mut tail = Self { file, path, position: 0 };
        let read = |error: std::io::Error| Finding::file(&tail.path, &error);
        tail.position = start_of(&tail.file, lines).map_err(read)?;
        let mut last: VecDeque<String> = tail.more()?.into();
        while last.len() > lines {
            last.pop_front();
        }
        Ok((tail, last.into()))
    }

    /// The whole lines that were added since; none where nothing was. To follow the log, ask again.
    ///
    /// # Errors
    /// [`Finding::File`] where the log cannot be read.
    pub fn more(&mut self) -> Result<Vec<String>, Finding> {
        let mut found = Vec::new();
        self.read(&mut found).map_err(|error| Finding::file(&self.path, &error))?;
        Ok(found)
    }

    fn read(&mut self, found: &mut Vec<String>) -> std::io::Result<()> {
        (&self.file).seek(SeekFrom::Start(self.position))?;
        let mut reader = BufReader::new(&self.file);
        let mut line = Vec::new();
        while let Some(ending) = read_line(&mut reader, &mut line)? {
            let newline = match ending {
                Ending::Unfinished => break,
                Ending::Newline => 1,
                Ending::TooLong => 0,
            };
            self.position = self.position.saturating_add(line.len() as u64 + newline);
            found.push(printable(&line));
        }
        Ok(())
    }
}

/// Where the last `lines` whole lines begin, found from the end in blocks.
fn start_of(mut file: &File, lines: usize) -> std::io::Result<u64> {
    const BLOCK: u64 = 64 * 1024;
    let mut position = file.metadata()?.len();
    // The newline that ends the last line is one more.
    let mut wanted = lines.saturating_add(1);
    let mut block = Vec::new();
    while position > 0 {
        let start = position.saturating_sub(BLOCK);
        file.seek(SeekFrom::Start(start))?;
        block.clear();
        file.take(position - start).read_to_end(&mut block)?;
        for (offset, _) in block.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            wanted -= 1;
            if wanted == 0 {
                return Ok(start.saturating_add(offset as u64 + 1));
            }
        }
        position = start;
    }
    Ok(0)
}

/// A line that somebody tampered with must not move the terminal it is shown on.
fn printable(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    for byte in line {
        match byte {
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.extend(byte.escape_ascii().map(char::from)),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn the_last_lines_come_first_then_what_is_added() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = File::create(directory.path().join("audit.jsonl")).unwrap();
        for number in 0..30_000 {
            writeln!(file, "{number}").unwrap();
        }
        write!(file, "unfin").unwrap();
        let (mut tail, last) = Tail::open(directory.path(), 2).unwrap();
        assert_eq!(last, ["29998", "29999"]);
        assert_eq!(tail.more().unwrap(), [""; 0]);
        write!(file, "ished\nnext\n").unwrap();
        assert_eq!(tail.more().unwrap(), ["unfinished", "next"]);
        let (_, all) = Tail::open(directory.path(), usize::MAX).unwrap();
        assert_eq!(all.len(), 30_002);
        assert_eq!(Tail::open(directory.path(), 0).unwrap().1, [""; 0]);
    }

    // attack 41
    #[test]
    fn a_tampered_line_cannot_move_the_terminal() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("audit.jsonl"), b"\x1b[2J\xff\n").unwrap();
        let (_, last) = Tail::open(directory.path(), 1).unwrap();
        assert_eq!(last, [r"\x1b[2J\xff"]);
    }
}
