//! Protocol Buffers' wire format, as much of it as go-tpm-tools' messages need.

use claviger_plugin_sdk::bytes::Bytes;

/// A message has no more fields.
const MAX_FIELDS: usize = 4096;

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Number(_) => None,
        }
    }

    pub(crate) fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Bytes(_) => None,
        }
    }
}

/// The fields of a message in their order; none where it is not one.
pub(crate) fn fields(message: &[u8]) -> Option<Vec<(u64, Value<'_>)>> {
    let mut bytes = Bytes(message);
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            1 => Value::Number(bytes.u64_le()?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(bytes.take(length)?)
            }
            5 => Value::Number(bytes.u32_le()?.into()),
            _ => return None,
        };
        if fields.len() == MAX_FIELDS || tag >> 3 == 0 {
            return None;
        }
        fields.push((tag >> 3, value));
    }
    Some(fields)
}

/// Seven bits a byte, the lowest first; at most ten bytes.
fn varint(bytes: &mut Bytes<'_>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.byte()?;
        let part = u64::from(byte & 0x7f);
        if shift == 63 && part > 1 {
            return None;
        }
        number |= part << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read() {
        let message = [0x08, 0x96, 0x01, 0x12, 0x02, b'h', b'i', 0x1d, 1, 0, 0, 0];
        let read = fields(&message).unwrap();
        assert_eq!(
            read,
            [(1, Value::Number(150)), (2, Value::Bytes(b"hi")), (3, Value::Number(1))]
        );
        for length in [1, 2, 4, 5, 6, 8, 11] {
            assert_eq!(fields(&message[..length]), None, "{length}");
        }
    }

    #[test]
    fn numbers_that_cannot_be_are_refused() {
        assert_eq!(fields(&[0x0b]), None);
        assert_eq!(fields(&[0x00, 0x01]), None);
        assert_eq!(fields(&[&[0x08][..], &[0xff; 10]].concat()), None);
        assert_eq!(fields(&[&[0x12][..], &[0xff; 9], &[1]].concat()), None);
        assert_eq!(
            fields(&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02]),
            None
        );
        assert_eq!(fields(&[0x08, 1].repeat(MAX_FIELDS + 1)), None);
    }
}
