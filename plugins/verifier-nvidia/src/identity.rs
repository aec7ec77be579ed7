//! Which device its certificate speaks of, and which firmware.

use claviger_plugin_sdk::der::{Reader, tag};
use claviger_plugin_sdk::verifier::Rejection;

/// 1.3.6.1.4.1.412.274.1 (DMTF DSP0274, "otherName"): `vendor:product:serial number`.
const DEVICE_INFO: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0x1c, 0x82, 0x12, 0x01];
/// 2.16.840.1.101.3.4.2.2.
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02];
const VENDOR: &str = "NVIDIA";

/// Product names by how they begin: architecture, and what such a device is.
const PRODUCTS: [(&str, &str, Kind); 3] =
    [("GB", "BLACKWELL", Kind::Gpu), ("GH", "HOPPER", Kind::Gpu), ("LS_10", "LS10", Kind::Switch)];

/// What a device is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Gpu,
    Switch,
}

/// A device, as its certificate names it.
#[derive(Debug, PartialEq)]
pub(crate) struct Identity {
    /// `GH100`.
    pub(crate) product: String,
    /// `HOPPER`.
    pub(crate) architecture: &'static str,
    pub(crate) kind: Kind,
    /// Upper-case hexadecimal.
    pub(crate) serial: String,
    pub(crate) firmware: Option<Firmware>,
}

/// The firmware that the certificate was made for, as the layer below measured it.
#[derive(Debug, PartialEq)]
pub(crate) struct Firmware {
    /// SHA-384.
    pub(crate) id: Vec<u8>,
    /// Whether it may be debugged (TCG DICE, OperationalFlags), where the certificate says.
    pub(crate) debug: Option<bool>,
}

impl Identity {
    /// From a certificate's alternative name and what it says of firmware; `reported`: the firmware that
    /// signed, as the report has it, which must be the one that the certificate is for.
    pub(crate) fn of(
        name: Option<&[u8]>,
        firmware: Option<Firmware>,
        reported: Option<&[u8]>,
    ) -> Result<Self, Rejection> {
        let info = name.and_then(device_info).unwrap_or_default();
        let parts: Vec<&str> = info.split(':').collect();
        let [VENDOR, product, serial] = parts[..] else {
            return Err(Rejection::Untrusted("the certificate names no device of NVIDIA's".into()));
        };
        let known = PRODUCTS.into_iter().find(|(start, ..)| product.starts_with(start));
        let Some((_, architecture, kind)) = known else {
            return Err(Rejection::Unsupported(format!("the product {}", product.escape_debug())));
        };
        let (product, serial) = (product.to_owned(), serial.to_owned());
        let device = Self { product, architecture, kind, serial, firmware };
        device.matches(reported)?;
        Ok(device)
    }

    /// Firmware that does not say what it is has said nothing against its certificate, which does.
    fn matches(&self, reported: Option<&[u8]>) -> Result<(), Rejection> {
        let Some(reported) = reported else { return Ok(()) };
        match &self.firmware {
            Some(firmware) if firmware.id == reported => Ok(()),
            Some(_) => Err(Rejection::Untrusted(
                "the report is of other firmware than the certificate".into(),
            )),
            None => Err(Rejection::Untrusted("the certificate says nothing of firmware".into())),
        }
    }
}

/// The text of the first DMTF name.
fn device_info(names: &[u8]) -> Option<&str> {
    const OTHER_NAME: u8 = 0xa0;
    let mut names = Reader::new(names).nested(tag::SEQUENCE)?;
    while let Some(name) = names.any() {
        if name.tag != OTHER_NAME {
            continue;
        }
        let mut parts = Reader::new(name.content);
        if parts.expect(tag::OID)?.content == DEVICE_INFO {
            let text = parts.nested(0xa0)?.expect(tag::UTF8_STRING)?;
            return std::str::from_utf8(text.content).ok();
        }
    }
    None
}

/// Hopper's form: a version, the key of the layer below, and one id.
pub(crate) fn composite(extension: &[u8]) -> Option<Firmware> {
    let mut fields = Reader::new(extension).nested(tag::SEQUENCE)?;
    fields.expect(tag::INTEGER)?;
    fields.expect(tag::SEQUENCE)?;
    let id = firmware_id(&mut fields)?;
    Some(Firmware { id, debug: None })
}

