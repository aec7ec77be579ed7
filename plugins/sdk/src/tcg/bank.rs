//! A bank of registers: the hash algorithm by which they are extended.

use crate::verifier::custody::Digest;

/// A hash algorithm, as the TCG numbers them (TCG Algorithm Registry, table 3).
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Bank {
    /// 0x0004; 20 bytes. Collisions are made at will: nothing is to rest on it.
    Sha1,
    /// 0x000b; 32 bytes.
    Sha256,
    /// 0x000c; 48 bytes.
    Sha384,
    /// 0x000d; 64 bytes.
    Sha512,
    /// 0x0012; 32 bytes.
    Sm3,
}

impl Bank {
    /// Those that something may rest on: SHA-256, which most quotes have, then the strongest.
    pub const TRUSTED: [Self; 3] = [Self::Sha256, Self::Sha512, Self::Sha384];

    /// By its number.
    #[must_use]
    pub fn of(number: u16) -> Option<Self> {
        match number {
            0x0004 => Some(Self::Sha1),
            0x000b => Some(Self::Sha256),
            0x000c => Some(Self::Sha384),
            0x000d => Some(Self::Sha512),
            0x0012 => Some(Self::Sm3),
            _ => None,
        }
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::Sha1 => 0x0004,
            Self::Sha256 => 0x000b,
            Self::Sha384 => 0x000c,
            Self::Sha512 => 0x000d,
            Self::Sm3 => 0x0012,
        }
    }

    /// Bytes of a register and of a digest.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 | Self::Sm3 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Its name in claims: `sha256`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sm3 => "sm3",
        }
    }

    /// As the host's operations take it; none where nothing is to rest on it.
    #[must_use]
    pub fn digest(self) -> Option<Digest> {
        match self {
            Self::Sha256 => Some(Digest::Sha256),
            Self::Sha384 => Some(Digest::Sha384),
            Self::Sha512 => Some(Digest::Sha512),
            Self::Sha1 | Self::Sm3 => None,
        }
    }
}
