//! The way of a request: challenge, evidence, verdict, binding, appraisal, permission, release.
//!
//! Each step is a function from one type to the next, and a later type cannot be made without the
//! earlier one: a forgotten check does not compile.
//!
//! ```text
//! bytes → Submission → Fresh → Genuine → Bound → Appraised → Permitted → Recorded → ReleasedKey
//! ```
//!
//! [`Fresh`]: the challenge was spent by this request, once. [`Genuine`]: what the verifier said
//! rests on statements that the host checked itself. [`Bound`]: the signed bytes carry the
//! challenge, the purpose and the recipient key. [`Appraised`]: the appraisal policy judged it, now.
//! `Permitted`: the release policy of the key allows it, now. [`Recorded`]: the key is wrapped to
//! the recipient, and the audit record of the release is durable.
//!
//! The token of another service enters at `Permitted`, as a `Vouched`: only the strict check of that
//! service's tokens makes one, and only a release policy that names the service lets it through.

mod administer;
mod administer_plugins;
mod administer_policy;
mod appraise;
mod bind;
mod challenge;
mod companions;
mod explain;
mod foreign;
mod gate;
mod host;
mod keyring;
mod maa;
mod permit;
mod recent;
mod record;
mod references;
mod refusals;
mod release;
mod release_policies;
mod report_data;
mod request;
mod rotation;
mod source;
mod spent;
mod token;
pub mod vault;
mod verify;
mod waiting;

pub use appraise::{Appraised, Occasion, Part, Subject};
pub use bind::Bound;
pub use challenge::{Challenges, Fresh, Freshness};
pub use explain::{RequestReport, is_plain};
pub use gate::{Verified, VerifierIdentity};
pub use host::{Host, Parts};
pub use keyring::Keyring;
pub use maa::{
    AttestationKind, AttestationRules, Attestations, Guest, MaaAttested, MaaFailure, MaaRequest,
    RuntimeData, UvmRule,
};
pub use release::Recorded;
pub use release_policies::ReleasePolicies;
pub use report_data::{Companion, ReportDataInput};
pub use request::{
    Attested, Caller, Evidence, Finding, Health, IssuedChallenge, KeySummary, NewKey,
    NewReleasePolicy, PluginChange, PluginSummary, Purpose, ReleasePolicySummary, ReleasedKey,
    Submission, Wanted, WrapForm,
};
pub use token::{TokenSettings, Tokens};
pub use verify::{Genuine, examine};
