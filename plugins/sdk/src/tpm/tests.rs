//! Quotes and signatures that are written here, whole and broken.

use super::*;
use crate::json;
use crate::tcg::Bank;
use crate::verifier::custody::{Algorithm, Digest};
use crate::verifier::{Binding, Carries, Rejection};

fn sized(content: &[u8]) -> Vec<u8> {
    [&(content.len() as u16).to_be_bytes()[..], content].concat()
}

/// A quote of PCRs 0 and 9 with SHA-256, and of PCR 1 with SHA-384.
fn quote() -> Vec<u8> {
    let mut quote = vec![0xff, b'T', b'C', b'G', 0x80, 0x18];
    quote.extend(sized(&[1; 34]));
    quote.extend(sized(b"nonce"));
    quote.extend(7_u64.to_be_bytes());
    quote.extend([0, 0, 0, 2, 0, 0, 0, 1, 1]);
    quote.extend(9_u64.to_be_bytes());
    quote.extend([0, 0, 0, 2, 0, 0x0b, 3, 1, 2, 0, 0, 0x0c, 3, 2, 0, 0]);
    quote.extend(sized(&[5; 32]));
    quote
}

fn values(first: &[u8]) -> Values {
    let mut values = Values::default();
    for (bank, index, value) in
        [(Bank::Sha384, 1, &[11; 48][..]), (Bank::Sha256, 0, first), (Bank::Sha256, 9, &[19; 32])]
    {
        assert!(values.add(bank, index, value));
    }
    values
}

#[test]
fn a_quote_is_read() {
    let message = quote();
    let attest = Attest::read(&message).unwrap();
    assert_eq!((attest.extra_data.start, attest.extra_data.length), (44, 5));
    let digest = attest.pcr_digest;
    assert_eq!(message[digest.start as usize..][..digest.length as usize], [5; 32]);
    assert_eq!((attest.clock, attest.reset_count, attest.restart_count), (7, 2, 1));
    assert_eq!((attest.safe, attest.firmware_version), (true, 9));
    let first = Selection { bank: Bank::Sha256, indexes: vec![0, 9] };
    assert_eq!(attest.selections, [first, Selection { bank: Bank::Sha384, indexes: vec![1] }]);
}

// attack 8
#[test]
fn data_of_another_length_than_a_digest_bind_nothing() {
    let mut attest = Attest::read(&quote()).unwrap();
    for (length, wanted) in [(32, Digest::Sha256), (48, Digest::Sha384), (64, Digest::Sha512)] {
        attest.extra_data.length = length;
        let Some(Binding { statement: 2, at, carries }) = binding(&attest, 2) else { panic!() };
        assert_eq!((at.start, at.length), (44, length));
        assert!(matches!(carries, Carries::ChallengeDigest(digest) if digest == wanted));
    }
    for length in [0, 5, 20, 31, 33, 63, 65] {
        attest.extra_data.length = length;
        assert!(binding(&attest, 2).is_none(), "{length}");
    }
}

#[test]
fn what_is_no_whole_quote_is_malformed() {
    let message = quote();
    for length in 0..message.len() {
        let cut = Attest::read(&message[..length]);
        assert!(matches!(cut, Err(Rejection::Malformed(_))), "{length}");
    }
    assert!(Attest::read(&[&message[..], &[0]].concat()).is_err());
    // Magic; TPM_ST_ATTEST_CERTIFY; a flag that is neither; four algorithms too many; a large bitmap.
    for (at, byte) in [(0, 0xfe), (5, 0x17), (65, 2), (77, 17), (80, 5)] {
        let mut other = message.clone();
        other[at] = byte;
        assert!(matches!(Attest::read(&other), Err(Rejection::Malformed(_))), "{at}");
    }
    let mut twice = message.clone();
    twice[85] = 0x0b;
    assert!(matches!(Attest::read(&twice), Err(Rejection::Malformed(_))));
    let mut unknown = message;
    unknown[85] = 0x27;
    assert!(matches!(Attest::read(&unknown), Err(Rejection::Unsupported(_))));
}

