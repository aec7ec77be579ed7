//! What the events of a log say, in claims of one form for every attester: `eventlog.*`.
//!
//! A quote proves the digests, in their order and register. Kinds and names are not digested: they are told,
//! by whoever keeps the log, and so is which digest is a kernel's. Where the digest is one of the event's
//! own words (a command line, a variable), the words are proved too, and only then are they claimed.

use super::bank::Bank;
use super::event::{Event, kind};
use crate::hex;
use crate::verifier::types::{Claim, Value};

/// Bytes that the texts of one claim may have together; what is beyond is counted.
const MAX_TEXTS: usize = 14 << 10;
/// Texts of one claim.
const MAX_COUNT: usize = 192;
/// A command line of this many bytes is claimed.
const MAX_LINE: usize = 4096;

/// Tags of Linux' boot stub (`drivers/firmware/efi/libstub/efistub.h`).
const INITRD: u32 = 0x8f3b_22ec;
const LOAD_OPTIONS: u32 = 0x8f3b_22ed;

/// Before the words that GRUB digests.
const GRUB_CMDLINE: &[u8] = b"kernel_cmdline: ";

/// Names of kinds (PFP 1.06, section 10.4.1).
const KINDS: [(u32, &str); 28] = [
    (0x1, "EV_POST_CODE"),
    (0x4, "EV_SEPARATOR"),
    (0x5, "EV_ACTION"),
    (0x6, "EV_EVENT_TAG"),
    (0x7, "EV_S_CRTM_CONTENTS"),
    (0x8, "EV_S_CRTM_VERSION"),
    (0x9, "EV_CPU_MICROCODE"),
    (0xa, "EV_PLATFORM_CONFIG_FLAGS"),
    (0xb, "EV_TABLE_OF_DEVICES"),
    (0xc, "EV_COMPACT_HASH"),
    (0xd, "EV_IPL"),
    (0x11, "EV_NONHOST_INFO"),
    (0x12, "EV_OMIT_BOOT_DEVICE_EVENTS"),
    (0x8000_0001, "EV_EFI_VARIABLE_DRIVER_CONFIG"),
    (0x8000_0002, "EV_EFI_VARIABLE_BOOT"),
    (0x8000_0003, "EV_EFI_BOOT_SERVICES_APPLICATION"),
    (0x8000_0004, "EV_EFI_BOOT_SERVICES_DRIVER"),
    (0x8000_0005, "EV_EFI_RUNTIME_SERVICES_DRIVER"),
    (0x8000_0006, "EV_EFI_GPT_EVENT"),
    (0x8000_0007, "EV_EFI_ACTION"),
    (0x8000_0008, "EV_EFI_PLATFORM_FIRMWARE_BLOB"),
    (0x8000_0009, "EV_EFI_HANDOFF_TABLES"),
    (0x8000_000a, "EV_EFI_PLATFORM_FIRMWARE_BLOB2"),
    (0x8000_000b, "EV_EFI_HANDOFF_TABLES2"),
    (0x8000_000c, "EV_EFI_VARIABLE_BOOT2"),
    (0x8000_0010, "EV_EFI_HCRTM_EVENT"),
    (0x8000_00e0, "EV_EFI_VARIABLE_AUTHORITY"),
    (0x8000_00e1, "EV_EFI_SPDM_FIRMWARE_BLOB"),
];

/// What was told so far.
#[derive(Debug, Default)]
pub struct Summary {
    registers: Vec<(String, List)>,
    firmware: List,
    applications: List,
    kernels: List,
    initrds: List,
    command_lines: List,
}

/// Texts within bounds, and how many there were beyond.
#[derive(Debug, Default)]
struct List {
    texts: Vec<String>,
    bytes: usize,
    beyond: usize,
}

impl List {
    fn add(&mut self, text: String) {
        let bytes = self.bytes.saturating_add(text.len());
        if bytes > MAX_TEXTS || self.texts.len() >= MAX_COUNT {
            self.beyond += 1;
            return;
        }
        self.bytes = bytes;
        self.texts.push(text);
    }
}

