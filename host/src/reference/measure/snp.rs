//! SEV-SNP's launch digest (SEV Secure Nested Paging Firmware ABI, section 8.17.2): each page that
//! the hypervisor puts into the guest, in the order of QEMU or EC2.
//!
//! Not covered: SVSM, firmware whose hypervisor is another (its pages come in another order and
//! its first registers differ), and IGVM images.

mod vmsa;

use aws_lc_rs::digest::{SHA256, SHA384, digest};

use super::firmware::{Firmware, FirmwareError, Result, fault, guid};

pub use vmsa::{CpuType, Vmm};

const PAGE: usize = 4096;

/// dc886566-984a-4798-a75e-5585a7bf67cc
const METADATA: [u8; 16] = guid(0xdc88_6566, 0x984a, 0x4798, 0xa75e_5585_a7bf_67cc);
/// 7255371f-3a3b-4b04-927b-1da6efa8d454
const HASHES: [u8; 16] = guid(0x7255_371f, 0x3a3b, 0x4b04, 0x927b_1da6_efa8_d454);
/// 00f771de-1a7e-4fcb-890e-68c77e2fb44e
const RESET_BLOCK: [u8; 16] = guid(0x00f7_71de, 0x1a7e, 0x4fcb, 0x890e_68c7_7e2f_b44e);

/// Parts of the table of hashes, by QEMU (target/i386/sev.c): the table, the command line, the
/// initial RAM disk, the kernel.
const TABLE: [u8; 16] = guid(0x9438_d606, 0x4f22, 0x4cc9, 0xb479_a793_d411_fd21);
const COMMAND_LINE: [u8; 16] = guid(0x97d0_2dd8, 0xbd20, 0x4c94, 0xaa78_e771_4d36_ab2a);
const INITRD: [u8; 16] = guid(0x44ba_f731, 0x3a2f, 0x4bd7, 0x9af1_41e2_9169_781d);
const KERNEL: [u8; 16] = guid(0x4de7_9437, 0xabd2, 0x427f, 0xb835_d5b1_72d2_045b);

/// Larger sections than firmware asks for: each page costs a hash.
const LARGEST_SECTION: u32 = 256 << 20;

/// The most processors of a guest.
const MOST_VCPUS: u32 = 4096;

/// What is launched.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// The firmware.
    pub firmware: &'a [u8],
    /// How many processors.
    pub vcpus: u32,
    /// Of which kind they are.
    pub vcpu: CpuType,
    /// Who launches.
    pub vmm: Vmm,
    /// `SEV_FEATURES` of the processors: 1 is SNP alone.
    pub features: u64,
    /// What the firmware starts, measured by hashes in a page of its own; none: not measured.
    pub kernel: Option<Kernel<'a>>,
}

/// A kernel that is given to the firmware.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<'a> {
    /// The kernel.
    pub image: &'a [u8],
    /// The initial RAM disk; empty where there is none.
    pub initrd: &'a [u8],
    /// The command line, without its final zero.
    pub command_line: &'a str,
}

/// A page's kind, as the launch digest has it.
#[derive(Clone, Copy)]
enum Page {
    Normal = 1,
    Vmsa = 2,
    Zero = 3,
    Secrets = 5,
    Cpuid = 6,
}

/// A section of the metadata.
struct Section {
    address: u64,
    size: u32,
    kind: u32,
}

