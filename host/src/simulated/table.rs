//! The certificate table that an extended guest request returns beside the report.
//!
//! Source: AMD GHCB (56421) §4.1.8.1: entries of 24 bytes (GUID, offset from the table's start and
//! length, both 32 bits little endian), ended by an entry of zeros, then the data.

/// GUID of an ARK, `c0b406a4-a803-4952-9743-3fb6014cd0ae`, in the order in which it is written.
pub const ARK: [u8; 16] = 0xc0b406a4_a803_4952_9743_3fb6014cd0ae_u128.to_be_bytes();
/// GUID of an ASK or ASVK, `4ab7b379-bbac-4fe4-a02f-05aef327c782`.
pub const ASK: [u8; 16] = 0x4ab7b379_bbac_4fe4_a02f_05aef327c782_u128.to_be_bytes();
/// GUID of a VCEK, `63da758d-e664-4564-adc5-f4b93be8accd`.
pub const VCEK: [u8; 16] = 0x63da758d_e664_4564_adc5_f4b93be8accd_u128.to_be_bytes();
/// GUID of a VLEK, `a8074bc2-a25a-483e-aae6-39c045a0b8a1`.
pub const VLEK: [u8; 16] = 0xa8074bc2_a25a_483e_aae6_39c045a0b8a1_u128.to_be_bytes();
/// GUID of a revocation list, `92f81bc3-5811-4d3d-97ff-d19f88dc67ea`.
pub const CRL: [u8; 16] = 0x92f81bc3_5811_4d3d_97ff_d19f88dc67ea_u128.to_be_bytes();

const ENTRY_LENGTH: usize = 24;

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is.
    pub guid: [u8; 16],
    /// Where the entry claims that its data starts, instead of where it does.
    pub offset: Option<u32>,
    /// How long the entry claims that its data is, instead of how long it is.
    pub length: Option<u32>,
    /// The data: certificates and revocation lists in DER.
    pub data: Vec<u8>,
}

/// A table before it is written.
#[derive(Clone, Debug)]
pub struct CertificateTable {
    /// In this order.
    pub entries: Vec<Entry>,
    /// Whether the entry of zeros ends the list.
    pub terminated: bool,
}

impl Default for CertificateTable {
    fn default() -> Self {
        Self { entries: Vec::new(), terminated: true }
    }
}

impl CertificateTable {
    /// Adds an honest entry.
    #[must_use]
    pub fn with(mut self, guid: [u8; 16], data: &[u8]) -> Self {
        self.entries.push(Entry { guid, offset: None, length: None, data: data.to_vec() });
        self
    }

    /// The table in bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let count = self.entries.len() + usize::from(self.terminated);
        let mut place = count * ENTRY_LENGTH;
        let mut table = Vec::new();
        for entry in &self.entries {
            // A table beyond 4 GiB does not exist: certificates are a few kilobytes.
            let offset = entry.offset.unwrap_or(place as u32);
            let length = entry.length.unwrap_or(entry.data.len() as u32);
            table.extend_from_slice(&entry.guid);
            table.extend_from_slice(&offset.to_le_bytes());
            table.extend_from_slice(&length.to_le_bytes());
            place += entry.data.len();
        }
        if self.terminated {
            table.extend_from_slice(&[0; ENTRY_LENGTH]);
        }
        for entry in &self.entries {
            table.extend_from_slice(&entry.data);
        }
        table
    }
}
