//! A manifest put into a component that was made without one, as compilers of other languages do.

use super::manifest::{Manifest, ManifestError, SECTION};

/// The component with this manifest (JSON) as a custom section behind all others.
///
/// # Errors
/// Where the manifest is none that a host reads, or where the component has one already.
pub fn annotate(mut component: Vec<u8>, manifest: &[u8]) -> Result<Vec<u8>, ManifestError> {
    match Manifest::read(&component) {
        Err(ManifestError::Missing) => {}
        _ => return Err(ManifestError::Many),
    }
    let mut section = Vec::new();
    leb128(SECTION.len(), &mut section);
    section.extend_from_slice(SECTION.as_bytes());
    section.extend_from_slice(manifest);
    // A custom section (WebAssembly core specification, 5.5.3).
    component.push(0);
    leb128(section.len(), &mut component);
    component.extend_from_slice(&section);
    Manifest::read(&component)?;
    Ok(component)
}

/// An unsigned LEB128 number.
fn leb128(mut number: usize, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

    #[test]
    fn a_manifest_is_read_back_from_where_it_was_put() {
        let about = "x".repeat(300);
        let json = format!(
            r#"{{"name":"n","kind":"kms","version":"1.0.0","description":"{about}","imports":[]}}"#
        );
        let annotated = annotate(BARE.to_vec(), json.as_bytes()).unwrap();
        assert_eq!(Manifest::read(&annotated).unwrap().description, about);
        assert!(matches!(annotate(annotated, json.as_bytes()), Err(ManifestError::Many)));
    }

    #[test]
    fn what_no_host_reads_is_not_put_in() {
        for json in ["", "{}", r#"{"name":"n","kind":"other","version":"1.0.0","imports":[]}"#] {
            let refused = annotate(BARE.to_vec(), json.as_bytes());
            assert!(matches!(refused, Err(ManifestError::Malformed(_))), "{json}");
        }
    }
}
