//! Compiled components on disk. Loading machine code is as good as running it, so a file counts only
//! with a tag that the host made with its own key; anything else is compiled anew.

use std::fmt;
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{digest, hmac};
use data_encoding::HEXLOWER;
use wasmtime::component::Component;

use crate::secret::Secret;

/// Bytes of the tag (HMAC-SHA-256) that a file starts with.
const TAG: usize = 32;

/// Separates this use of the key from every other.
const LABEL: &[u8] = b"claviger/compiled-component/1";

/// Where compiled components are kept.
#[derive(Clone, Debug)]
pub struct CacheSettings {
    /// A directory of the host's own; made (mode 0700) where it is missing.
    pub directory: PathBuf,
    /// At least 32 bytes that only the host knows. Another key makes every file void.
    pub key: Secret,
}

/// The files, and the key that vouches for them.
pub(super) struct Cache {
    directory: PathBuf,
    key: hmac::Key,
    compatibility: [u8; 32],
}

impl Cache {
    pub(super) fn new(engine: &wasmtime::Engine, settings: &CacheSettings) -> Self {
        let mut compatibility = Digesting(digest::Context::new(&digest::SHA256));
        engine.precompile_compatibility_hash().hash(&mut compatibility);
        Self {
            directory: settings.directory.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, settings.key.expose()),
            compatibility: compatibility.all(),
        }
    }

    /// The compiled form of the component with this SHA-256, where there is a genuine one. Whatever
    /// is wrong with a file is logged, and answered as if there were none.
    pub(super) fn load(
        &self,
        engine: &wasmtime::Engine,
        plugin: &str,
        component: &[u8; 32],
    ) -> Option<Component> {
        let path = self.path(component);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(plugin, path = %path.display(), %error, "compiled plugin cannot be read; compiling it anew");
                return None;
            }
        };
        let Some(genuine) = self.open(component, &file) else {
            tracing::warn!(plugin, path = %path.display(), "compiled plugin was altered or is not this host's; compiling it anew");
            return None;
        };
        deserialize(engine, genuine)
            .inspect_err(|error| tracing::warn!(plugin, path = %path.display(), "compiled plugin does not load; compiling it anew: {error:#}"))
            .ok()
    }

    /// Keeps a compiled component. Failing to is logged and costs only the next start its time.
    pub(super) fn save(&self, plugin: &str, component: &[u8; 32], compiled: &Component) {
        let path = self.path(component);
        let written = compiled
            .serialize()
            .map_err(|error| io::Error::other(format!("{error:#}")))
            .and_then(|artefact| self.write(&path, component, &artefact));
        if let Err(error) = written {
            tracing::warn!(plugin, path = %path.display(), %error, "compiled plugin cannot be kept");
        }
    }

    fn path(&self, component: &[u8; 32]) -> PathBuf {
        let compatibility = self.compatibility.get(..8).unwrap_or_default();
        self.directory.join(format!(
            "{}-{}.compiled",
            HEXLOWER.encode(component),
            HEXLOWER.encode(compatibility)
        ))
    }

    /// Writes beside the place and moves there, so that no reader sees half a file.
    fn write(&self, path: &Path, component: &[u8; 32], artefact: &[u8]) -> io::Result<()> {
        static SERIAL: AtomicU64 = AtomicU64::new(0);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let partial = path.with_extension(format!("{}-{serial}.partial", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .and_then(|mut file| {
                file.write_all(self.tag(component, artefact).as_ref())?;
                file.write_all(artefact)
            })
            .and_then(|()| fs::rename(&partial, path));
        if written.is_err() {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    fn tag(&self, component: &[u8; 32], artefact: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        // All parts before the last have a fixed length.
        context.update(LABEL);
        context.update(component);
        context.update(&self.compatibility);
        context.update(artefact);
        context.sign()
    }

    /// The artefact in a file, if this host made it for this component and this engine.
    fn open<'a>(&self, component: &[u8; 32], file: &'a [u8]) -> Option<Genuine<'a>> {
        let (tag, artefact) = file.split_at_checked(TAG)?;
        let expected = self.tag(component, artefact);
        aws_lc_rs::constant_time::verify_slices_are_equal(expected.as_ref(), tag).ok()?;
        Some(Genuine(artefact))
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// Machine code whose tag held. Only [`Cache::open`] makes one.
struct Genuine<'a>(&'a [u8]);

/// The one unsafe call of the host.
#[allow(unsafe_code)]
fn deserialize(engine: &wasmtime::Engine, artefact: Genuine<'_>) -> wasmtime::Result<Component> {
    // SAFETY: the bytes must be what `Component::serialize` wrote, unaltered. `Genuine` says so: the
    // tag over these very bytes (copied here from memory, not read again from the file) was made
    // with a key that only this host has, for this component and this engine's configuration.
    unsafe { Component::deserialize(engine, artefact.0) }
}

/// Feeds what is hashed to SHA-256, for a value that is the same in every process.
struct Digesting(digest::Context);

impl Digesting {
    fn all(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        bytes
    }
}

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finish();
        digest.as_ref().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}
