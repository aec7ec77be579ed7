//! Signed CoRIM, made here as draft-ietf-rats-corim has it.

use ciborium::Value;
use serde_json::json;

use super::*;
use crate::clock::Timestamp;
use crate::reference::{Form, Origin};

fn bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn map<const N: usize>(members: [(i64, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn tag(tag: u64, value: impl Into<Value>) -> Value {
    Value::Tag(tag, Box::new(value.into()))
}

fn moment(seconds: u64) -> Value {
    tag(1, seconds)
}

/// An environment of AMD's profile, by chip.
fn by_chip() -> Value {
    let class = [
        0xd0, 0x5e, 0x6d, 0x1b, 0x9f, 0x46, 0x4a, 0xe2, 0xa6, 0x10, 0xce, 0x3e, 0x6e, 0xe7, 0xe1,
        0x53,
    ];
    map([(0, map([(0, tag(37, class.to_vec()))]))])
}

fn digest(byte: u8) -> Value {
    Value::Array(vec![Value::Array(vec![7.into(), vec![byte; 48].into()])])
}

fn measured(key: impl Into<Value>, values: Value) -> Value {
    map([(0, key.into()), (1, values)])
}

const AMD: &str = "tag:amd.com,2025:snp-corim-profile";

/// What stands in a CoRIM, each part as it may be changed.
struct Corim {
    profile: Value,
    environment: Value,
    measurements: Vec<Value>,
    more: Vec<(Value, Value)>,
}

impl Corim {
    fn amd() -> Self {
        Self {
            profile: tag(32, AMD),
            environment: by_chip(),
            measurements: vec![
                measured(0, map([(2, digest(7))])),
                measured(8, map([(4, tag(560, vec![1; 32]))])),
            ],
            more: Vec::new(),
        }
    }

    fn payload(self) -> Vec<u8> {
        let triple = Value::Array(vec![self.environment, Value::Array(self.measurements)]);
        let comid =
            map([(1, map([(0, "comid-1".into())])), (4, map([(0, Value::Array(vec![triple]))]))]);
        let mut members = vec![
            (0.into(), "corim-1".into()),
            (1.into(), Value::Array(vec![tag(506, bytes(&comid))])),
            (3.into(), self.profile),
        ];
        members.extend(self.more);
        bytes(&tag(501, Value::Map(members)))
    }
}

fn header(algorithm: i64) -> Vec<(Value, Value)> {
    let meta = map([(0, map([(0, "somebody".into())]))]);
    vec![
        (1.into(), algorithm.into()),
        (3.into(), "application/rim+cbor".into()),
        (8.into(), bytes(&meta).into()),
    ]
}

fn sign1(key: &Key, header: Vec<(Value, Value)>, unprotected: Value, payload: &[u8]) -> Vec<u8> {
    let header = bytes(&Value::Map(header));
    // RFC 9052 section 4.4.
    let message = bytes(&Value::Array(vec![
        "Signature1".into(),
        header.clone().into(),
        Value::Bytes(Vec::new()),
        payload.to_vec().into(),
    ]));
    let signature = match key {
        Key::P256(pair) => fixed(pair.sign(&SystemRandom::new(), &message).unwrap().as_ref()),
        key => key.sign(&message),
    };
    let parts = vec![header.into(), unprotected, payload.to_vec().into(), signature.into()];
    bytes(&tag(18, Value::Array(parts)))
}

/// r and s, each of 32 bytes, of an ECDSA signature in DER.
fn fixed(der: &[u8]) -> Vec<u8> {
    let integer = |at: usize| {
        let length = usize::from(der[at + 1]);
        let digits = &der[at + 2..at + 2 + length];
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        let mut whole = vec![0; 32 - digits.len()];
        whole.extend_from_slice(digits);
        (whole, at + 2 + length)
    };
    let (r, next) = integer(2);
    [r, integer(next).0].concat()
}

fn nothing() -> Value {
    Value::Map(Vec::new())
}

fn signed(key: &Key, corim: Corim) -> Vec<u8> {
    let algorithm = match key {
        Key::P256(_) => -7,
        Key::P384(_) => -35,
        Key::Ed25519(_) => -8,
    };
    sign1(key, header(algorithm), nothing(), &corim.payload())
}

#[test]
fn a_corim_of_amds_profile_is_read() {
    for key in [Key::p256(), Key::p384(), Key::ed25519()] {
        let signers = signers([key.plan("vendor")]);
        let admitted = admit(&signers, Container::Corim, &signed(&key, Corim::amd())).unwrap();
        let document = admitted.document();
        assert_eq!((document.name.as_str(), document.form), ("corim-1", Form::Corim));
        assert!(matches!(admitted.origin(), Origin::Signed { signer, .. } if signer == "vendor"));
        let [group] = document.groups.as_slice() else { panic!("{document:?}") };
        assert_eq!(group.values["measurement"], json!(measurement(7)));
        assert_eq!(group.values["host_data"], json!("01".repeat(32)));
    }
}

#[test]
fn a_corim_of_our_own_profile_names_tee_and_claims() {
    let key = Key::p384();
    let corim = Corim {
        profile: tag(32, "urn:claviger:corim:1"),
        environment: map([(0, map([(2, "acme".into())]))]),
        measurements: vec![
            measured("image", map([(2, digest(7))])),
            measured("svn", map([(1, tag(552, 3))])),
            measured("salt", map([(4, tag(560, vec![9; 4]))])),
        ],
        more: vec![(4.into(), map([(0, moment(100)), (1, moment(200))]))],
    };
    let plan = SignerPlan { tees: vec!["acme".to_owned()], ..key.plan("acme") };
    let admitted = admit(&signers([plan]), Container::Corim, &signed(&key, corim)).unwrap();
    let document = admitted.document();
    assert_eq!(document.window.not_before, Some(Timestamp(100)));
    assert_eq!(document.window.not_after, Some(Timestamp(200)));
    let values = &document.groups[0].values;
    assert_eq!(values["image"], json!(measurement(7)));
    assert_eq!((&values["svn"], &values["salt"]), (&json!(3), &json!("09090909")));
}

/// A sound CoRIM under another header.
fn under(key: &Key, header: Vec<(Value, Value)>, unprotected: Value) -> Vec<u8> {
    sign1(key, header, unprotected, &Corim::amd().payload())
}

#[test]
fn a_signature_has_its_own_time_and_both_count() {
    let key = Key::ed25519();
    let mut header = header(-8);
    header.push((15.into(), map([(1, "somebody".into()), (4, 150.into()), (5, 50.into())])));
    let validity = map([(0, moment(60)), (1, moment(500))]);
    header[2].1 = bytes(&map([(0, map([(0, "somebody".into())])), (1, validity)])).into();
    let admitted =
        admit(&signers([key.plan("v")]), Container::Corim, &under(&key, header, nothing()));
    let window = admitted.unwrap().document().window;
    assert_eq!((window.not_before, window.not_after), (Some(Timestamp(60)), Some(Timestamp(150))));
}

// attack 52, in COSE
#[test]
fn the_algorithm_is_the_keys_and_stands_where_it_is_signed() {
    let key = Key::p256();
    let signers = signers([key.plan("vendor")]);
    let read = |bytes: &[u8]| admit(&signers, Container::Corim, bytes).err();
    assert_eq!(read(&under(&key, header(-7), nothing())), None);
    assert_eq!(read(&under(&key, header(-9), nothing())), None);
    // Another algorithm than the key's, one of a secret, one that is none.
    for other in [-35, -8, 5, -257] {
        let refused = read(&under(&key, header(other), nothing()));
        assert_eq!(refused, Some(ReferenceError::NotSigned), "{other}");
    }
    let without = |label: i64| {
        header(-7).into_iter().filter(|(key, _)| *key != Value::from(label)).collect::<Vec<_>>()
    };
    let mut critical = header(-7);
    critical.push((2.into(), Value::Array(vec![8.into()])));
    let mut other_type = header(-7);
    other_type[1].1 = "application/cbor".into();
    let outside = map([(1, Value::from(-7))]);
    for (header, unprotected) in [
        (without(1), nothing()),
        (without(1), outside.clone()),
        (header(-7), outside),
        (without(3), nothing()),
        (without(8), nothing()),
        (critical, nothing()),
        (other_type, nothing()),
    ] {
        let refused = read(&under(&key, header, unprotected));
        assert!(matches!(refused, Some(ReferenceError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn a_corim_that_was_changed_is_refused() {
    let key = Key::p384();
    let signers = signers([key.plan("vendor")]);
    let sound = signed(&key, Corim::amd());
    let (payload, other) = (Corim::amd().payload(), {
        let mut corim = Corim::amd();
        corim.measurements[0] = measured(0, map([(2, digest(8))]));
        corim.payload()
    });
    let at = sound.windows(payload.len()).position(|window| window == payload).unwrap();
    let mut changed = sound.clone();
    changed[at..at + payload.len()].copy_from_slice(&other);
    assert_eq!(admit(&signers, Container::Corim, &changed).err(), Some(ReferenceError::NotSigned));
    let mut signature = sound.clone();
    *signature.last_mut().unwrap() ^= 1;
    assert_eq!(
        admit(&signers, Container::Corim, &signature).err(),
        Some(ReferenceError::NotSigned)
    );
}

// invariant 6
#[test]
fn what_may_be_a_condition_and_is_not_understood_is_refused() {
    let key = Key::ed25519();
    let signers = signers([key.plan("vendor")]);
    let change = |change: &dyn Fn(&mut Corim)| {
        let mut corim = Corim::amd();
        change(&mut corim);
        admit(&signers, Container::Corim, &signed(&key, corim)).map(drop)
    };
    assert_eq!(change(&|_| {}), Ok(()));
    let masked = map([(4, tag(560, vec![1; 32])), (5, vec![0xff; 32].into())]);
    let conditions: [&dyn Fn(&mut Corim); 14] = [
        &|corim| corim.profile = tag(32, "tag:example.com,2026:other"),
        &|corim| corim.more.push((2.into(), Value::Array(Vec::new()))),
        &|corim| corim.more.push((99.into(), 1.into())),
        &|corim| corim.environment = map([(0, map([(2, "snp".into())]))]),
        // One machine only.
        &|corim| {
            let Value::Map(environment) = &mut corim.environment else { panic!() };
            environment.push((1.into(), tag(560, vec![1; 64])));
        },
        &|corim| corim.measurements.push(measured(8, masked.clone())),
        &|corim| corim.measurements[1] = measured(8, masked.clone()),
        // A minimum; flags; a TCB; a launch's own id.
        &|corim| corim.measurements[0] = measured(0, map([(1, tag(553, 3)), (2, digest(7))])),
        &|corim| corim.measurements[0] = measured(0, map([(2, digest(7)), (3, nothing())])),
        &|corim| corim.measurements[1] = measured(7, map([(1, tag(552, 3))])),
        &|corim| corim.measurements[1] = measured(3, map([(4, tag(560, vec![1; 32]))])),
        &|corim| {
            let Value::Map(measurement) = &mut corim.measurements[0] else { panic!() };
            measurement.push((2.into(), Value::Array(vec![tag(554, "key")])));
        },
        // Two digests, and one of another function.
        &|corim| {
            let two = Value::Array(vec![
                Value::Array(vec![7.into(), vec![1; 48].into()]),
                Value::Array(vec![7.into(), vec![2; 48].into()]),
            ]);
            corim.measurements[0] = measured(0, map([(2, two)]));
        },
        &|corim| {
            let other = Value::Array(vec![Value::Array(vec![1.into(), vec![1; 32].into()])]);
            corim.measurements[0] = measured(0, map([(2, other)]));
        },
    ];
    for (place, condition) in conditions.iter().enumerate() {
        assert!(change(condition).is_err(), "condition {place}");
    }
}

// attack 36
#[test]
fn a_bomb_inside_a_corim_is_refused_wherever_it_is() {
    let key = Key::ed25519();
    let signers = signers([key.plan("vendor")]);
    let read = |bytes: &[u8]| admit(&signers, Container::Corim, bytes).err();
    let double = [(0.into(), "a".into()), (0.into(), "b".into())];
    // In the CoRIM, in the protected header.
    let mut corim = Corim::amd();
    corim.more.push((0.into(), "another".into()));
    assert!(matches!(read(&signed(&key, corim)), Some(ReferenceError::Cbor(_))));
    let mut twice = header(-8);
    twice.push((1.into(), Value::from(-7)));
    assert!(matches!(read(&under(&key, twice, nothing())), Some(ReferenceError::Cbor(_))));
    // Unprotected, and in what stands in byte strings inside.
    let unprotected = Value::Map(double.to_vec());
    let refused = read(&under(&key, header(-8), unprotected));
    assert!(matches!(refused, Some(ReferenceError::Cbor(_))), "{refused:?}");
    let mut meta = header(-8);
    meta[2].1 = bytes(&Value::Map(double.to_vec())).into();
    assert!(matches!(read(&under(&key, meta, nothing())), Some(ReferenceError::Cbor(_))));
    let comid = tag(506, bytes(&Value::Map(double.to_vec())));
    let payload =
        bytes(&tag(501, map([(0, "c".into()), (1, Value::Array(vec![comid])), (3, tag(32, AMD))])));
    let refused = read(&sign1(&key, header(-8), nothing(), &payload));
    assert!(matches!(refused, Some(ReferenceError::Cbor(_))), "{refused:?}");
    let large = vec![0; 200 << 10];
    assert!(read(&large).is_some());
}
