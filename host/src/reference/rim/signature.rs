//! The enveloped signature: one reference, to all of the document but the signature itself.

use data_encoding::BASE64;

use super::xml::Element;
use super::{canonical, malformed};
use crate::clock::Timestamp;
use crate::quote::{DigestAlgorithm, Fault, Lineage};
use crate::reference::error::ReferenceError;
use crate::reference::signer::{Scheme, Signature};

/// What the elements of a signature are in.
const XMLDSIG: &str = "http://www.w3.org/2000/09/xmldsig#";
/// Canonical XML 1.1 without comments.
const CANONICAL: &str = "http://www.w3.org/2006/12/xml-c14n11";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// RFC 6931, sections 2.1.3 and 2.3.6.
const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";

/// A signer's chain has at most so many certificates.
const MOST_CERTIFICATES: usize = 8;

/// A signature that speaks of the document; nobody has looked yet at who made it.
pub(super) struct Signed {
    pub(super) signature: Signature,
    /// When all of the signer's certificates are good.
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

/// Reads a signature and compares the digest in it with the document's.
pub(super) fn read(root: &Element, signature: &Element) -> Result<Signed, ReferenceError> {
    if !signature.is(XMLDSIG, "Signature") || !signature.attributes.is_empty() {
        return Err(malformed("no signature at its end"));
    }
    let [info, value, key] = named(signature, ["SignedInfo", "SignatureValue", "KeyInfo"])?;
    let [method, algorithm, reference] =
        named(info, ["CanonicalizationMethod", "SignatureMethod", "Reference"])?;
    is_algorithm(method, CANONICAL)?;
    is_algorithm(algorithm, ECDSA_SHA384)?;
    if reference.attribute("", "URI") != Some("") || reference.attributes.len() != 1 {
        return Err(malformed("a signature over something else than the whole document"));
    }
    let [transforms, digest_method, digest_value] =
        named(reference, ["Transforms", "DigestMethod", "DigestValue"])?;
    let [enveloped, canonicalised] = named(transforms, ["Transform", "Transform"])?;
    is_algorithm(enveloped, ENVELOPED)?;
    is_algorithm(canonicalised, CANONICAL)?;
    is_algorithm(digest_method, SHA384)?;
    let content = canonical::form(root, &[], Some(signature));
    if decoded(digest_value)? != DigestAlgorithm::Sha384.digest(&content).as_ref() {
        return Err(ReferenceError::Altered);
    }
    let [data] = named(key, ["X509Data"])?;
    let certificates = data.children()?;
    if certificates.len() > MOST_CERTIFICATES {
        return Err(malformed("a chain of this length"));
    }
    let is_certificate = |one: &&Element| match one.is(XMLDSIG, "X509Certificate") {
        true => decoded(one),
        false => Err(malformed("a key that is given in another way than by certificates")),
    };
    let chain = certificates.iter().map(is_certificate).collect::<Result<Vec<_>, _>>()?;
    let lineage = Lineage::read(&chain).map_err(|fault| match fault {
        Fault::Malformed(_) | Fault::Unsupported(_) => malformed(&fault.to_string()),
        // Whoever signed, it leads nowhere.
        _ => ReferenceError::NotSigned,
    })?;
    let (not_before, not_after) = lineage.window();
    let message = canonical::form(info, &[root, signature], None);
    let scheme = Scheme::Certified(lineage);
    Ok(Signed {
        signature: Signature { scheme, message, bytes: decoded(value)? },
        not_before,
        not_after,
    })
}

/// The elements in another one, which must be called so, in this order.
fn named<'a, const N: usize>(
    parent: &'a Element,
    names: [&str; N],
) -> Result<[&'a Element; N], ReferenceError> {
    let children = parent.children()?;
    let fits = children.len() == N
        && children.iter().zip(names).all(|(child, name)| child.is(XMLDSIG, name));
    let children = fits.then(|| children.try_into().ok()).flatten();
    children.ok_or_else(|| malformed(&format!("a {} of another form", parent.name.local)))
}

fn is_algorithm(element: &Element, algorithm: &str) -> Result<(), ReferenceError> {
    let alone = element.attributes.len() == 1 && element.nodes.is_empty();
    match element.attribute("", "Algorithm") {
        Some(named) if named == algorithm && alone => Ok(()),
        named => {
            let named = named.unwrap_or_default();
            Err(ReferenceError::Unsupported(format!("{} {named:?}", element.name.local)))
        }
    }
}

fn decoded(element: &Element) -> Result<Vec<u8>, ReferenceError> {
    let text = element.text()?;
    BASE64.decode(text.as_bytes()).map_err(|_| malformed("something that is not base64"))
}
