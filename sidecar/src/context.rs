//! What a confidential container group finds beside it, as Azure's hosts and Kata lay it down: files in one
//! folder, or variables of the environment that stand in for them.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;

/// Where the files are where no folder is named.
const FOLDER: &str = "/opt/confidential-containers/share/kata-containers";

/// Names of the files, and of the environment variables that stand in for them.
const CERTIFICATE: (&str, &str) = ("host-amd-cert-base64", "UVM_HOST_AMD_CERTIFICATE");
const POLICY: (&str, &str) = ("security-policy-base64", "UVM_SECURITY_POLICY");
const REFERENCE: (&str, &str) = ("reference-info-base64", "UVM_REFERENCE_INFO");

/// The folder.
#[derive(Clone, Debug)]
pub(crate) struct SecurityContext(PathBuf);

impl SecurityContext {
    /// The folder that is configured, or `UVM_SECURITY_CONTEXT_DIR`, or the usual one.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        let named = std::env::var_os("UVM_SECURITY_CONTEXT_DIR").map(PathBuf::from);
        let folder = folder.map(Path::to_owned).or(named);
        Self(folder.unwrap_or_else(|| PathBuf::from(FOLDER)))
    }

    /// Certificates of the machine, base64.
    pub(crate) fn certificates(&self) -> Option<String> {
        self.value(CERTIFICATE)
    }

    /// The signed reference info of the utility VM (COSE_Sign1), base64.
    pub(crate) fn reference(&self) -> Option<String> {
        self.value(REFERENCE)
    }

    /// The security policy that the group was started with: its SHA-256 stands in HOST_DATA.
    pub(crate) fn policy(&self) -> Option<Vec<u8>> {
        BASE64.decode(self.value(POLICY)?.as_bytes()).ok()
    }

    fn value(&self, (file, variable): (&str, &str)) -> Option<String> {
        let read = std::fs::read_to_string(self.0.join(file)).ok();
        let value = read.or_else(|| std::env::var(variable).ok())?;
        Some(value.trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_folder_is_found_and_what_is_no_base64_is_no_policy() {
        let folder = tempfile::tempdir().unwrap();
        let context = SecurityContext::new(Some(folder.path()));
        assert_eq!(context.policy(), None);
        std::fs::write(folder.path().join(POLICY.0), "cG9saWN5\n").unwrap();
        assert_eq!(context.policy(), Some(b"policy".to_vec()));
        std::fs::write(folder.path().join(POLICY.0), "*").unwrap();
        assert_eq!(context.policy(), None);
        std::fs::write(folder.path().join(REFERENCE.0), "AQID").unwrap();
        assert_eq!(context.reference().as_deref(), Some("AQID"));
    }
}
