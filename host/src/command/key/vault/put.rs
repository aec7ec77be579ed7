//! `key put`: what a key, or a further version of one, is made of.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::{LARGEST, operation};
use crate::command::files::read_bounded;
use crate::command::key::{key_name, policy};
use crate::flow::vault::Operation;
use crate::http::{Base64Url, KeyVersionRequest, SecretBytes, WrappedMaterial};
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(in crate::command::key) struct New {
    /// oct-256, rsa-3072, ec-p256, …; of what is imported the family will do: oct, rsa, ec
    #[arg(long, default_value = "oct-256")]
    kind: String,
    /// Import this file (raw bytes for oct, PKCS#8 in DER otherwise); generated where absent
    #[arg(long)]
    import: Option<PathBuf>,
    /// Import this file, which is wrapped to an RSA key here that is for `import`
    #[arg(long, conflicts_with = "import", requires = "by")]
    wrapped: Option<PathBuf>,
    /// The name of the key that it is wrapped to
    #[arg(long, requires = "wrapped", value_parser = key_name)]
    by: Option<String>,
    /// That key's version, by its identifier; the newest where absent
    #[arg(long, requires = "wrapped")]
    by_version: Option<String>,
    /// CKM_RSA_AES_KEY_WRAP, RSA_AES_KEY_WRAP_256 or RSA_AES_KEY_WRAP_384
    #[arg(long, requires = "wrapped", default_value = "RSA_AES_KEY_WRAP_256")]
    algorithm: String,
    /// Of a new key: when it may be released, as of `key create`; never where absent
    #[arg(long, value_name = "POLICY")]
    release_policy: Option<policy::Source>,
    /// The release policy can never be changed again
    #[arg(long, requires = "release_policy")]
    immutable: bool,
    /// Not used before this moment (RFC 3339)
    #[arg(long, value_name = "MOMENT")]
    not_before: Option<String>,
    /// Not used from this moment on (RFC 3339)
    #[arg(long, value_name = "MOMENT")]
    expires: Option<String>,
    /// What it can be used for: encrypt,decrypt,sign,verify,wrapKey,unwrapKey,import
    #[arg(long, value_delimiter = ',', value_parser = operation)]
    operations: Option<Vec<Operation>>,
}

impl New {
    /// As it is sent.
    pub(super) fn read(self) -> anyhow::Result<KeyVersionRequest> {
        let read =
            |path: Option<PathBuf>| path.map(|path| read_bounded(&path, LARGEST)).transpose();
        let (material, wrapped) = (read(self.import)?, read(self.wrapped)?);
        let (version, algorithm) = (self.by_version, self.algorithm);
        let wrapped = wrapped.zip(self.by).map(|(value, by)| WrappedMaterial {
            by,
            version,
            algorithm,
            value: Base64Url(value),
        });
        let policy = self.release_policy.map(|policy| policy.read(self.immutable));
        Ok(KeyVersionRequest {
            kind: self.kind,
            material: material.map(Secret::new).map(SecretBytes),
            wrapped,
            release_policy: policy.transpose()?,
            enabled: None,
            not_before: self.not_before,
            expires: self.expires,
            operations: self.operations,
            tags: BTreeMap::new(),
        })
    }
}
