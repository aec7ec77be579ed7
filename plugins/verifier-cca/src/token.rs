//! The collection of two signed tokens, in both of its forms.

use claviger_plugin_sdk::cbor::{self, Item};
use claviger_plugin_sdk::cose::Sign1;
use claviger_plugin_sdk::verifier::Rejection;

use crate::malformed;

/// An Arm CCA token as the realm's kernel gives it: CBOR.
pub(crate) const TOKEN: &str = "application/vnd.arm.cca-token";
/// The same, by the media type of EAT collections (draft-ffm-rats-cca-token-00, section 7).
pub(crate) const CBOR: &str = "application/eat-collection";

/// Tags of the collection: as byte strings (RMM specification 1.0, A7.2.3.1; also
/// draft-ffm-rats-cca-token-00), and as a conceptual message wrapper (RMM specification 2.0).
const COLLECTION: u64 = 399;
const WRAPPER: u64 = 907;
/// application/eat+cwt, by its number as a CoAP content format.
const EAT_CWT: u64 = 263;

const PLATFORM: i64 = 44234;
const REALM: i64 = 44241;

/// Both tokens, unread.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    platform: &'a [u8],
    realm: &'a [u8],
}

impl<'a> Token<'a> {
    /// Reads a collection that fills `bytes`.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let item = cbor::parse(bytes).map_err(malformed)?;
        let (members, wrapped) = match (item.tagged(COLLECTION), item.tagged(WRAPPER)) {
            (Some(members), _) => (members, false),
            (_, Some(members)) => (members, true),
            _ => return Err(malformed("it is no CCA token: neither tag 399 nor tag 907")),
        };
        if members.map().is_none_or(|members| members.len() != 2) {
            return Err(malformed("a CCA token has a platform token and a realm token"));
        }
        let part = |label| {
            let item = members.numbered(label)?;
            if wrapped { unwrap(item) } else { item.bytes() }
        };
        let platform = part(PLATFORM).ok_or_else(|| malformed("there is no platform token"))?;
        let realm = part(REALM).ok_or_else(|| malformed("there is no realm token"))?;
        Ok(Self { platform, realm })
    }

    pub(crate) fn platform(&self) -> Result<Sign1<'a>, Rejection> {
        signed(self.platform)
    }

    pub(crate) fn realm(&self) -> Result<Sign1<'a>, Rejection> {
        signed(self.realm)
    }
}

fn unwrap<'a>(item: &Item<'a>) -> Option<&'a [u8]> {
    match item.list()? {
        [kind, value] if kind.unsigned() == Some(EAT_CWT) => value.bytes(),
        _ => None,
    }
}

fn signed(bytes: &[u8]) -> Result<Sign1<'_>, Rejection> {
    Sign1::read(&cbor::parse(bytes).map_err(malformed)?).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::{bytes, list, map, number, sign1, tag};

    fn collection(members: &[(u64, Vec<u8>)]) -> Vec<u8> {
        map(&members
            .iter()
            .map(|(label, value)| (number(*label), value.clone()))
            .collect::<Vec<_>>())
    }

    #[test]
    fn both_forms_are_read() {
        let (platform, realm) = (sign1(b"platform"), sign1(b"realm"));
        let plain = [(44234, bytes(&platform)), (44241, bytes(&realm))];
        let wrap = |token: &[u8]| list(&[number(263), bytes(token)]);
        let wrapped = [(44234, wrap(&platform)), (44241, wrap(&realm))];
        for text in [tag(399, collection(&plain)), tag(907, collection(&wrapped))] {
            let token = Token::read(&text).unwrap();
            assert_eq!(token.platform().unwrap().payload, b"platform");
            assert_eq!(token.realm().unwrap().payload, b"realm");
            for length in 0..text.len() {
                assert!(Token::read(&text[..length]).is_err(), "{length}");
            }
        }
        for mixed in [tag(907, collection(&plain)), tag(399, collection(&wrapped))] {
            assert!(Token::read(&mixed).is_err());
        }
    }

    #[test]
    fn a_token_without_one_of_its_parts_is_none() {
        let part = bytes(&sign1(b"claims"));
        for text in [
            collection(&[(44234, part.clone()), (44241, part.clone())]),
            tag(18, collection(&[(44234, part.clone()), (44241, part.clone())])),
            tag(399, collection(&[(44234, part.clone())])),
            tag(399, collection(&[(44241, part.clone())])),
            tag(399, collection(&[(44234, part.clone()), (44235, part.clone())])),
            tag(399, collection(&[(44234, part.clone()), (44241, part.clone()), (7, part)])),
            tag(399, bytes(b"")),
        ] {
            assert!(matches!(Token::read(&text), Err(Rejection::Malformed(_))));
        }
    }
}
