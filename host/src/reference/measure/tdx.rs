//! TDX's MRTD (Intel TDX Module Base Architecture Specification, "TD measurement"): the pages that the
//! hypervisor adds before the guest runs, as QEMU with KVM adds them. It reads the firmware's TDVF
//! metadata (TDVF Design Guide, section 11), and extends each page right behind adding it.
//!
//! Not covered: hypervisors that add all pages first and extend them afterwards, or that add pages
//! of their own. RTMRs are what firmware and kernel extend at run time: given the digests of an
//! event log, they are computed as a SHA-384 register is ([`super::pcr`]).

use aws_lc_rs::digest::{Context, SHA384};

use super::firmware::{Firmware, FirmwareError, Result, fault, guid};

/// e47a6535-984a-4798-865e-4685a7bf8ec2: how far from the end the metadata is.
const METADATA: [u8; 16] = guid(0xe47a_6535, 0x984a, 0x4798, 0x865e_4685_a7bf_8ec2);

const PAGE: u64 = 4096;

/// What one extension covers.
const CHUNK: usize = 256;

/// Larger sections than firmware asks for: each page costs a hash.
const LARGEST_SECTION: u64 = 256 << 20;

/// The contents are measured.
const EXTENDED: u32 = 1;

/// The page is added later, by the guest's own consent, and not measured.
const AUGMENTED: u32 = 2;

/// A section of the metadata, 32 bytes.
struct Section<'a> {
    /// From the file; shorter than the memory where the rest is zeros.
    data: &'a [u8],
    address: u64,
    size: u64,
    attributes: u32,
}

/// The MRTD of firmware: 48 bytes.
pub fn mrtd(firmware: &[u8]) -> Result<[u8; 48]> {
    let mut digest = Context::new(&SHA384);
    for section in sections(Firmware(firmware))? {
        if section.attributes & AUGMENTED != 0 {
            continue;
        }
        for offset in (0..section.size).step_by(PAGE as usize) {
            digest.update(&operation("MEM.PAGE.ADD", section.address + offset));
            if section.attributes & EXTENDED == 0 {
                continue;
            }
            for chunk in (offset..offset + PAGE).step_by(CHUNK) {
                digest.update(&operation("MR.EXTEND", section.address + chunk));
                digest.update(&contents(section.data, chunk));
            }
        }
    }
    let mut out = [0; 48];
    out.copy_from_slice(digest.finish().as_ref());
    Ok(out)
}

/// What is hashed for an operation: its name, and the page's or chunk's address at byte 16.
fn operation(name: &str, address: u64) -> [u8; 128] {
    let mut block = [0; 128];
    let fields = name.bytes().zip(0..).chain(address.to_le_bytes().into_iter().zip(16..));
    for (byte, place) in fields {
        if let Some(space) = block.get_mut::<usize>(place) {
            *space = byte;
        }
    }
    block
}

fn contents(data: &[u8], offset: u64) -> [u8; CHUNK] {
    let mut chunk = [0; CHUNK];
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let found = data.get(start..).unwrap_or_default();
    chunk.iter_mut().zip(found).for_each(|(space, byte)| *space = *byte);
    chunk
}

