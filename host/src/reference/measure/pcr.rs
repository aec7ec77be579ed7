//! PCR values (TPM 2.0 Library part 1, section 17.2): what a bank holds after digests, or the
//! digests of data, were extended into it one after the other.

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA384};

/// A bank: the hash function of its registers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bank {
    /// SHA-1. For logs of old machines: a value in it proves little.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

/// A register.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Register {
    bank: Bank,
    value: Vec<u8>,
}

/// The digest is not one of the register's bank.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a digest of {found} bytes in a bank of {wanted}")]
pub struct WrongLength {
    found: usize,
    wanted: usize,
}

impl Bank {
    /// Bytes of a register.
    #[must_use]
    pub fn length(self) -> usize {
        self.algorithm().output_len()
    }

    /// The name that stands in commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
        }
    }

    /// The digest of data, as it is extended.
    #[must_use]
    pub fn digest(self, data: &[u8]) -> Vec<u8> {
        digest::digest(self.algorithm(), data).as_ref().to_vec()
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &SHA256,
            Self::Sha384 => &SHA384,
        }
    }
}

impl Register {
    /// As after a reset: all zeros. Only the dynamic root of trust's registers (17 to 22) begin
    /// otherwise.
    #[must_use]
    pub fn new(bank: Bank) -> Self {
        Self { bank, value: vec![0; bank.length()] }
    }

    /// Extends a digest into it.
    pub fn extend(&mut self, digest: &[u8]) -> Result<(), WrongLength> {
        let (found, wanted) = (digest.len(), self.bank.length());
        if found != wanted {
            return Err(WrongLength { found, wanted });
        }
        self.value.extend_from_slice(digest);
        self.value = self.bank.digest(&self.value);
        Ok(())
    }

    /// What it holds.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// What every machine shows that measures only the separator into a register (TCG PC Client
    /// Platform Firmware Profile, section 3.3.4): four zero bytes.
    #[test]
    fn a_separator_alone_gives_the_value_that_everybody_knows() {
        for (bank, expected) in [
            (Bank::Sha1, "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236"),
            (Bank::Sha256, "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969"),
            (
                Bank::Sha384,
                "518923b0f955d08da077c96aaba522b9decede61c599cea6c41889cfbea4ae4d50529d96fe4d1afdafb65e7f95bf23c4",
            ),
        ] {
            let mut register = Register::new(bank);
            register.extend(&bank.digest(&[0; 4])).unwrap();
            assert_eq!(HEXLOWER.encode(register.value()), expected);
        }
    }

    // attack 39
    #[test]
    fn the_order_counts_and_a_digest_of_another_bank_is_none() {
        let value = |order: [u8; 2]| {
            let mut register = Register::new(Bank::Sha256);
            for byte in order {
                register.extend(&[byte; 32]).unwrap();
            }
            register
        };
        assert_ne!(value([1, 2]), value([2, 1]));
        let mut register = Register::new(Bank::Sha384);
        assert!(register.extend(&[0; 32]).is_err());
        assert_eq!(register, Register::new(Bank::Sha384));
    }
}
