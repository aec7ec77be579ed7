//! The attestation report, versions 2 to 5, before it is signed.
//!
//! Source: AMD SEV-SNP Firmware ABI (56860), table "ATTESTATION_REPORT". 1,184 bytes, little
//! endian; the signature covers the first 672.

use super::chip;
use crate::quote::snp::product::Product;
use crate::quote::snp::tcb::Tcb;

/// The length of a report in bytes.
pub const REPORT_LENGTH: usize = 0x4a0;
/// How many of them are signed.
pub const SIGNED_LENGTH: usize = 0x2a0;

/// KEY_INFO: the signature stands for the chip's own key.
pub const SIGNED_BY_VCEK: u32 = 0;
/// KEY_INFO: the signature stands for a provider's key.
pub const SIGNED_BY_VLEK: u32 = 1 << 2;
/// KEY_INFO: nobody signed.
pub const SIGNED_BY_NOBODY: u32 = 7 << 2;
/// KEY_INFO: the platform's owner asked the firmware not to sign.
pub const MASK_CHIP_KEY: u32 = 1 << 1;
/// KEY_INFO: the author key's digest is given.
pub const AUTHOR_KEY_ENABLED: u32 = 1;

/// PLATFORM_INFO: simultaneous multithreading is on.
pub const PLATFORM_SMT: u64 = 1;
/// PLATFORM_INFO: transparent memory encryption is on.
pub const PLATFORM_TSME: u64 = 1 << 1;
/// PLATFORM_INFO: the memory has error correction.
pub const PLATFORM_ECC: u64 = 1 << 2;
/// PLATFORM_INFO: power measurement is off.
pub const PLATFORM_RAPL_DISABLED: u64 = 1 << 3;
/// PLATFORM_INFO: the host cannot read ciphertext.
pub const PLATFORM_CIPHERTEXT_HIDING: u64 = 1 << 4;
/// PLATFORM_INFO: no memory addresses alias, and that was checked since the last reset.
pub const PLATFORM_ALIAS_CHECK: u64 = 1 << 5;
/// PLATFORM_INFO: trusted I/O is on.
pub const PLATFORM_TIO: u64 = 1 << 7;

/// POLICY: the guest may run with simultaneous multithreading.
pub const POLICY_SMT: u64 = 1 << 16;
/// POLICY: reserved, always set.
pub const POLICY_RESERVED: u64 = 1 << 17;
/// POLICY: a migration agent may be associated.
pub const POLICY_MIGRATION_AGENT: u64 = 1 << 18;
/// POLICY: the host may debug the guest, that is, read its memory.
pub const POLICY_DEBUG: u64 = 1 << 19;
/// POLICY: the guest runs on one socket only.
pub const POLICY_SINGLE_SOCKET: u64 = 1 << 20;

/// A firmware version.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FirmwareVersion {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

/// Everything that a report says. Every field is free; what a version has no place for (the
/// processor below 3, the mitigations below 5) is written as zeros.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReportTemplate {
    /// The layout of the TCB versions; not a field of the report.
    pub product: Product,
    /// VERSION, offset 0x000.
    pub version: u32,
    /// GUEST_SVN, 0x004.
    pub guest_svn: u32,
    /// POLICY, 0x008.
    pub policy: u64,
    /// FAMILY_ID, 0x010.
    pub family_id: [u8; 16],
    /// IMAGE_ID, 0x020.
    pub image_id: [u8; 16],
    /// VMPL, 0x030.
    pub vmpl: u32,
    /// SIGNATURE_ALGO, 0x034: 1 is ECDSA P-384 with SHA-384.
    pub signature_algorithm: u32,
    /// CURRENT_TCB, 0x038.
    pub current_tcb: Tcb,
    /// PLATFORM_INFO, 0x040.
    pub platform_info: u64,
    /// Signing key, mask and author key flags, 0x048.
    pub key_info: u32,
    /// REPORT_DATA, 0x050.
    pub report_data: [u8; 64],
    /// MEASUREMENT, 0x090.
    pub measurement: [u8; 48],
    /// HOST_DATA, 0x0C0.
    pub host_data: [u8; 32],
    /// ID_KEY_DIGEST, 0x0E0.
    pub id_key_digest: [u8; 48],
    /// AUTHOR_KEY_DIGEST, 0x110.
    pub author_key_digest: [u8; 48],
    /// REPORT_ID, 0x140.
    pub report_id: [u8; 32],
    /// REPORT_ID_MA, 0x160: all ones without a migration agent.
    pub report_id_ma: [u8; 32],
    /// REPORTED_TCB, 0x180.
    pub reported_tcb: Tcb,
    /// CPUID_FAM_ID, 0x188: combined family, from version 3.
    pub cpuid_family: u8,
    /// CPUID_MOD_ID, 0x189: combined model, from version 3.
    pub cpuid_model: u8,
    /// CPUID_STEP, 0x18A: from version 3.
    pub cpuid_stepping: u8,
    /// CHIP_ID, 0x1A0: zeros where it is masked.
    pub chip_id: [u8; 64],
    /// COMMITTED_TCB, 0x1E0.
    pub committed_tcb: Tcb,
    /// CURRENT_BUILD, _MINOR, _MAJOR, 0x1E8.
    pub current_version: FirmwareVersion,
    /// COMMITTED_BUILD, _MINOR, _MAJOR, 0x1EC.
    pub committed_version: FirmwareVersion,
    /// LAUNCH_TCB, 0x1F0.
    pub launch_tcb: Tcb,
    /// LAUNCH_MIT_VECTOR, 0x1F8: from version 5.
    pub launch_mitigations: u64,
    /// CURRENT_MIT_VECTOR, 0x200: from version 5.
    pub current_mitigations: u64,
}

