//! Proofs about the tree: that a leaf is in it, and that a larger tree continues a smaller one.
//!
//! Making: RFC 6962, sections 2.1.1 and 2.1.2. Checking: RFC 9162, sections 2.1.3.2 and 2.1.4.2.

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

/// The proof that the tree over `leaves` continues the tree over its first `old` leaves. `None`
/// where there are not so many; empty where `old` is nothing or everything.
#[must_use]
pub fn consistency(leaves: &[Hash], old: usize) -> Option<Vec<Hash>> {
    if old > leaves.len() {
        return None;
    }
    let (mut leaves, mut old) = (leaves, old);
    let mut path = Vec::new();
    if old == 0 || old == leaves.len() {
        return Some(path);
    }
    // Whether the subtree at hand is the old tree itself, whose root the reader knows.
    let mut known = true;
    while old < leaves.len() {
        let middle = split(leaves.len());
        let (left, right) = leaves.split_at(middle);
        if old <= middle {
            path.push(root(right));
            leaves = left;
        } else {
            path.push(root(left));
            leaves = right;
            old -= middle;
            known = false;
        }
    }
    if !known {
        path.push(root(leaves));
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

/// Whether `path` proves that the tree of `new` leaves continues the tree of `old` leaves.
#[must_use]
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    path: &[Hash],
) -> bool {
    if old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    if old == 0 {
        return path.is_empty() && *old_root == empty();
    }
    // A full old tree is a node of the new one; its root is left out of the path.
    let mut path = path.iter().copied();
    let first = if old.is_power_of_two() { Some(*old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut position, mut last) = (old - 1, new - 1);
    while position & 1 == 1 {
        position >>= 1;
        last >>= 1;
    }
    let (mut as_old, mut as_new) = (first, first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if position & 1 == 1 || position == last {
            as_old = node(&sibling, &as_old);
            as_new = node(&sibling, &as_new);
            while position & 1 == 0 && position != 0 {
                position >>= 1;
                last >>= 1;
            }
        } else {
            as_new = node(&as_new, &sibling);
        }
        position >>= 1;
        last >>= 1;
    }
    last == 0 && as_old == *old_root && as_new == *new_root
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
    fn every_tree_is_proven_to_continue_every_smaller_one() {
        let leaves = leaves();
        for new in 0..=SIZES {
            let new_root = root(&leaves[..new]);
            for old in 0..=new {
                let old_root = root(&leaves[..old]);
                let path = consistency(&leaves[..new], old).unwrap();
                let check = |old_root: &Hash, new_root: &Hash, path: &[Hash]| {
                    verify_consistency(old as u64, new as u64, old_root, new_root, path)
                };
                assert!(check(&old_root, &new_root, &path), "{old} to {new}");
                assert!(!check(&[7; 32], &new_root, &path));
                if old > 0 {
                    // From nothing to anything needs no proof, so the new root is not checked.
                    assert!(!check(&old_root, &[7; 32], &path));
                }
                let mut longer = path.clone();
                longer.push(new_root);
                assert!(!check(&old_root, &new_root, &longer));
                for cut in 0..path.len() {
                    assert!(!check(&old_root, &new_root, &path[..cut]));
                    let mut bent = path.clone();
                    bent[cut][7] ^= 1;
                    assert!(!check(&old_root, &new_root, &bent));
                }
            }
            assert_eq!(consistency(&leaves[..new], new + 1), None);
        }
        assert!(!verify_consistency(2, 1, &[0; 32], &[0; 32], &[]));
    }

    #[test]
    fn sizes_at_the_end_of_the_numbers_do_not_overflow() {
        let hash = [0; 32];
        assert!(!verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &[hash; 64], &hash));
        assert!(!verify_inclusion(&hash, u64::MAX, u64::MAX, &[], &hash));
        assert!(!verify_consistency(1, u64::MAX, &hash, &hash, &[hash; 70]));
        assert!(!verify_consistency(u64::MAX - 1, u64::MAX, &hash, &hash, &[hash; 70]));
    }
}
