//! A growing tree, as little of it as appending needs: the roots of its full subtrees.

use super::{Hash, empty, node};

/// A tree that grows at its end. Appending costs one hash on average, the root O(log n); memory is
/// O(log n).
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// The roots of the full subtrees, widest first: one for each bit that is set in `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, given by its hash.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        // Each trailing one of the size is a full subtree that the new one completes.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root hash of the tree as it is now.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        match peaks.next() {
            Some(last) => peaks.fold(last, |right, left| node(&left, &right)),
            None => empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::merkle::{leaf, root};

    #[test]
    fn the_frontier_agrees_with_the_whole_tree() {
        let mut frontier = Frontier::default();
        let mut leaves = Vec::new();
        for number in 0..600_u32 {
            assert_eq!(frontier.root(), root(&leaves), "at {number}");
            let hash = leaf(&number.to_be_bytes());
            frontier.push(hash);
            leaves.push(hash);
        }
        assert_eq!(frontier.size(), 600);
    }
}