impl Default for ReportTemplate {
    /// A sound production guest on Genoa.
    fn default() -> Self {
        Self::of(Product::Genoa)
    }
}

impl ReportTemplate {
    /// A sound production guest on chip number 0 of `product`: version 5, no debugging, no
    /// migration, VMPL 0, aliases checked, all four TCB versions equal.
    #[must_use]
    pub fn of(product: Product) -> Self {
        let tcb = chip::current_tcb(product);
        let version = FirmwareVersion { major: 1, minor: 55, build: 49 };
        let (cpuid_family, cpuid_model, cpuid_stepping) = match product {
            Product::Milan => (0x19, 0x01, 1),
            Product::Genoa => (0x19, 0x11, 1),
            Product::Turin => (0x1a, 0x02, 1),
        };
        let mut chip_id = [0; 64];
        for (place, byte) in chip_id.iter_mut().zip(chip::hardware_id(product, 0)) {
            *place = byte;
        }
        Self {
            product,
            version: 5,
            guest_svn: 0,
            policy: POLICY_RESERVED | POLICY_SMT,
            family_id: [0; 16],
            image_id: [0; 16],
            vmpl: 0,
            signature_algorithm: 1,
            current_tcb: tcb,
            platform_info: PLATFORM_SMT | PLATFORM_ECC | PLATFORM_ALIAS_CHECK,
            key_info: SIGNED_BY_VCEK,
            report_data: [0; 64],
            measurement: [0xc1; 48],
            host_data: [0; 32],
            id_key_digest: [0; 48],
            author_key_digest: [0; 48],
            report_id: [0x1d; 32],
            report_id_ma: [0xff; 32],
            reported_tcb: tcb,
            cpuid_family,
            cpuid_model,
            cpuid_stepping,
            chip_id,
            committed_tcb: tcb,
            current_version: version,
            committed_version: version,
            launch_tcb: tcb,
            launch_mitigations: 0x0b,
            current_mitigations: 0x0b,
        }
    }

    /// Sets all four TCB versions.
    #[must_use]
    pub fn with_tcb(mut self, tcb: Tcb) -> Self {
        self.current_tcb = tcb;
        self.reported_tcb = tcb;
        self.committed_tcb = tcb;
        self.launch_tcb = tcb;
        self
    }

    /// The signed part.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIGNED_LENGTH] {
        let tcb = |tcb: Tcb| tcb.to_bytes(self.product);
        let version = |version: FirmwareVersion| [version.build, version.minor, version.major, 0];
        let processor = match self.version {
            0..=2 => [0; 3],
            _ => [self.cpuid_family, self.cpuid_model, self.cpuid_stepping],
        };
        let (launch, current) = match self.version {
            0..=4 => (0, 0),
            _ => (self.launch_mitigations, self.current_mitigations),
        };
        let fields: [&[u8]; 29] = [
            &self.version.to_le_bytes(),
            &self.guest_svn.to_le_bytes(),
            &self.policy.to_le_bytes(),
            &self.family_id,
            &self.image_id,
            &self.vmpl.to_le_bytes(),
            &self.signature_algorithm.to_le_bytes(),
            &tcb(self.current_tcb),
            &self.platform_info.to_le_bytes(),
            &self.key_info.to_le_bytes(),
            &[0; 4],
            &self.report_data,
            &self.measurement,
            &self.host_data,
            &self.id_key_digest,
            &self.author_key_digest,
            &self.report_id,
            &self.report_id_ma,
            &tcb(self.reported_tcb),
            &processor,
            &[0; 21],
            &self.chip_id,
            &tcb(self.committed_tcb),
            &version(self.current_version),
            &version(self.committed_version),
            &tcb(self.launch_tcb),
            &launch.to_le_bytes(),
            &current.to_le_bytes(),
            &[0; 152],
        ];
        let mut bytes = [0; SIGNED_LENGTH];
        for (place, byte) in bytes.iter_mut().zip(fields.concat()) {
            *place = byte;
        }
        bytes
    }
}
