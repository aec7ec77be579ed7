//! Distinguished names in AMD's order, marked as simulated.

use super::{der, oid};

/// The organization that every simulated certificate names where AMD's says
/// `Advanced Micro Devices`.
pub const SIMULATED_ORGANIZATION: &str = "Claviger simulated hardware";

/// A name with the six attributes that AMD uses, written in this order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name {
    /// OU, UTF8String.
    pub organizational_unit: String,
    /// C, PrintableString.
    pub country: String,
    /// L, UTF8String.
    pub locality: String,
    /// ST, UTF8String.
    pub state: String,
    /// O, UTF8String.
    pub organization: String,
    /// CN, UTF8String.
    pub common_name: String,
}

impl Name {
    /// A simulated party's name: AMD's address, our mark, the given common name.
    #[must_use]
    pub fn simulated(common_name: impl Into<String>) -> Self {
        Self {
            organizational_unit: "Engineering".into(),
            country: "US".into(),
            locality: "Santa Clara".into(),
            state: "CA".into(),
            organization: SIMULATED_ORGANIZATION.into(),
            common_name: common_name.into(),
        }
    }

    /// The name in DER: one attribute in each relative distinguished name.
    #[must_use]
    pub fn to_der(&self) -> Vec<u8> {
        let attribute = |kind, value: Vec<u8>| der::set([der::sequence([der::oid(kind), value])]);
        der::sequence([
            attribute(oid::ORGANIZATIONAL_UNIT, der::utf8(&self.organizational_unit)),
            attribute(oid::COUNTRY, der::printable(&self.country)),
            attribute(oid::LOCALITY, der::utf8(&self.locality)),
            attribute(oid::STATE, der::utf8(&self.state)),
            attribute(oid::ORGANIZATION, der::utf8(&self.organization)),
            attribute(oid::COMMON_NAME, der::utf8(&self.common_name)),
        ])
    }
}
