//! XML, as much of it as such a manifest is written in: elements, attributes and text in ASCII. No
//! document type, no entities, no references, no comments, no processing instructions, no CDATA: none of it
//! is stepped over. So a document has one reading, and its canonical form follows from its tree.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::malformed;
use crate::reference::error::ReferenceError;

/// So deep may elements stand in each other, so many may there be, and so many attributes on one.
const DEEPEST: usize = 8;
const MOST_ELEMENTS: usize = 2048;
const MOST_ATTRIBUTES: usize = 64;

/// Reserved: what begins so has a meaning that is not applied here.
const RESERVED: &str = "xml";

/// An element with everything in it, in the order of the document.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: Name,
    /// Declared here: prefix and name, the default one under no prefix.
    pub(super) declared: Vec<(String, String)>,
    pub(super) attributes: Vec<(Name, String)>,
    pub(super) nodes: Vec<Node>,
}

/// What stands in an element.
#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

/// A name as it is written, and what it means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Name {
    pub(super) prefix: String,
    pub(super) local: String,
    pub(super) namespace: String,
}

impl Name {
    /// As it is written.
    pub(super) fn qualified(&self) -> String {
        match self.prefix.as_str() {
            "" => self.local.clone(),
            prefix => format!("{prefix}:{}", self.local),
        }
    }
}

impl Element {
    /// Whether it is called so.
    pub(super) fn is(&self, namespace: &str, local: &str) -> bool {
        self.name.namespace == namespace && self.name.local == local
    }

    /// The value of an attribute.
    pub(super) fn attribute(&self, namespace: &str, local: &str) -> Option<&str> {
        let is = |name: &Name| name.namespace == namespace && name.local == local;
        self.attributes.iter().find(|(name, _)| is(name)).map(|(_, value)| value.as_str())
    }

    /// The elements in it; between them is nothing but space.
    pub(super) fn children(&self) -> Result<Vec<&Self>, ReferenceError> {
        let mut children = Vec::new();
        for node in &self.nodes {
            match node {
                Node::Element(child) => children.push(child),
                Node::Text(text) if is_space(text) => {}
                Node::Text(_) => return Err(malformed("text between elements")),
            }
        }
        Ok(children)
    }

    /// The text in it, which is all that there is, without its spaces.
    pub(super) fn text(&self) -> Result<String, ReferenceError> {
        match self.nodes.as_slice() {
            [Node::Text(text)] => Ok(text.split_ascii_whitespace().collect()),
            _ => Err(malformed("an element that holds more, or less, than text")),
        }
    }
}

/// Reads a document.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, ReferenceError> {
    let plain = |byte: &u8| matches!(byte, b'\t' | b'\n' | b' '..=b'~') && *byte != b'&';
    let text = std::str::from_utf8(bytes).ok().filter(|text| text.bytes().all(|byte| plain(&byte)));
    let text = text.ok_or_else(|| malformed("something beside plain ASCII without references"))?;
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut document = Document { open: Vec::new(), root: None, elements: 0 };
    let mut first = true;
    loop {
        match reader.read_event().map_err(|error| malformed(&error.to_string()))? {
            Event::Start(start) => document.start(&start)?,
            Event::Empty(start) => {
                document.start(&start)?;
                document.end()?;
            }
            Event::End(end) => {
                // `</name >` is the same to XML; the parser compared the names.
                let _ = end;
                document.end()?;
            }
            Event::Text(text) => document.text(&text)?,
            Event::Decl(_) if first => {}
            Event::Eof => return document.finish(),
            _ => return Err(malformed("more than elements, attributes and text")),
        }
        first = false;
    }
}

/// What was read of a document so far.
struct Document {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
}