#[test]
fn values_stand_in_the_order_of_the_quotes_own_selection() {
    let attest = Attest::read(&quote()).unwrap();
    let (bytes, places) = values(&[10; 32]).quoted(&attest.selections).unwrap();
    assert_eq!(bytes, [vec![10; 32], vec![19; 32], vec![11; 48]].concat());
    let Place { bank, index, at } = places[2];
    assert_eq!((bank, index, at.start, at.length), (Bank::Sha384, 1, 64, 48));
}

#[test]
fn a_value_that_is_not_quoted_or_not_there_is_refused() {
    let attest = Attest::read(&quote()).unwrap();
    let mut more = values(&[10; 32]);
    assert!(more.add(Bank::Sha256, 7, &[1; 32]));
    let Err(Rejection::Malformed(why)) = more.quoted(&attest.selections) else { panic!() };
    assert!(why.contains("PCR 7"), "{why}");
    let text = json::Value::Text("0a".repeat(32).into());
    let one = Values::listed(Bank::Sha256, std::slice::from_ref(&text)).unwrap();
    assert!(one.quoted(&attest.selections).is_err());
    assert!(values(&[10; 31]).quoted(&attest.selections).is_err());
    assert!(Values::default().quoted(&[]).is_err());
}

#[test]
fn a_register_has_one_value() {
    let attest = Attest::read(&quote()).unwrap();
    let mut twice = values(&[10; 32]);
    assert!(!twice.add(Bank::Sha256, 0, &[7; 32]));
    assert!(
        twice.clone().add(Bank::Sha256, 31, &[7; 32]) && !twice.add(Bank::Sha256, 32, &[7; 32])
    );
    assert!(!twice.add_json(Bank::Sha256, 0, &json::Value::Text("07".into())));
    assert!(!twice.add_json(Bank::Sha256, 3, &json::Value::Text("07 ".repeat(2).into())));
    assert!(twice == values(&[10; 32]) && twice != values(&[7; 32]));
    let (bytes, _) = twice.quoted(&attest.selections).unwrap();
    assert_eq!(bytes[..32], [10; 32]);
    let list = [json::Value::Text("0a".into()), json::Value::Number(1)];
    assert!(Values::listed(Bank::Sha256, &list).is_none());
}

#[test]
fn signatures_are_read_in_the_hosts_form() {
    let rsa = [&[0, 0x14, 0, 0x0b][..], &sized(&[3; 256])].concat();
    let read = Signature::read(&rsa).unwrap();
    assert_eq!((read.algorithm, read.bytes.len()), (Algorithm::RsaPkcs1Sha256, 256));
    let ecdsa = [&[0, 0x18, 0, 0x0b][..], &sized(&[1; 31]), &sized(&[2; 32])].concat();
    let read = Signature::read(&ecdsa).unwrap();
    assert_eq!(read.algorithm, Algorithm::EcdsaP256Sha256);
    assert_eq!(read.bytes, [&[0][..], &[1; 31], &[2; 32]].concat());
    for signature in [rsa, ecdsa] {
        for length in 0..signature.len() {
            assert!(Signature::read(&signature[..length]).is_err(), "{length}");
        }
        assert!(Signature::read(&[&signature[..], &[0]].concat()).is_err());
        let mut sha1 = signature;
        sha1[3] = 4;
        assert!(matches!(Signature::read(&sha1), Err(Rejection::Unsupported(_))));
    }
    let long = [&[0, 0x18, 0, 0x0b][..], &sized(&[1; 33]), &sized(&[2; 32])].concat();
    assert!(Signature::read(&long).is_err());
    assert!(Signature::read(&[0, 0x05, 0, 0x0b, 0, 1, 1]).is_err());
}
