//! One event: which register was extended, by which digests, and what is said about it.

use super::bank::Bank;
use super::log::Banks;
use crate::bytes::Bytes;

/// Kinds of events (PFP 1.06, section 10.4.1, table 14).
pub mod kind {
    #![allow(missing_docs, reason = "the names are the specification's")]
    pub const NO_ACTION: u32 = 0x0000_0003;
    pub const SEPARATOR: u32 = 0x0000_0004;
    pub const ACTION: u32 = 0x0000_0005;
    pub const S_CRTM_VERSION: u32 = 0x0000_0008;
    pub const IPL: u32 = 0x0000_000d;
    pub const EFI_VARIABLE_DRIVER_CONFIG: u32 = 0x8000_0001;
    pub const EFI_VARIABLE_BOOT: u32 = 0x8000_0002;
    pub const EFI_BOOT_SERVICES_APPLICATION: u32 = 0x8000_0003;
    pub const EFI_ACTION: u32 = 0x8000_0007;
    pub const EFI_HCRTM_EVENT: u32 = 0x8000_0010;
    pub const EFI_VARIABLE_AUTHORITY: u32 = 0x8000_00e0;
}

/// EFI_GLOBAL_VARIABLE, as it lies in memory (UEFI 2.10, section 3.3).
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];

/// No machine has more banks of registers in one event.
const MAX_DIGESTS: u32 = 8;

/// One event of a log.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The register: a PCR, or what a TD's log calls its measurement register.
    pub register: u32,
    /// What kind of event it is, see [`kind`].
    pub kind: u32,
    /// What is said about it; its own digest is another matter.
    pub data: &'a [u8],
    /// TPMT_HA after TPMT_HA with numbers in little-endian, or one SHA-1.
    digests: Digests<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Digests<'a> {
    Sha1(&'a [u8]),
    /// At most [`MAX_DIGESTS`]; only those of known algorithms.
    Agile([Option<(Bank, &'a [u8])>; 5]),
}

impl<'a> Event<'a> {
    /// TCG_PCClientPCREvent: register, kind, SHA-1, size, data.
    pub(super) fn first(bytes: &mut Bytes<'a>) -> Option<Self> {
        let register = bytes.u32_le()?;
        let kind = bytes.u32_le()?;
        let digest = bytes.take(Bank::Sha1.size())?;
        let size = usize::try_from(bytes.u32_le()?).ok()?;
        Some(Self { register, kind, data: bytes.take(size)?, digests: Digests::Sha1(digest) })
    }

    /// TCG_PCR_EVENT2: register, kind, digests, size, data.
    pub(super) fn agile(bytes: &mut Bytes<'a>, banks: &Banks) -> Result<Self, &'static str> {
        let short = "it is not whole";
        let register = bytes.u32_le().ok_or(short)?;
        let kind = bytes.u32_le().ok_or(short)?;
        let count = bytes.u32_le().ok_or(short)?;
        if count == 0 || count > MAX_DIGESTS {
            return Err("it has no digests, or more than there are algorithms");
        }
        let mut digests = [None; 5];
        let mut free = digests.iter_mut();
        for _ in 0..count {
            let number = bytes.u16_le().ok_or(short)?;
            let size =
                banks.size(number).ok_or("a digest by an algorithm that was not announced")?;
            let digest = bytes.take(size).ok_or(short)?;
            if let Some(bank) = Bank::of(number) {
                *free.next().ok_or("a digest twice")? = Some((bank, digest));
            }
        }
        let named: Vec<Bank> = digests.iter().flatten().map(|(bank, _)| *bank).collect();
        let twice = |bank: &Bank| named.iter().filter(|other| *other == bank).count() > 1;
        if named.iter().any(twice) {
            return Err("a digest twice");
        }
        let size = bytes.u32_le().and_then(|size| usize::try_from(size).ok()).ok_or(short)?;
        let data = bytes.take(size).ok_or(short)?;
        Ok(Self { register, kind, data, digests: Digests::Agile(digests) })
    }

    /// By what the register of this bank was extended.
    #[must_use]
    pub fn digest(&self, bank: Bank) -> Option<&'a [u8]> {
        match &self.digests {
            Digests::Sha1(digest) => (bank == Bank::Sha1).then_some(*digest),
            Digests::Agile(digests) => {
                let mut digests = digests.iter().flatten();
                digests.find(|(present, _)| *present == bank).map(|(_, digest)| *digest)
            }
        }
    }

    /// Whether a register was extended: EV_NO_ACTION is a remark only.
    #[must_use]
    pub fn extends(&self) -> bool {
        self.kind != kind::NO_ACTION
    }

    /// Where the PCRs began (PFP 1.06, section 10.4.5.3): the locality that started the TPM, which
    /// PCR 0 begins with.
    #[must_use]
    pub fn startup_locality(&self) -> Option<u8> {
        match self.data.strip_prefix(b"StartupLocality\0") {
            Some([locality]) if !self.extends() && self.register == 0 => Some(*locality),
            _ => None,
        }
    }

    /// The UEFI variable that was measured (UEFI_VARIABLE_DATA, PFP 1.06, section 10.2.6).
    #[must_use]
    pub fn variable(&self) -> Option<Variable<'a>> {
        let mut bytes = Bytes(self.data);
        let vendor = bytes.array()?;
        let length = usize::try_from(bytes.u64_le()?).ok()?;
        let size = usize::try_from(bytes.u64_le()?).ok()?;
        let name = bytes.take(length.checked_mul(2)?)?;
        let data = bytes.take(size)?;
        bytes.is_empty().then_some(Variable { vendor, name, data })
    }

    /// Whether the firmware says that the operating system has taken over, after this event.
    #[must_use]
    pub fn is_exit_of_boot_services(&self) -> bool {
        self.kind == kind::EFI_ACTION && self.data == b"Exit Boot Services Returned with Success"
    }
}

/// A UEFI variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable<'a> {
    /// The GUID of the name space, as it lies in memory.
    pub vendor: [u8; 16],
    /// UTF-16, little-endian, without an end.
    name: &'a [u8],
    /// The value.
    pub data: &'a [u8],
}

impl Variable<'_> {
    /// Whether it is called so; `name` in ASCII.
    #[must_use]
    pub fn is_called(&self, name: &str) -> bool {
        let letters = self.name.as_chunks::<2>().0.iter();
        letters.map(|unit| u16::from_le_bytes(*unit)).eq(name.bytes().map(u16::from))
    }

    /// Whether UEFI Secure Boot is on, where the variable is that one (UEFI 2.10, section 3.3).
    #[must_use]
    pub fn secure_boot(&self) -> Option<bool> {
        let global = self.vendor == GLOBAL && self.is_called("SecureBoot");
        global.then_some(matches!(self.data, [1]))
    }
}
