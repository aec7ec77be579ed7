//! Claims sets: one table of members gives the JSON object and the CBOR map, and reads both back.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// What a claim is called: a name in JSON; in CBOR its registered integer, or the name where it has
/// none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) key: Option<i64>,
}

impl Serialize for Label {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.key {
            Some(key) if !serializer.is_human_readable() => serializer.serialize_i64(key),
            _ => serializer.serialize_str(self.name),
        }
    }
}

/// A label as it was read.
pub(super) enum Found {
    Key(i64),
    Name(String),
}

impl Found {
    pub(super) fn is(&self, label: Label) -> bool {
        match self {
            Self::Key(key) => label.key == Some(*key),
            Self::Name(name) => label.name == name,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Name(name) => write!(f, "{}", name.escape_debug()),
        }
    }
}

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Found;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the label of a claim")
            }

            fn visit_i64<E: Error>(self, key: i64) -> Result<Found, E> {
                Ok(Found::Key(key))
            }

            fn visit_u64<E: Error>(self, key: u64) -> Result<Found, E> {
                i64::try_from(key).map(Found::Key).map_err(|_| E::custom("a label beyond 63 bits"))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Found, E> {
                Ok(Found::Name(name.to_owned()))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What can stand in a claims set. What says nothing is left out, and what is left out says nothing.
pub(super) trait Member: Sized {
    /// Whether it is left out.
    fn is_absent(&self) -> bool {
        false
    }

    /// Its value where it is left out; none: it must be there.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T> Member for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Reads a member, once.
pub(super) fn take<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
    slot: &mut Option<T>,
    label: Label,
    map: &mut A,
) -> Result<(), A::Error> {
    match slot.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(Error::custom(format_args!("`{}` stands twice", label.name))),
    }
}

pub(super) fn whole<E: Error, T: Member>(slot: Option<T>, label: Label) -> Result<T, E> {
    slot.or_else(T::absent).ok_or_else(|| E::custom(format_args!("`{}` is missing", label.name)))
}

pub(super) fn write<M: SerializeMap, T: Member + Serialize>(
    map: &mut M,
    label: Label,
    value: &T,
) -> Result<(), M::Error> {
    match value.is_absent() {
        true => Ok(()),
        false => map.serialize_entry(&label, value),
    }
}

/// A claims set: its fields, each with its label. Written in the order of the table; read in any,
/// each once, nothing unknown.
macro_rules! claims_set {
    ($(#[$doc:meta])* pub struct $name:ident<$life:lifetime> {
        $($(#[$field_doc:meta])* pub $field:ident: $kind:ty = $text:literal $(/ $key:literal)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name<$life> { $($(#[$field_doc])* pub $field: $kind,)* }

        impl serde::Serialize for $name<'_> {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use $crate::result::claims::{Label, Member, write};
                let present = [$(!self.$field.is_absent(),)*];
                let present = present.iter().filter(|present| **present).count();
                let mut map = serializer.serialize_map(Some(present))?;
                $(write(&mut map, claims_set!(@label $text $(/ $key)?), &self.$field)?;)*
                serde::ser::SerializeMap::end(map)
            }
        }

        impl<'de, $life> serde::Deserialize<'de> for $name<$life> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use $crate::result::claims::{Found, Label, take, whole};
                struct Set<$life>(std::marker::PhantomData<&$life ()>);
                impl<'de, $life> serde::de::Visitor<'de> for Set<$life> {
                    type Value = $name<$life>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("a claims set")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        $(let mut $field: Option<$kind> = None;)*
                        while let Some(found) = map.next_key::<Found>()? {
                            $(if found.is(claims_set!(@label $text $(/ $key)?)) {
                                let label = claims_set!(@label $text $(/ $key)?);
                                take(&mut $field, label, &mut map)?;
                                continue;
                            })*
                            let unknown = format_args!("an unknown claim: {found}");
                            return Err(serde::de::Error::custom(unknown));
                        }
                        Ok($name { $($field: whole($field, claims_set!(@label $text $(/ $key)?))?,)* })
                    }
                }
                deserializer.deserialize_map(Set(std::marker::PhantomData))
            }
        }
    };
    (@label $text:literal) => { Label { name: $text, key: None } };
    (@label $text:literal / $key:literal) => { Label { name: $text, key: Some($key) } };
}

pub(super) use claims_set;
