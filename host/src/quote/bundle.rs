//! What comes with evidence: certificates and revocation lists as DER, PEM, AMD's certificate table or what
//! Azure's THIM answers, recognised by content and taken apart, not yet read.
//!
//! Trust is only ever gained from such parts, and whoever submits evidence may leave any of them out.
//! So what is not understood is passed over when it comes with evidence: event logs, other vendors'
//! certificates, a README. What an operator supplies must be understood whole.

mod pem;

use std::borrow::Cow;

use serde::Deserialize;

use super::der::{Reader, tag};
use super::fault::Fault;
use super::snp::table;
use super::x509::fingerprint;
use crate::json::{self, Limits};

/// One piece of evidence may bring this many certificates and lists; those beyond are passed over.
const MAX_ITEMS: usize = 64;
/// One piece of evidence may bring this many bytes that are looked at.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Certificates and lists in DER, in the order in which they came, each once.
#[derive(Default)]
pub(crate) struct Bundle<'a> {
    pub(crate) certificates: Vec<Item<'a>>,
    pub(crate) lists: Vec<Item<'a>>,
    /// Why the first thing that should have been one of these is none of them.
    pub(crate) fault: Option<Fault>,
    /// How many pieces were nothing of the kind.
    pub(crate) foreign: usize,
    items_left: usize,
    bytes_left: usize,
}

/// What THIM answers, as much of it as is looked at.
#[derive(Deserialize)]
struct Thim {
    #[serde(rename = "vcekCert")]
    vcek: String,
    #[serde(rename = "certificateChain")]
    chain: String,
}

/// One DER structure and the SHA-256 over it.
pub(crate) struct Item<'a> {
    pub(crate) der: Cow<'a, [u8]>,
    pub(crate) fingerprint: [u8; 32],
}

impl<'a> Bundle<'a> {
    /// Takes apart what came with evidence.
    pub(crate) fn brought(attachments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bundle = Self { items_left: MAX_ITEMS, bytes_left: MAX_BYTES, ..Self::default() };
        for attachment in attachments {
            bundle.add(attachment);
        }
        bundle
    }

    /// Takes apart what an operator supplied: as much as there is, and nothing is passed over.
    pub(crate) fn supplied(blob: &'a [u8]) -> Result<Self, Fault> {
        let mut bundle = Self { items_left: usize::MAX, bytes_left: usize::MAX, ..Self::default() };
        bundle.add(blob);
        match bundle {
            Self { fault: Some(fault), .. } => Err(fault),
            Self { foreign: 0, .. } => Ok(bundle),
            _ => Err(Fault::malformed("something that is no certificate and no revocation list")),
        }
    }

    fn add(&mut self, attachment: &'a [u8]) {
        if !self.afford(attachment.len()) {
            return;
        }
        match table::entries(attachment) {
            // An entry of another vendor's may hold anything.
            Some(entries) => {
                for entry in entries {
                    if self.afford(entry.len()) {
                        self.add_piece(entry);
                    }
                }
            }
            None => self.foreign += usize::from(!self.add_piece(attachment)),
        }
    }

    /// Takes DER, or text with PEM in it. Answers whether the piece was one of these.
    fn add_piece(&mut self, piece: &'a [u8]) -> bool {
        let Structures { known, foreign, behind } = self.add_structures(piece, Cow::Borrowed);
        if known > 0 {
            self.foreign += foreign;
            // Firmware pads with zeros.
            if behind.iter().any(|byte| *byte != 0) {
                self.note(Fault::malformed("bytes behind a certificate or revocation list"));
            }
            return true;
        }
        if foreign == 0 && piece.starts_with(&[tag::SEQUENCE, 0x82]) {
            self.note(Fault::malformed("a certificate or revocation list that is cut short"));
        }
        if piece.trim_ascii_start().starts_with(b"{") && self.add_thim(piece) {
            return true;
        }
        let text = pem::read(piece);
        let found = !text.blocks.is_empty() || text.foreign > 0 || text.fault.is_some();
        for block in &text.blocks {
            self.foreign += self.add_structures(block, |der| Cow::Owned(der.to_vec())).foreign;
        }
        self.foreign += text.foreign;
        text.fault.into_iter().for_each(|fault| self.note(fault));
        found
    }

