//! SPDM 1.1 (DMTF DSP0274, sections 10.11.1 and 10.11.2): GET_MEASUREMENTS, 37 bytes, and behind it
//! the MEASUREMENTS response with the signature over both. Numbers are little-endian.

use claviger_plugin_sdk::verifier::types::Span;

use crate::opaque::Opaque;

/// With these bytes a request begins; its nonce and the slot follow.
pub(crate) const REQUEST_START: [u8; 2] = [VERSION, GET_MEASUREMENTS];

const VERSION: u8 = 0x11;
const GET_MEASUREMENTS: u8 = 0xe0;
const MEASUREMENTS: u8 = 0x60;
/// Attributes of the request: a signature is asked for.
const WITH_SIGNATURE: u8 = 1;
/// Operation of the request: all measurements, for one that is left out could be one that is bad.
const ALL: u8 = 0xff;
/// The certificate slots of a device.
const SLOTS: u8 = 8;

/// The nonce in the request: the verifier's.
const NONCE: Span = Span { start: 4, length: 32 };
const NONCE_SIZE: usize = 32;
/// ECDSA P-384: r then s, big-endian.
const SIGNATURE: usize = 96;

/// A block in the form of the DMTF: its specification bit, and type and length before the value.
const DMTF: u8 = 1;
const DMTF_HEAD: usize = 3;
/// SHA-384.
const DIGEST: usize = 48;
/// Bit 7 of a measurement's type: the value is no digest.
const RAW: u8 = 0x80;

/// A report, taken apart; nothing of it is checked yet.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// Request and response, up to the signature.
    pub(crate) signed: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// The verifier's nonce, 32 bytes.
    pub(crate) nonce: Span,
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) opaque: Opaque<'a>,
}

/// One measurement: a SHA-384 digest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measurement {
    /// From 1; each greater than the one before.
    pub(crate) index: u8,
    pub(crate) value: Span,
}

impl<'a> Report<'a> {
    /// Takes apart a request and its response that fill `transcript`.
    pub(crate) fn read(transcript: &'a [u8]) -> Result<Self, &'static str> {
        let mut cursor = Cursor { whole: transcript, at: 0 };
        let slot = request(&mut cursor)?;
        let [version, code, reserved, answered, count] = cursor.array()?;
        if [version, code] != [VERSION, MEASUREMENTS] {
            return Err("behind the request stands no MEASUREMENTS response of SPDM 1.1");
        }
        if [reserved, answered] != [0, slot] {
            return Err("the response is not for the slot of the request");
        }
        let [low, middle, high] = cursor.array()?;
        let length = usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16;
        let record_end = cursor.at.saturating_add(length);
        let measurements = record(&mut cursor, count, record_end)?;
        // The device's own nonce.
        cursor.take(NONCE_SIZE)?;
        let length = usize::from(u16::from_le_bytes(cursor.array()?));
        let start = cursor.at;
        let opaque = Opaque::read(cursor.take(length)?, start)?;
        let signed = transcript.get(..cursor.at).ok_or(TRUNCATED)?;
        let signature = cursor.take(SIGNATURE)?;
        if cursor.at != transcript.len() {
            return Err("something stands behind the signature");
        }
        Ok(Self { signed, signature, nonce: NONCE, measurements, opaque })
    }
}

/// The slot that is asked.
fn request(cursor: &mut Cursor<'_>) -> Result<u8, &'static str> {
    let [version, code, attributes, operation] = cursor.array()?;
    if [version, code] != REQUEST_START {
        return Err("it does not begin with a GET_MEASUREMENTS request of SPDM 1.1");
    }
    if attributes != WITH_SIGNATURE || operation != ALL {
        return Err("the request is not for all measurements with a signature");
    }
    cursor.take(NONCE_SIZE)?;
    let [slot] = cursor.array()?;
    if slot >= SLOTS {
        return Err("there is no slot of that number");
    }
    Ok(slot)
}

fn record(
    cursor: &mut Cursor<'_>,
    count: u8,
    end: usize,
) -> Result<Vec<Measurement>, &'static str> {
    let mut measurements: Vec<Measurement> = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let [index, specification, low, high] = cursor.array()?;
        let size = usize::from(u16::from_le_bytes([low, high]));
        let [kind, low, high] = cursor.array()?;
        let value = usize::from(u16::from_le_bytes([low, high]));
        if specification != DMTF || size != value + DMTF_HEAD {
            return Err("a measurement is not in the form of the DMTF");
        }
        if kind & RAW != 0 || value != DIGEST {
            return Err("a measurement is no SHA-384 digest");
        }
        if index <= measurements.last().map_or(0, |last| last.index) {
            return Err("the measurements are not in the order of their indices");
        }
        let value = cursor.span(value)?;
        measurements.push(Measurement { index, value });
    }
    match cursor.at == end {
        true => Ok(measurements),
        false => Err("the measurements do not fill their record"),
    }
}

