//! The drop-in directory: components and archives that lie in it, and what became of them since.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::package::Package;

/// The most files that are looked at.
const MOST: usize = 256;

/// The components (`*.wasm`) and archives (`*.tar`) of a directory, by name. What cannot be read is
/// logged, and taken for empty.
#[must_use]
pub fn components(directory: &Path) -> Vec<PathBuf> {
    listed(directory).unwrap_or_else(|error| {
        unreadable(directory, &error);
        Vec::new()
    })
}

fn unreadable(directory: &Path, error: &io::Error) {
    tracing::warn!(path = %directory.display(), %error, "the drop-in directory cannot be read");
}

fn listed(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>()?;
    let plugin = |path: &PathBuf| {
        let kind = path.extension().and_then(|extension| extension.to_str());
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !hidden && matches!(kind, Some("wasm" | "tar"))
    };
    paths.retain(plugin);
    paths.sort();
    paths.truncate(MOST);
    Ok(paths)
}

/// What a file and the signatures beside it look like from outside.
type Look = Vec<Option<(u64, SystemTime)>>;

/// What was seen in the directory, and what was already acted on.
#[derive(Debug, Default)]
pub struct Watch {
    seen: BTreeMap<PathBuf, Look>,
    acted: BTreeMap<PathBuf, Look>,
    /// Whether it could not be read the last time: that is logged once.
    unreadable: bool,
}

/// What changed in the directory.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Changes {
    /// New files, and those with new content or new signatures.
    pub arrived: Vec<PathBuf>,
    /// Files that are gone.
    pub gone: Vec<PathBuf>,
}

impl Watch {
    /// Takes everything that lies there for acted on: at the start it was loaded.
    #[must_use]
    pub fn begun(directory: &Path) -> Self {
        let mut watch = Self::default();
        watch.seen = watch.looks(directory);
        watch.acted = watch.seen.clone();
        watch
    }

    /// Looks again. A file counts once it looked the same twice: one that is being written does not.
    pub fn look(&mut self, directory: &Path) -> Changes {
        let now = self.looks(directory);
        let mut changes = Changes::default();
        for (path, look) in &now {
            let settled = self.seen.get(path) == Some(look);
            if settled && self.acted.get(path) != Some(look) {
                self.acted.insert(path.clone(), look.clone());
                changes.arrived.push(path.clone());
            }
        }
        let gone: Vec<_> =
            self.acted.keys().filter(|path| !now.contains_key(*path)).cloned().collect();
        for path in gone {
            self.acted.remove(&path);
            changes.gone.push(path);
        }
        self.seen = now;
        changes
    }

    fn looks(&mut self, directory: &Path) -> BTreeMap<PathBuf, Look> {
        let listed = listed(directory);
        if let (Err(error), false) = (&listed, self.unreadable) {
            unreadable(directory, error);
        }
        self.unreadable = listed.is_err();
        looks(listed.unwrap_or_default())
    }
}

fn looks(paths: Vec<PathBuf>) -> BTreeMap<PathBuf, Look> {
    let look = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some((metadata.len(), metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH)))
    };
    let whole = |path: PathBuf| {
        let beside: Vec<_> = Package::signature_paths(&path).map(|beside| look(&beside)).collect();
        let looks = std::iter::once(look(&path)).chain(beside).collect();
        (path, looks)
    };
    paths.into_iter().map(whole).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::capture::capture;

    #[test]
    fn a_directory_that_cannot_be_read_is_told_of_once_until_it_can_be_again() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("plugins");
        let log = capture(tracing::Level::WARN);
        let mut watch = Watch::begun(&directory);
        let mut told = || {
            watch.look(&directory);
            log.text().matches("cannot be read").count()
        };
        assert_eq!([told(), told()], [1; 2]);
        fs::create_dir(&directory).unwrap();
        assert_eq!(told(), 1);
        fs::remove_dir(&directory).unwrap();
        assert_eq!([told(), told()], [2; 2]);
    }

    #[test]
    fn a_file_counts_once_it_rests_and_again_when_it_changes_or_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        let mut watch = Watch::begun(folder.path());
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        fs::write(folder.path().join(".hidden.wasm"), "x").unwrap();
        fs::write(&path, "half").unwrap();
        assert_eq!(watch.look(folder.path()), Changes::default());
        fs::write(&path, "half and the rest").unwrap();
        assert_eq!(watch.look(folder.path()), Changes::default());
        let arrived = Changes { arrived: vec![path.clone()], gone: Vec::new() };
        assert_eq!(watch.look(folder.path()), arrived);
        assert_eq!(watch.look(folder.path()), Changes::default());
        // A signature that comes later makes it worth another look.
        fs::write(folder.path().join("a.wasm.sigstore.json"), "{}").unwrap();
        assert_eq!(watch.look(folder.path()), Changes::default());
        assert_eq!(watch.look(folder.path()), arrived);
        fs::remove_file(&path).unwrap();
        let gone = Changes { arrived: Vec::new(), gone: vec![path] };
        assert_eq!(watch.look(folder.path()), gone);
        assert_eq!(watch.look(folder.path()), Changes::default());
    }
}
