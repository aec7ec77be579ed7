//! The attestation report: its signed fields and its signature, read from the raw bytes.
//!
//! Source: AMD SEV-SNP Firmware ABI Specification (56860), tables "ATTESTATION_REPORT Structure" and
//! "ECDSA P-384 with SHA-384 Signature Format". Versions 2 to 5 are read: 3 added the CPUID fields, 5
//! the mitigation vectors. Reserved bits of signed fields are left alone: the firmware signed them,
//! and newer firmware gives them meanings.

use super::super::fault::Fault;
use super::layout::SIGNED;

/// The signed part of a report, as the firmware wrote it. TCB versions stay eight bytes: their
/// layout depends on the product.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Report {
    pub(crate) version: u32,
    pub(crate) guest_svn: u32,
    pub(crate) policy: u64,
    pub(crate) family_id: [u8; 16],
    pub(crate) image_id: [u8; 16],
    pub(crate) vmpl: u32,
    pub(crate) signature_algorithm: u32,
    pub(crate) current_tcb: [u8; 8],
    pub(crate) platform_info: u64,
    pub(crate) key_info: u32,
    pub(crate) report_data: [u8; 64],
    pub(crate) measurement: [u8; 48],
    pub(crate) host_data: [u8; 32],
    pub(crate) id_key_digest: [u8; 48],
    pub(crate) author_key_digest: [u8; 48],
    pub(crate) report_id: [u8; 32],
    pub(crate) report_id_ma: [u8; 32],
    pub(crate) reported_tcb: [u8; 8],
    /// From version 3.
    pub(crate) cpuid: Option<Cpuid>,
    pub(crate) chip_id: [u8; 64],
    pub(crate) committed_tcb: [u8; 8],
    pub(crate) current_version: FirmwareVersion,
    pub(crate) committed_version: FirmwareVersion,
    pub(crate) launch_tcb: [u8; 8],
    /// From version 5.
    pub(crate) mitigations: Option<Mitigations>,
}

/// What CPUID Fn0000_0001 says of the processor: combined family and model, stepping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cpuid {
    /// Extended and base family.
    pub family: u8,
    /// Extended and base model.
    pub model: u8,
    /// Stepping.
    pub stepping: u8,
}

/// A version of the SNP firmware.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FirmwareVersion {
    /// API major version.
    pub major: u8,
    /// API minor version.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

/// The mitigation vectors: one bit for each mitigation that is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mitigations {
    /// When the guest was launched.
    pub launch: u64,
    /// When the report was made.
    pub current: u64,
}

/// The key that signs a report.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum EndorsementKey {
    /// Versioned Chip Endorsement Key: of one chip at one TCB.
    Vcek,
    /// Versioned Loaded Endorsement Key: of a cloud provider at one TCB.
    Vlek,
}

impl EndorsementKey {
    /// The name in facts: `vcek` or `vlek`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vcek => "vcek",
            Self::Vlek => "vlek",
        }
    }
}

impl Report {
    /// Reads the signed part; what follows it is not looked at. Refuses versions that are not known,
    /// and nothing else: what the fields mean is judged by who asks.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let signed = bytes
            .first_chunk::<SIGNED>()
            .ok_or_else(|| Fault::malformed("a report of this length"))?;
        let version = u32_at(signed, 0);
        if !(2..=5).contains(&version) {
            return Err(Fault::Unsupported(format!("an SNP report of version {version}")));
        }
        Ok(Self {
            version,
            guest_svn: u32_at(signed, 0x04),
            policy: u64_at(signed, 0x08),
            family_id: bytes_at(signed, 0x10),
            image_id: bytes_at(signed, 0x20),
            vmpl: u32_at(signed, 0x30),
            signature_algorithm: u32_at(signed, 0x34),
            current_tcb: bytes_at(signed, 0x38),
            platform_info: u64_at(signed, 0x40),
            key_info: u32_at(signed, 0x48),
            report_data: bytes_at(signed, 0x50),
            measurement: bytes_at(signed, 0x90),
            host_data: bytes_at(signed, 0xc0),
            id_key_digest: bytes_at(signed, 0xe0),
            author_key_digest: bytes_at(signed, 0x110),
            report_id: bytes_at(signed, 0x140),
            report_id_ma: bytes_at(signed, 0x160),
            reported_tcb: bytes_at(signed, 0x180),
            cpuid: (version >= 3).then(|| {
                let [family, model, stepping] = bytes_at(signed, 0x188);
                Cpuid { family, model, stepping }
            }),
            chip_id: bytes_at(signed, 0x1a0),
            committed_tcb: bytes_at(signed, 0x1e0),
            current_version: FirmwareVersion::at(signed, 0x1e8),
            committed_version: FirmwareVersion::at(signed, 0x1ec),
            launch_tcb: bytes_at(signed, 0x1f0),
            mitigations: (version >= 5).then(|| Mitigations {
                launch: u64_at(signed, 0x1f8),
                current: u64_at(signed, 0x200),
            }),
        })
    }

    /// AUTHOR_KEY_EN: the author key's digest is in the report.
    pub(crate) fn author_key_enabled(&self) -> bool {
        self.key_info & 1 != 0
    }

    /// MASK_CHIP_KEY: the firmware writes zeros instead of signing with the chip's key.
    pub(crate) fn mask_chip_key(&self) -> bool {
        self.key_info & 2 != 0
    }

    /// SIGNING_KEY.
    pub(crate) fn signing_key(&self) -> Result<EndorsementKey, Fault> {
        match self.key_info >> 2 & 7 {
            0 => Ok(EndorsementKey::Vcek),
            1 => Ok(EndorsementKey::Vlek),
            7 => Err(Fault::untrusted("SIGNING_KEY says that no key signed the report")),
            reserved => Err(Fault::Unsupported(format!("SIGNING_KEY {reserved} is reserved"))),
        }
    }

    /// Whether the platform hides the chip's identity.
    pub(crate) fn chip_id_masked(&self) -> bool {
        self.chip_id == [0; 64]
    }
}

