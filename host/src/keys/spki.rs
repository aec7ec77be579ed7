//! A recipient key as a DER SubjectPublicKeyInfo (RFC 5280, section 4.1), the form in which a Nitro
//! document's `public_key` carries it. It has one spelling only, so that bytes can be compared.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

/// AlgorithmIdentifier and BIT STRING up to the point (RFC 5480, section 2; RFC 8410, section 4): what
/// stands before an uncompressed point, 04 x y, or before an X25519 key.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const P384: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
    0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04,
];
const P521: &[u8] = &[
    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05,
    0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00, 0x04,
];
const X25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];

/// rsaEncryption with NULL (RFC 3279, section 2.3.1).
const RSA: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// From a canonical JWK; none for a kind of key that has no such form here.
pub(super) fn of_jwk(jwk: &Value) -> Option<Vec<u8>> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let octets = |name: &str| BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok();
    let point = |prefix: &[u8]| Some([prefix, &octets("x")?, &octets("y")?].concat());
    match (text("kty")?, text("crv")) {
        ("EC", Some("P-256")) => point(P256),
        ("EC", Some("P-384")) => point(P384),
        ("EC", Some("P-521")) => point(P521),
        ("OKP", Some("X25519")) => Some([X25519, &octets("x")?].concat()),
        ("RSA", None) => {
            let numbers = [integer(&octets("n")?), integer(&octets("e")?)].concat();
            let key = [&[0][..], &element(0x30, &numbers)].concat();
            Some(element(0x30, &[RSA, &element(0x03, &key)].concat()))
        }
        _ => None,
    }
}

/// INTEGER, not negative; the magnitude has no zeros in front.
fn integer(magnitude: &[u8]) -> Vec<u8> {
    let sign: &[u8] =
        if magnitude.first().is_some_and(|first| *first >= 0x80) { &[0] } else { &[] };
    element(0x02, &[sign, magnitude].concat())
}

/// An element of less than 64 KiB: an RSA key is far from that.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    let head: &[u8] = match content.len() {
        0..0x80 => &[tag, low],
        0x80..0x100 => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [head, content].concat()
}

#[cfg(test)]
mod tests {
    use crate::keys::{RecipientKey, RecipientKind, RecipientPrivateKey};
    use crate::quote::{KeyEncoding, PublicKey};

    #[test]
    fn every_kind_has_the_form_that_a_reader_of_its_own_reads_back() {
        for &kind in RecipientKind::ALL {
            let key = RecipientPrivateKey::generate(kind).unwrap();
            let jwk = key.jwk();
            let recipient = RecipientKey::from_jwk(jwk).unwrap();
            let Some(spki) = recipient.spki() else {
                assert_eq!(kind, RecipientKind::XWing);
                continue;
            };
            if kind == RecipientKind::X25519 {
                // The library of signature keys does not read it: RFC 8410, section 10.1 has this head.
                assert_eq!(spki.len(), 44);
                continue;
            }
            let read = PublicKey::decode(&spki, KeyEncoding::SpkiDer).unwrap();
            let same = PublicKey::decode(jwk.to_string().as_bytes(), KeyEncoding::Jwk).unwrap();
            assert_eq!(read.fingerprint(), same.fingerprint(), "{kind:?}");
            let digest = crate::audit::Digest::of(&spki);
            assert_eq!(digest.0, read.fingerprint().unwrap(), "{kind:?}");
        }
    }
}