fn sections(firmware: Firmware<'_>) -> Result<Vec<Section<'_>>> {
    let distance = firmware.number(METADATA, "TDVF metadata")?;
    let metadata = firmware.before_end(distance, "the TDVF metadata")?;
    let Some((header, rest)) = metadata.split_first_chunk::<16>() else {
        return fault("TDVF metadata that are cut off");
    };
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..).and_then(|bytes| bytes.first_chunk().copied());
        u32::from_le_bytes(bytes.unwrap_or_default())
    };
    if !header.starts_with(b"TDVF") || number(header, 8) != 1 {
        return fault("TDVF metadata without its signature, or of an unknown version");
    }
    let sections = rest.as_chunks::<32>().0.get(..number(header, 12) as usize);
    let sections = sections.ok_or_else(|| FirmwareError("too many sections".to_owned()))?;
    let read = |section: &[u8; 32]| {
        let long =
            |at: usize| u64::from(number(section, at)) | u64::from(number(section, at + 4)) << 32;
        let (start, length) = (number(section, 0) as usize, number(section, 4) as usize);
        let (address, size) = (long(8), long(16));
        let data = start.checked_add(length).and_then(|end| firmware.0.get(start..end));
        let whole =
            address.is_multiple_of(PAGE) && size.is_multiple_of(PAGE) && size <= LARGEST_SECTION;
        let fits = whole && length as u64 <= size && address.checked_add(size).is_some();
        match data {
            Some(data) if fits => {
                Ok(Section { data, address, size, attributes: number(section, 28) })
            }
            _ => fault("a section of its TDVF metadata is no whole pages, or lies outside"),
        }
    };
    sections.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quote::DigestAlgorithm;

    /// A section as the metadata has it.
    fn section(data: (u32, u32), address: u64, size: u64, kind: u32, attributes: u32) -> Vec<u8> {
        [
            data.0.to_le_bytes().as_slice(),
            &data.1.to_le_bytes(),
            &address.to_le_bytes(),
            &size.to_le_bytes(),
            &kind.to_le_bytes(),
            &attributes.to_le_bytes(),
        ]
        .concat()
    }

    /// Firmware of one page with these sections.
    fn firmware(sections: &[Vec<u8>]) -> Vec<u8> {
        let count = u32::try_from(sections.len()).unwrap();
        let header =
            [b"TDVF".as_slice(), &[0; 4], &1_u32.to_le_bytes(), &count.to_le_bytes()].concat();
        let metadata = [header, sections.concat()].concat();
        let mut bytes = vec![0xab; 4096];
        bytes[1024..1024 + metadata.len()].copy_from_slice(&metadata);
        let entry = [&3072_u32.to_le_bytes()[..], &22_u16.to_le_bytes(), &METADATA].concat();
        let footer = [&40_u16.to_le_bytes()[..], &super::super::firmware::FOOTER].concat();
        let table = [entry, footer].concat();
        let end = bytes.len() - 32;
        bytes[end - table.len()..end].copy_from_slice(&table);
        bytes
    }

    /// The specification's sequence, written out: no published value of firmware was at hand.
    #[test]
    fn pages_are_added_and_extended_in_the_order_of_the_metadata() {
        let bytes = firmware(&[
            section((0, 4096), 0xffff_f000, 4096, 0, EXTENDED),
            section((0, 0), 0x80_9000, 8192, 2, 0),
            section((0, 0), 0x90_0000, 4096, 3, AUGMENTED),
        ]);
        let mut log = Vec::new();
        let block = |name: &[u8], address: u64| {
            let mut block = [name, &vec![0; 16 - name.len()], &address.to_le_bytes()].concat();
            block.resize(128, 0);
            block
        };
        log.extend(block(b"MEM.PAGE.ADD", 0xffff_f000));
        for chunk in 0..16 {
            log.extend(block(b"MR.EXTEND", 0xffff_f000 + 256 * chunk as u64));
            log.extend(&bytes[256 * chunk..256 * (chunk + 1)]);
        }
        log.extend(block(b"MEM.PAGE.ADD", 0x80_9000));
        log.extend(block(b"MEM.PAGE.ADD", 0x80_a000));
        let expected = DigestAlgorithm::Sha384.digest(&log);
        assert_eq!(mrtd(&bytes).unwrap(), expected.as_ref());
    }

    #[test]
    fn metadata_that_lie_outside_or_are_no_pages_are_refused() {
        assert!(mrtd(&firmware(&[section((0, 0), 0, 4096, 2, 0)])).is_ok());
        for wrong in [
            section((0, 4097), 0, 4096, 0, 1),
            section((4000, 97), 0, 4096, 0, 1),
            section((0, 0), 1, 4096, 2, 0),
            section((0, 0), 0, 4095, 2, 0),
            section((0, 0), 0, 1 << 40, 2, 0),
            section((0, 0), u64::MAX - 4095, 4096, 2, 0),
            section((u32::MAX, u32::MAX), 0, 4096, 2, 0),
        ] {
            assert!(mrtd(&firmware(&[wrong])).is_err());
        }
        let mut many = firmware(&[section((0, 0), 0, 4096, 2, 0)]);
        many[1036..1040].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(mrtd(&many).is_err());
        assert!(mrtd(&[]).is_err());
    }
}
