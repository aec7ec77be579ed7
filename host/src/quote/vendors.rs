//! Trust anchors that vendors publish, beside AMD's; see `roots/README.md`.

use super::authority::INTEL;
use super::revocation::Revocation;

/// AWS' root for Nitro Enclaves.
pub const AWS_NITRO: &str = "aws-nitro";

/// NVIDIA's root for its devices.
pub const NVIDIA: &str = "nvidia";

/// NVIDIA's root for its reference integrity manifests: a signer of reference values.
pub const NVIDIA_RIM: &str = "nvidia-rim";

/// A vendor's anchor.
pub(super) struct Published {
    /// The set that it is in; an operator can add none to it.
    pub(super) set: &'static str,
    /// Its subject's common name, by which a simulated root says whose place it takes.
    pub(super) root: &'static str,
    /// The certificate.
    pub(super) pem: &'static [u8],
    /// What the vendor publishes of revoked certificates.
    pub(super) revocation: Revocation,
    /// Whether it answers by OCSP in the place of lists, and about authorities alone: the certificate at the
    /// end is made by the device itself.
    pub(super) answers: bool,
}

/// Roots of what vendors sign beside hardware: no evidence leads to one, and no verifier can name one.
pub(super) const PUBLISHED_SIGNERS: [Published; 1] = [Published {
    set: NVIDIA_RIM,
    root: "NVIDIA CoRIM signing Root CA",
    pem: include_bytes!("roots/nvidia-rim.pem"),
    revocation: Revocation::Unpublished,
    answers: false,
}];

pub(super) const PUBLISHED: [Published; 3] = [
    Published {
        set: AWS_NITRO,
        root: "aws.nitro-enclaves",
        pem: include_bytes!("roots/aws-nitro.pem"),
        revocation: Revocation::Unpublished,
        answers: false,
    },
    Published {
        set: NVIDIA,
        root: "NVIDIA Device Identity CA",
        pem: include_bytes!("roots/nvidia.pem"),
        revocation: Revocation::Required,
        answers: true,
    },
    Published {
        set: INTEL,
        root: "Intel SGX Root CA",
        pem: include_bytes!("roots/intel-sgx.pem"),
        revocation: Revocation::Required,
        answers: false,
    },
];

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::super::authority::one_certificate;
    use super::{PUBLISHED, PUBLISHED_SIGNERS};

    #[test]
    fn the_anchors_are_those_whose_digests_the_vendors_publish() {
        let documented = include_str!("roots/README.md");
        for anchor in PUBLISHED.into_iter().chain(PUBLISHED_SIGNERS) {
            let certificate = one_certificate(anchor.pem).unwrap();
            certificate.check_issued_by(&certificate).unwrap();
            let digest = HEXLOWER.encode(&certificate.fingerprint());
            let row = documented.lines().find(|line| line.contains(&digest)).unwrap();
            assert!(row.contains(&format!("`{}`", anchor.set)), "{row}");
            assert_eq!(certificate.subject.common_name(), Some(anchor.root));
        }
    }
}
