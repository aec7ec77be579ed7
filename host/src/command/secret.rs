//! `secret`: the secrets of a running host, through its administration API.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};

use super::administrator::Administrator;
use super::block_on;
use super::files::read_bounded;
use super::key::policy::Source;
use super::key::{key_name, print};
use super::out;
use crate::client::Client;
use crate::http::{NewSecretRequest, SecretBytes, SecretChangeRequest};
use crate::secret::Secret;

/// The longest value, in bytes.
const LONGEST: u64 = 25 << 10;

/// The largest backup, in bytes.
const LARGEST_BACKUP: u64 = 1 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    host: Administrator,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Store a value, as the newest version
    Set {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
        /// Where the value is read; standard input where absent. It is taken as it is, to the last byte
        #[arg(long)]
        file: Option<PathBuf>,
        /// What is inside
        #[arg(long)]
        content_type: Option<String>,
        /// Not read before this moment (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        not_before: Option<String>,
        /// Not read from this moment on (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
        /// Of a new secret: when it may be released; then it is not read. As of `key create`
        #[arg(long, value_name = "POLICY")]
        release_policy: Option<Source>,
        /// The release policy can never be changed again
        #[arg(long, requires = "release_policy")]
        immutable: bool,
    },
    /// Set when a secret may be released; from then on it is not read
    Policy {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
        /// `affirming`, or a file in Azure Key Vault's grammar (.json) or in Rego (.rego)
        policy: Source,
        /// It can never be changed again
        #[arg(long)]
        immutable: bool,
    },
    /// Print a value, as it is
    Get {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
        /// The version's identifier; the newest where absent
        #[arg(long)]
        version: Option<String>,
    },
    /// List secrets, without their values
    List,
    /// Show the versions of a secret, without their values
    Versions {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Change what is known of a version; what is absent stays
    Update {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
        /// The version's identifier; the newest where absent
        #[arg(long)]
        version: Option<String>,
        /// Whether it may be read
        #[arg(long)]
        enabled: Option<bool>,
        /// Not read before this moment (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        not_before: Option<String>,
        /// Not read from this moment on (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
    },
    /// Delete a secret, so that it can be recovered
    Delete {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// List deleted secrets
    Deleted,
    /// Take a deletion back
    Recover {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Destroy a deleted secret
    Purge {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Print a sealed copy, which this host alone opens
    Backup {
        /// The secret's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Bring a sealed copy back
    Restore {
        /// What `backup` printed
        file: PathBuf,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = arguments.host.client()?;
    block_on(async { perform(&client, arguments.command).await })?;
    Ok(ExitCode::SUCCESS)
}

async fn perform(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Set {
            name,
            file,
            content_type,
            not_before,
            expires,
            release_policy,
            immutable,
        } => {
            let policy = release_policy.map(|policy| policy.read(immutable)).transpose()?;
            let request = NewSecretRequest {
                value: SecretBytes(value(file.as_deref())?),
                content_type,
                enabled: None,
                not_before,
                expires,
                tags: std::collections::BTreeMap::new(),
                release_policy: policy,
            };
            print(&client.set_secret(&name, &request).await?)
        }
        Command::Policy { name, policy, immutable } => {
            let policy = policy.read(immutable)?;
            print(&client.set_secret_release_policy(&name, &policy).await?)
        }
        Command::Get { name, version } => {
            let secret = client.secret(&name, version.as_deref()).await?;
            out::bytes(secret.value.0.expose())
        }
        Command::List => {
            let mut cursor = None;
            loop {
                let page = client.list_secrets(cursor.as_deref()).await?;
                page.secrets.iter().try_for_each(print)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(()),
                }
            }
        }
        Command::Versions { name } => {
            client.secret_versions(&name).await?.versions.iter().try_for_each(print)
        }
        Command::Update { name, version, enabled, not_before, expires } => {
            let request = SecretChangeRequest {
                version,
                enabled,
                not_before,
                expires,
                ..SecretChangeRequest::default()
            };
            print(&client.change_secret(&name, &request).await?)
        }
        Command::Delete { name } => print(&client.delete_secret(&name).await?),
        Command::Deleted => {
            let mut cursor = None;
            loop {
                let page = client.deleted_secrets(cursor.as_deref()).await?;
                page.secrets.iter().try_for_each(print)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(()),
                }
            }
        }
        Command::Recover { name } => print(&client.recover_secret(&name).await?),
        Command::Purge { name } => Ok(client.purge_secret(&name).await?),
        Command::Backup { name } => out::bytes(&client.back_up_secret(&name).await?.backup.0),
        Command::Restore { file } => {
            let backup = read_bounded(&file, LARGEST_BACKUP)?;
            print(&client.restore_secret(backup).await?)
        }
    }
}

/// Not from an argument: command lines are seen by everybody on the machine.
fn value(file: Option<&Path>) -> anyhow::Result<Secret> {
    if let Some(file) = file {
        return Ok(Secret::new(read_bounded(file, LONGEST)?));
    }
    let mut value = zeroize::Zeroizing::new(Vec::with_capacity(32 << 10));
    let mut input = std::io::stdin().lock().take(LONGEST.saturating_add(1));
    input.read_to_end(&mut value)?;
    let fits = u64::try_from(value.len()).is_ok_and(|length| length <= LONGEST);
    ensure!(fits, "a value has at most {LONGEST} bytes");
    Ok(Secret::new(std::mem::take(&mut *value)))
}
