//! Trust anchors that vendors publish, beside AMD's; see `roots/README.md`.

use super::authority::INTEL;
use super::revocation::Revocation;

/// AWS' root for Nitro Enclaves.
pub const AWS_NITRO: &str = "aws-nitro";

/// NVIDIA's root for its devices.
pub const NVIDIA: &str = "nvidia";

/// A vendor's anchor.
pub(super) struct Published {
    /// The set that it is in; an operator can add none to it.
    pub(super) set: &'static str,
    /// The certificate.
    pub(super) pem: &'static [u8],
    /// What the vendor publishes of revoked certificates.
    pub(super) revocation: Revocation,
}

pub(super) const PUBLISHED: [Published; 3] = [
    Published {
        set: AWS_NITRO,
        pem: include_bytes!("roots/aws-nitro.pem"),
        revocation: Revocation::Unpublished,
    },
    Published {
        set: NVIDIA,
        pem: include_bytes!("roots/nvidia.pem"),
        revocation: Revocation::Unpublished,
    },
    Published {
        set: INTEL,
        pem: include_bytes!("roots/intel-sgx.pem"),
        revocation: Revocation::Required,
    },
];

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::super::authority::one_certificate;
    use super::PUBLISHED;

    #[test]
    fn the_anchors_are_those_whose_digests_the_vendors_publish() {
        let documented = include_str!("roots/README.md");
        for anchor in PUBLISHED {
            let certificate = one_certificate(anchor.pem).unwrap();
            certificate.check_issued_by(&certificate).unwrap();
            let digest = HEXLOWER.encode(&certificate.fingerprint());
            let row = documented.lines().find(|line| line.contains(&digest)).unwrap();
            assert!(row.contains(&format!("`{}`", anchor.set)), "{row}");
        }
    }
}
