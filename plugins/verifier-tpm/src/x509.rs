//! As much of X.509 as is needed to put a chain in order and to tell the key in a certificate. Nothing
//! here is believed: the host reads and checks every certificate of the chain itself.

use claviger_plugin_sdk::der::{Reader, tag};

/// `[0]`, the version.
const VERSION: u8 = 0xa0;

/// Purposes of keys that TPMs hold (TCG EK Credential Profile 2.5, section 3.5.14; Infrastructure WG,
/// Credential Profiles for TPM 2.0): tcg-kp-EKCertificate, under which Google certifies AKs too, and
/// tcg-kp-AIKCertificate.
const TPM_PURPOSES: [&[u8]; 2] = [&[0x67, 0x81, 0x05, 0x08, 0x01], &[0x67, 0x81, 0x05, 0x08, 0x03]];

/// A certificate, as far as it is read: whole elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Certificate<'a> {
    /// All of it, without what stands behind: NV indexes are padded.
    pub(crate) der: &'a [u8],
    pub(crate) issuer: &'a [u8],
    pub(crate) subject: &'a [u8],
    /// SubjectPublicKeyInfo.
    pub(crate) key: &'a [u8],
}

impl<'a> Certificate<'a> {
    pub(crate) fn read(der: &'a [u8]) -> Option<Self> {
        let whole = Reader::new(der).expect(tag::SEQUENCE)?;
        let mut fields = Reader::new(whole.content).nested(tag::SEQUENCE)?;
        let _version = fields.optional(VERSION);
        let _serial_number = fields.expect(tag::INTEGER)?;
        let mut sequence = || fields.expect(tag::SEQUENCE).map(|element| element.raw);
        let (_algorithm, issuer) = (sequence()?, sequence()?);
        let (_validity, subject, key) = (sequence()?, sequence()?, sequence()?);
        Some(Self { der: whole.raw, issuer, subject, key })
    }
}

/// Whether an extended key usage (the extension's value) is of a TPM's key.
pub(crate) fn is_for_tpms(usage: &[u8]) -> bool {
    let Some(mut purposes) = Reader::new(usage).nested(tag::SEQUENCE) else { return false };
    let mut purposes = std::iter::from_fn(|| purposes.expect(tag::OID));
    purposes.any(|purpose| TPM_PURPOSES.contains(&purpose.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8][..], content].concat()
    }

    fn certificate() -> Vec<u8> {
        let fields = [
            der(VERSION, &der(tag::INTEGER, &[2])),
            der(tag::INTEGER, &[1]),
            der(tag::SEQUENCE, &[]),
            der(tag::SEQUENCE, b"issuer"),
            der(tag::SEQUENCE, &[]),
            der(tag::SEQUENCE, b"subject"),
            der(tag::SEQUENCE, b"key"),
        ];
        der(tag::SEQUENCE, &der(tag::SEQUENCE, &fields.concat()))
    }

    #[test]
    fn a_certificate_is_read_without_what_stands_behind() {
        let whole = certificate();
        let padded = [whole.clone(), vec![0; 40]].concat();
        let read = Certificate::read(&padded).unwrap();
        assert_eq!(read.der, whole);
        assert_eq!((read.issuer, read.subject), (&b"0\x06issuer"[..], &b"0\x07subject"[..]));
        assert_eq!(read.key, b"0\x03key");
        for length in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..length]), None, "{length}");
        }
    }

    #[test]
    fn only_purposes_of_tpms_will_do() {
        let usage = |purposes: &[&[u8]]| {
            let purposes: Vec<_> = purposes.iter().map(|purpose| der(tag::OID, purpose)).collect();
            der(tag::SEQUENCE, &purposes.concat())
        };
        let server: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
        assert!(is_for_tpms(&usage(&[server, TPM_PURPOSES[1]])));
        assert!(is_for_tpms(&usage(&[TPM_PURPOSES[0]])));
        assert!(!is_for_tpms(&usage(&[server])));
        assert!(!is_for_tpms(&[]));
    }
}
