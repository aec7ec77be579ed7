//! A folder for one run.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data_encoding::HEXLOWER;

use crate::random::Random;

/// A new folder of this user's alone among the system's temporary files; removed in the end, with
/// everything in it.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new(random: &dyn Random) -> anyhow::Result<Self> {
        let mut name = [0; 8];
        random.fill(&mut name)?;
        let path = std::env::temp_dir().join(format!("claviger-{}", HEXLOWER.encode(&name)));
        // One that is there already is somebody else's.
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where that fails there is nobody left to tell.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
