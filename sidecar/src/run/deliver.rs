//! How a key gets to a command, is replaced, and is taken away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use claviger_client::Secret;
use data_encoding::{BASE64, HEXLOWER};
use rustix::fs::{MemfdFlags, memfd_create, statfs};
use zeroize::Zeroizing;

/// `TMPFS_MAGIC` and `RAMFS_MAGIC` (linux/magic.h).
const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// How a key is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Encoding {
    /// Base64 with padding
    Base64,
    /// Lower-case hexadecimal
    Hex,
    /// Its bytes
    Raw,
}

impl Encoding {
    pub(crate) fn apply(self, secret: &Secret) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(match self {
            Self::Base64 => BASE64.encode(secret.expose()).into_bytes(),
            Self::Hex => HEXLOWER.encode(secret.expose()).into_bytes(),
            Self::Raw => secret.expose().to_vec(),
        })
    }
}

/// What stands in the command's environment.
pub(super) enum Value {
    Key(Zeroizing<String>),
    Path(String),
}

impl Value {
    pub(super) fn as_text(&self) -> &str {
        match self {
            Self::Key(key) => key,
            Self::Path(path) => path,
        }
    }
}

/// The place where the key is.
pub(super) struct Delivery {
    place: Place,
    encoding: Encoding,
}

enum Place {
    /// Inherited; the command opens it by its path.
    Descriptor(File),
    Environment,
    File(PathBuf),
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.forget();
    }
}

impl Delivery {
    /// Memory without a name in any file system.
    pub(super) fn descriptor(encoding: Option<Encoding>) -> io::Result<Self> {
        // Without CLOEXEC: the command is the one process that is started, and has to inherit it.
        let memory = memfd_create("claviger-key", MemfdFlags::empty())?;
        let place = Place::Descriptor(File::from(memory));
        Ok(Self { place, encoding: encoding.unwrap_or(Encoding::Raw) })
    }

    pub(super) fn environment(encoding: Option<Encoding>) -> Self {
        Self { place: Place::Environment, encoding: encoding.unwrap_or(Encoding::Base64) }
    }

    /// A file; where none is named, one in memory.
    pub(super) fn file(path: Option<&Path>, encoding: Option<Encoding>) -> io::Result<Self> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => in_memory()?.join(format!("claviger-key-{}", std::process::id())),
        };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if !is_in_memory(folder.unwrap_or(Path::new("."))) {
            eprintln!("claviger-sidecar: {} is not in memory: a disk may keep it", path.display());
        }
        Ok(Self { place: Place::File(path), encoding: encoding.unwrap_or(Encoding::Raw) })
    }

    /// Puts the key there, in place of an older one; what stands in the environment.
    pub(super) fn deliver(&mut self, secret: &Secret) -> io::Result<Value> {
        let content = self.encoding.apply(secret);
        match &mut self.place {
            Place::Descriptor(memory) => {
                wipe(memory)?;
                memory.write_all(&content)?;
                memory.rewind()?;
                Ok(Value::Path(format!("/proc/self/fd/{}", memory.as_raw_fd())))
            }
            Place::Environment => {
                let text = String::from_utf8(content.to_vec()).map(Zeroizing::new);
                let text = text.ok().filter(|text| !text.contains('\0'));
                text.map(Value::Key).ok_or_else(|| {
                    io::Error::other("the key is no text: give an encoding, or a file")
                })
            }
            Place::File(path) => {
                replace(path, &content)?;
                Ok(Value::Path(path.to_string_lossy().into_owned()))
            }
        }
    }

    /// Takes it away, as far as that can be done.
    pub(super) fn forget(&mut self) {
        let outcome = match &mut self.place {
            Place::Descriptor(memory) => wipe(memory),
            Place::Environment => Ok(()),
            Place::File(path) => remove(path),
        };
        if let Err(error) = outcome {
            eprintln!("claviger-sidecar: the key is not taken away: {error}");
        }
    }
}

/// Writes beside it and renames, so that a reader sees the old key or the new one, and whole.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(name);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside);
    let written = written.and_then(|mut file| file.write_all(content));
    let written = written.and_then(|()| {
        // What is replaced is wiped where it lies.
        let old = OpenOptions::new().write(true).open(path).ok();
        fs::rename(&beside, path)?;
        old.map_or(Ok(()), |mut old| wipe(&mut old))
    });
    written.inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            wipe(&mut file)?;
            fs::remove_file(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Zeros over all of it, and nothing left.
fn wipe(file: &mut File) -> io::Result<()> {
    let length = file.metadata()?.len();
    file.rewind()?;
    io::copy(&mut io::Read::take(io::repeat(0), length), file)?;
    file.set_len(0)?;
    file.rewind()
}

/// The user's runtime folder, or shared memory.
fn in_memory() -> io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    runtime
        .into_iter()
        .chain([PathBuf::from("/dev/shm")])
        .find(|folder| folder.is_dir() && is_in_memory(folder))
        .ok_or_else(|| io::Error::other("no file system in memory is found: name a file"))
}

fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).is_ok_and(|status| {
        #[allow(clippy::useless_conversion, reason = "its width differs by architecture")]
        let kind = i64::from(status.f_type);
        IN_MEMORY.contains(&kind)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn key(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_file_is_for_its_owner_is_replaced_whole_and_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let mut delivery = Delivery::file(Some(&path), None).unwrap();
        let value = delivery.deliver(&key("one")).unwrap();
        assert_eq!(value.as_text(), path.to_str().unwrap());
        let mut old = File::open(&path).unwrap();
        assert_eq!(old.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        delivery.deliver(&key("another")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"another");
        let mut left = Vec::new();
        old.read_to_end(&mut left).unwrap();
        assert_eq!(left, b"");
        let mut current = File::open(&path).unwrap();
        drop(delivery);
        assert!(!path.exists());
        current.read_to_end(&mut left).unwrap();
        assert_eq!(left, b"");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_descriptor_is_read_by_its_path_and_emptied() {
        let mut delivery = Delivery::descriptor(Some(Encoding::Hex)).unwrap();
        let value = delivery.deliver(&key("\u{1}\u{2}")).unwrap();
        assert_eq!(fs::read(value.as_text()).unwrap(), b"0102");
        delivery.deliver(&key("\u{3}")).unwrap();
        assert_eq!(fs::read(value.as_text()).unwrap(), b"03");
        delivery.forget();
        assert_eq!(fs::read(value.as_text()).unwrap(), b"");
    }

    #[test]
    fn a_key_that_is_no_text_stands_encoded_in_the_environment() {
        let bytes = Secret::new(vec![0, 0xff]);
        let value = Delivery::environment(None).deliver(&bytes).unwrap();
        assert_eq!(value.as_text(), "AP8=");
        assert!(Delivery::environment(Some(Encoding::Raw)).deliver(&bytes).is_err());
    }
}
