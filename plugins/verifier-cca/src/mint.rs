//! CBOR and tokens for tests.

fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => vec![major << 5 | argument as u8],
        24..=0xff => vec![major << 5 | 24, bytes[7]],
        0x100..=0xffff => [&[major << 5 | 25], &bytes[6..]].concat(),
        _ => [&[major << 5 | 26], &bytes[4..]].concat(),
    }
}

pub(crate) fn number(value: u64) -> Vec<u8> {
    head(0, value)
}

pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, value.len() as u64), value.to_vec()].concat()
}

pub(crate) fn text(value: &str) -> Vec<u8> {
    [head(3, value.len() as u64), value.as_bytes().to_vec()].concat()
}

pub(crate) fn list(entries: &[Vec<u8>]) -> Vec<u8> {
    [head(4, entries.len() as u64), entries.concat()].concat()
}

pub(crate) fn map(members: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let flat = members.iter().flat_map(|(label, value)| [label.clone(), value.clone()]);
    [head(5, members.len() as u64), flat.collect::<Vec<_>>().concat()].concat()
}

pub(crate) fn tag(tag: u64, value: Vec<u8>) -> Vec<u8> {
    [head(6, tag), value].concat()
}

/// A COSE_Sign1 by ES256, with a signature of zeros.
pub(crate) fn sign1(payload: &[u8]) -> Vec<u8> {
    let protected = bytes(&[0xa1, 0x01, 0x26]);
    tag(18, list(&[protected, map(&[]), bytes(payload), bytes(&[0; 64])]))
}

/// The claims of a sound platform.
pub(crate) fn platform() -> Vec<(Vec<u8>, Vec<u8>)> {
    let component = map(&[
        (number(1), text("RMM")),
        (number(2), bytes(&[7; 32])),
        (number(5), bytes(&[8; 32])),
    ]);
    vec![
        (number(265), text("http://arm.com/CCA-SSD/1.0.0")),
        (number(10), bytes(&[9; 32])),
        (number(2396), bytes(&[6; 32])),
        (number(256), bytes(&[1; 33])),
        (number(2401), bytes(&[5; 4])),
        (number(2395), number(0x3003)),
        (number(2402), text("sha-256")),
        (number(2399), list(&[component])),
        (number(2400), text("https://verifier.example")),
    ]
}

/// The claims of a sound realm.
pub(crate) fn realm() -> Vec<(Vec<u8>, Vec<u8>)> {
    let rems: Vec<_> = (0..4).map(|number| bytes(&[number; 32])).collect();
    vec![
        (number(10), bytes(&[1; 64])),
        (number(44235), bytes(&[2; 64])),
        (number(44236), text("sha-256")),
        (number(44237), bytes(&[4; 97])),
        (number(44238), bytes(&[3; 32])),
        (number(44239), list(&rems)),
        (number(44240), text("sha-256")),
    ]
}

/// The same claims with another value for one label.
pub(crate) fn with(
    claims: &[(Vec<u8>, Vec<u8>)],
    label: Vec<u8>,
    value: Vec<u8>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rest = claims.iter().filter(|(other, _)| *other != label).cloned();
    rest.chain([(label.clone(), value)]).collect()
}
