//! A run of bytes inside a statement.

use std::ops::Range;

use super::fault::Fault;

/// A run of bytes inside a statement: `length` bytes from `start`, both counted in bytes.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// How many bytes.
    pub length: u32,
}

impl Span {
    /// The bytes of `whole` that this span names.
    ///
    /// # Errors
    /// [`Fault::Malformed`] where the span is empty or leaves `whole`.
    pub fn of(self, whole: &[u8]) -> Result<&[u8], Fault> {
        if self.length == 0 {
            return Err(Fault::malformed("an empty span"));
        }
        let range = self.range();
        usize::try_from(range.start)
            .ok()
            .zip(usize::try_from(range.end).ok())
            .and_then(|(start, end)| whole.get(start..end))
            .ok_or_else(|| {
                Fault::Malformed(format!(
                    "span {}+{} leaves the statement's {} bytes",
                    self.start,
                    self.length,
                    whole.len()
                ))
            })
    }

    /// Whether the span is not empty and lies wholly within `outer`.
    pub(crate) fn within(self, outer: Range<u64>) -> bool {
        let range = self.range();
        self.length > 0 && range.start >= outer.start && range.end <= outer.end
    }

    /// In 64 bits, so that no sum wraps.
    fn range(self) -> Range<u64> {
        let start = u64::from(self.start);
        start..start + u64::from(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_never_leaves_its_statement() {
        let whole = [1, 2, 3, 4];
        let span = |start, length| Span { start, length };
        assert_eq!(span(1, 2).of(&whole), Ok(&whole[1..3]));
        assert_eq!(span(0, 4).of(&whole), Ok(&whole[..]));
        for bad in [span(0, 5), span(4, 1), span(2, 0), span(u32::MAX, u32::MAX)] {
            assert!(matches!(bad.of(&whole), Err(Fault::Malformed(_))), "{bad:?}");
            assert!(!bad.within(0..4));
        }
        assert!(span(1, 3).within(0..4));
        assert!(!span(1, 3).within(2..9));
    }
}