/// Blackwell's: DiceTcbInfo, whose first id is that of the firmware; the others are for later layers.
pub(crate) fn tcb_info(extension: &[u8]) -> Option<Firmware> {
    const IDS: u8 = 0xa6;
    const FLAGS: u8 = 0x87;
    /// OperationalFlags, most significant bit first: not configured, not secure, recovery, debug.
    const DEBUG: u8 = 0x10;
    let mut fields = Reader::new(extension).nested(tag::SEQUENCE)?;
    let (mut id, mut debug) = (None, None);
    while !fields.is_empty() {
        let field = fields.any()?;
        match field.tag {
            IDS if id.is_none() => id = Some(firmware_id(&mut Reader::new(field.content))?),
            FLAGS if debug.is_none() => {
                let [_, first, ..] = field.content else { return None };
                debug = Some(first & DEBUG != 0);
            }
            IDS | FLAGS => return None,
            _ => {}
        }
    }
    Some(Firmware { id: id?, debug })
}

fn firmware_id(fields: &mut Reader<'_>) -> Option<Vec<u8>> {
    let mut id = fields.nested(tag::SEQUENCE)?;
    if id.expect(tag::OID)?.content != SHA384 {
        return None;
    }
    let digest = id.expect(tag::OCTET_STRING)?.content;
    (digest.len() == 48 && id.is_empty()).then(|| digest.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let head = match content.len() as u8 {
            length @ 0..=0x7f => vec![tag, length],
            length => vec![tag, 0x81, length],
        };
        [head, content].concat()
    }

    fn named(text: &str) -> Vec<u8> {
        let text = tlv(tag::UTF8_STRING, &[text.as_bytes()]);
        let other = tlv(0xa0, &[&tlv(tag::OID, &[DEVICE_INFO]), &tlv(0xa0, &[&text])]);
        tlv(tag::SEQUENCE, &[&tlv(0x82, &[b"host.example"]), &other])
    }

    fn id(digest: &[u8]) -> Vec<u8> {
        let parts = [tlv(tag::OID, &[SHA384]), tlv(tag::OCTET_STRING, &[digest])];
        tlv(tag::SEQUENCE, &[&parts[0], &parts[1]])
    }

    #[test]
    fn a_device_is_what_its_certificate_names() {
        let of = |text: &str| Identity::of(Some(&named(text)), None, None);
        let found = of("NVIDIA:GH100:48B02DF44660DA06").unwrap();
        assert_eq!((found.product.as_str(), found.architecture), ("GH100", "HOPPER"));
        assert_eq!((found.serial.as_str(), found.kind), ("48B02DF44660DA06", Kind::Gpu));
        assert_eq!(of("NVIDIA:GB202:1").unwrap().architecture, "BLACKWELL");
        assert_eq!(of("NVIDIA:LS_10:1").unwrap().kind, Kind::Switch);
        assert!(matches!(of("NVIDIA:BF3:1"), Err(Rejection::Unsupported(_))));
        for text in ["ACME:GH100:1", "NVIDIA:GH100", "NVIDIA:GH100:1:2", ""] {
            assert!(matches!(of(text), Err(Rejection::Untrusted(_))), "{text}");
        }
        assert!(matches!(Identity::of(None, None, None), Err(Rejection::Untrusted(_))));
    }

    #[test]
    fn the_firmware_id_is_read_in_both_forms() {
        let hopper =
            tlv(tag::SEQUENCE, &[&[2, 1, 1], &tlv(tag::SEQUENCE, &[&[4, 1, 9]]), &id(&[7; 48])]);
        assert_eq!(composite(&hopper), Some(Firmware { id: vec![7; 48], debug: None }));
        let blackwell = |flags: u8| {
            let ids = tlv(0xa6, &[&id(&[7; 48]), &id(&[0; 48])]);
            tlv(tag::SEQUENCE, &[&[0x83, 1, 1], &ids, &[0x87, 3, 0, flags, 1]])
        };
        let found = tcb_info(&blackwell(0x80)).unwrap();
        assert_eq!(found, Firmware { id: vec![7; 48], debug: Some(false) });
        assert_eq!(tcb_info(&blackwell(0x10)).unwrap().debug, Some(true));
        for length in 0..hopper.len() {
            assert_eq!(composite(&hopper[..length]), None);
        }
        assert_eq!(composite(&tlv(tag::SEQUENCE, &[&[2, 1, 1], &[0x30, 0], &id(&[7; 47])])), None);
    }

    #[test]
    fn a_report_of_other_firmware_than_the_certificate_is_untrusted() {
        let firmware = || Some(Firmware { id: vec![7; 48], debug: None });
        let name = named("NVIDIA:GH100:1");
        let of = |firmware, reported: Option<&[u8]>| Identity::of(Some(&name), firmware, reported);
        of(firmware(), Some(&[7; 48])).unwrap();
        of(firmware(), None).unwrap();
        assert!(matches!(of(firmware(), Some(&[8; 48])), Err(Rejection::Untrusted(_))));
        assert!(matches!(of(None, Some(&[7; 48])), Err(Rejection::Untrusted(_))));
    }
}
