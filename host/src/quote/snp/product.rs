//! AMD's server generations, as far as SEV-SNP tells them apart.

use std::fmt;

/// A product line: each has its own root key and its own layout of the TCB version.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Product {
    /// Family 19h, models 00h–0Fh.
    Milan,
    /// Family 19h, models 10h–1Fh, and A0h–AFh (Bergamo, Siena).
    Genoa,
    /// Family 1Ah, models 00h–1Fh.
    Turin,
}

impl Product {
    /// Every product line.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// The name in certificates and in AMD's KDS: `Milan`, `Genoa`, `Turin`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// The product of a combined CPU family and model (CPUID Fn0000_0001), where it is known.
    #[must_use]
    pub fn of_cpu(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Self::Milan),
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Self::Genoa),
            (0x1a, 0x00..=0x1f) => Some(Self::Turin),
            _ => None,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
