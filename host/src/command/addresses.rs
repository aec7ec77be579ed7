//! Where a development host says that it listens, for its neighbours on the same machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// The file in the host's state folder.
const FILE: &str = "addresses.json";

/// A host's addresses.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Addresses {
    pub(super) api: SocketAddr,
    /// None: there is no administration.
    pub(super) admin: Option<SocketAddr>,
    pub(super) process: u32,
}

impl Addresses {
    pub(super) fn read(state: &Path) -> anyhow::Result<Self> {
        let path = state.join(FILE);
        let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Writes them down, until what is answered is dropped.
    pub(super) fn announce(&self, state: &Path) -> anyhow::Result<Announced> {
        // Whoever waits for the file must not read half of it.
        let (path, new) = (state.join(FILE), state.join("addresses.json.new"));
        std::fs::write(&new, serde_json::to_vec(self)?)?;
        std::fs::rename(&new, &path)?;
        Ok(Announced(path))
    }

    /// Takes away what a host left that had no time to: nobody serves there now.
    pub(super) fn forget(state: &Path) {
        drop(Announced(state.join(FILE)));
    }

    pub(super) fn api_url(&self) -> String {
        format!("https://{}", self.api)
    }

    pub(super) fn admin_url(&self) -> Option<String> {
        self.admin.map(|address| format!("https://{address}"))
    }
}

/// Addresses that are written down as long as the host is there.
#[derive(Debug)]
pub(super) struct Announced(PathBuf);

impl Drop for Announced {
    fn drop(&mut self) {
        // Mostly because it is gone, which is as well.
        let _ = std::fs::remove_file(&self.0);
    }
}
