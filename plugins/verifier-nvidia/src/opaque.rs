//! What NVIDIA's devices say beside their measurements: the response's opaque data, fields of a
//! 2-byte type and a 2-byte length (NVIDIA attestation SDK, "opaque data"). Numbers are little-endian.

use claviger_plugin_sdk::verifier::types::Span;

/// Types of fields, by NVIDIA's names for them.
pub(crate) mod kind {
    pub(crate) const DRIVER_VERSION: u16 = 3;
    pub(crate) const GPU_INFO: u16 = 4;
    pub(crate) const VBIOS_VERSION: u16 = 6;
    pub(crate) const NVDEC0_STATUS: u16 = 11;
    pub(crate) const CPRINFO: u16 = 13;
    pub(crate) const BOARD_ID: u16 = 14;
    pub(crate) const CHIP_SKU: u16 = 15;
    pub(crate) const CHIP_SKU_MOD: u16 = 16;
    pub(crate) const PROJECT: u16 = 17;
    pub(crate) const PROJECT_SKU: u16 = 18;
    pub(crate) const PROJECT_SKU_MOD: u16 = 19;
    pub(crate) const FWID: u16 = 20;
    pub(crate) const PROTECTED_PCIE_STATUS: u16 = 21;
    pub(crate) const SWITCH_PDI: u16 = 22;
    pub(crate) const FLOORSWEPT_PORTS: u16 = 23;
    pub(crate) const POSITION_ID: u16 = 24;
    pub(crate) const LOCK_SWITCH_STATUS: u16 = 25;
    pub(crate) const SYS_ENABLE_STATUS: u16 = 33;
    pub(crate) const OPAQUE_DATA_VERSION: u16 = 34;
    pub(crate) const CHIP_INFO: u16 = 35;
    pub(crate) const FEATURE_FLAG: u16 = 36;
}

/// More than any device sends.
const MAX_FIELDS: usize = 64;

/// The fields, each of another type.
#[derive(Debug)]
pub(crate) struct Opaque<'a>(Vec<Field<'a>>);

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    kind: u16,
    pub(crate) value: &'a [u8],
    start: usize,
}

impl<'a> Opaque<'a> {
    /// Reads fields that fill `bytes`, which begin at `start` of the report.
    pub(crate) fn read(bytes: &'a [u8], start: usize) -> Result<Self, &'static str> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, behind) = rest.split_first_chunk::<4>().ok_or(TRUNCATED)?;
            let [kind_low, kind_high, low, high] = *head;
            let kind = u16::from_le_bytes([kind_low, kind_high]);
            let length = usize::from(u16::from_le_bytes([low, high]));
            let (value, behind) = behind.split_at_checked(length).ok_or(TRUNCATED)?;
            if fields.iter().any(|field| field.kind == kind) {
                return Err("a field of the opaque data comes twice");
            }
            if fields.len() == MAX_FIELDS {
                return Err("the opaque data has too many fields");
            }
            let place = start + bytes.len() - behind.len() - length;
            fields.push(Field { kind, value, start: place });
            rest = behind;
        }
        Ok(Self(fields))
    }

    pub(crate) fn field(&self, kind: u16) -> Option<&Field<'a>> {
        self.0.iter().find(|field| field.kind == kind)
    }

    /// The firmware's id; older firmware does not say it.
    pub(crate) fn fwid(&self) -> Option<&'a [u8]> {
        self.field(kind::FWID).map(|field| field.value)
    }
}

impl Field<'_> {
    /// Where its value stands in the report; none for an empty one.
    pub(crate) fn span(&self) -> Option<Span> {
        let length = u32::try_from(self.value.len()).ok().filter(|length| *length > 0)?;
        Some(Span { start: u32::try_from(self.start).ok()?, length })
    }

    /// Text that zeros end, or none where it is empty.
    pub(crate) fn text(&self) -> Result<Option<&str>, &'static str> {
        let length = self.value.iter().take_while(|byte| byte.is_ascii_graphic()).count();
        let (text, rest) = self.value.split_at_checked(length).ok_or(TRUNCATED)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err("a text in the opaque data is none");
        }
        let text = std::str::from_utf8(text).map_err(|_| "a text in the opaque data is none")?;
        Ok((!text.is_empty()).then_some(text))
    }
}

const TRUNCATED: &str = "the opaque data ends too early";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_where_they_stand() {
        let bytes = [3, 0, 2, 0, b'5', 0, 20, 0, 0, 0, 21, 1, 1, 0, 9];
        let opaque = Opaque::read(&bytes, 100).unwrap();
        let driver = opaque.field(kind::DRIVER_VERSION).unwrap();
        assert_eq!(driver.text(), Ok(Some("5")));
        assert_eq!(driver.span().map(|span| (span.start, span.length)), Some((104, 2)));
        assert_eq!(opaque.fwid(), Some(&[][..]));
        assert!(opaque.field(kind::FWID).unwrap().span().is_none());
        assert_eq!(opaque.field(0x115).unwrap().value, [9]);
        assert!(opaque.field(kind::PROTECTED_PCIE_STATUS).is_none());
    }

    #[test]
    fn fields_that_do_not_fit_are_refused() {
        for bytes in [&[3][..], &[3, 0, 1, 0], &[3, 0, 0, 0, 3, 0, 0, 0], &[3, 0, 0xff, 0xff, 1]] {
            assert!(Opaque::read(bytes, 0).is_err(), "{bytes:?}");
        }
        let many: Vec<u8> = (0..100).flat_map(|kind| [kind, 0, 0, 0]).collect();
        assert!(Opaque::read(&many, 0).is_err());
    }

    #[test]
    fn a_text_is_graphic_and_ends_in_zeros() {
        let text = |value: &'static [u8]| {
            Field { kind: 3, value, start: 0 }.text().map(|text| text.map(str::to_owned))
        };
        assert_eq!(text(b"G525\0\0"), Ok(Some("G525".to_owned())));
        assert_eq!(text(b"\0\0"), Ok(None));
        for value in [&b"a b"[..], b"a\0b", b"\xff", b"a\n"] {
            assert!(text(value).is_err());
        }
    }
}
