//! AMD's certificate table, as the extended guest request returns it.
//!
//! Source: GHCB Specification (56421), section "SNP Extended Guest Request": entries of 24 bytes
//! (GUID, offset, length; little-endian 32-bit numbers, offsets from the table's start), ended by an
//! entry of zeros; then the certificates.

const MAX_ENTRIES: usize = 24;

/// The entries' contents, in order. What a GUID promises is not relied on: what counts is what the
/// bytes turn out to be. None where it is no table.
pub(crate) fn entries(table: &[u8]) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut rest = table;
    loop {
        let (entry, after) = rest.split_first_chunk::<24>()?;
        rest = after;
        if entry == &[0; 24] {
            break;
        }
        let [.., o0, o1, o2, o3, l0, l1, l2, l3] = *entry;
        let offset = u32::from_le_bytes([o0, o1, o2, o3]);
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
        let content = table.get(offset..offset.checked_add(length)?)?;
        if found.len() == MAX_ENTRIES {
            return None;
        }
        found.push(content);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(entries: &[(u32, u32)], content: &[u8]) -> Vec<u8> {
        let mut table = Vec::new();
        for (offset, length) in entries {
            table.extend_from_slice(&[7; 16]);
            table.extend_from_slice(&offset.to_le_bytes());
            table.extend_from_slice(&length.to_le_bytes());
        }
        table.extend_from_slice(&[0; 24]);
        table.extend_from_slice(content);
        table
    }

    #[test]
    fn entries_stay_inside_the_table() {
        assert_eq!(entries(&table(&[(48, 2)], b"ab")), Some(vec![&b"ab"[..]]));
        assert!(entries(&table(&[(48, 3)], b"ab")).is_none());
        assert!(entries(&table(&[(u32::MAX, u32::MAX)], b"ab")).is_none());
        assert!(entries(&[7; 48]).is_none(), "no end");
        assert!(entries(&table(&[(72, 0); 25], b"")).is_none(), "too many");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = entries(&bytes);
        }
    }
}
