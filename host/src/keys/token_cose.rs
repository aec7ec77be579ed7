//! Signed tokens in CBOR: COSE_Sign1 (RFC 9052, section 4.2) holding a CWT claims set (RFC 8392).
//!
//! As with JWS, only what this host writes is accepted back: the protected header is, byte for byte,
//! the one that the key's own algorithm and name make, and the unprotected one is empty.

use coset::{
    CborSerializable, CoseSign1, CoseSign1Builder, Header, HeaderBuilder, TaggedCborSerializable,
    cbor::Value,
};

use super::token::{MAX_BYTES, TokenError};
use super::token_key::{SigningKey, VerificationKey};

/// `typ` of an attestation result (RFC 9596; RFC 9782, section 4.2).
pub const TYP_EAT_CWT: &str = "application/eat+cwt";

/// The label of `typ` (RFC 9596, section 2).
const TYP: i64 = 16;

fn header(key: &VerificationKey) -> Header {
    HeaderBuilder::new()
        .algorithm(key.algorithm.cose())
        .key_id(key.kid.clone().into_bytes())
        .value(TYP, Value::Text(TYP_EAT_CWT.to_owned()))
        .build()
}

/// Signs a claims set: COSE_Sign1 under its tag (18).
pub(super) fn sign(
    signing: &SigningKey,
    key: &VerificationKey,
    claims: Vec<u8>,
) -> Result<Vec<u8>, TokenError> {
    let signed = CoseSign1Builder::new()
        .protected(header(key))
        .payload(claims)
        .try_create_signature(&[], |message| {
            signing.sign(message).map(|signature| signature.as_ref().to_vec())
        })?
        .build();
    signed.to_tagged_vec().map_err(|_| TokenError::Provider)
}

/// Checks form, header and signature, and answers with the claims as they are encoded; `key` finds a
/// verification key by its name.
pub(super) fn verify<'k>(
    token: &[u8],
    key: impl FnOnce(&str) -> Option<&'k VerificationKey>,
) -> Result<Vec<u8>, TokenError> {
    if token.len() > MAX_BYTES {
        return Err(TokenError::Malformed);
    }
    let parsed = CoseSign1::from_tagged_slice(token).map_err(|_| TokenError::Malformed)?;
    // One spelling: neither longer lengths than needed nor anything behind.
    if parsed.clone().to_tagged_vec().ok().as_deref() != Some(token) {
        return Err(TokenError::Malformed);
    }
    let kid = std::str::from_utf8(&parsed.protected.header.key_id);
    let kid = kid.map_err(|_| TokenError::UnknownKey)?;
    let key = key(kid).ok_or(TokenError::UnknownKey)?;
    if parsed.protected.header.alg != header(key).alg {
        return Err(TokenError::Algorithm);
    }
    let expected = header(key).to_vec().map_err(|_| TokenError::Provider)?;
    let protected = parsed.protected.original_data.as_deref();
    if protected != Some(&expected) || !parsed.unprotected.is_empty() {
        return Err(TokenError::UnexpectedHeader);
    }
    parsed.verify_signature(&[], |signature, message| key.verify(message, signature))?;
    parsed.payload.ok_or(TokenError::Malformed)
}

#[cfg(test)]
mod tests {
    use coset::{Algorithm, ProtectedHeader, iana};

    use super::super::token_key::TokenAlgorithm;
    use super::*;

    fn pair(algorithm: TokenAlgorithm) -> (SigningKey, VerificationKey) {
        let signing = SigningKey::generate(algorithm).unwrap();
        let key = VerificationKey::new(algorithm, signing.public()).unwrap();
        (signing, key)
    }

    fn outcome(token: &[u8], key: &VerificationKey) -> Result<Vec<u8>, TokenError> {
        verify(token, |kid| (kid == key.kid).then_some(key))
    }

    /// Signs with the real key under any header, as no host would.
    fn forge(
        signing: &SigningKey,
        key: &VerificationKey,
        change: impl FnOnce(&mut Header),
    ) -> Vec<u8> {
        let mut header = header(key);
        change(&mut header);
        let forged = CoseSign1Builder::new()
            .protected(header)
            .payload(b"claims".to_vec())
            .create_signature(&[], |message| signing.sign(message).unwrap().as_ref().to_vec());
        forged.build().to_tagged_vec().unwrap()
    }

    #[test]
    fn what_this_host_signed_is_accepted_with_either_algorithm() {
        for algorithm in [TokenAlgorithm::Es256, TokenAlgorithm::Es384] {
            let (signing, key) = pair(algorithm);
            let token = sign(&signing, &key, b"claims".to_vec()).unwrap();
            assert_eq!(token[0], 0xd2, "the tag of COSE_Sign1");
            assert_eq!(outcome(&token, &key), Ok(b"claims".to_vec()));
            assert_eq!(forge(&signing, &key, |_| ()).len(), token.len());
        }
    }

