//! `plugin`: everything that authors and operators of plugins do, on the engine that serves.

mod administer;
mod bench;
mod build;
mod cases;
mod hostile;
mod inspect;
mod new;
mod package;
mod run;
mod signing;
mod steps;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use super::administrator::Administrator;
use crate::plugin::{Package, bundled};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Write a new plugin's crate, with everything that it is built and tested with
    New {
        /// What it is for
        #[arg(long, value_enum)]
        kind: NewKind,
        /// Its name, and the folder's: verifier-acme, kms-acme
        name: String,
    },
    /// Build a plugin's crate into a component
    Build {
        #[command(flatten)]
        build: build::Arguments,
    },
    /// Put a manifest into a component that another language's compiler made
    Annotate {
        /// The component
        component: PathBuf,
        /// The manifest, JSON
        #[arg(long)]
        manifest: PathBuf,
        /// The component with its manifest
        #[arg(long)]
        out: PathBuf,
    },
    /// Run a plugin's conformance cases, and hand it what hostile clients would
    Test {
        #[command(flatten)]
        test: test::Arguments,
    },
    /// Hand a verifier one piece of evidence, and print its verdict
    Run {
        #[command(flatten)]
        run: run::Arguments,
    },
    /// Measure a plugin's calls
    Bench {
        #[command(flatten)]
        bench: bench::Arguments,
    },
    /// List the bundled plugins
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin is, what it imports, who signed it, and whether it would be admitted
    Inspect {
        /// A bundled plugin's name, or the path of a component or an archive
        plugin: PathBuf,
        /// Say by this verification file who signed it
        #[arg(long, value_name = "FILE")]
        verification: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a key that signs plugins: KEY, and KEY.pub for those who verify
    Keygen {
        /// The file of the private key
        key: PathBuf,
    },
    /// Sign a component; the signature (a Sigstore bundle) goes beside it
    Sign {
        /// The component
        component: PathBuf,
        /// The private key, PKCS#8 in PEM: Ed25519, P-256 or P-384
        #[arg(long)]
        key: PathBuf,
    },
    /// Check a plugin's signatures against a verification file; ends with 3 where it is not let in
    Verify {
        /// The component, its signatures beside it, or an archive
        plugin: PathBuf,
        /// The verification file
        #[arg(long, value_name = "FILE")]
        verification: PathBuf,
    },
    /// Put a component and its signatures into one archive
    Save {
        /// The component
        component: PathBuf,
        /// The archive (.tar)
        #[arg(long)]
        out: PathBuf,
    },
    /// Take a component and its signatures out of an archive
    Load {
        /// The archive
        archive: PathBuf,
        /// The component's file; the signatures go beside it
        #[arg(long)]
        out: PathBuf,
    },
    /// Push a plugin and its signatures to a registry
    Push {
        /// The component, its signatures beside it, or an archive
        plugin: PathBuf,
        #[command(flatten)]
        registry: package::Registry,
    },
    /// Pull a plugin and its signatures from a registry
    Pull {
        #[command(flatten)]
        registry: package::Registry,
        /// The component's file; the signatures go beside it
        #[arg(long)]
        out: PathBuf,
        /// Write nothing that this verification file does not let in
        #[arg(long, value_name = "FILE")]
        verification: Option<PathBuf>,
    },
    /// Show the plugins of a running host
    Status {
        #[command(flatten)]
        host: Administrator,
    },
    /// Install a plugin on a running host, under a name that nothing serves under
    Install {
        #[command(flatten)]
        host: Administrator,
        /// The component, its signatures beside it, or an archive
        plugin: PathBuf,
    },
    /// Swap a plugin of a running host for another version
    Swap {
        #[command(flatten)]
        host: Administrator,
        /// The component, its signatures beside it, or an archive
        plugin: PathBuf,
        #[command(flatten)]
        revoke: Revoke,
    },
    /// Have the version that served before serve again
    Rollback {
        #[command(flatten)]
        host: Administrator,
        /// The plugin's name
        name: String,
        #[command(flatten)]
        revoke: Revoke,
    },
    /// Have the keys held by another connector, which is loaded already
    Choose {
        #[command(flatten)]
        host: Administrator,
        /// The connector's name
        name: String,
    },
    /// Have nothing serve under a name, until it is rolled back
    Disable {
        #[command(flatten)]
        host: Administrator,
        /// The plugin's name
        name: String,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum NewKind {
    /// Reads evidence
    Verifier,
    /// Reaches a key management service
    Kms,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// Refuse tokens that rest on verdicts of the version that goes, at once
    #[arg(long)]
    revoke: bool,
}

pub(super) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New { kind, name } => new::run(kind, &name),
        Command::Build { build } => build::run(&build),
        Command::Annotate { component, manifest, out } => {
            package::annotate(&component, &manifest, &out)
        }
        Command::Test { test } => test::run(&test),
        Command::Run { run } => run::run(&run),
        Command::Bench { bench } => bench::run(&bench),
        Command::List { json } => inspect::list(json),
        Command::Inspect { plugin, verification, json } => {
            inspect::inspect(&plugin, verification.as_deref(), json)
        }
        Command::Keygen { key } => signing::keygen(&key),
        Command::Sign { component, key } => signing::sign(&component, &key),
        Command::Verify { plugin, verification } => signing::verify(&plugin, &verification),
        Command::Save { component, out } => package::save(&component, &out),
        Command::Load { archive, out } => package::load(&archive, &out),
        Command::Push { plugin, registry } => package::push(&plugin, registry),
        Command::Pull { registry, out, verification } => {
            package::pull(registry, &out, verification.as_deref())
        }
        Command::Status { host } => administer::status(host),
        Command::Install { host, plugin } => administer::install(host, &plugin),
        Command::Swap { host, plugin, revoke } => administer::swap(host, &plugin, revoke.revoke),
        Command::Rollback { host, name, revoke } => {
            administer::roll_back(host, &name, revoke.revoke)
        }
        Command::Choose { host, name } => administer::choose(host, &name),
        Command::Disable { host, name } => administer::disable(host, &name),
    }
}

/// A plugin by the name of a bundled one, or from a file.
fn package(plugin: &Path) -> anyhow::Result<Package> {
    let bundled = plugin.to_str().and_then(bundled::component);
    match bundled {
        Some(component) if !plugin.exists() => Ok(Package::unsigned(component.to_vec())),
        _ => Package::read(plugin).context("the plugin cannot be read"),
    }
}
