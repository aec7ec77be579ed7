//! Files that nobody but their owner may reach: how the host opens and makes them, the store's, the
//! master key's and the audit log's alike.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use rustix::fs::{CWD, OFlags, RenameFlags, renameat_with};
use rustix::process::geteuid;

use crate::random::Random;
use crate::secret::Secret;

/// The file is not one to trust with a secret, or could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// Reading, writing or making it failed.
    #[error("{}: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Anybody may put another file into its place.
    #[error("{} lies in a directory that everybody may write to", .0.display())]
    OpenDirectory(PathBuf),
    /// Its group or everybody may read or write it.
    #[error("{} has mode {mode:04o}; a file that holds secrets needs 0600", .path.display())]
    Permissions {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A directory into which others may put files.
    #[error("others may write to the directory {}; chmod go-w", .0.display())]
    SharedDirectory(PathBuf),
    /// It belongs to another user.
    #[error("{} does not belong to the user that this host runs as", .0.display())]
    Stranger(PathBuf),
    /// It is a symbolic link, a directory, a device or a pipe.
    #[error("{} is not a regular file", .0.display())]
    Unusual(PathBuf),
}

/// Opens `path` for reading and writing, and makes it with mode 0600 where it is missing.
/// The file itself is checked, not its name: an exchange after the check changes nothing.
pub fn open_or_create(path: &Path) -> Result<File, NotPrivate> {
    check_directory(path)?;
    open(path, OpenOptions::new().read(true).write(true).create(true))
}

/// The same for reading and appending.
pub fn open_to_append(path: &Path) -> Result<File, NotPrivate> {
    check_directory(path)?;
    open(path, OpenOptions::new().read(true).append(true).create(true))
}

