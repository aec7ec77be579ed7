//! `token-key`: the keys that sign attestation results of a running host.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::administrator::Administrator;
use super::block_on;
use super::out::out;
use crate::http::RotateTokenKeyRequest;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    host: Administrator,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the key that signs, and those that are still believed
    List,
    /// Have a fresh key sign; the old one is believed until its last token is over
    Rotate {
        /// Refuse what any other key signed, at once
        #[arg(long)]
        revoke: bool,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = arguments.host.client()?;
    let keys = block_on(async {
        Ok(match arguments.command {
            Command::List => client.token_keys().await?,
            Command::Rotate { revoke } => {
                client.rotate_token_key(&RotateTokenKeyRequest { revoke }).await?
            }
        })
    })?;
    keys.keys.iter().try_for_each(|key| out!("{}", serde_json::to_string(key)?))?;
    Ok(ExitCode::SUCCESS)
}
