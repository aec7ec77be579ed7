//! `endorsements`: fetched beforehand and put into one file, for hosts that reach no source.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};

use super::block_on;
use super::files::read_bounded;
use super::out::note;
use crate::assemble::thrown_away;
use crate::clock::{Clock, SystemClock};
use crate::endorsements::{Archive, Endorsements, Item, SourceKind, SourcePlan};
use crate::quote::{Authority, Examination, Want};
use crate::random::{Random, SystemRandomness};

/// The largest file that is read.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Ask a source for what evidence needs, and put it into an archive
    Fetch(Fetch),
    /// Put the files of a directory into an archive
    Bundle(Bundle),
}

#[derive(Args, Debug)]
pub(super) struct Fetch {
    /// Evidence: SEV-SNP reports of version 3 and later
    #[arg(required = true)]
    evidence: Vec<PathBuf>,
    /// What kind of service is asked
    #[arg(long, value_enum, default_value = "amd-kds")]
    kind: Kind,
    /// Its address
    #[arg(long, default_value = "https://kdsintf.amd.com")]
    url: String,
    /// Who vouches for its certificate, PEM
    #[arg(long, default_value = "/etc/ssl/certs/ca-certificates.crt")]
    ca: PathBuf,
    /// The archive; it must not be there yet
    #[arg(long, short)]
    output: PathBuf,
    /// Accept simulated hardware whose roots and authorities (PEM or DER) are in these files
    #[arg(long, value_name = "FILE")]
    dev_simulated_roots: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// AMD's Key Distribution Service, or a mirror
    AmdKds,
}

#[derive(Args, Debug)]
pub(super) struct Bundle {
    /// Certificates, lists and collateral; each must be one that a host would take
    directory: PathBuf,
    /// The archive; it must not be there yet
    #[arg(long, short)]
    output: PathBuf,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Fetch(arguments) => fetch(arguments),
        Command::Bundle(arguments) => bundle(&arguments),
    }
}

fn fetch(arguments: Fetch) -> anyhow::Result<ExitCode> {
    let mut builder = Authority::builder();
    for path in &arguments.dev_simulated_roots {
        note!("claviger: DEVELOPMENT: simulated hardware is accepted as if it were genuine");
        let bytes = read_bounded(path, LARGEST)?;
        builder = builder.simulated_root(bytes);
    }
    let authority = builder.build().map_err(|fault| anyhow::anyhow!("trust anchors: {fault}"))?;
    let authority = Arc::new(authority);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut wants: BTreeSet<Want> = BTreeSet::new();
    for path in &arguments.evidence {
        let report = read_bounded(path, LARGEST)?;
        let examination = Examination::new(Arc::clone(&authority), clock.now());
        let _ = examination.snp(report, &[]);
        let wanted = examination.wants();
        ensure!(!wanted.is_empty(), "{}: it does not say what it needs", path.display());
        wants.extend(wanted);
    }
    let source = SourcePlan {
        kind: match arguments.kind {
            Kind::AmdKds => SourceKind::AmdKds,
        },
        url: arguments.url,
        ca: read_bounded(&arguments.ca, LARGEST)?,
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let endorsements = Endorsements::new(&[source], thrown_away(&random)?, clock);
    let endorsements = Arc::new(endorsements.map_err(|why| anyhow::anyhow!(why))?);
    let items = block_on(async {
        let mut items = Vec::with_capacity(wants.len());
        for want in wants {
            let name = want.to_string();
            let supplied = endorsements.supply(&authority, BTreeSet::from([want])).await;
            let supplied = supplied.with_context(|| name.clone())?;
            items.extend(supplied.iter().map(|bytes| Item::new(name.as_str(), bytes)));
        }
        Ok(items)
    })?;
    write(&arguments.output, items)
}

fn bundle(arguments: &Bundle) -> anyhow::Result<ExitCode> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&arguments.directory)
        .with_context(|| arguments.directory.display().to_string())?
    {
        let path = entry?.path();
        if path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let mut items = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = read_bounded(&path, LARGEST)?;
        let taken = Authority::builder().certificate(bytes.as_slice()).build();
        if let Err(fault) = taken {
            bail!("{}: {fault}", path.display());
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        items.push(Item::new(name, &bytes));
    }
    ensure!(!items.is_empty(), "{}: no file", arguments.directory.display());
    write(&arguments.output, items)
}

fn write(output: &std::path::Path, items: Vec<Item>) -> anyhow::Result<ExitCode> {
    let count = items.len();
    let text = serde_json::to_vec_pretty(&Archive::new(items))?;
    let mut file =
        std::fs::File::create_new(output).with_context(|| output.display().to_string())?;
    std::io::Write::write_all(&mut file, &text)?;
    file.sync_all()?;
    note!("claviger: {count} endorsements in {}", output.display());
    Ok(ExitCode::SUCCESS)
}
