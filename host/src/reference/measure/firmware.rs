//! OVMF's table of GUIDed entries: read backwards from 32 bytes before the end of the firmware
//! (edk2, OvmfPkg/ResetVector). It leads to the descriptions of what is loaded where.

/// The footer that the table ends with: 96b582de-1fb2-45f7-baea-a366c55a082d.
pub(super) const FOOTER: [u8; 16] = guid(0x96b5_82de, 0x1fb2, 0x45f7, 0xbaea_a366_c55a_082d);

/// Length (2 bytes, little-endian) and GUID, behind an entry's data.
const HEADER: usize = 18;

/// Bytes behind the table.
const BEHIND: usize = 32;

/// The firmware is not what was expected.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the firmware: {0}")]
pub struct FirmwareError(pub String);

pub(super) type Result<T> = std::result::Result<T, FirmwareError>;

/// A GUID as firmware writes it: the first three parts little-endian.
pub(super) const fn guid(a: u32, b: u16, c: u16, d: u64) -> [u8; 16] {
    let (a, b, c, d) = (a.to_le_bytes(), b.to_le_bytes(), c.to_le_bytes(), d.to_be_bytes());
    [a[0], a[1], a[2], a[3], b[0], b[1], c[0], c[1], d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]]
}

pub(super) fn fault<T>(reason: impl Into<String>) -> Result<T> {
    Err(FirmwareError(reason.into()))
}

/// Firmware that ends where 4 GiB end.
#[derive(Clone, Copy)]
pub(super) struct Firmware<'a>(pub(super) &'a [u8]);

impl<'a> Firmware<'a> {
    /// The guest physical address of its first byte.
    pub(super) fn address(self) -> u64 {
        (1_u64 << 32).saturating_sub(self.0.len() as u64)
    }

    /// The data of an entry of the table.
    pub(super) fn entry(self, wanted: [u8; 16]) -> Result<Option<&'a [u8]>> {
        let end = self.0.len().checked_sub(BEHIND);
        let before = end.and_then(|end| self.0.get(..end)).unwrap_or_default();
        let Some((before, length)) = header(before, FOOTER) else {
            return fault("there is no table of GUIDs in it");
        };
        let start = before.len().checked_sub(length);
        let Some(mut table) = start.and_then(|start| before.get(start..)) else {
            return fault("its table of GUIDs is longer than it");
        };
        while !table.is_empty() {
            let found = table.last_chunk::<16>().copied().unwrap_or_default();
            let Some((before, length)) = header(table, found) else {
                return fault("an entry of its table is too short");
            };
            let Some((rest, data)) =
                before.len().checked_sub(length).and_then(|start| before.split_at_checked(start))
            else {
                return fault("an entry of its table is longer than the table");
            };
            if found == wanted {
                return Ok(Some(data));
            }
            table = rest;
        }
        Ok(None)
    }

    /// A little-endian number at the beginning of an entry.
    pub(super) fn number(self, wanted: [u8; 16], what: &str) -> Result<u32> {
        let number = self.entry(wanted)?.and_then(|data| data.first_chunk().copied());
        number.map(u32::from_le_bytes).ok_or_else(|| FirmwareError(format!("it names no {what}")))
    }

    /// What begins so many bytes before its end.
    pub(super) fn before_end(self, distance: u32, what: &str) -> Result<&'a [u8]> {
        let start = usize::try_from(distance).ok().and_then(|back| self.0.len().checked_sub(back));
        let found = start.and_then(|start| self.0.get(start..));
        found.ok_or_else(|| FirmwareError(format!("{what} lies outside")))
    }
}

/// What stands before an entry's header, and how many bytes of it are the entry's data.
fn header(bytes: &[u8], wanted: [u8; 16]) -> Option<(&[u8], usize)> {
    let (before, found) = bytes.split_last_chunk::<16>()?;
    let (before, length) = before.split_last_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes(*length)).checked_sub(HEADER)?;
    (*found == wanted).then_some((before, length))
}