impl Launch<'_> {
    /// The launch digest: 48 bytes.
    pub fn measurement(&self) -> Result<[u8; 48]> {
        let firmware = Firmware(self.firmware);
        if !self.firmware.len().is_multiple_of(PAGE) || !(1..=MOST_VCPUS).contains(&self.vcpus) {
            return fault(format!("whole pages are wanted, and from 1 to {MOST_VCPUS} processors"));
        }
        let mut digest = Digest([0; 48]);
        digest.normal(firmware.address(), self.firmware);
        let sections = sections(firmware)?;
        for section in &sections {
            self.section(&mut digest, section)?;
        }
        // EC2 puts the CPUID page behind all others.
        if self.vmm == Vmm::Ec2 {
            for section in sections.iter().filter(|section| section.kind == 3) {
                digest.update(Page::Cpuid, section.address, &[0; 48]);
            }
        }
        if self.kernel.is_some() && !sections.iter().any(|section| section.kind == 0x10) {
            return fault("it has no page for the hashes of a kernel");
        }
        let reset = firmware.number(RESET_BLOCK, "reset vector of the other processors")?;
        for number in 0..self.vcpus {
            let start = if number == 0 { vmsa::RESET } else { reset };
            let page = vmsa::page(start, self.vcpu, self.vmm, self.features);
            digest.update(Page::Vmsa, VMSA_ADDRESS, &sha384(&page));
        }
        Ok(digest.0)
    }

    fn section(&self, digest: &mut Digest, section: &Section) -> Result<()> {
        let zeros = |digest: &mut Digest| {
            let pages = 0..u64::from(section.size) / PAGE as u64;
            pages.for_each(|page| {
                digest.update(Page::Zero, section.address + page * PAGE as u64, &[0; 48]);
            });
        };
        match section.kind {
            // Memory that the firmware uses before it accepts more; SVSM's calling area.
            1 | 4 => zeros(digest),
            2 => digest.update(Page::Secrets, section.address, &[0; 48]),
            3 if self.vmm == Vmm::Ec2 => {}
            3 => digest.update(Page::Cpuid, section.address, &[0; 48]),
            0x10 => match &self.kernel {
                None => zeros(digest),
                Some(kernel) => digest.normal(section.address, &self.hashes(kernel, section)?),
            },
            kind => return fault(format!("a section of the unknown kind {kind}")),
        }
        Ok(())
    }

    /// The page with the hashes, at the place that the firmware names.
    fn hashes(&self, kernel: &Kernel<'_>, section: &Section) -> Result<Vec<u8>> {
        let command_line = [kernel.command_line.as_bytes(), &[0]].concat();
        let mut table = Vec::new();
        for (guid, data) in [
            (COMMAND_LINE, command_line.as_slice()),
            (INITRD, kernel.initrd),
            (KERNEL, kernel.image),
        ] {
            table.extend(entry(guid, digest(&SHA256, data).as_ref()));
        }
        let table = entry(TABLE, &table);
        let place = Firmware(self.firmware).number(HASHES, "place for the hashes of a kernel")?;
        let start = place as usize % PAGE;
        let mut page = vec![0; PAGE];
        match page.get_mut(start..start + table.len()) {
            Some(space) if section.size as usize == PAGE => space.copy_from_slice(&table),
            _ => return fault("the hashes of a kernel do not fit into their page"),
        }
        Ok(page)
    }
}

/// GUID, length of the whole, data.
fn entry(guid: [u8; 16], data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(guid.len() + 2 + data.len()).unwrap_or(u16::MAX);
    [guid.as_slice(), &length.to_le_bytes(), data].concat()
}

/// Section descriptions (OvmfPkg/ResetVector/X64/OvmfSevMetadata.asm).
fn sections(firmware: Firmware<'_>) -> Result<Vec<Section>> {
    let distance = firmware.number(METADATA, "SEV metadata")?;
    let metadata = firmware.before_end(distance, "the SEV metadata")?;
    let numbers: Vec<u32> = metadata
        .as_chunks::<4>()
        .0
        .iter()
        .take(4 + 3 * 256)
        .map(|bytes| u32::from_le_bytes(*bytes))
        .collect();
    let [signature, _length, 1, count, rest @ ..] = numbers.as_slice() else {
        return fault("SEV metadata of an unknown version");
    };
    if signature.to_le_bytes() != *b"ASEV" {
        return fault("SEV metadata without its signature");
    }
    let sections = rest.as_chunks::<3>().0;
    let sections = sections.get(..*count as usize);
    let sections = sections.ok_or_else(|| FirmwareError("too many sections".to_owned()))?;
    let read = |[address, size, kind]: &[u32; 3]| {
        if !size.is_multiple_of(PAGE as u32) || *size > LARGEST_SECTION {
            return fault(format!("a section of {size} bytes"));
        }
        Ok(Section { address: u64::from(*address), size: *size, kind: *kind })
    };
    sections.iter().map(read).collect()
}

/// Where all VMSA pages are taken to be: the highest page of a 52-bit address space.
const VMSA_ADDRESS: u64 = 0xffff_ffff_f000;

/// The launch digest so far.
struct Digest([u8; 48]);

impl Digest {
    fn normal(&mut self, address: u64, contents: &[u8]) {
        let pages = contents.chunks(PAGE).zip((address..).step_by(PAGE));
        pages.for_each(|(page, address)| self.update(Page::Normal, address, &sha384(page)));
    }

    /// PAGE_INFO: the digest so far, the page's, the structure's length, the kind, the address.
    fn update(&mut self, page: Page, address: u64, contents: &[u8; 48]) {
        let mut info = Vec::with_capacity(0x70);
        info.extend_from_slice(&self.0);
        info.extend_from_slice(contents);
        info.extend_from_slice(&0x70_u16.to_le_bytes());
        info.push(page as u8);
        // No initial migration image, no permissions for other privilege levels.
        info.extend_from_slice(&[0; 5]);
        info.extend_from_slice(&address.to_le_bytes());
        self.0 = sha384(&info);
    }
}

fn sha384(bytes: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    out.copy_from_slice(digest(&SHA384, bytes).as_ref());
    out
}

#[cfg(test)]
mod tests;
