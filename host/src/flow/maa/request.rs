//! What the front door brings, and what it takes back.

use serde_json::Value as Json;

use super::guest::Guest;
use crate::clock::Timestamp;
use crate::error::{Code, Refusal};
use crate::flow::request::Evidence;
use crate::policy::maa::MaaFault;

/// The service's attestation types.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum AttestationKind {
    /// A machine with a virtual TPM.
    AzureGuest,
    /// An SGX enclave, as Open Enclave frames its quote.
    OpenEnclave,
    /// An SEV-SNP machine.
    SevSnpVm,
    /// An SGX enclave.
    SgxEnclave,
    /// A TDX machine.
    TdxVm,
    /// A TPM; has policies, and no attestation here.
    Tpm,
}

impl AttestationKind {
    /// Every one of them.
    pub const ALL: [Self; 6] = [
        Self::AzureGuest,
        Self::OpenEnclave,
        Self::SevSnpVm,
        Self::SgxEnclave,
        Self::TdxVm,
        Self::Tpm,
    ];

    /// As paths have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::AzureGuest => "AzureGuest",
            Self::OpenEnclave => "OpenEnclave",
            Self::SevSnpVm => "SevSnpVm",
            Self::SgxEnclave => "SgxEnclave",
            Self::TdxVm => "TdxVm",
            Self::Tpm => "Tpm",
        }
    }

    /// In whatever case: clients write `SevSnpVM`, too.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// `x-ms-attestation-type`.
    #[must_use]
    pub fn claim(self) -> &'static str {
        match self {
            Self::AzureGuest => "azurevm",
            Self::OpenEnclave | Self::SgxEnclave => "sgx",
            Self::SevSnpVm => "sevsnpvm",
            Self::TdxVm => "tdxvm",
            Self::Tpm => "tpm",
        }
    }
}

/// What the operator says of the service.
#[derive(Clone, Debug)]
pub struct AttestationRules {
    /// How long a token is good, in seconds, at most.
    pub token_seconds: u64,
    /// From this age on, in seconds, a signing key is replaced.
    pub key_seconds: u64,
    /// Evidence whose newest collateral is older than this, in seconds, is refused.
    pub collateral_seconds: u64,
    /// Whether a policy may be set that nobody signed.
    pub unsigned_policies: bool,
    /// Certificates (DER) of those who may sign policies.
    pub policy_signers: Vec<Vec<u8>>,
    /// Whose endorsements of utility VMs make which compliance status.
    pub uvm: Vec<UvmRule>,
    /// The compliance status of confidential machines with a virtual TPM that are affirmed; none: they get
    /// none.
    pub vm_status: Option<String>,
}

impl Default for AttestationRules {
    fn default() -> Self {
        Self {
            token_seconds: 8 * 3600,
            key_seconds: 90 * 86_400,
            collateral_seconds: 400 * 86_400,
            unsigned_policies: false,
            policy_signers: Vec::new(),
            uvm: Vec::new(),
            vm_status: None,
        }
    }
}

/// Endorsements of utility VMs that count.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UvmRule {
    /// The set of trust anchors below which they are signed.
    pub anchors: String,
    /// `iss`: a did:x509 identifier by fingerprint and extended key usage.
    pub issuer: String,
    /// `feed`.
    pub feed: String,
    /// The lowest security version that counts.
    pub min_svn: u64,
    /// `x-ms-compliance-status` of what they endorse.
    pub status: String,
}

/// Bytes that the evidence binds.
#[derive(Clone, Debug, Default)]
pub struct RuntimeData {
    /// The very bytes that are hashed.
    pub bytes: Vec<u8>,
    /// What they say, where the client calls them JSON.
    pub json: Option<Json>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct MaaRequest {
    /// The attestation type.
    pub kind: AttestationKind,
    /// The evidence, as this host's verifiers read it.
    pub evidence: Evidence,
    /// What the workload chose, in REPORTDATA; of a guest with a virtual TPM nothing.
    pub runtime: RuntimeData,
    /// A guest with a virtual TPM: what its token is for.
    pub guest: Option<Guest>,
    /// What was chosen when it was launched.
    pub initial: Option<RuntimeData>,
    /// Comes back in the token.
    pub nonce: Option<String>,
    /// Endorsements of the utility VM that came along (COSE_Sign1).
    pub uvm: Vec<Vec<u8>>,
    /// A policy to try instead of the tenant's; what comes out is unsigned.
    pub draft: Option<String>,
}

/// A token.
#[derive(Clone, Debug)]
pub struct MaaAttested {
    /// The token, a JWT; for a guest with a virtual TPM sealed to its key.
    pub token: String,
    /// From this moment it is refused.
    pub expires: Timestamp,
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub enum MaaFailure {
    /// The attestation policy does not permit.
    Denied,
    /// The attestation policy cannot be read, or not be followed.
    Policy(MaaFault),
    /// Everything else.
    Refused(Box<Refusal>),
}

impl MaaFailure {
    /// As a refusal, for records and the log.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Denied => {
                Refusal::new(Code::ReleaseDenied, "the attestation policy does not permit")
            }
            Self::Policy(fault) => {
                Refusal::new(Code::PolicyInvalid, format!("the attestation policy, {fault}"))
            }
            Self::Refused(refusal) => (**refusal).clone(),
        }
    }
}

impl From<Refusal> for MaaFailure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
