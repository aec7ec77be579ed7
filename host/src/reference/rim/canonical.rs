//! Canonical XML 1.1 (W3C, without comments) of a tree as `xml` reads it. Its parser leaves nothing over
//! that would have to be escaped, and no attributes of the `xml` namespace that would be inherited.

use super::xml::{Element, Node};

/// The canonical form of an element that stands in `around`: what its ancestors declare, outermost first.
/// `without`: an element that is left out.
pub(super) fn form(element: &Element, around: &[&Element], without: Option<&Element>) -> Vec<u8> {
    let mut text = String::new();
    let inherited = around.iter().flat_map(|ancestor| &ancestor.declared);
    let mut scope: Vec<(&str, &str)> = Vec::new();
    for (prefix, name) in inherited.chain(&element.declared) {
        declare(&mut scope, prefix, name);
    }
    // At the top every namespace in scope is written, at whoever declares it.
    write(element, &scope.clone(), &scope, without, &mut text);
    text.into_bytes()
}

/// `shown`: the declarations to be written; `scope`: all that hold here.
fn write(
    element: &Element,
    shown: &[(&str, &str)],
    scope: &[(&str, &str)],
    without: Option<&Element>,
    text: &mut String,
) {
    let name = element.name.qualified();
    text.push('<');
    text.push_str(&name);
    let mut shown = shown.to_vec();
    shown.sort_unstable();
    for (prefix, namespace) in shown {
        match prefix {
            "" => attribute(text, "xmlns", namespace),
            prefix => attribute(text, &format!("xmlns:{prefix}"), namespace),
        }
    }
    let mut attributes: Vec<_> = element.attributes.iter().collect();
    attributes.sort_by_key(|(name, _)| (&name.namespace, &name.local));
    for (name, value) in attributes {
        attribute(text, &name.qualified(), value);
    }
    text.push('>');
    for node in &element.nodes {
        match node {
            Node::Text(content) => text.push_str(content),
            Node::Element(child)
                if without.is_some_and(|left_out| std::ptr::eq(left_out, child)) => {}
            Node::Element(child) => {
                // What says the same as what holds already is not written again.
                let (mut inner, mut news) = (scope.to_vec(), Vec::new());
                for (prefix, namespace) in &child.declared {
                    let (prefix, namespace) = (prefix.as_str(), namespace.as_str());
                    if !scope.contains(&(prefix, namespace)) {
                        news.push((prefix, namespace));
                    }
                    declare(&mut inner, prefix, namespace);
                }
                write(child, &news, &inner, without, text);
            }
        }
    }
    text.push_str("</");
    text.push_str(&name);
    text.push('>');
}

/// The innermost declaration of a prefix holds.
fn declare<'a>(scope: &mut Vec<(&'a str, &'a str)>, prefix: &'a str, namespace: &'a str) {
    match scope.iter_mut().find(|(known, _)| *known == prefix) {
        Some(known) => known.1 = namespace,
        None => scope.push((prefix, namespace)),
    }
}

fn attribute(text: &mut String, name: &str, value: &str) {
    text.push_str(&format!(" {name}=\"{value}\""));
}
