//! The eight bytes of a TCB version, in the two layouts that AMD uses.
//!
//! Source: AMD SEV-SNP Firmware ABI (56860), table "TCB_VERSION": Milan and Genoa
//! `[bootloader, tee, 0, 0, 0, 0, snp, microcode]`; Turin `[fmc, bootloader, tee, snp, 0, 0, 0, microcode]`.

use super::product::Product;

/// Security patch levels of the firmware's parts.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Tcb {
    /// FMC (Turin only).
    pub fmc: Option<u8>,
    /// AMD secure processor boot loader.
    pub bootloader: u8,
    /// AMD secure processor operating system.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// CPU microcode.
    pub microcode: u8,
}

impl Tcb {
    /// Reads the eight bytes as `product` lays them out. Reserved bytes are not looked at.
    #[must_use]
    pub fn from_bytes(product: Product, bytes: [u8; 8]) -> Self {
        match product {
            Product::Milan | Product::Genoa => {
                let [bootloader, tee, _, _, _, _, snp, microcode] = bytes;
                Self { fmc: None, bootloader, tee, snp, microcode }
            }
            Product::Turin => {
                let [fmc, bootloader, tee, snp, _, _, _, microcode] = bytes;
                Self { fmc: Some(fmc), bootloader, tee, snp, microcode }
            }
        }
    }

    /// Writes the eight bytes as `product` lays them out.
    #[must_use]
    pub fn to_bytes(self, product: Product) -> [u8; 8] {
        match product {
            Product::Milan | Product::Genoa => {
                [self.bootloader, self.tee, 0, 0, 0, 0, self.snp, self.microcode]
            }
            Product::Turin => [
                self.fmc.unwrap_or(0),
                self.bootloader,
                self.tee,
                self.snp,
                0,
                0,
                0,
                self.microcode,
            ],
        }
    }

    /// Whether every part is at least as new as in `floor`. A part that `floor` has and `self`
    /// lacks counts as older.
    #[must_use]
    pub fn at_least(self, floor: Self) -> bool {
        self.fmc.unwrap_or(0) >= floor.fmc.unwrap_or(0)
            && self.bootloader >= floor.bootloader
            && self.tee >= floor.tee
            && self.snp >= floor.snp
            && self.microcode >= floor.microcode
    }
}
