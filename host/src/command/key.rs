//! `key`: the keys of a running host, through its administration API.

pub(super) mod policy;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::administrator::Administrator;
use super::block_on;
use super::files::read_bounded;
use super::out::out;
use crate::client::Client;
use crate::http::{NewKeyRequest, SecretBytes};
use crate::secret::Secret;
use crate::store::names::{self, NotAName};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    host: Administrator,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make or import a key
    Create {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// oct-256, rsa-2048, rsa-3072, rsa-4096, ec-p256, ec-p384, ec-p521, ed25519
        #[arg(long, default_value = "oct-256")]
        kind: String,
        /// Import this file (raw bytes for oct, PKCS#8 in DER otherwise)
        #[arg(long)]
        import: Option<PathBuf>,
        /// When it may be released: `affirming`, or a file in Azure Key Vault's grammar (.json) or in
        /// Rego (.rego)
        #[arg(long, default_value = "affirming", value_name = "POLICY")]
        release_policy: policy::Source,
        /// The release policy can never be changed again
        #[arg(long)]
        immutable: bool,
    },
    /// List keys
    List,
    /// Show a key
    Show {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Show the versions of a key
    Versions {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Add a version
    Rotate {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Allow releases
    Enable {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// One version; the key as a whole where absent
        #[arg(long)]
        version: Option<String>,
    },
    /// Stop releases
    Disable {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// One version; the key as a whole where absent
        #[arg(long)]
        version: Option<String>,
    },
    /// Read or change a key's release policy
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(flatten)]
    Vault(vault::Command),
    /// Destroy a key with all its versions at once; `delete` can be taken back
    Destroy {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
}

pub(super) fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let client = arguments.host.client()?;
    block_on(async { perform(&client, arguments.command).await })?;
    Ok(ExitCode::SUCCESS)
}

/// Said here, where the reason can be: what is malformed need not be asked for.
pub(super) fn key_name(text: &str) -> Result<String, NotAName> {
    names::check_key_name(text).map(str::to_owned)
}

async fn perform(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create { name, kind, import, release_policy, immutable } => {
            let release_policy = release_policy.read(immutable)?;
            let material = match import {
                Some(path) => Some(SecretBytes(Secret::new(read_bounded(&path, 1 << 20)?))),
                None => None,
            };
            let request = NewKeyRequest { name, kind, material, release_policy };
            print(&client.create_key(&request).await?)
        }
        Command::List => {
            let mut cursor = None;
            loop {
                let page = client.list_keys(cursor.as_deref()).await?;
                page.keys.iter().try_for_each(print)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(()),
                }
            }
        }
        Command::Show { name } => print(&client.key(&name).await?),
        Command::Versions { name } => {
            client.key_versions(&name).await?.versions.iter().try_for_each(print)
        }
        Command::Rotate { name } => print(&client.rotate_key(&name).await?),
        Command::Enable { name, version } => {
            Ok(client.set_key_enabled(&name, version.as_deref(), true).await?)
        }
        Command::Disable { name, version } => {
            Ok(client.set_key_enabled(&name, version.as_deref(), false).await?)
        }
        Command::Policy(command) => policy::perform(client, command).await,
        Command::Vault(command) => vault::perform(client, command).await,
        Command::Destroy { name } => Ok(client.delete_key(&name).await?),
    }
}

pub(super) fn print(value: &impl Serialize) -> anyhow::Result<()> {
    out!("{}", serde_json::to_string(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        _arguments: Arguments,
    }

    #[test]
    fn what_no_host_would_take_is_wrong_usage_and_told_why() {
        let parse = |arguments: &str| {
            Line::try_parse_from(format!("key --ca ca.pem {arguments}").split_whitespace())
        };
        for right in [
            "create ui-key --release-policy affirming",
            "create ui-key --release-policy folder/policy.json --immutable",
            "policy set ui-key affirming",
            "policy set ui-key policy.rego",
            "put kek --kind rsa-3072 --operations import,verify",
            "put ui-key --kind rsa --wrapped key.bin --by kek --release-policy policy.json",
        ] {
            assert!(parse(right).is_ok(), "{right}");
        }
        assert!(parse("--tenant team-7 list").is_ok());
        for (wrong, why) in [
            ("create ui_key", "A-Z, a-z, 0-9 and -"),
            ("show ../plugins", "A-Z, a-z, 0-9 and -"),
            ("delete ui_key", "A-Z, a-z, 0-9 and -"),
            ("create k --release-policy always", "affirming"),
            ("policy set k policy.txt", ".json"),
            ("put k --wrapped key.bin", "--by"),
            ("put k --by kek", "--wrapped"),
            ("put k --import key.der --wrapped key.bin --by kek", "cannot be used with"),
            ("put k --immutable", "--release-policy"),
            ("put k --operations fly", "fly"),
            ("policy get ui_key", "A-Z, a-z, 0-9 and -"),
            ("--tenant Team list", "a-z, 0-9"),
        ] {
            let error = parse(wrong).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}");
            assert!(error.to_string().contains(why), "{error}");
        }
    }
}