    // attack 52
    #[test]
    fn a_header_chooses_neither_algorithm_nor_key() {
        let (signing, key) = pair(TokenAlgorithm::Es256);
        let forge = |change: &dyn Fn(&mut Header)| forge(&signing, &key, change);
        for algorithm in [
            Some(Algorithm::Assigned(iana::Algorithm::ES384)),
            Some(Algorithm::Assigned(iana::Algorithm::HMAC_256_256)),
            Some(Algorithm::PrivateUse(-70_000)),
            Some(Algorithm::Text("none".to_owned())),
            None,
        ] {
            let token = forge(&|header| header.alg = algorithm.clone());
            assert_eq!(outcome(&token, &key), Err(TokenError::Algorithm), "{algorithm:?}");
        }
        for kid in [&b""[..], b"../../dev/null", &[0xff; 43]] {
            let token = forge(&|header| header.key_id = kid.to_vec());
            assert_eq!(outcome(&token, &key), Err(TokenError::UnknownKey));
        }
        // x5bag, x5chain, x5t, x5u, kid context, and one that nobody knows.
        for label in [32, 33, 34, 35, 10, 9_999] {
            let token = forge(&|header| {
                header.rest.push((coset::Label::Int(label), Value::from("https://evil.example")));
            });
            assert_eq!(outcome(&token, &key), Err(TokenError::UnexpectedHeader), "{label}");
        }
        for typ in [Value::from("application/cwt"), Value::from(61), Value::Bytes(vec![1])] {
            let token = forge(&|header| header.rest[0].1 = typ.clone());
            assert_eq!(outcome(&token, &key), Err(TokenError::UnexpectedHeader), "{typ:?}");
        }
        let token = forge(&|header| header.rest.clear());
        assert_eq!(outcome(&token, &key), Err(TokenError::UnexpectedHeader));
        let token = forge(&|header| {
            header
                .crit
                .push(coset::RegisteredLabelWithPrivate::Assigned(iana::HeaderParameter::Alg));
        });
        assert_eq!(outcome(&token, &key), Err(TokenError::UnexpectedHeader));
    }

    // attack 52
    #[test]
    fn what_nobody_signed_is_not_in_a_token() {
        let (signing, key) = pair(TokenAlgorithm::Es256);
        let token = sign(&signing, &key, b"claims".to_vec()).unwrap();
        let mut unprotected = CoseSign1::from_tagged_slice(&token).unwrap();
        unprotected.unprotected = HeaderBuilder::new().key_id(b"other".to_vec()).build();
        let unprotected = unprotected.to_tagged_vec().unwrap();
        assert_eq!(outcome(&unprotected, &key), Err(TokenError::UnexpectedHeader));
        let mut moved = CoseSign1::from_tagged_slice(&token).unwrap();
        let header = std::mem::replace(
            &mut moved.protected,
            ProtectedHeader { original_data: None, header: Header::default() },
        );
        moved.unprotected = header.header;
        assert!(outcome(&moved.to_tagged_vec().unwrap(), &key).is_err());
    }

    // attacks 36 and 52
    #[test]
    fn an_altered_cut_or_differently_spelled_token_is_refused() {
        let (signing, key) = pair(TokenAlgorithm::Es256);
        let token = sign(&signing, &key, b"claims".to_vec()).unwrap();
        for at in 0..token.len() * 8 {
            let mut altered = token.clone();
            altered[at / 8] ^= 1 << (at % 8);
            assert!(outcome(&altered, &key).is_err(), "bit {at}");
        }
        for end in 0..token.len() {
            assert_eq!(outcome(&token[..end], &key), Err(TokenError::Malformed), "{end}");
        }
        let untagged = &token[1..];
        for spelling in [
            untagged.to_vec(),
            [&[0xd8, 61][..], &token].concat(),
            [&[0xd8, 18][..], untagged].concat(),
            [&[0xd2, 0x98, 4][..], &token[2..]].concat(),
            [&[0xd2, 0x9f][..], &token[2..], &[0xff]].concat(),
            [&token[..], &[0]].concat(),
            vec![0x9f; 90_000],
            vec![0xd2; 90_000],
            [&[0xd2, 0x84, 0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff][..], untagged]
                .concat(),
            vec![0; MAX_BYTES + 1],
        ] {
            let refused = outcome(&spelling, &key);
            assert_eq!(refused, Err(TokenError::Malformed), "{:?}", &spelling[..4]);
        }
        let (_, other) = pair(TokenAlgorithm::Es256);
        assert_eq!(outcome(&token, &other), Err(TokenError::UnknownKey));
        let forged = verify(&token, |_| Some(&other));
        assert_eq!(forged, Err(TokenError::UnexpectedHeader), "the key is not what it is called");
    }
}