    /// Takes what Azure's THIM answers about the machine that it runs on (`/metadata/THIM/amd/certification`):
    /// JSON with certificates in PEM. Answers whether it was that.
    fn add_thim(&mut self, piece: &[u8]) -> bool {
        let Ok(thim) = json::parse::<Thim>(piece, Limits::REQUEST) else { return false };
        for text in [&thim.vcek, &thim.chain] {
            for block in &pem::read(text.as_bytes()).blocks {
                self.foreign += self.add_structures(block, |der| Cow::Owned(der.to_vec())).foreign;
            }
        }
        true
    }

    /// Takes the DER SEQUENCEs with which `bytes` begin.
    fn add_structures<'b>(
        &mut self,
        bytes: &'b [u8],
        keep: impl Fn(&'b [u8]) -> Cow<'a, [u8]>,
    ) -> Structures<'b> {
        let mut seen = Structures { known: 0, foreign: 0, behind: bytes };
        while let Ok(element) = Reader::new(seen.behind).expect(tag::SEQUENCE) {
            match self.add_der(keep(element.raw)) {
                true => seen.known += 1,
                false => seen.foreign += 1,
            }
            seen.behind = seen.behind.get(element.raw.len()..).unwrap_or_default();
        }
        seen
    }

    /// Answers whether this looks like a certificate or a list.
    fn add_der(&mut self, der: Cow<'a, [u8]>) -> bool {
        // Version 3 certificates begin with `[0]`, lists with an integer.
        let inside = || {
            let mut outer = Reader::whole(&der, tag::SEQUENCE)?;
            outer.nested(tag::SEQUENCE)?.any().map(|first| first.tag)
        };
        let items = match inside() {
            Ok(first) if first == tag::context(0) => &mut self.certificates,
            Ok(tag::INTEGER) => &mut self.lists,
            _ => return false,
        };
        let Ok(fingerprint) = fingerprint(&der) else {
            return false;
        };
        if items.iter().any(|item| item.fingerprint == fingerprint) {
            return true;
        }
        match self.items_left.checked_sub(1) {
            Some(left) => {
                self.items_left = left;
                items.push(Item { der, fingerprint });
            }
            None => self.note(Fault::malformed("more certificates and lists than are read")),
        }
        true
    }

    /// Whether this many bytes more may be looked at.
    fn afford(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        match left {
            Some(left) => self.bytes_left = left,
            None => self.note(Fault::malformed("more bytes beside the evidence than are read")),
        }
        left.is_some()
    }

    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }
}

