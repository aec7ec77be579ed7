//! The proof that a leaf is in the tree.
//!
//! Making: RFC 6962, section 2.1.1. Checking: RFC 9162, section 2.1.3.2.

use super::{Hash, empty, node};

/// The root hash over `leaves` (their hashes, in order).
#[must_use]
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// The audit path of leaf `index` in the tree over `leaves`, from the leaf up. `None` where there
/// is no such leaf.
#[must_use]
pub fn inclusion(leaves: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= leaves.len() {
        return None;
    }
    let (mut leaves, mut index) = (leaves, index);
    let mut path = Vec::new();
    while leaves.len() > 1 {
        let middle = split(leaves.len());
        let (left, right) = leaves.split_at(middle);
        if index < middle {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            leaves = right;
            index -= middle;
        }
    }
    path.reverse();
    Some(path)
}

/// Whether `path` proves that `leaf` is leaf number `index` of the tree of `size` leaves.
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut position, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            hash = node(sibling, &hash);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The largest power of two below `size`; `size` is at least two.
fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::merkle::leaf;

    const SIZES: usize = 70;

    fn leaves() -> Vec<Hash> {
        (0..SIZES).map(|number| leaf(&number.to_be_bytes())).collect()
    }

    #[test]
    fn every_leaf_of_every_tree_is_proven_and_no_other() {
        let leaves = leaves();
        for size in 1..=SIZES {
            let tree = &leaves[..size];
            let root = root(tree);
            for index in 0..size {
                let path = inclusion(tree, index).unwrap();
                let check = |leaf: &Hash, index: usize, size: usize, path: &[Hash]| {
                    verify_inclusion(leaf, index as u64, size as u64, path, &root)
                };
                assert!(check(&tree[index], index, size, &path));
                assert!(!check(&tree[index], index + 1, size, &path));
                assert!(!check(&leaf(b"other"), index, size, &path));
                assert!(!check(&tree[index], index, index, &path));
                let mut longer = path.clone();
                longer.push(root);
                assert!(!check(&tree[index], index, size, &longer));
                for cut in 0..path.len() {
                    assert!(!check(&tree[index], index, size, &path[..cut]));
                    let mut bent = path.clone();
                    bent[cut][7] ^= 1;
                    assert!(!check(&tree[index], index, size, &bent));
                }
            }
            assert_eq!(inclusion(tree, size), None);
        }
    }

    #[test]
    fn sizes_at_the_end_of_the_numbers_do_not_overflow() {
        let hash = [0; 32];
        assert!(!verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &[hash; 64], &hash));
        assert!(!verify_inclusion(&hash, u64::MAX, u64::MAX, &[], &hash));
    }
}