impl Document {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), ReferenceError> {
        self.elements += 1;
        if self.root.is_some() || self.open.len() >= DEEPEST || self.elements > MOST_ELEMENTS {
            return Err(malformed("a second root, or elements too deep or too many"));
        }
        let (mut declared, mut plain) = (Vec::<(String, String)>::new(), Vec::new());
        // The parser refuses a name that comes twice.
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| malformed(&error.to_string()))?;
            let (prefix, local) = split(attribute.key.as_ref())?;
            let value = value(&attribute.value)?;
            match (prefix.as_str(), local.as_str()) {
                ("", "xmlns") => declared.push((String::new(), value)),
                ("xmlns", local) => declared.push((local.to_owned(), value)),
                _ => plain.push((prefix, local, value)),
            }
            if declared.len() + plain.len() > MOST_ATTRIBUTES {
                return Err(malformed("an element with too many attributes"));
            }
        }
        // A prefix that is taken back, or that is reserved.
        if declared.iter().any(|(prefix, name)| name.is_empty() || prefix.starts_with(RESERVED)) {
            return Err(malformed("a declaration of no namespace, or of a reserved prefix"));
        }
        let (prefix, local) = split(start.name().as_ref())?;
        let namespace = self.namespace(&declared, &prefix)?;
        let mut attributes: Vec<(Name, String)> = Vec::with_capacity(plain.len());
        for (prefix, local, value) in plain {
            // The default namespace is none of an attribute's.
            let namespace = match prefix.as_str() {
                "" => String::new(),
                prefix => self.namespace(&declared, prefix)?,
            };
            let same = |name: &Name| name.namespace == namespace && name.local == local;
            if attributes.iter().any(|(name, _)| same(name)) {
                return Err(malformed("an attribute twice, under two prefixes"));
            }
            attributes.push((Name { prefix, local, namespace }, value));
        }
        let name = Name { prefix, local, namespace };
        self.open.push(Element { name, declared, attributes, nodes: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), ReferenceError> {
        let element = self.open.pop().ok_or_else(|| malformed("an end without a start"))?;
        match self.open.last_mut() {
            Some(parent) => parent.nodes.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<(), ReferenceError> {
        let text = String::from_utf8(text.to_vec()).map_err(|_| malformed("text"))?;
        if text.contains('>') {
            return Err(malformed("a sign in a text that is no text"));
        }
        match self.open.last_mut() {
            Some(parent) => match parent.nodes.last_mut() {
                // Canonical XML knows no text beside a text.
                Some(Node::Text(before)) => before.push_str(&text),
                _ => parent.nodes.push(Node::Text(text)),
            },
            None if is_space(&text) => {}
            None => return Err(malformed("text outside of the document's element")),
        }
        Ok(())
    }

    /// What a prefix stands for.
    fn namespace(
        &self,
        declared: &[(String, String)],
        prefix: &str,
    ) -> Result<String, ReferenceError> {
        let mut scopes =
            std::iter::once(declared).chain(self.open.iter().rev().map(|one| &*one.declared));
        let found = scopes.find_map(|scope| scope.iter().find(|(declared, _)| declared == prefix));
        let found = found.map(|(_, name)| name.clone());
        found.ok_or_else(|| malformed(&format!("the prefix {prefix:?} stands for nothing")))
    }

    fn finish(self) -> Result<Element, ReferenceError> {
        match self.root {
            Some(root) if self.open.is_empty() => Ok(root),
            _ => Err(malformed("an element without an end, or none at all")),
        }
    }
}

/// A name in its parts.
fn split(name: &[u8]) -> Result<(String, String), ReferenceError> {
    let plain = |part: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
            && part.bytes().all(inside)
    };
    let name = std::str::from_utf8(name).map_err(|_| malformed("a name"))?;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let sound = plain(local) && (prefix.is_empty() || plain(prefix)) && !name.starts_with(':');
    match sound && (prefix == "xmlns" || !prefix.starts_with(RESERVED)) {
        true => Ok((prefix.to_owned(), local.to_owned())),
        false => Err(malformed(&format!("the name {name:?}"))),
    }
}

/// An attribute's value that means what is written.
fn value(value: &[u8]) -> Result<String, ReferenceError> {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'<' | b'&');
    match value.iter().all(plain) {
        true => Ok(value.iter().map(|byte| char::from(*byte)).collect()),
        false => Err(malformed("a value with signs that stand for others")),
    }
}

fn is_space(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}
