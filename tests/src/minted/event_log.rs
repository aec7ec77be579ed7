//! An event log in the crypto-agile form, with SHA-256 alone.

use super::tpm::sha256;

/// Events as they will stand in the log: PCR, kind, digest, data.
#[derive(Clone)]
pub struct Log(pub Vec<(u32, u32, [u8; 32], Vec<u8>)>);

impl Log {
    /// A machine with Secure Boot or without it, started to its end.
    #[must_use]
    pub fn sound(secure_boot: bool) -> Self {
        let variable = secure_boot_variable(secure_boot);
        let event = |pcr, kind, data: &[u8]| (pcr, kind, sha256(data), data.to_vec());
        Self(vec![
            event(0, 8, b"v1"),
            event(7, 0x8000_0001, &variable),
            event(4, 0x8000_0003, b"loader"),
            event(5, 0x8000_0007, b"Exit Boot Services Returned with Success"),
            // As GRUB does: of a command line the words behind its name are digested, of a file its content.
            (8, 0xd, sha256(b"quiet splash"), b"kernel_cmdline: quiet splash\0".to_vec()),
            (9, 0xd, [0xc; 32], b"(hd0,gpt2)/boot/vmlinuz-6.1\0".to_vec()),
            event(7, 4, &[0; 4]),
        ])
    }

    /// PCRs, and by what each is extended, in order.
    pub fn entries(&self) -> impl Iterator<Item = (usize, [u8; 32])> + '_ {
        self.0.iter().map(|(pcr, _, digest, _)| (*pcr as usize, *digest))
    }

    /// The log as firmware keeps it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut identification = b"Spec ID Event03\0".to_vec();
        identification.extend([0, 0, 0, 0, 0, 2, 0, 2, 1, 0, 0, 0, 0x0b, 0, 32, 0, 0]);
        let mut log = [0_u32, 3].map(u32::to_le_bytes).concat();
        log.extend([0; 20]);
        log.extend((identification.len() as u32).to_le_bytes());
        log.extend(identification);
        for (pcr, kind, digest, data) in &self.0 {
            log.extend([*pcr, *kind, 1].map(u32::to_le_bytes).concat());
            log.extend([0x0b, 0]);
            log.extend(digest);
            log.extend((data.len() as u32).to_le_bytes());
            log.extend(data);
        }
        log
    }
}

/// UEFI_VARIABLE_DATA of the variable that says whether Secure Boot is on.
#[must_use]
pub fn secure_boot_variable(on: bool) -> Vec<u8> {
    let name: Vec<u8> = "SecureBoot".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut variable = vec![
        0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b,
        0x8c,
    ];
    variable.extend(10_u64.to_le_bytes());
    variable.extend(1_u64.to_le_bytes());
    variable.extend(name);
    variable.push(on.into());
    variable
}
