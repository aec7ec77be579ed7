//! What a manifest says that measurements are to be.

use serde_json::Value as Json;

use super::xml::Element;
use super::{SWID, malformed};
use crate::reference::document::Group;
use crate::reference::error::ReferenceError;

/// What the digests are in: the name of the algorithm, as NVIDIA writes it.
const HASHES: &str = "http://www.w3.org/2001/04/xmlenc#sha384";

/// An index stands in one byte of a report, where it is one more.
const LAST_INDEX: u8 = 254;

/// A measurement has at most so many values.
const MOST_ALTERNATIVES: usize = 64;

/// Attributes of a measurement beside its digests.
const KNOWN: [&str; 6] = ["active", "alternatives", "index", "name", "size", "type"];

/// The first group has the first value of each active measurement; the next the second of those that have
/// one, and so on.
pub(super) fn read(payload: &Element) -> Result<Vec<Group>, ReferenceError> {
    if !payload.is(SWID, "Payload") || !payload.attributes.is_empty() {
        return Err(malformed("no payload"));
    }
    let mut groups: Vec<Group> = Vec::new();
    for (place, resource) in payload.children()?.into_iter().enumerate() {
        let (index, values) = measurement(resource)?;
        if usize::from(index) != place {
            return Err(malformed("measurements that are not in the order of their indices"));
        }
        if resource.attribute("", "active") != Some("True") {
            continue;
        }
        for (number, value) in values.into_iter().enumerate() {
            if groups.len() == number {
                groups.push(Group { tee: "nvidia".to_owned(), values: Default::default() });
            }
            let claim = format!("measurement_{}", u16::from(index) + 1);
            if let Some(group) = groups.get_mut(number) {
                group.values.insert(claim, Json::String(value));
            }
        }
    }
    Ok(groups)
}

/// Its index, and its values in lower-case hexadecimal.
fn measurement(resource: &Element) -> Result<(u8, Vec<String>), ReferenceError> {
    let told = |name: &str| resource.attribute("", name).unwrap_or_default();
    if !resource.is(SWID, "Resource") || told("type") != "Measurement" || told("size") != "48" {
        return Err(malformed("a resource that is no measurement of 48 bytes"));
    }
    if !resource.nodes.is_empty() || !resource.declared.is_empty() {
        return Err(malformed("a measurement with something in it"));
    }
    if !matches!(told("active"), "True" | "False") {
        return Err(malformed("a measurement that is neither active nor not"));
    }
    let index = number(told("index")).and_then(|index| u8::try_from(index).ok());
    let index = index.filter(|index| *index <= LAST_INDEX).ok_or_else(|| malformed("an index"))?;
    let alternatives =
        number(told("alternatives")).filter(|many| (1..=MOST_ALTERNATIVES).contains(many));
    let alternatives = alternatives.ok_or_else(|| malformed("a number of alternatives"))?;
    let mut values = Vec::with_capacity(alternatives);
    for alternative in 0..alternatives {
        let value = resource.attribute(HASHES, &format!("Hash{alternative}")).unwrap_or_default();
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if value.len() != 96 || !value.bytes().all(digit) {
            return Err(malformed("a digest"));
        }
        values.push(value.to_owned());
    }
    // Whatever else a measurement may say could be a condition.
    let known = |namespace: &str, local: &str| namespace.is_empty() && KNOWN.contains(&local);
    let beside =
        resource.attributes.iter().filter(|(name, _)| !known(&name.namespace, &name.local));
    match beside.count() == alternatives {
        true => Ok((index, values)),
        false => Err(ReferenceError::Unsupported("something in a measurement".to_owned())),
    }
}

/// A number in its only spelling.
fn number(text: &str) -> Option<usize> {
    let number: usize = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
