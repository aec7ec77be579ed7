//! What the host logs in this process, at the most talkative level.

use std::io;
use std::sync::{Mutex, Once};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The process's log. Tests run side by side: look for lines by what only one test says.
#[derive(Clone, Copy, Debug)]
pub struct Journal(());

static TEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

impl Journal {
    /// Begins to write down, if that has not begun yet.
    #[must_use]
    pub fn open() -> Self {
        static STARTED: Once = Once::new();
        STARTED.call_once(|| {
            tracing_subscriber::fmt()
                .with_env_filter(EnvFilter::new("debug,claviger=trace,rustls=trace,hyper=trace"))
                .with_ansi(false)
                .with_writer(Self(()))
                .init();
        });
        Self(())
    }

    /// Everything so far.
    #[must_use]
    pub fn text(self) -> String {
        String::from_utf8(TEXT.lock().unwrap().clone()).unwrap()
    }

    /// The lines that hold all of these words.
    #[must_use]
    pub fn lines(self, words: &[&str]) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter(|line| words.iter().all(|word| line.contains(word)));
        lines.map(ToOwned::to_owned).collect()
    }
}

impl io::Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TEXT.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Journal {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        *self
    }
}