impl Summary {
    /// One event that extended a register, in the order of the log: `pcr4`, `rtmr1`. `is_digested`: whether
    /// the event's digest is one of these bytes, as the host finds.
    pub fn tell(
        &mut self,
        register: &str,
        bank: Bank,
        event: &Event<'_>,
        is_digested: impl Fn(&[u8]) -> bool,
    ) {
        let Some(digest) = event.digest(bank).map(hex::encode) else { return };
        let line = format!("{} {digest}", name(event.kind));
        match self.registers.iter_mut().find(|(known, _)| known == register) {
            Some((_, events)) => events.add(line),
            None => {
                let mut events = List::default();
                events.add(line);
                self.registers.push((register.into(), events));
            }
        }
        match event.kind {
            0x1 | 0x7 | 0x8 | 0x8000_0008 | 0x8000_000a => self.firmware.add(digest),
            kind::EFI_BOOT_SERVICES_APPLICATION => self.applications.add(digest),
            EVENT_TAG => self.tag(event.data, digest, is_digested),
            kind::IPL => self.ipl(event.data, digest, is_digested),
            _ => {}
        }
    }

    /// What Linux' boot stub measured: tag, length, and what is digested.
    fn tag(&mut self, data: &[u8], digest: String, is_digested: impl Fn(&[u8]) -> bool) {
        let Some((tag, rest)) = data.split_first_chunk::<4>() else { return };
        let text = rest.get(4..).unwrap_or_default();
        match u32::from_le_bytes(*tag) {
            INITRD => self.initrds.add(digest),
            LOAD_OPTIONS if is_digested(text) => self.line(wide(text)),
            _ => {}
        }
    }

    /// What a boot loader measured: GRUB names files and command lines, systemd's stub the sections of a
    /// unified kernel and, in UTF-16, the command line itself.
    fn ipl(&mut self, data: &[u8], digest: String, is_digested: impl Fn(&[u8]) -> bool) {
        if let Some(line) = data.strip_prefix(GRUB_CMDLINE) {
            let line = line.strip_suffix(&[0]).unwrap_or(line);
            if is_digested(line) {
                self.line(String::from_utf8(line.to_vec()).ok());
            }
            return;
        }
        let wide = wide(data);
        let text = match &wide {
            Some(text) => text.as_str(),
            None => std::str::from_utf8(data).unwrap_or_default().trim_end_matches('\0'),
        };
        let file = text.rsplit(['/', '\\', ')']).next().unwrap_or_default();
        let begins = |names: &[&str]| names.iter().any(|name| file.starts_with(name));
        if text == ".linux" || begins(&["vmlinuz", "vmlinux", "bzImage"]) {
            self.kernels.add(digest);
        } else if text == ".initrd" || begins(&["initrd", "initramfs"]) {
            self.initrds.add(digest);
        } else if wide.is_some() && is_digested(data) {
            self.line(wide);
        }
    }

    fn line(&mut self, line: Option<String>) {
        let line = line.filter(|line| !line.is_empty() && line.len() <= MAX_LINE);
        line.into_iter().for_each(|line| self.command_lines.add(line));
    }

    /// `eventlog.firmware`, `.application`, `.kernel`, `.initrd`: digests in hexadecimal; `.cmdline`: as it was
    /// digested; `.secure_boot`: as [`super::Register::secure_boot`] finds it; and for each register its events, kind and digest:
    /// `eventlog.pcr4`. Where there are more than are told, `eventlog.pcr4_beyond` says how many.
    #[must_use]
    pub fn claims(self, secure_boot: Option<bool>) -> Vec<Claim> {
        let named = [
            ("firmware", self.firmware),
            ("application", self.applications),
            ("kernel", self.kernels),
            ("initrd", self.initrds),
            ("cmdline", self.command_lines),
        ];
        let named = named.map(|(name, list)| (name.to_owned(), list));
        let mut claims = Vec::new();
        for (name, list) in named.into_iter().chain(self.registers) {
            if list.beyond > 0 {
                let beyond = u64::try_from(list.beyond).unwrap_or(u64::MAX);
                claims.push(claim(&format!("{name}_beyond"), Value::Unsigned(beyond)));
            }
            if !list.texts.is_empty() {
                claims.push(claim(&name, Value::Texts(list.texts)));
            }
        }
        claims.extend(secure_boot.map(|on| claim("secure_boot", Value::Flag(on))));
        claims
    }
}

const EVENT_TAG: u32 = 0x6;

fn claim(name: &str, value: Value) -> Claim {
    Claim { name: format!("eventlog.{name}"), value }
}

fn name(kind: u32) -> String {
    let known = KINDS.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("{kind:#010x}"), |(_, name)| (*name).to_owned())
}

/// UTF-16 in little-endian of printable signs; none where it is something else.
fn wide(bytes: &[u8]) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let text = char::decode_utf16(units).collect::<Result<String, _>>().ok()?;
    let text = text.trim_end_matches('\0');
    // Letters of ASCII in pairs are signs of other scripts: whoever writes wide writes ASCII here.
    let plain = !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    (rest.is_empty() && plain).then(|| text.to_owned())
}
