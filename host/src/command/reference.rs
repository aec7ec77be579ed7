//! `reference`: the reference values of a running host, documents looked at offline, and
//! measurements computed from what is measured.

mod measure;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::json;

use super::administrator::Administrator;
use super::files::read_bounded;
use super::out::{bytes, note, out, verdict};
use super::{REFUSED, block_on};
use crate::audit::Digest;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::reference::{Container, Document, LARGEST, Opened, Origin, Signers};
use crate::tenant::Tenant;

/// The largest file: an envelope holds base64.
const LARGEST_FILE: u64 = 2 * LARGEST as u64;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a signed CoRIM, a DSSE envelope, a manifest of NVIDIA's or a plain document to a running host
    Add {
        #[command(flatten)]
        host: Administrator,
        #[command(flatten)]
        file: File,
        /// The document whose place it takes
        #[arg(long, value_parser = identifier)]
        replaces: Option<Digest>,
    },
    /// List the documents of a running host
    List {
        #[command(flatten)]
        host: Administrator,
    },
    /// Show a document of a running host
    Get {
        #[command(flatten)]
        host: Administrator,
        /// Its identifier
        #[arg(value_parser = identifier)]
        id: Digest,
        /// Print the very bytes that it came as
        #[arg(long)]
        raw: bool,
    },
    /// Show what happened to the documents of a running host, the latest first
    History {
        #[command(flatten)]
        host: Administrator,
    },
    /// Take a document of a running host back
    Revoke {
        #[command(flatten)]
        host: Administrator,
        /// Its identifier
        #[arg(value_parser = identifier)]
        id: Digest,
    },
    /// Show what a file says, whoever signed it; nothing is checked but its form
    Inspect {
        #[command(flatten)]
        file: File,
    },
    /// Check a file against a configuration's signers, as a host would that is asked to add it;
    /// ends with 3 where it would not
    Verify {
        #[command(flatten)]
        file: File,
        /// The configuration
        #[arg(long)]
        config: PathBuf,
        /// The tenant
        #[arg(long, default_value_t, value_parser = Tenant::parse)]
        tenant: Tenant,
    },
    /// Compute what a launch will measure, without the hardware
    #[command(subcommand)]
    Measure(measure::Command),
}

#[derive(Debug, Args)]
pub(super) struct File {
    /// The file
    file: PathBuf,
    /// What it is; guessed where absent
    #[arg(long = "as")]
    container: Option<As>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    /// A signed CoRIM
    Corim,
    /// A DSSE envelope
    Dsse,
    /// The plain form, unsigned
    Json,
    /// A reference integrity manifest of NVIDIA's
    Rim,
}

impl File {
    fn read(&self) -> anyhow::Result<(Container, Vec<u8>)> {
        let bytes = read_bounded(&self.file, LARGEST_FILE)?;
        let container = match self.container {
            None => Container::guess(&bytes),
            Some(As::Corim) => Container::Corim,
            Some(As::Dsse) => Container::Dsse,
            Some(As::Json) => Container::Json,
            Some(As::Rim) => Container::Rim,
        };
        Ok((container, bytes))
    }

    fn open(&self) -> anyhow::Result<Opened> {
        let (container, bytes) = self.read()?;
        Opened::read(container, &bytes).with_context(|| self.file.display().to_string())
    }
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add { host, file, replaces } => {
            let (container, bytes) = file.read()?;
            let client = host.client()?;
            let added =
                block_on(async { Ok(client.add_reference(container, bytes, replaces).await?) })?;
            print(&added)?;
        }
        Command::List { host } => {
            let client = host.client()?;
            let mut cursor = None;
            loop {
                let page =
                    block_on(async { Ok(client.list_references(cursor.as_deref()).await?) })?;
                page.references.iter().try_for_each(print)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => break,
                }
            }
        }
        Command::Get { host, id, raw } => {
            let client = host.client()?;
            let found = block_on(async { Ok(client.reference(id).await?) })?;
            match raw {
                true => bytes(&found.bytes.0)?,
                false => print(&found.reference)?,
            }
        }
        Command::History { host } => {
            let client = host.client()?;
            let history = block_on(async { Ok(client.reference_history().await?) })?;
            history.changes.iter().try_for_each(print)?;
        }
        Command::Revoke { host, id } => {
            let client = host.client()?;
            block_on(async { Ok(client.revoke_reference(id).await?) })?;
        }
        Command::Inspect { file } => {
            let opened = file.open()?;
            print(&described(opened.document(), json!({ "signatures": opened.signatures() })))?;
        }
        Command::Verify { file, config, tenant } => return verify(&file, &config, &tenant),
        Command::Measure(command) => measure::run(command)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(file: &File, config: &std::path::Path, tenant: &Tenant) -> anyhow::Result<ExitCode> {
    let plan = Config::read(config)?.reference_plan()?;
    let signers = Signers::new(plan).map_err(|reason| anyhow!(reason))?;
    let opened = file.open()?;
    let over = opened.document().window.is_over(SystemClock.now());
    match opened.admit(&signers, tenant) {
        Ok(_) if over => {
            note!("refused: its time is over");
            Ok(ExitCode::from(REFUSED))
        }
        Ok(admitted) => {
            let signer = match admitted.origin() {
                Origin::Signed { signer, .. } => json!({ "signer": signer }),
                Origin::Unsigned => json!({ "signer": null }),
            };
            let printed = print(&described(admitted.document(), signer));
            verdict(printed, ExitCode::SUCCESS)
        }
        Err(error) => {
            note!("refused: {error}");
            Ok(ExitCode::from(REFUSED))
        }
    }
}

fn described(document: &Document, more: serde_json::Value) -> serde_json::Value {
    let mut text = json!({
        "id": document.digest,
        "name": document.name,
        "form": document.form,
        "groups": document.groups,
    });
    let moments =
        [("not_before", document.window.not_before), ("not_after", document.window.not_after)];
    if let (Some(text), serde_json::Value::Object(more)) = (text.as_object_mut(), more) {
        text.extend(more);
        for (name, moment) in moments {
            text.extend(moment.map(|moment| (name.to_owned(), moment.to_string().into())));
        }
        text.extend(document.builder.clone().map(|one| ("builder".to_owned(), one.into())));
    }
    text
}

fn identifier(text: &str) -> Result<Digest, &'static str> {
    Digest::parse(text).ok_or("an identifier is 64 lower-case hexadecimal digits")
}

fn print(value: &impl Serialize) -> anyhow::Result<()> {
    out!("{}", serde_json::to_string(value)?)
}
