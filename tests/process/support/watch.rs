//! A folder watched for changes, to strike the moment that something is written.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init};
use rustix::process::{Pid, Signal, kill_process};

/// A file of this name in the folder ends the watch.
const OVER: &str = "watch-over";

/// A folder under watch, with the folders in it.
pub(crate) struct Watch {
    queue: OwnedFd,
    folders: HashMap<i32, PathBuf>,
    root: PathBuf,
}

/// A watch that strikes.
pub(crate) struct Armed {
    thread: JoinHandle<(usize, bool)>,
    root: PathBuf,
}

impl Watch {
    /// Watches from now on: the kernel keeps what happens until it is looked at.
    pub(crate) fn over(root: &Path) -> Self {
        let (queue, mut folders) = (init(CreateFlags::CLOEXEC).unwrap(), HashMap::new());
        add(&queue, &mut folders, root.to_owned());
        Self { queue, folders, root: root.to_owned() }
    }

    /// Kills the process at this change: a file that is made, written to, or gets its name.
    pub(crate) fn kill_at(self, change: usize, process: Pid) -> Armed {
        let root = self.root.clone();
        Armed { thread: thread::spawn(move || self.strike(change, process)), root }
    }

    /// Answers how many changes there were, and whether it struck.
    fn strike(mut self, change: usize, process: Pid) -> (usize, bool) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        for seen in 1.. {
            let event = reader.next().unwrap();
            let name = event.file_name().map_or(&[][..], |name| name.to_bytes());
            if name == OVER.as_bytes() {
                return (seen - 1, false);
            }
            if seen == change {
                kill_process(process, Signal::KILL).unwrap();
                return (seen, true);
            }
            if event.events().contains(ReadFlags::ISDIR | ReadFlags::CREATE) {
                let folder = self.folders[&event.wd()].join(OsStr::from_bytes(name));
                add(&self.queue, &mut self.folders, folder);
            }
        }
        unreachable!("there is no last number");
    }
}

/// Adds a folder and what is in it.
fn add(queue: &OwnedFd, folders: &mut HashMap<i32, PathBuf>, folder: PathBuf) {
    let changes = WatchFlags::CREATE | WatchFlags::MODIFY | WatchFlags::MOVED_TO;
    let number = add_watch(queue, &folder, changes).unwrap();
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        if entry.path().is_dir() {
            add(queue, folders, entry.path());
        }
    }
    folders.insert(number, folder);
}

impl Armed {
    /// Stops watching; answers how many changes there were, and whether it struck.
    pub(crate) fn end(self) -> (usize, bool) {
        let over = self.root.join(OVER);
        File::create(&over).unwrap();
        let seen = self.thread.join().unwrap();
        fs::remove_file(over).unwrap();
        seen
    }
}
