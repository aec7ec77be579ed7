//! The simulated supply chain that every site trusts.

use std::sync::OnceLock;

use claviger::quote::snp::Product;
use claviger::simulated::{Endorser, Family, SimulatedGuest};

use super::NOW;

/// Genoa's family, which every site trusts.
#[must_use]
pub fn family() -> &'static Family {
    family_of(Product::Genoa)
}

/// A product's family, minted once in a test process: three RSA-4096 keys take seconds.
#[must_use]
pub fn family_of(product: Product) -> &'static Family {
    static FAMILIES: [OnceLock<Family>; 3] = [const { OnceLock::new() }; 3];
    let index = Product::ALL.iter().position(|one| *one == product).unwrap();
    FAMILIES[index].get_or_init(|| Family::mint(product, NOW).unwrap())
}

/// Chip number 0; every call derives another key for it.
#[must_use]
pub fn chip() -> Endorser {
    family().chip(&family().chip_template()).unwrap()
}

/// A guest of a provider, who signs with a VLEK.
#[must_use]
pub fn provider() -> SimulatedGuest {
    SimulatedGuest::new(family().provider(&family().provider_template()).unwrap())
}