/// Reads the whole of `path`, which may be at most `limit` bytes; none where there is no such file.
pub fn read(path: &Path, limit: u64) -> Result<Option<Secret>, NotPrivate> {
    let failed = |source| io_error(path, source);
    let file = match open(path, OpenOptions::new().read(true)) {
        Err(NotPrivate::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        file => file?,
    };
    check_directory(path)?;
    // Room for all of it at once: a vector that grows leaves copies behind.
    let room = usize::try_from(limit.saturating_add(1)).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(room.min(1 << 20));
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    let secret = Secret::new(bytes);
    if secret.len() as u64 > limit {
        return Err(failed(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(Some(secret))
}

/// Makes the directory at `path` with mode 0700, and those above it, where they are missing.
pub fn create_directory(path: &Path) -> Result<(), NotPrivate> {
    let mut builder = fs::DirBuilder::new();
    builder.mode(0o700).recursive(true);
    builder.create(path).map_err(|source| io_error(path, source))
}

/// The same, and nobody but this user and root may put files into the directory, or exchange it.
pub fn own_directory(path: &Path) -> Result<(), NotPrivate> {
    create_directory(path)?;
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if metadata.uid() != geteuid().as_raw() && metadata.uid() != 0 {
        return Err(NotPrivate::Stranger(path.to_owned()));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(NotPrivate::SharedDirectory(path.to_owned()));
    }
    Ok(())
}

/// Makes `path` with mode 0600 and `bytes` in it, wholly or not at all, and durably. Never
/// replaces a file: answers with an error of kind `AlreadyExists`.
pub fn create(path: &Path, bytes: &Secret, random: &dyn Random) -> Result<(), NotPrivate> {
    let draft = draft(path, random)?;
    let written = fill(&draft, bytes).map_err(|source| {
        // The draft is ours alone; where removing it fails too, the first failure says more.
        let _ = fs::remove_file(&draft);
        io_error(path, source)
    });
    written.and_then(|()| put(&draft, path))
}

/// A name beside `path` that nobody else uses. Drafts that a killed process left there are removed.
pub fn draft(path: &Path, random: &dyn Random) -> Result<PathBuf, NotPrivate> {
    check_directory(path)?;
    remove_abandoned(path);
    let mut suffix = [0; 8];
    random.fill(&mut suffix).map_err(|error| io_error(path, io::Error::other(error)))?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", HEXLOWER.encode(&suffix)));
    Ok(PathBuf::from(name))
}

/// A draft is made and moved within moments: one that is older than this is nobody's.
const ABANDONED: Duration = Duration::from_secs(3600);

/// Where one cannot be removed, it lies on: it hinders nobody.
fn remove_abandoned(path: &Path) {
    let Some(name) = path.file_name().map(OsStr::as_encoded_bytes) else { return };
    let Ok(entries) = fs::read_dir(directory(path)) else { return };
    for entry in entries.filter_map(Result::ok) {
        let other = entry.file_name();
        let between = other
            .as_encoded_bytes()
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(b"."))
            .and_then(|rest| rest.strip_suffix(b".new"));
        let is_draft = between.is_some_and(|hex| HEXLOWER.decode_len(hex.len()) == Ok(8));
        let modified = entry.metadata().and_then(|metadata| metadata.modified());
        let age = modified.ok().and_then(|modified| modified.elapsed().ok());
        if is_draft && age.is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Moves a finished draft to its place, durably. Never replaces a file, and leaves no draft.
pub fn put(draft: &Path, path: &Path) -> Result<(), NotPrivate> {
    let moved = renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE)
        .map_err(io::Error::from)
        .and_then(|()| File::open(directory(path))?.sync_all());
    moved.map_err(|source| {
        let _ = fs::remove_file(draft);
        io_error(path, source)
    })
}

fn fill(draft: &Path, bytes: &Secret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
    file.write_all(bytes.expose())?;
    file.sync_all()
}

fn open(path: &Path, options: &mut OpenOptions) -> Result<File, NotPrivate> {
    // Not blocking: opening a pipe must not wait for its other end.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = options.mode(0o600).custom_flags(flags.bits().cast_signed()).open(path).map_err(
        |source| match source.raw_os_error() {
            Some(code) if code == rustix::io::Errno::LOOP.raw_os_error() => {
                NotPrivate::Unusual(path.to_owned())
            }
            _ => io_error(path, source),
        },
    )?;
    let metadata = file.metadata().map_err(|source| io_error(path, source))?;
    if !metadata.is_file() {
        return Err(NotPrivate::Unusual(path.to_owned()));
    }
    if metadata.uid() != geteuid().as_raw() {
        return Err(NotPrivate::Stranger(path.to_owned()));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(NotPrivate::Permissions { path: path.to_owned(), mode });
    }
    Ok(file)
}

/// In a directory that everybody may write to, only the sticky bit keeps others from exchanging
/// the file.
fn check_directory(path: &Path) -> Result<(), NotPrivate> {
    let metadata = fs::metadata(directory(path)).map_err(|source| io_error(path, source))?;
    let mode = metadata.mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(NotPrivate::OpenDirectory(path.to_owned()));
    }
    Ok(())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn io_error(path: &Path, source: io::Error) -> NotPrivate {
    NotPrivate::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemRandomness;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    // attack 63
    #[test]
    fn a_file_that_others_may_reach_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, b"secret").unwrap();
        for mode in [0o640, 0o604, 0o660, 0o606, 0o644, 0o620, 0o602, 0o601] {
            set_mode(&path, mode);
            let refused =
                |error| matches!(error, NotPrivate::Permissions { mode: m, .. } if m == mode);
            assert!(refused(read(&path, 100).unwrap_err()), "{mode:o}");
            assert!(refused(open_or_create(&path).unwrap_err()), "{mode:o}");
        }
        set_mode(&path, 0o600);
        assert!(read(&path, 100).unwrap().unwrap().matches(b"secret"));
        assert!(read(&path, 5).is_err());
    }

    #[test]
    fn a_link_a_pipe_or_a_directory_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        create(&target, &Secret::new(vec![1]), &SystemRandomness::default()).unwrap();
        let link = folder.path().join("link");
        symlink(&target, &link).unwrap();
        assert!(matches!(read(&link, 9), Err(NotPrivate::Unusual(_))));
        assert!(matches!(open_or_create(&link), Err(NotPrivate::Unusual(_))));
        let dangling = folder.path().join("dangling");
        symlink(folder.path().join("elsewhere"), &dangling).unwrap();
        assert!(open_or_create(&dangling).is_err());
        assert!(!folder.path().join("elsewhere").exists());
        assert!(matches!(read(folder.path(), 9), Err(NotPrivate::Unusual(_))));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(matches!(read(&pipe, 9), Err(NotPrivate::Unusual(_))));
    }

    #[test]
    fn a_directory_open_to_everybody_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o777);
        let path = folder.path().join("key");
        assert!(matches!(open_or_create(&path), Err(NotPrivate::OpenDirectory(_))));
        assert!(!path.exists());
        set_mode(folder.path(), 0o1777);
        assert!(open_or_create(&path).is_ok());
    }

    // attack 63
    #[test]
    fn what_belongs_to_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (file, directory) = (folder.path().join("key"), folder.path().join("of-nobody"));
        if geteuid().is_root() {
            let nobody = Some(65_534);
            drop(open_to_append(&file).unwrap());
            own_directory(&directory).unwrap();
            std::os::unix::fs::chown(&file, nobody, nobody).unwrap();
            std::os::unix::fs::chown(&directory, nobody, nobody).unwrap();
            assert!(matches!(open_to_append(&file), Err(NotPrivate::Stranger(_))));
            assert!(matches!(own_directory(&directory), Err(NotPrivate::Stranger(_))));
        }
        // Whoever runs this, one of the two belongs to somebody else.
        let theirs = if geteuid().is_root() { &file } else { Path::new("/etc/passwd") };
        assert!(matches!(read(theirs, 1 << 20), Err(NotPrivate::Stranger(_))));
    }

    // attack 63
    #[test]
    fn drafts_that_a_killed_process_left_are_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let names = [
            "master.key.0011223344556677.new",
            "master.key.0011223344556677.old",
            "master.key.00112233.new",
            "other.key.0011223344556677.new",
        ];
        let hours_ago = std::time::SystemTime::now() - 2 * ABANDONED;
        for name in names {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(hours_ago).unwrap();
        }
        let young = folder.path().join("master.key.8899aabbccddeeff.new");
        File::create(&young).unwrap();
        let random = crate::random::SystemRandomness::default();
        create(&path, &Secret::new(vec![1]), &random).unwrap();
        let left = |name: &&str| folder.path().join(name).exists();
        assert_eq!(names.iter().map(left).collect::<Vec<_>>(), [false, true, true, true]);
        assert!(young.exists());
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_not_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/here");
        own_directory(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o700);
        for mode in [0o770, 0o702, 0o1777] {
            set_mode(&path, mode);
            assert!(
                matches!(own_directory(&path), Err(NotPrivate::SharedDirectory(_))),
                "{mode:o}"
            );
        }
        set_mode(&path, 0o750);
        own_directory(&path).unwrap();
    }

    #[test]
    fn a_made_file_is_private_and_never_replaces_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let random = SystemRandomness::default();
        create(&path, &Secret::new(b"one".to_vec()), &random).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let again = create(&path, &Secret::new(b"two".to_vec()), &random).unwrap_err();
        let NotPrivate::Io { source, .. } = again else { panic!("{again}") };
        assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
        assert!(read(&path, 100).unwrap().unwrap().matches(b"one"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
