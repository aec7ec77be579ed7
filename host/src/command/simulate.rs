//! `simulate`: a guest on the simulated hardware of a development host fetches a key.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use data_encoding::HEXLOWER;

use super::addresses::Addresses;
use super::block_on;
use super::files::read_bounded;
use super::guest::{Guest, hardware};
use super::key::key_name;
use super::out::{self, out};
use crate::client::{Client, ClientSettings};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The state folder of a running `claviger serve --dev --state`
    #[arg(long)]
    state: PathBuf,
    /// The key to ask for
    #[arg(value_parser = key_name)]
    key: String,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
enum Output {
    /// Lower-case hexadecimal and a newline
    #[default]
    Hex,
    /// The bytes
    Raw,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let addresses = Addresses::read(&arguments.state)
        .context("is `claviger serve --dev --state` running on this folder?")?;
    let authority = read_bounded(&arguments.state.join("ca.pem"), 1 << 20)?;
    let guest = Guest::new(&hardware(&arguments.state)?)?;
    let client = Client::new(ClientSettings::new(addresses.api_url(), authority))?;
    let key = block_on(async { Ok(guest.fetch(&client, &arguments.key).await?.0) })?;
    match arguments.output {
        Output::Hex => out!("{}", HEXLOWER.encode(key.expose()))?,
        Output::Raw => out::bytes(key.expose())?,
    }
    Ok(ExitCode::SUCCESS)
}
