//! As much of X.509 as is needed to put a chain in order and to tell the key in a certificate. Nothing
//! here is believed: the host reads and checks every certificate of the chain itself.

use claviger_plugin_sdk::base64;
use claviger_plugin_sdk::bytes::Bytes;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const VERSION: u8 = 0xa0;

/// Purposes of keys that TPMs hold (TCG EK Credential Profile 2.5, section 3.5.14; Infrastructure WG,
/// Credential Profiles for TPM 2.0): tcg-kp-EKCertificate, under which Google certifies AKs too, and
/// tcg-kp-AIKCertificate.
const TPM_PURPOSES: [&[u8]; 2] = [&[0x67, 0x81, 0x05, 0x08, 0x01], &[0x67, 0x81, 0x05, 0x08, 0x03]];

/// A certificate, as far as it is read.
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
        let mut outer = Bytes(der);
        let (_, whole, content) = element(&mut outer).filter(|(tag, ..)| *tag == SEQUENCE)?;
        let (_, _, signed) = element(&mut Bytes(content)).filter(|(tag, ..)| *tag == SEQUENCE)?;
        let mut fields = Bytes(signed);
        let (mut tag, ..) = element(&mut fields)?;
        if tag == VERSION {
            (tag, ..) = element(&mut fields)?;
        }
        if tag != INTEGER {
            return None;
        }
        let mut next = || element(&mut fields).filter(|(tag, ..)| *tag == SEQUENCE);
        let (_algorithm, issuer) = (next()?, next()?.1);
        let (_validity, subject, key) = (next()?, next()?.1, next()?.1);
        Some(Self { der: whole, issuer, subject, key })
    }
}

/// The certificates in PEM, or the one that is DER.
pub(crate) fn unpack(blob: &[u8]) -> Vec<Vec<u8>> {
    let Some(pem) = std::str::from_utf8(blob).ok().filter(|text| text.contains("-----BEGIN"))
    else {
        return vec![blob.to_vec()];
    };
    let blocks = pem.split("-----BEGIN CERTIFICATE-----").skip(1);
    let body = |block: &str| {
        let (body, _) = block.split_once("-----END CERTIFICATE-----")?;
        base64::decode(&body.split_ascii_whitespace().collect::<String>())
    };
    blocks.filter_map(body).collect()
}

/// Whether an extended key usage (the extension's value) is of a TPM's key.
pub(crate) fn is_for_tpms(usage: &[u8]) -> bool {
    let mut outer = Bytes(usage);
    let Some((SEQUENCE, _, content)) = element(&mut outer) else { return false };
    let mut purposes = Bytes(content);
    let mut found = false;
    while let Some((tag, _, purpose)) = element(&mut purposes) {
        found |= tag == OID && TPM_PURPOSES.contains(&purpose);
    }
    found && purposes.is_empty() && outer.is_empty()
}

/// Tag, the whole element, its content. Tags of one byte, lengths of up to three.
fn element<'a>(bytes: &mut Bytes<'a>) -> Option<(u8, &'a [u8], &'a [u8])> {
    let whole = bytes.0;
    let tag = bytes.byte()?;
    let length = match bytes.byte()? {
        short @ 0..=0x7f => short.into(),
        0x81 => bytes.byte()?.into(),
        0x82 => bytes.u16_be()?.into(),
        0x83 => usize::from(bytes.byte()?) << 16 | usize::from(bytes.u16_be()?),
        _ => return None,
    };
    let content = bytes.take(length)?;
    Some((tag, whole.get(..whole.len() - bytes.0.len())?, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8][..], content].concat()
    }

    fn certificate() -> Vec<u8> {
        let fields = [
            der(VERSION, &der(INTEGER, &[2])),
            der(INTEGER, &[1]),
            der(SEQUENCE, &[]),
            der(SEQUENCE, b"issuer"),
            der(SEQUENCE, &[]),
            der(SEQUENCE, b"subject"),
            der(SEQUENCE, b"key"),
        ];
        der(SEQUENCE, &der(SEQUENCE, &fields.concat()))
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
    fn pem_is_unpacked() {
        let pem = "x\n-----BEGIN CERTIFICATE-----\nAQ\nID\n-----END CERTIFICATE-----\n";
        assert_eq!(unpack(pem.repeat(2).as_bytes()), [[1, 2, 3], [1, 2, 3]]);
        assert_eq!(unpack(&[0x30, 0xff]), [[0x30, 0xff]]);
    }

    #[test]
    fn only_purposes_of_tpms_will_do() {
        let usage = |purposes: &[&[u8]]| {
            let purposes: Vec<_> = purposes.iter().map(|purpose| der(OID, purpose)).collect();
            der(SEQUENCE, &purposes.concat())
        };
        let server: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
        assert!(is_for_tpms(&usage(&[server, TPM_PURPOSES[1]])));
        assert!(is_for_tpms(&usage(&[TPM_PURPOSES[0]])));
        assert!(!is_for_tpms(&usage(&[server])));
        assert!(!is_for_tpms(&[]));
        assert!(!is_for_tpms(&[usage(&[TPM_PURPOSES[0]]), vec![0]].concat()));
    }
}
