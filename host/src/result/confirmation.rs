//! `cnf`: the recipient key, as a JWK (RFC 7800) and as a COSE_Key (RFC 8747).

use std::borrow::Cow;
use std::fmt;

use ciborium::Value as Cbor;
use data_encoding::BASE64URL_NOPAD;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::claims::Member;

/// The member that holds a key: `jwk`, and 1 in CBOR.
const JWK: &str = "jwk";
const COSE_KEY: u8 = 1;

/// Labels of a COSE_Key (RFC 9052, section 7.1).
const KTY: i64 = 1;
const ALG: i64 = 3;

/// A public key. As long as nobody made a recipient key of it, it is no more than what was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Confirmation<'a>(pub Cow<'a, Value>);

impl Member for Confirmation<'_> {}

impl Serialize for Confirmation<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let human = serializer.is_human_readable();
        let mut map = serializer.serialize_map(Some(1))?;
        if human {
            map.serialize_entry(JWK, self.0.as_ref())?;
        } else {
            let key = cose_key(&self.0).ok_or_else(|| S::Error::custom("no COSE_Key for it"))?;
            map.serialize_entry(&COSE_KEY, &key)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Confirmation<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Key {
            named: bool,
        }
        impl<'de> Visitor<'de> for Key {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a confirmation key, and nothing else")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let other = || A::Error::custom("another way of confirmation");
                let key = if self.named {
                    let (name, key) = map.next_entry::<String, Value>()?.ok_or_else(other)?;
                    (name == JWK).then_some(key)
                } else {
                    let (label, key) = map.next_entry::<u8, Cbor>()?.ok_or_else(other)?;
                    if label == COSE_KEY { jwk(key) } else { None }
                };
                let more = match self.named {
                    true => map.next_key::<String>()?.is_some(),
                    false => map.next_key::<u8>()?.is_some(),
                };
                key.filter(|_| !more).ok_or_else(other)
            }
        }
        let named = deserializer.is_human_readable();
        deserializer.deserialize_map(Key { named }).map(|key| Self(Cow::Owned(key)))
    }
}

/// A kind of key: what its members are called on either side.
struct Kind {
    jose: &'static str,
    cose: i64,
    /// Names of the curves, with their numbers.
    curves: &'static [(&'static str, i64)],
    /// Byte strings, by label.
    octets: &'static [(&'static str, i64)],
}

/// RFC 9053, section 7; RFC 8230, section 4; draft-ietf-cose-dilithium, section 3 (AKP).
const KINDS: &[Kind] = &[
    Kind { jose: "OKP", cose: 1, curves: &[("X25519", 4), ("X448", 5)], octets: &[("x", -2)] },
    Kind {
        jose: "EC",
        cose: 2,
        curves: &[("P-256", 1), ("P-384", 2), ("P-521", 3)],
        octets: &[("x", -2), ("y", -3)],
    },
    Kind { jose: "RSA", cose: 3, curves: &[], octets: &[("n", -1), ("e", -2)] },
    Kind { jose: "AKP", cose: 7, curves: &[], octets: &[("pub", -1)] },
];

/// The COSE_Key of a public JWK that has its required members and no others.
fn cose_key(jwk: &Value) -> Option<Cbor> {
    let members = jwk.as_object()?;
    let text = |name: &str| members.get(name)?.as_str();
    let kind = KINDS.iter().find(|kind| text("kty") == Some(kind.jose))?;
    let mut key = vec![(KTY, Cbor::from(kind.cose))];
    // X-Wing has a name in JOSE and no number in COSE yet; an algorithm may be a text there.
    if let Some(algorithm) = text("alg") {
        key.push((ALG, Cbor::from(algorithm)));
    }
    if let Some(curve) = text("crv") {
        let (_, number) = kind.curves.iter().find(|(name, _)| *name == curve)?;
        key.push((-1, Cbor::from(*number)));
    }
    for (name, label) in kind.octets {
        let octets = BASE64URL_NOPAD.decode(text(name)?.as_bytes()).ok()?;
        key.push((*label, Cbor::from(octets)));
    }
    let all =
        1 + usize::from(members.contains_key("alg")) + usize::from(members.contains_key("crv"));
    (members.len() == all + kind.octets.len())
        .then(|| Cbor::Map(key.into_iter().map(|(label, value)| (label.into(), value)).collect()))
}

/// And back. Whether the key is a sound one is for [`crate::keys::RecipientKey`] to say.
fn jwk(key: Cbor) -> Option<Value> {
    let entries = key.into_map().ok()?;
    let value = |label: i64| {
        let mut found = entries.iter().filter(|(known, _)| *known == Cbor::from(label));
        found.next().map(|(_, value)| value)
    };
    let number = i64::try_from(value(KTY)?.as_integer()?).ok()?;
    let kind = KINDS.iter().find(|kind| kind.cose == number)?;
    let mut jwk = Map::new();
    let mut put = |name: &str, value: &str| jwk.insert(name.to_owned(), Value::from(value));
    put("kty", kind.jose);
    if let Some(algorithm) = value(ALG) {
        put("alg", algorithm.as_text()?);
    }
    if !kind.curves.is_empty() {
        let number = i64::try_from(value(-1)?.as_integer()?).ok()?;
        put("crv", kind.curves.iter().find(|(_, known)| *known == number)?.0);
    }
    for (name, label) in kind.octets {
        put(name, &BASE64URL_NOPAD.encode(value(*label)?.as_bytes()?));
    }
    (jwk.len() == entries.len()).then_some(Value::Object(jwk))
}