/// Where reading has come to.
struct Cursor<'a> {
    whole: &'a [u8],
    at: usize,
}

const TRUNCATED: &str = "the report ends too early";

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(length).ok_or(TRUNCATED)?;
        let bytes = self.whole.get(self.at..end).ok_or(TRUNCATED)?;
        self.at = end;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| TRUNCATED)
    }

    fn span(&mut self, length: usize) -> Result<Span, &'static str> {
        let start = u32::try_from(self.at).map_err(|_| TRUNCATED)?;
        let length = u32::try_from(self.take(length)?.len()).map_err(|_| TRUNCATED)?;
        Ok(Span { start, length })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A report with these measurements and opaque fields, and a signature of zeros.
    pub(crate) fn report(indices: &[u8], fields: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![0x11, 0xe0, 1, 0xff];
        bytes.extend([7; 32]);
        bytes.push(0);
        bytes.extend([0x11, 0x60, 0, 0, indices.len() as u8]);
        bytes.extend(&((indices.len() * 55) as u32).to_le_bytes()[..3]);
        for index in indices {
            bytes.extend([*index, 1, 51, 0, 1, 48, 0]);
            bytes.extend([*index; 48]);
        }
        bytes.extend([8; 32]);
        let mut opaque = Vec::new();
        for (kind, value) in fields {
            opaque.extend(kind.to_le_bytes());
            opaque.extend((value.len() as u16).to_le_bytes());
            opaque.extend(*value);
        }
        bytes.extend((opaque.len() as u16).to_le_bytes());
        bytes.extend(opaque);
        bytes.extend([0; 96]);
        bytes
    }

    fn at(bytes: &[u8], span: Span) -> &[u8] {
        &bytes[span.start as usize..][..span.length as usize]
    }

    #[test]
    fn a_report_is_taken_apart() {
        let bytes = report(&[1, 2, 9], &[(3, b"575.32\0")]);
        let report = Report::read(&bytes).unwrap();
        assert_eq!(at(&bytes, report.nonce), [7; 32]);
        let indices: Vec<u8> = report.measurements.iter().map(|one| one.index).collect();
        assert_eq!(indices, [1, 2, 9]);
        for one in &report.measurements {
            assert_eq!(at(&bytes, one.value), [one.index; 48]);
        }
        assert_eq!(report.signed.len() + 96, bytes.len());
        assert_eq!(report.signature, [0; 96]);
    }

    // attack 27
    #[test]
    fn every_truncation_is_refused_and_so_is_a_byte_more() {
        let bytes = report(&[1, 2], &[(3, b"575.32\0"), (20, &[5; 48])]);
        Report::read(&bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(Report::read(&bytes[..length]).is_err(), "{length}");
        }
        let error = Report::read(&[&*bytes, &[0]].concat()).unwrap_err();
        assert!(error.contains("behind the signature"), "{error}");
    }

    #[test]
    fn what_says_something_else_is_refused() {
        let whole = report(&[1, 2], &[]);
        // Version, code, without a signature, one measurement only, no such slot; then the response.
        for (place, value) in [
            (0, 0x12),
            (1, 0xe1),
            (2, 0),
            (3, 1),
            (36, 8),
            (36, 1),
            (37, 0x12),
            (38, 0x61),
            (39, 1),
            (40, 1),
            (41, 1),
            (41, 3),
            (42, 0x6f),
            (44, 1),
            // The first measurement: its index, specification, sizes and type.
            (45, 0),
            (45, 2),
            (46, 2),
            (47, 52),
            (49, 0x81),
            (50, 47),
        ] {
            let mut bytes = whole.clone();
            bytes[place] = value;
            assert!(Report::read(&bytes).is_err(), "{value:#x} at {place}");
        }
        let twice = report(&[3, 3], &[]);
        assert!(Report::read(&twice).unwrap_err().contains("order"));
    }
}
