//! `plugin status|install|swap|rollback|choose|disable`: the plugins of a running host.

use std::path::Path;
use std::process::ExitCode;

use super::package;
use crate::command::administrator::Administrator;
use crate::command::block_on;
use crate::command::out::out;
use crate::escape::Escaped;
use crate::http::Plugin;

pub(super) fn status(host: Administrator) -> anyhow::Result<ExitCode> {
    let client = host.client()?;
    let listed = block_on(async { Ok(client.plugins().await?) })?;
    listed.plugins.iter().try_for_each(print)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn install(host: Administrator, plugin: &Path) -> anyhow::Result<ExitCode> {
    let (client, package) = (host.client()?, package(plugin)?);
    done(&block_on(async { Ok(client.install_plugin(&package).await?) })?)
}

pub(super) fn swap(host: Administrator, plugin: &Path, revoke: bool) -> anyhow::Result<ExitCode> {
    let (client, package) = (host.client()?, package(plugin)?);
    let name = package.manifest()?.name;
    done(&block_on(async { Ok(client.swap_plugin(&name, &package, revoke).await?) })?)
}

pub(super) fn roll_back(host: Administrator, name: &str, revoke: bool) -> anyhow::Result<ExitCode> {
    let client = host.client()?;
    done(&block_on(async { Ok(client.roll_back_plugin(name, revoke).await?) })?)
}

pub(super) fn choose(host: Administrator, name: &str) -> anyhow::Result<ExitCode> {
    let client = host.client()?;
    done(&block_on(async { Ok(client.choose_connector(name).await?) })?)
}

pub(super) fn disable(host: Administrator, name: &str) -> anyhow::Result<ExitCode> {
    let client = host.client()?;
    done(&block_on(async { Ok(client.disable_plugin(name).await?) })?)
}

fn done(plugin: &Plugin) -> anyhow::Result<ExitCode> {
    print(plugin)?;
    Ok(ExitCode::SUCCESS)
}

/// One line; names, versions and reasons are other people's words.
fn print(plugin: &Plugin) -> anyhow::Result<()> {
    let Plugin { name, kind, version, digest, source, signers, state, reason, .. } = plugin;
    let reads = if plugin.reads_key_material { " reads-key-material" } else { "" };
    let signed = match signers.is_empty() {
        true => String::new(),
        false => format!(" signed by {}", signers.join(", ")),
    };
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let line = format!(
        "{name:<18} {kind:<9} {version:<9} {state:<9} {source:<10} sha256:{digest}{signed}{reads}{reason}"
    );
    out!("{}", Escaped(&line))
}
