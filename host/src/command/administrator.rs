//! Which running host is administered, and by whom: the same for every command that does.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::files::{read_bounded, read_token};
use crate::client::{Client, ClientSettings};
use crate::secret::Secret;
use crate::tenant::Tenant;

/// Each may stand before the subcommand or behind it.
#[derive(Debug, Args)]
pub(super) struct Administrator {
    /// The administration's address
    #[arg(
        long,
        global = true,
        env = "CLAVIGER_ADMIN_URL",
        default_value = "https://localhost:8444"
    )]
    url: String,
    /// The certificate authority of the host, PEM
    #[arg(long, global = true, env = "CLAVIGER_CA")]
    ca: Option<PathBuf>,
    /// A file with the administrator's token in its first line; where absent, the token is read
    /// from the environment variable CLAVIGER_ADMIN_TOKEN
    #[arg(long, global = true)]
    token_file: Option<PathBuf>,
    /// The tenant
    #[arg(long, global = true, default_value_t, value_parser = Tenant::parse)]
    tenant: Tenant,
}

impl Administrator {
    /// A client of that host.
    pub(super) fn client(self) -> anyhow::Result<Client> {
        let ca = self.ca.context("give --ca, or set CLAVIGER_CA")?;
        let mut settings = ClientSettings::new(&self.url, read_bounded(&ca, 1 << 20)?);
        settings.token = Some(token(self.token_file.as_deref())?);
        settings.tenant = Some(self.tenant);
        Ok(Client::new(settings)?)
    }
}

/// Not from an argument: command lines are seen by everybody on the machine.
fn token(file: Option<&Path>) -> anyhow::Result<Secret> {
    match file {
        Some(path) => read_token(path),
        None => {
            let token = std::env::var("CLAVIGER_ADMIN_TOKEN")
                .context("give --token-file, or set CLAVIGER_ADMIN_TOKEN")?;
            Ok(Secret::new(token.into_bytes()))
        }
    }
}