/// What stood at the start of some bytes.
struct Structures<'b> {
    known: usize,
    foreign: usize,
    behind: &'b [u8],
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shape of a certificate: `SEQUENCE { SEQUENCE { [0] … } }`, and a number to tell it apart.
    fn shape(number: u8) -> Vec<u8> {
        vec![0x30, 7, 0x30, 5, 0xa0, 3, 2, 1, number]
    }

    fn certificates(attachments: &[&[u8]]) -> Vec<Vec<u8>> {
        let bundle = Bundle::brought(attachments.iter().copied());
        bundle.certificates.iter().map(|item| item.der.to_vec()).collect()
    }

    fn text(der: &[u8]) -> String {
        let body = data_encoding::BASE64.encode(der);
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }

    fn table(entries: &[&[u8]]) -> Vec<u8> {
        let mut offset = 24 * (entries.len() + 1);
        let mut table = Vec::new();
        for entry in entries {
            table.extend_from_slice(&[7; 16]);
            table.extend_from_slice(&u32::try_from(offset).unwrap().to_le_bytes());
            table.extend_from_slice(&u32::try_from(entry.len()).unwrap().to_le_bytes());
            offset += entry.len();
        }
        table.extend_from_slice(&[0; 24]);
        table.extend(entries.concat());
        table
    }

    #[test]
    fn certificates_stand_alone_one_behind_the_other_and_in_tables() {
        let (one, two) = (shape(1), shape(2));
        let both = [one.clone(), two.clone()];
        assert_eq!(certificates(&[&one, &two]), both);
        assert_eq!(certificates(&[&both.concat()]), both);
        assert_eq!(certificates(&[&[both.concat(), vec![0; 99]].concat()]), both);
        assert_eq!(certificates(&[(text(&one) + &text(&two)).as_bytes()]), both);
        assert_eq!(certificates(&[&table(&[&one, &two])]), both);
        assert_eq!(certificates(&[&table(&[text(&one).as_bytes(), b"other", &two])]), both);
        assert_eq!(certificates(&[&table(&[&both.concat()])]), both);
    }

    #[test]
    fn what_thim_answers_holds_certificates() {
        let (one, two) = (shape(1), shape(2));
        let thim = |vcek: &str, chain: &str| {
            let answer = serde_json::json!({
                "vcekCert": vcek, "tcbm": "DB18000000000004", "certificateChain": chain,
                "cacheControl": "86400",
            });
            answer.to_string()
        };
        let answer = thim(&text(&one), &(text(&two) + &text(&one)));
        assert_eq!(certificates(&[answer.as_bytes()]), [one.clone(), two]);
        assert!(Bundle::supplied(answer.as_bytes()).is_ok());
        assert_eq!(certificates(&[thim("words", "").as_bytes(), &one]), [one]);
    }

    #[test]
    fn what_comes_twice_counts_once() {
        assert_eq!(certificates(&[&shape(1), &table(&[&shape(1)])]), [shape(1)]);
    }

    #[test]
    fn what_is_not_understood_is_passed_over_in_evidence_and_refused_from_an_operator() {
        let one = shape(1);
        let nested = [0x30, 4, 0x30, 2, 0x06, 0];
        for foreign in [
            &b""[..],
            b"{\"a\": 1}",
            b"0 a log",
            &[0x30, 0x82, 0xff],
            &[0xff; 99],
            &nested,
            b"-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----",
        ] {
            assert_eq!(certificates(&[foreign, &one]), std::slice::from_ref(&one));
            assert!(Bundle::supplied(foreign).is_err(), "{foreign:?}");
        }
        for damaged in [[one.as_slice(), &[1]].concat(), [one.as_slice(), &nested].concat()] {
            assert_eq!(certificates(&[&damaged]), std::slice::from_ref(&one));
            assert!(Bundle::supplied(&damaged).is_err(), "{damaged:?}");
        }
        assert!(Bundle::supplied(&one).is_ok());
    }

    // attack 35
    #[test]
    fn there_is_an_end_to_what_evidence_brings_and_none_to_what_an_operator_supplies() {
        let many: Vec<u8> = (0..200).flat_map(shape).collect();
        let many = many.chunks(45).map(text).collect::<String>();
        let bundle = Bundle::brought([many.as_bytes()]);
        assert_eq!(bundle.certificates.len(), MAX_ITEMS);
        assert!(bundle.fault.is_some());
        assert_eq!(Bundle::supplied(many.as_bytes()).unwrap().certificates.len(), 200);
        let large = vec![b' '; MAX_BYTES];
        assert_eq!(certificates(&[&shape(1), &large, &shape(2)]), [shape(1), shape(2)]);
        assert_eq!(certificates(&[&large, &shape(2)]), Vec::<Vec<u8>>::new());
    }

    proptest! {
        #[test]
        fn no_attachment_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = Bundle::brought([bytes.as_slice()]);
        }
    }
}
