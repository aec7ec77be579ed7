//! `key policy`: when a key may be released.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use clap::Subcommand;

use super::{key_name, print};
use crate::client::Client;
use crate::command::files::read_bounded;
use crate::http::{ReleasePolicyRequest, ReleasePolicyText};
use crate::release_policy::Language;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show a key's release policy
    Get {
        /// The key's name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Put another release policy in its place
    Set {
        /// The key's name
        #[arg(value_parser = key_name)]
        name: String,
        /// `affirming`, or a file in Azure Key Vault's grammar (.json) or in Rego (.rego)
        policy: Source,
        /// It can never be changed again
        #[arg(long)]
        immutable: bool,
    },
}

/// Where a policy comes from.
#[derive(Clone, Debug)]
pub(in crate::command) enum Source {
    Affirming,
    File(Language, PathBuf),
}

impl FromStr for Source {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let path = PathBuf::from(text);
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if text == Language::Affirming.name() => Ok(Self::Affirming),
            Some("json") => Ok(Self::File(Language::Akv, path)),
            Some("rego") => Ok(Self::File(Language::Rego, path)),
            _ => Err("wanted is `affirming` or a file whose name ends in .json or .rego"),
        }
    }
}

impl Source {
    /// The policy, as it is sent. Whether it is one is for the host to say, which will judge by it.
    pub(in crate::command) fn read(self, immutable: bool) -> anyhow::Result<ReleasePolicyRequest> {
        let (language, text) = match self {
            Self::Affirming => (Language::Affirming, String::new()),
            Self::File(language, path) => {
                let text = String::from_utf8(read_bounded(&path, 1 << 20)?)
                    .with_context(|| format!("{}: not UTF-8", path.display()))?;
                (language, text)
            }
        };
        Ok(ReleasePolicyRequest::Policy(ReleasePolicyText { language, text, immutable }))
    }
}

pub(super) async fn perform(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Get { name } => print(&client.release_policy(&name).await?),
        Command::Set { name, policy, immutable } => {
            print(&client.set_release_policy(&name, &policy.read(immutable)?).await?)
        }
    }
}
