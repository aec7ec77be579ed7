//! Certificates as they come along, in any order and in PEM or DER, put in the order in which each
//! issued the one before. Only names are looked at: whether they tell the truth, the host checks.

use crate::base64;
use crate::der::{Reader, tag};

/// More than come with any evidence.
const MAX_CERTIFICATES: usize = 64;
/// The host follows no longer chain.
const MAX_CHAIN: usize = 9;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The certificates in some bytes, in DER: those of a PEM text, in its order, or one in DER. None
/// where it is something else.
#[must_use]
pub fn read(bytes: &[u8]) -> Vec<Vec<u8>> {
    let whole = Reader::new(bytes).any().map(|whole| whole.raw);
    // Behind one there may be padding, as in buffers of a fixed size.
    if let Some(whole) = whole.filter(|whole| names(whole).is_some()) {
        return vec![whole.to_vec()];
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    let bodies = text.split(BEGIN).skip(1).filter_map(|part| Some(part.split_once(END)?.0));
    let decode = |body: &str| base64::decode(&body.split_ascii_whitespace().collect::<String>());
    bodies.filter_map(decode).take(MAX_CERTIFICATES).collect()
}

/// Every chain that these certificates make, leaf first; each begins with a certificate that issued
/// none of the others, and none comes twice in one. What is no certificate is passed over.
#[must_use]
pub fn chains(certificates: &[Vec<u8>]) -> Vec<Vec<Vec<u8>>> {
    let mut known: Vec<(&[u8], Names<'_>)> = Vec::new();
    for der in certificates.iter().take(MAX_CERTIFICATES) {
        let twice = known.iter().any(|(present, _)| *present == der.as_slice());
        if let Some(names) = names(der).filter(|_| !twice) {
            known.push((der, names));
        }
    }
    let issued_another = |names: &Names<'_>| {
        known
            .iter()
            .any(|(_, other)| other.issuer == names.subject && other.subject != names.subject)
    };
    let leaves = known.iter().filter(|(_, names)| !issued_another(names));
    leaves
        .map(|leaf| {
            let mut chain = vec![leaf];
            let mut last = leaf;
            while last.1.issuer != last.1.subject && chain.len() < MAX_CHAIN {
                let issuer = known.iter().find(|(_, names)| names.subject == last.1.issuer);
                let Some(issuer) = issuer else { break };
                // Two that issued each other lead nowhere.
                if chain.iter().any(|(present, _)| *present == issuer.0) {
                    break;
                }
                chain.push(issuer);
                last = issuer;
            }
            chain.iter().map(|(der, _)| der.to_vec()).collect()
        })
        .collect()
}

struct Names<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
}

/// RFC 5280 section 4.1.
fn names(certificate: &[u8]) -> Option<Names<'_>> {
    let mut outer = Reader::new(certificate).nested(tag::SEQUENCE)?;
    let mut fields = outer.nested(tag::SEQUENCE)?;
    fields.optional(0xa0);
    fields.expect(tag::INTEGER)?;
    fields.expect(tag::SEQUENCE)?;
    let issuer = fields.expect(tag::SEQUENCE)?.raw;
    fields.expect(tag::SEQUENCE)?;
    let subject = fields.expect(tag::SEQUENCE)?.raw;
    Some(Names { issuer, subject })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As much of a certificate as has names, each one character.
    fn certificate(subject: u8, issuer: u8) -> Vec<u8> {
        let fields = [0xa0, 0, 2, 0, 0x30, 0, 0x30, 1, issuer, 0x30, 0, 0x30, 1, subject];
        [&[0x30, 16, 0x30, 14][..], &fields].concat()
    }

    #[test]
    fn certificates_in_any_order_make_one_chain() {
        let (leaf, middle, root) =
            (certificate(b'l', b'm'), certificate(b'm', b'r'), certificate(b'r', b'r'));
        let sorted = vec![vec![leaf.clone(), middle.clone(), root.clone()]];
        for order in [[&leaf, &middle, &root], [&root, &middle, &leaf], [&middle, &root, &leaf]] {
            let pool: Vec<_> = order.into_iter().chain([&leaf]).cloned().collect();
            assert_eq!(chains(&pool), sorted);
        }
        assert_eq!(chains(&[leaf.clone(), root.clone()]), [vec![leaf], vec![root.clone()]]);
        assert_eq!(chains(std::slice::from_ref(&root)), [[root]]);
        assert!(chains(&[vec![1, 2, 3]]).is_empty());
    }

    #[test]
    fn certificates_that_issued_each_other_make_no_chain_without_end() {
        let pool = [certificate(b'a', b'b'), certificate(b'b', b'a'), certificate(b'l', b'a')];
        let [a, b, leaf] = pool.clone();
        assert_eq!(chains(&pool), [[leaf, a, b]]);
    }

    #[test]
    fn pem_and_der_are_read() {
        let der = certificate(b'l', b'r');
        assert_eq!(read(&der), std::slice::from_ref(&der));
        assert_eq!(read(&[&*der, &[0; 9]].concat()), [der]);
        let text = format!("words\n{BEGIN}\nAQ\r\nID\n{END}\n{BEGIN}\nAQI=\n{END}\n{BEGIN}\nAQ");
        assert_eq!(read(text.as_bytes()), [vec![1, 2, 3], vec![1, 2]]);
        assert!(read(&[0x30, 1, 0]).is_empty() && read(b"").is_empty() && read(&[0xff]).is_empty());
    }
}
