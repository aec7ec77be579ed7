//! What a vault does with keys: attributes, use, deletion that can be taken back, backups, rotation
//! policies.

mod put;

use std::path::PathBuf;

use clap::Subcommand;

use super::{key_name, print};
use crate::client::Client;
use crate::command::files::read_bounded;
use crate::command::out;
use crate::flow::vault::Operation;
use crate::http::{Base64Url, KeyChangeRequest, KeyRotationPolicy, PerformRequest, SecretBytes};
use crate::secret::Secret;

/// The largest backup and the largest input of an operation, in bytes.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make or bring in a key with attributes, or a further version of one
    Put {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        #[command(flatten)]
        new: put::New,
    },
    /// Show all that may be known of a key
    Details {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// The version's identifier; the newest where absent
        #[arg(long)]
        version: Option<String>,
    },
    /// Change what is known of a version; what is absent stays
    Update {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// The version's identifier; the newest where absent
        #[arg(long)]
        version: Option<String>,
        /// Whether it may be used
        #[arg(long)]
        enabled: Option<bool>,
        /// Not used before this moment (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        not_before: Option<String>,
        /// Not used from this moment on (RFC 3339)
        #[arg(long, value_name = "MOMENT")]
        expires: Option<String>,
        /// What it can be used for: encrypt,decrypt,sign,verify,wrapKey,unwrapKey,import
        #[arg(long, value_delimiter = ',', value_parser = operation)]
        operations: Option<Vec<Operation>>,
    },
    /// Have a key encrypt, decrypt, sign, verify, wrapKey or unwrapKey; prints JSON
    Perform {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// What
        #[arg(value_parser = operation)]
        operation: Operation,
        /// ES256, RSA-OAEP-256, A256GCM, …
        algorithm: String,
        /// The file with the plaintext, ciphertext, key or digest
        input: PathBuf,
        /// The file with the signature to be verified
        #[arg(long)]
        signature: Option<PathBuf>,
        /// The file with the initialisation vector
        #[arg(long)]
        iv: Option<PathBuf>,
        /// The file with the authentication tag
        #[arg(long)]
        tag: Option<PathBuf>,
        /// The version's identifier; the newest where absent
        #[arg(long)]
        version: Option<String>,
    },
    /// Delete a key, so that it can be recovered
    Delete {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// List deleted keys
    Deleted,
    /// Take a deletion back
    Recover {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Destroy a deleted key
    Purge {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Print a sealed copy with all versions, which this host alone opens
    Backup {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
    },
    /// Bring a sealed copy back
    Restore {
        /// What `backup` printed
        file: PathBuf,
    },
    /// Show or set when a key is rotated
    RotationPolicy {
        /// Its name
        #[arg(value_parser = key_name)]
        name: String,
        /// So long after the newest version was made: P90D
        #[arg(long, value_name = "DURATION")]
        rotate_after: Option<String>,
        /// So long before the newest version expires
        #[arg(long, value_name = "DURATION")]
        rotate_before_expiry: Option<String>,
        /// How long a version that a rotation makes is valid
        #[arg(long, value_name = "DURATION")]
        expiry: Option<String>,
        /// Not at all
        #[arg(long, conflicts_with_all = ["rotate_after", "rotate_before_expiry", "expiry"])]
        none: bool,
    },
}

fn operation(text: &str) -> Result<Operation, serde_json::Error> {
    serde_json::from_value(text.into())
}

pub(super) async fn perform(client: &Client, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Put { name, new } => print(&client.put_key(&name, &new.read()?).await?),
        Command::Details { name, version } => {
            print(&client.key_details(&name, version.as_deref()).await?)
        }
        Command::Update { name, version, enabled, not_before, expires, operations } => {
            let tags = None;
            let request =
                KeyChangeRequest { version, enabled, not_before, expires, operations, tags };
            print(&client.change_key(&name, &request).await?)
        }
        Command::Perform { name, operation, algorithm, input, signature, iv, tag, version } => {
            let read = |path: Option<PathBuf>| {
                path.map(|path| read_bounded(&path, LARGEST).map(Base64Url)).transpose()
            };
            let request = PerformRequest {
                operation,
                algorithm,
                value: SecretBytes(Secret::new(read_bounded(&input, LARGEST)?)),
                signature: read(signature)?,
                iv: read(iv)?,
                aad: None,
                tag: read(tag)?,
                version,
            };
            print(&client.perform(&name, &request).await?)
        }
        Command::Delete { name } => print(&client.soft_delete_key(&name).await?),
        Command::Deleted => {
            let mut cursor = None;
            loop {
                let page = client.deleted_keys(cursor.as_deref()).await?;
                page.keys.iter().try_for_each(print)?;
                match page.next {
                    Some(next) => cursor = Some(next),
                    None => return Ok(()),
                }
            }
        }
        Command::Recover { name } => print(&client.recover_key(&name).await?),
        Command::Purge { name } => Ok(client.purge_key(&name).await?),
        Command::Backup { name } => out::bytes(&client.back_up_key(&name).await?.backup.0),
        Command::Restore { file } => {
            print(&client.restore_key(read_bounded(&file, LARGEST)?).await?)
        }
        Command::RotationPolicy { name, rotate_after, rotate_before_expiry, expiry, none } => {
            let wanted = KeyRotationPolicy { rotate_after, rotate_before_expiry, expiry };
            match none || wanted != KeyRotationPolicy::default() {
                true => print(&client.set_rotation_policy(&name, &wanted).await?),
                false => print(&client.rotation_policy(&name).await?),
            }
        }
    }
}
