//! Stands in for the crate `cmw`, whose build script downloads a registry over OpenSSL. The crate
//! `ear`, an oracle of the tests, names its type for a claim that no result of this host has.

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// A conceptual message wrapper (RFC 9999); there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CMW {
    /// A collection of them.
    Collection(Nothing),
}

/// What cannot be made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Nothing {}

impl Serialize for CMW {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        let Self::Collection(nothing) = self;
        match *nothing {}
    }
}

impl<'de> Deserialize<'de> for CMW {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("no result of this host has one"))
    }
}
