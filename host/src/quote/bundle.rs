//! What comes with evidence: certificates and revocation lists as DER, PEM or AMD's certificate
//! table, recognised by content.

use super::der::{Reader, tag};
use super::fault::Fault;
use super::snp::table;
use super::x509::fingerprint;

/// One piece of evidence may bring this many certificates and lists in all.
const MAX_ITEMS: usize = 24;

/// Certificates and lists in DER, in the order in which they came, not yet read further.
#[derive(Default)]
pub(crate) struct Bundle<'a> {
    pub(crate) certificates: Vec<Item<'a>>,
    pub(crate) lists: Vec<Item<'a>>,
}

/// One DER structure and the SHA-256 over it.
pub(crate) struct Item<'a> {
    pub(crate) der: std::borrow::Cow<'a, [u8]>,
    pub(crate) fingerprint: [u8; 32],
}

impl<'a> Bundle<'a> {
    /// Takes attachments apart.
    pub(crate) fn read(attachments: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, Fault> {
        let mut bundle = Self::default();
        for attachment in attachments {
            bundle.add(attachment)?;
        }
        Ok(bundle)
    }

    fn add(&mut self, attachment: &'a [u8]) -> Result<(), Fault> {
        if let Some(der) = structure(attachment) {
            return self.add_der(der.into());
        }
        if attachment.trim_ascii_start().starts_with(b"-----BEGIN ") {
            for block in pem(attachment)? {
                self.add_der(block.into())?;
            }
            return Ok(());
        }
        for entry in table::entries(attachment)? {
            // An entry of another vendor's may hold anything; what is not DER is not for us.
            if let Some(der) = structure(entry) {
                self.add_der(der.into())?;
            }
        }
        Ok(())
    }

    fn add_der(&mut self, der: std::borrow::Cow<'a, [u8]>) -> Result<(), Fault> {
        if self.certificates.len() + self.lists.len() >= MAX_ITEMS {
            return Err(Fault::malformed("too many certificates"));
        }
        let item = Item { fingerprint: fingerprint(&der)?, der };
        // Version 3 certificates begin with `[0]`, lists with an integer.
        let inside = || {
            let mut outer = Reader::whole(&item.der, tag::SEQUENCE)?;
            outer.nested(tag::SEQUENCE)?.any().map(|first| first.tag)
        };
        match inside() {
            Ok(first) if first == tag::context(0) => self.certificates.push(item),
            Ok(tag::INTEGER) => self.lists.push(item),
            _ => {
                return Err(Fault::malformed("an attachment that is no certificate and no list"));
            }
        }
        Ok(())
    }
}

/// The DER SEQUENCE at the start of `bytes`, where only zero bytes follow (firmware pads).
fn structure(bytes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let element = reader.expect(tag::SEQUENCE).ok()?;
    let padding = bytes.get(element.raw.len()..)?;
    padding.iter().all(|byte| *byte == 0).then_some(element.raw)
}

/// The blocks of PEM (RFC 7468) text; what stands between blocks is skipped.
fn pem(text: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
    let bad = || Fault::malformed("PEM");
    let text = std::str::from_utf8(text).map_err(|_| bad())?;
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or_else(bad)?;
        if !matches!(label, "CERTIFICATE" | "X509 CRL") {
            return Err(Fault::malformed("a PEM block that is no certificate and no list"));
        }
        let (body, after) = after.split_once("-----END ").ok_or_else(bad)?;
        let after = after.strip_prefix(label).and_then(|after| after.strip_prefix("-----"));
        rest = after.ok_or_else(bad)?;
        let body: Vec<u8> = body.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        blocks.push(data_encoding::BASE64.decode(&body).map_err(|_| bad())?);
        if blocks.len() > MAX_ITEMS {
            return Err(Fault::malformed("too many certificates"));
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pem_blocks_are_taken_in_order_and_others_refused() {
        let text = b"text\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n\
            -----BEGIN X509 CRL-----\r\nMA\r\nA=\r\n-----END X509 CRL-----";
        assert_eq!(pem(text), Ok(vec![vec![0x30, 0], vec![0x30, 0]]));
        for bad in [
            "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END X509 CRL-----",
            "-----BEGIN CERTIFICATE-----\nMAA=\n",
            "-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----",
        ] {
            assert!(pem(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn zero_padding_after_der_is_dropped_and_other_bytes_are_not() {
        assert_eq!(structure(&[0x30, 1, 5, 0, 0]), Some(&[0x30, 1, 5][..]));
        assert_eq!(structure(&[0x30, 1, 5, 0, 1]), None);
    }

    proptest! {
        #[test]
        fn no_attachment_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Bundle::read([bytes.as_slice()]);
        }

        #[test]
        fn no_pem_makes_it_panic(body in "[A-Za-z0-9+/=\n -]{0,200}") {
            let text = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----");
            let _ = Bundle::read([text.as_bytes()]);
        }
    }
}
