//! The values of claims, each with its one form in JSON and its one form in CBOR.

use std::borrow::Cow;
use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};

use super::claims::Member;
use crate::appraisal::{Status, Trust, Vector};
use crate::claim::Claim;

/// `eat_profile` of a result.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// Claims inside claims, at most so deep.
const DEPTH: usize = 8;

/// Why a result cannot be written, or read back.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The one profile that is written, and read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile;

/// The nonce of a challenge: base64url in JSON, a byte string in CBOR (RFC 9711, section 4.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Nonce(pub [u8; 32]);

/// `jti`, in JSON a text; `cti`, in CBOR a byte string (RFC 8392, section 3.1.7).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identifier<'a>(pub Cow<'a, str>);

/// A status: its name in JSON, the first value of its tier in CBOR (EAR, section 3.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tier(pub Status);

/// A trustworthiness vector: by name in JSON, by number in CBOR (EAR, section 3.1).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TrustVector(pub Vector);

/// Claims by name, each once. Byte strings are hexadecimal text in JSON, and stay bytes in CBOR.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClaimMap<'a>(pub Cow<'a, [Claim]>);

impl Member for Profile {}
impl Member for Nonce {}
impl Member for Identifier<'_> {}
impl Member for Tier {}

/// An empty one may not stand there (EAR, appendix A).
impl Member for TrustVector {
    fn is_absent(&self) -> bool {
        self.0 == Vector::default()
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

/// An empty one may not stand there (EAR, appendix A).
impl Member for ClaimMap<'_> {
    fn is_absent(&self) -> bool {
        self.0.is_empty()
    }

    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(PROFILE)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Cow::<str>::deserialize(deserializer)? == PROFILE {
            true => Ok(Self),
            false => Err(D::Error::custom("another profile")),
        }
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&BASE64URL_NOPAD.encode(&self.0)),
            false => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = match deserializer.is_human_readable() {
            true => {
                let text = Cow::<str>::deserialize(deserializer)?;
                BASE64URL_NOPAD.decode(text.as_bytes()).map_err(D::Error::custom)?
            }
            false => bytes(deserializer)?,
        };
        bytes.try_into().map(Self).map_err(|_| D::Error::custom("a nonce of another length"))
    }
}

impl Serialize for Identifier<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(&self.0),
            false => serializer.serialize_bytes(self.0.as_bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Identifier<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match deserializer.is_human_readable() {
            true => String::deserialize(deserializer)?,
            false => String::from_utf8(bytes(deserializer)?).map_err(D::Error::custom)?,
        };
        Ok(Self(Cow::Owned(text)))
    }
}

impl Tier {
    fn number(self) -> i8 {
        match self.0 {
            Status::None => 0,
            Status::Affirming => 2,
            Status::Warning => 32,
            Status::Contraindicated => 96,
        }
    }

    const ALL: [Self; 4] = [
        Self(Status::None),
        Self(Status::Affirming),
        Self(Status::Warning),
        Self(Status::Contraindicated),
    ];
}

impl Serialize for Tier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.serialize_str(self.0.name()),
            false => serializer.serialize_i8(self.number()),
        }
    }
}

impl<'de> Deserialize<'de> for Tier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = if deserializer.is_human_readable() {
            let name = Cow::<str>::deserialize(deserializer)?;
            Self::ALL.into_iter().find(|tier| tier.0.name() == name)
        } else {
            let number = i8::deserialize(deserializer)?;
            Self::ALL.into_iter().find(|tier| tier.number() == number)
        };
        found.ok_or_else(|| D::Error::custom("no status"))
    }
}

impl Serialize for TrustVector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return self.0.serialize(serializer);
        }
        let said = Trust::ALL.into_iter().zip(0u8..);
        let said: Vec<_> =
            said.filter_map(|(trust, key)| Some((key, self.0.value(trust)?))).collect();
        serializer.collect_map(said)
    }
}

impl<'de> Deserialize<'de> for TrustVector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values {
            named: bool,
        }
        impl<'de> Visitor<'de> for Values {
            type Value = TrustVector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a trustworthiness vector")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TrustVector, A::Error> {
                let mut vector = Vector::default();
                loop {
                    let trust = if self.named {
                        let Some(name) = map.next_key::<String>()? else { break };
                        Trust::ALL.into_iter().find(|trust| trust.name() == name)
                    } else {
                        let Some(key) = map.next_key::<u8>()? else { break };
                        Trust::ALL.get(usize::from(key)).copied()
                    };
                    let trust = trust.ok_or_else(|| A::Error::custom("no claim of AR4SI"))?;
                    if !vector.set(trust, map.next_value()?) {
                        return Err(A::Error::custom("a claim of AR4SI stands twice"));
                    }
                }
                Ok(TrustVector(vector))
            }
        }
        let named = deserializer.is_human_readable();
        deserializer.deserialize_map(Values { named })
    }
}

impl Serialize for ClaimMap<'_> {
    /// A claim that stands twice makes no result: what is read back must be what was judged.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut names: Vec<&str> = self.0.iter().map(|claim| claim.name.as_ref()).collect();
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[one, next]| one == next) {
            return Err(S::Error::custom(format_args!("the claim {twice:?} stands twice")));
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for claim in self.0.iter() {
            map.serialize_entry(claim.name.as_ref(), &claim.value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ClaimMap<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Claims;
        impl<'de> Visitor<'de> for Claims {
            type Value = Vec<Claim>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("claims by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Claim>, A::Error> {
                let mut claims = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, _>()? {
                    claims.push(Claim::new(name, value));
                }
                Ok(claims)
            }
        }
        deserializer.deserialize_map(Claims).map(|claims| Self(Cow::Owned(claims)))
    }
}

/// A byte string.
fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    struct Bytes;
    impl Visitor<'_> for Bytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a byte string")
        }

        fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }
    }
    deserializer.deserialize_bytes(Bytes)
}

pub(super) fn to_cbor<T: Serialize>(value: &T) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::with_capacity(4096);
    ciborium::into_writer(value, &mut bytes).map_err(|error| Unreadable(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH)
        .map_err(|error| Unreadable(error.to_string()))
}
