//! Certificates and lists in PEM (RFC 7468), wherever they stand in a text.

use std::borrow::Cow;

use super::super::fault::Fault;

/// What a text holds.
#[derive(Debug, Default)]
pub(super) struct Text {
    /// The bytes of certificates and lists, in order.
    pub(super) blocks: Vec<Vec<u8>>,
    /// Why the first block that should have been one could not be read.
    pub(super) fault: Option<Fault>,
    /// How many blocks were of another label.
    pub(super) foreign: usize,
}

/// Finds every block; what stands between them is of no interest: `openssl x509 -text`, bag
/// attributes, a byte order mark, JSON.
pub(super) fn read(bytes: &[u8]) -> Text {
    let mut found = Text::default();
    match std::str::from_utf8(bytes) {
        Ok(text) => found.scan(text),
        Err(_) => bytes.utf8_chunks().for_each(|chunk| found.scan(chunk.valid())),
    }
    found
}

impl Text {
    /// From end to end, and back from each end to the beginning before it: hostile text with many
    /// beginnings is read through once.
    fn scan(&mut self, text: &str) {
        let mut parts = text.split("-----END ");
        let mut before = parts.next().unwrap_or_default();
        for after in parts {
            if let Some((outside, block)) = before.rsplit_once("-----BEGIN ") {
                self.block(block, after);
                before = outside;
            }
            self.unended(before);
            before = after;
        }
        self.unended(before);
    }

    /// `block`: from the label on; `after`: what follows the `END` that closes it.
    fn block(&mut self, block: &str, after: &str) {
        let (label, body) = block.split_once("-----").unwrap_or((block, ""));
        if !matches!(label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CRL")
        {
            self.foreign += 1;
            return;
        }
        let closed = after.strip_prefix(label).is_some_and(|rest| rest.starts_with("-----"));
        match decode(body).filter(|_| closed) {
            Some(bytes) => self.blocks.push(bytes),
            None => self.damaged(),
        }
    }

    fn unended(&mut self, text: &str) {
        if text.contains("-----BEGIN ") {
            self.damaged();
        }
    }

    fn damaged(&mut self) {
        self.fault.get_or_insert_with(|| Fault::malformed("PEM"));
    }
}

/// Base64 in lines. Inside JSON the ends of lines are written `\n`.
fn decode(body: &str) -> Option<Vec<u8>> {
    let body = match body.contains('\\') {
        true => Cow::Owned(body.replace("\\n", "").replace("\\r", "")),
        false => Cow::Borrowed(body),
    };
    let mut digits = Vec::with_capacity(body.len());
    body.split('\n').for_each(|line| digits.extend_from_slice(line.trim_ascii().as_bytes()));
    data_encoding::BASE64.decode(&digits).ok().or_else(|| {
        // White space elsewhere than around a line is rare.
        digits.retain(|byte| !byte.is_ascii_whitespace());
        data_encoding::BASE64.decode(&digits).ok()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn blocks_are_found_in_order_whatever_stands_around_them() {
        let block = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
        let list = "-----BEGIN X509 CRL-----\r\nMA\r\nE=\r\n-----END X509 CRL-----";
        for (before, between, after) in [
            ("", "\n", "\n"),
            ("", "", ""),
            ("\u{feff}", "\n\n", "\0\0\0"),
            ("Bag Attributes\n    friendlyName: é\n", "\nsubject=CN = x\n", ""),
            ("Certificate:\n    Data:\n        Version: 3 (0x2)\n", " ", " trailing"),
            ("{\"vcekCert\": \"", "\", \"crl\": \"", "\"}"),
        ] {
            let text = format!("{before}{block}{between}{list}{after}");
            for text in [text.clone(), text.replace('\n', "\\n")] {
                let found = read(text.as_bytes());
                assert_eq!(found.blocks, [[0x30, 0], [0x30, 1]], "{text}");
                assert_eq!((found.fault, found.foreign), (None, 0), "{text}");
            }
        }
        let latin = [b"friendlyName: \xe9\n", block.as_bytes(), b"\xff"].concat();
        assert_eq!(read(&latin).blocks, [[0x30, 0]]);
    }

    #[test]
    fn white_space_may_stand_anywhere_in_a_block() {
        for body in
            ["\nM A\tA=\n", "\n  MA  \n\n\tA= \r\n", "MAA=", "\r\nMA\r\nA=\r\n", "\rMA\rA=\r"]
        {
            let text = format!("-----BEGIN CERTIFICATE-----{body}-----END CERTIFICATE-----");
            assert_eq!(read(text.as_bytes()).blocks, [[0x30, 0]], "{body:?}");
        }
    }

    #[test]
    fn a_damaged_block_is_named_and_those_around_it_are_read() {
        let whole = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        for damaged in [
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END X509 CRL-----\n",
            "-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE\n",
            "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nMAA=\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\nMAA=\n",
        ] {
            let found = read(format!("{whole}{damaged}{whole}").as_bytes());
            assert_eq!(found.blocks, [[0x30, 0], [0x30, 0]], "{damaged}");
            assert!(found.fault.is_some(), "{damaged}");
        }
        let key = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
        let found = read(format!("{key}{whole}").as_bytes());
        assert_eq!((found.blocks.len(), found.fault, found.foreign), (1, None, 1));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(-----(BEGIN|END) (CERTIFICATE|X)-----|[A=\\\\n]){0,9}") {
            let _ = read(text.as_bytes());
        }
    }
}