impl FirmwareVersion {
    fn at(signed: &[u8; SIGNED], offset: usize) -> Self {
        let [build, minor, major] = bytes_at(signed, offset);
        Self { major, minor, build }
    }
}

impl std::fmt::Display for FirmwareVersion {
    /// `major.minor.build`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.build)
    }
}

/// Reads the signature: r then s in 72 bytes each, little-endian, and 368 reserved bytes. Answers r
/// then s in 48 bytes each, big-endian.
pub(crate) fn read_signature(field: &[u8]) -> Result<[u8; 96], Fault> {
    let malformed = || Fault::malformed("an SNP report's signature");
    let (r, rest) = field.split_first_chunk::<72>().ok_or_else(malformed)?;
    let (s, reserved) = rest.split_first_chunk::<72>().ok_or_else(malformed)?;
    if reserved.len() != 368 || reserved.iter().any(|byte| *byte != 0) {
        return Err(Fault::malformed("the reserved bytes of an SNP report's signature"));
    }
    let mut signature = [0; 96];
    let (r_out, s_out) = signature.split_at_mut(48);
    for (number, out) in [(r, r_out), (s, s_out)] {
        let (low, high) = number.split_at(48);
        if high.iter().any(|byte| *byte != 0) {
            return Err(Fault::malformed("an SNP report's signature has numbers beyond 384 bits"));
        }
        if low.iter().all(|byte| *byte == 0) {
            return Err(Fault::BadSignature);
        }
        for (to, from) in out.iter_mut().zip(low.iter().rev()) {
            *to = *from;
        }
    }
    Ok(signature)
}

fn u32_at(signed: &[u8; SIGNED], offset: usize) -> u32 {
    u32::from_le_bytes(bytes_at(signed, offset))
}

fn u64_at(signed: &[u8; SIGNED], offset: usize) -> u64 {
    u64::from_le_bytes(bytes_at(signed, offset))
}

/// The field of `N` bytes at `offset`; all offsets here are constants inside the signed part.
fn bytes_at<const N: usize>(signed: &[u8; SIGNED], offset: usize) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(signed.iter().skip(offset)) {
        *to = *from;
    }
    field
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // attack 19
    #[test]
    fn only_versions_two_to_five_are_read() {
        let mut bytes = [0u8; SIGNED];
        for version in [0u32, 1, 6, 7, 0x0200_0000, u32::MAX] {
            bytes[..4].copy_from_slice(&version.to_le_bytes());
            assert!(matches!(Report::parse(&bytes), Err(Fault::Unsupported(_))), "{version}");
        }
        for version in 2u32..=5 {
            bytes[..4].copy_from_slice(&version.to_le_bytes());
            let report = Report::parse(&bytes).unwrap();
            assert_eq!(report.cpuid.is_some(), version >= 3);
            assert_eq!(report.mitigations.is_some(), version >= 5);
        }
    }

    // attack 16
    #[test]
    fn a_signature_of_zeros_or_beyond_384_bits_is_refused() {
        let mut field = [0u8; 512];
        field[0] = 1;
        field[72] = 1;
        let read = read_signature(&field).unwrap();
        assert_eq!((read[47], read[95]), (1, 1));
        let edit = |at: usize, to: u8| {
            let mut field = field;
            field[at] = to;
            read_signature(&field)
        };
        assert_eq!(edit(0, 0), Err(Fault::BadSignature));
        assert_eq!(edit(72, 0), Err(Fault::BadSignature));
        for at in [48, 71, 120, 143, 144, 511] {
            assert!(matches!(edit(at, 1), Err(Fault::Malformed(_))), "{at}");
        }
        assert!(read_signature(&field[..511]).is_err());
    }

    // attack 19
    #[test]
    fn a_report_that_no_key_signed_is_refused() {
        let mut bytes = [0u8; SIGNED];
        bytes[0] = 2;
        let mut signing_key = |value: u8| {
            bytes[0x48] = value << 2;
            Report::parse(&bytes).unwrap().signing_key()
        };
        assert_eq!(signing_key(0), Ok(EndorsementKey::Vcek));
        assert_eq!(signing_key(1), Ok(EndorsementKey::Vlek));
        assert!(matches!(signing_key(7), Err(Fault::Untrusted(_))));
        for reserved in 2..7 {
            assert!(matches!(signing_key(reserved), Err(Fault::Unsupported(_))));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1300)) {
            let _ = Report::parse(&bytes);
            let _ = read_signature(&bytes);
        }
    }
}
