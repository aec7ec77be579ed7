//! Components that differ from others in what a test wants: other bytes, another version.

#![allow(clippy::expect_used, reason = "a test stops at the first surprise")]

use claviger::plugin::bundled;

/// The bundled plugin of this name, with bytes behind it that change nothing but its digest.
///
/// # Panics
/// Where there is none.
#[must_use]
pub fn variant(name: &str, number: u8) -> Vec<u8> {
    let mut component = bundled::component(name).expect("a bundled plugin").to_vec();
    // A custom section (component model, Binary.md): 0, its size, its name, its content.
    component.extend([0, 8, 6, b'n', b'u', b'm', b'b', b'e', b'r', number]);
    component
}

/// A component that says that it is of another version, as long as its own in text.
///
/// # Panics
/// Where its manifest has not that version.
#[must_use]
pub fn of_version(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    let (from, to) = (format!("\"version\":\"{from}\""), format!("\"version\":\"{to}\""));
    assert_eq!(from.len(), to.len());
    let mut component = component.to_vec();
    let places: Vec<_> = component.windows(from.len()).map(|w| w == from.as_bytes()).collect();
    // The section, and perhaps a copy of it among the module's data.
    let places = places.iter().enumerate().filter(|(_, found)| **found).map(|(at, _)| at);
    let mut found = false;
    for at in places {
        for (byte, new) in component.iter_mut().skip(at).zip(to.bytes()) {
            *byte = new;
        }
        found = true;
    }
    assert!(found, "a manifest of that version");
    component
}
