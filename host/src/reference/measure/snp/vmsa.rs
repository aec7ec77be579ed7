//! The first registers of a processor (VMSA; AMD64 Architecture Programmer's Manual volume 2, table
//! B-4) as QEMU with KVM, or EC2, sets them.

use super::PAGE;

/// Where the first processor starts.
pub(super) const RESET: u32 = 0xffff_fff0;

/// Who launches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Vmm {
    /// Amazon EC2.
    Ec2,
    /// QEMU with KVM.
    Qemu,
}

/// A processor by family, model and stepping, as CPUID Fn0000_0001 tells them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CpuType(u32);

impl CpuType {
    /// QEMU's name of it: `EPYC-v4`, `EPYC-Milan`, `EPYC-Genoa-v1`, …; none for a name that is
    /// unknown. Versions of one model have the same signature.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let (model, version) = match lower.rsplit_once("-v") {
            Some((model, version)) => (model, Some(version)),
            None => (lower.as_str(), None),
        };
        let (signature, versions) = match model {
            "epyc" => (Self::signature(23, 1, 2), 4),
            "epyc-ibpb" => (Self::signature(23, 1, 2), 0),
            "epyc-rome" => (Self::signature(23, 49, 0), 4),
            "epyc-milan" => (Self::signature(25, 1, 1), 2),
            "epyc-genoa" => (Self::signature(25, 17, 0), 2),
            "epyc-turin" => (Self::signature(26, 0, 0), 2),
            _ => return None,
        };
        let known = version.is_none_or(|version| {
            let plain = version.parse().is_ok_and(|number: u8| (1..=versions).contains(&number));
            plain && !version.starts_with(['0', '+'])
        });
        known.then_some(signature)
    }

    /// By its numbers; families above 15 are the sum of two fields.
    #[must_use]
    pub fn signature(family: u8, model: u8, stepping: u8) -> Self {
        let [family, model, stepping] = [family, model, stepping].map(u32::from);
        let (low, high) = (family.min(15), family.saturating_sub(15));
        Self(high << 20 | (model >> 4) << 16 | low << 8 | (model & 15) << 4 | stepping & 15)
    }
}

/// The page of a processor that starts at `start`.
pub(super) fn page(start: u32, cpu: CpuType, vmm: Vmm, features: u64) -> [u8; PAGE] {
    // Attributes of CS, SS, TR; RDX; MXCSR; the x87 control word.
    let (cs, ss, tr, rdx, mxcsr, fcw) = match vmm {
        Vmm::Qemu => (0x9b, 0x93, 0x8b, cpu.0, 0x1f80, 0x37f),
        Vmm::Ec2 if start == RESET => (0x9a, 0x92, 0x83, 0, 0, 0),
        Vmm::Ec2 => (0x9b, 0x92, 0x83, 0, 0, 0),
    };
    let mut page = Page([0; PAGE]);
    // ES, CS, SS, DS, FS, GS, GDTR, LDTR, IDTR, TR.
    let attributes = [0x93, cs, ss, 0x93, 0x93, 0x93, 0, 0x82, 0, tr];
    for (attributes, offset) in attributes.into_iter().zip((0..).step_by(16)) {
        let (selector, base) = match offset {
            0x10 => (0xf000_u16, start & 0xffff_0000),
            _ => (0, 0),
        };
        page.put(offset, selector);
        page.put::<u16>(offset + 2, attributes);
        page.put(offset + 4, 0xffff_u32);
        page.put(offset + 8, u64::from(base));
    }
    // EFER: SVME.
    page.put(0xd0, 0x1000_u64);
    // CR4: MCE.
    page.put(0x148, 0x40_u64);
    // CR0: ET.
    page.put(0x158, 0x10_u64);
    // DR7, DR6, RFLAGS as after a reset.
    page.put(0x160, 0x400_u64);
    page.put(0x168, 0xffff_0ff0_u64);
    page.put(0x170, 0x2_u64);
    // RIP.
    page.put(0x178, u64::from(start & 0xffff));
    // G_PAT.
    page.put(0x268, 0x0007_0406_0007_0406_u64);
    page.put(0x310, u64::from(rdx));
    // SEV_FEATURES.
    page.put(0x3b0, features);
    // XCR0: x87.
    page.put(0x3e8, 0x1_u64);
    page.put::<u32>(0x408, mxcsr);
    page.put::<u16>(0x410, fcw);
    page.0
}

struct Page([u8; PAGE]);

impl Page {
    fn put<T: LittleEndian>(&mut self, offset: usize, value: T) {
        let bytes = value.bytes();
        if let Some(space) = self.0.get_mut(offset..offset + bytes.as_ref().len()) {
            space.copy_from_slice(bytes.as_ref());
        }
    }
}

trait LittleEndian {
    fn bytes(self) -> impl AsRef<[u8]>;
}

impl LittleEndian for u16 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl LittleEndian for u32 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}

impl LittleEndian for u64 {
    fn bytes(self) -> impl AsRef<[u8]> {
        self.to_le_bytes()
    }
}
