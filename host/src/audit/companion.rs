//! One more attester of a decision about composite evidence.

use serde::{Deserialize, Serialize};

use super::record::{Digest, Module};

/// Evidence that came along, for which the record's own attester vouched.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Companion {
    /// The kind of attester: `nvidia`.
    pub tee: String,
    /// The digest of its evidence, where that came with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Digest>,
    /// The plugin that read it.
    pub verifier: Module,
    /// The policy that judged it, where it came so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The custody operations from the trust anchor down to what was believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trust_path: Vec<String>,
}
