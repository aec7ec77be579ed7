//! Deeds against the host's time and memory.

use std::hint::black_box;

use claviger_plugin_sdk::kms::{Error, material, sealed_store};

/// Does the deed, if the key is named after one.
#[expect(clippy::panic, reason = "that is the deed")]
pub(crate) fn run(name: &str) -> Result<(), Error> {
    match name {
        "endless-loop" => {
            let mut count = 0_u64;
            loop {
                count = black_box(count.wrapping_add(1));
            }
        }
        "memory" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(black_box(vec![1_u8; 1 << 20]));
            }
        }
        "handles" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(material::hold(&[1; 32]));
            }
        }
        "host-calls" => loop {
            black_box(sealed_store::get("anything").is_ok());
        },
        "panic" => panic!("last words of the connector\nand a second line"),
        _ => Ok(()),
    }
}
