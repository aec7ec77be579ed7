//! `simulate`: a guest on the simulated hardware of a development host fetches a key, or makes evidence
//! for another client, such as `claviger-sidecar --development-platform`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

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
    #[arg(value_parser = key_name, required_unless_present = "report_data")]
    key: Option<String>,
    /// Print evidence that carries these 64 bytes (hexadecimal), as the API takes it; ask for nothing
    #[arg(long, value_name = "HEX", conflicts_with = "key")]
    report_data: Option<String>,
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
    if let Some(report_data) = &arguments.report_data {
        let report_data = HEXLOWER_PERMISSIVE.decode(report_data.as_bytes()).ok();
        let report_data = report_data.and_then(|bytes| bytes.try_into().ok());
        let report_data = report_data.context("the report data are not 128 hexadecimal digits")?;
        let evidence = Guest::new(&hardware(&arguments.state)?)?.evidence(report_data);
        out!("{}", serde_json::to_string(&evidence)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let key = arguments.key.as_deref().context("no key is named")?;
    let addresses = Addresses::read(&arguments.state)
        .context("is `claviger serve --dev --state` running on this folder?")?;
    let authority = read_bounded(&arguments.state.join("ca.pem"), 1 << 20)?;
    let guest = Guest::new(&hardware(&arguments.state)?)?;
    let client = Client::new(ClientSettings::new(addresses.api_url(), authority))?;
    let key = block_on(async { Ok(guest.fetch(&client, key).await?.0) })?;
    match arguments.output {
        Output::Hex => out!("{}", HEXLOWER.encode(key.expose()))?,
        Output::Raw => out::bytes(key.expose())?,
    }
    Ok(ExitCode::SUCCESS)
}
