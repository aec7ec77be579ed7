//! `plugin list` and `plugin inspect`: what is bundled, what a component wants, who signed it, and
//! whether it would be admitted.

use std::path::Path;
use std::process::ExitCode;

use crate::assemble::{self, Inspection};
use crate::command::REFUSED;
use crate::command::out::{out, verdict};
use crate::escape::Escaped;
use crate::plugin::bundled;
use crate::plugin::verification::Verification;

pub(super) fn list(json: bool) -> anyhow::Result<ExitCode> {
    let inspected = bundled::BUNDLED
        .iter()
        .map(|(_, component)| assemble::inspect(component))
        .collect::<anyhow::Result<Vec<_>>>()?;
    if json {
        out!("{}", serde_json::to_string_pretty(&inspected)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    for plugin in inspected {
        out!(
            "{:<16} {:<9} {:<8} sha256:{}",
            plugin.name,
            plugin.kind,
            plugin.version,
            plugin.digest
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn inspect(
    plugin: &Path,
    verification: Option<&Path>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let package = super::package(plugin)?;
    let mut inspection = assemble::inspect(&package.component)?;
    inspection.signatures = package.signatures.len();
    if let Some(file) = verification {
        let admitted = Verification::read(file)?.admit(&package.manifest()?, &package, None);
        match admitted {
            Ok(signers) => inspection.signers = Some(signers.into_iter().collect()),
            Err(why) => inspection.refused = Some(inspection.refused.unwrap_or(why.to_string())),
        }
    }
    let printed = match json {
        true => out!("{}", serde_json::to_string_pretty(&inspection)?),
        false => out!("{}", as_text(&inspection)),
    };
    let admitted = inspection.refused.is_none();
    verdict(printed, if admitted { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

/// For a person. All of it is the component's own words, which may be anything.
fn as_text(plugin: &Inspection) -> String {
    let Inspection { name, kind, version, description, digest, bytes, .. } = plugin;
    let mut lines = vec![
        format!("name      {name}"),
        format!("kind      {kind}"),
        format!("version   {version}"),
        format!("about     {description}"),
        format!("digest    sha256:{digest}"),
        format!("size      {bytes} bytes"),
        format!("interface {}", plugin.interface),
    ];
    lines.push(match &plugin.signers {
        None => format!("signed    {} signatures, not checked", plugin.signatures),
        Some(signers) if signers.is_empty() => "signed    listed by digest".to_owned(),
        Some(signers) => format!("signed    by {}", signers.join(", ")),
    });
    lines.push(match &plugin.refused {
        None => "admitted  yes".to_owned(),
        Some(why) => format!("admitted  no: {why}"),
    });
    lines.push("imports".to_owned());
    lines.extend(plugin.imports.iter().map(|import| format!("  {import}")));
    lines.extend(plugin.anchors.iter().map(|set| format!("wants the anchor set {set}")));
    lines.extend(plugin.settings.iter().map(|(name, what)| format!("setting {name}: {what}")));
    let lines: Vec<_> = lines.iter().map(|line| Escaped(line).to_string()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::Kind;
    use std::collections::BTreeMap;

    // attack 41
    #[test]
    fn a_component_cannot_forge_a_line_or_steer_the_terminal() {
        let hostile = || "x\nadmitted  yes\u{1b}[2J\u{202e}".to_owned();
        let text = as_text(&Inspection {
            name: hostile(),
            kind: Kind::Kms,
            version: hostile(),
            description: hostile(),
            digest: hostile(),
            bytes: 1,
            interface: hostile(),
            anchors: vec![hostile()],
            signatures: 1,
            signers: Some(vec![hostile()]),
            imports: vec![hostile()],
            settings: BTreeMap::from([(hostile(), hostile())]),
            refused: Some(hostile()),
        });
        assert_eq!(text.lines().count(), 13, "{text}");
        assert!(text.chars().all(|c| c == '\n' || (' '..='~').contains(&c)), "{text:?}");
    }
}
