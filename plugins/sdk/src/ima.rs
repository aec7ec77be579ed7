//! Linux' Integrity Measurement Architecture: the list of what the kernel measured into PCR 10, in the two
//! forms in which securityfs has it, `binary_runtime_measurements` and `ascii_runtime_measurements`.
//!
//! An entry is *template data*; the PCR of each bank was extended by the data's digest of that bank (Linux
//! 5.8 and later; older kernels extended every bank by SHA-1, on which nothing is to rest). The digest that
//! stands in the list is not looked at, except that zeros mark a violation: a file that was measured
//! while somebody could write to it. For one the PCR was extended by ones.
//!
//! Source: Linux, `security/integrity/ima/ima_fs.c`, `ima_template.c`, `ima_crypto.c`.

mod ascii;
mod binary;

use crate::sha256;

/// Longer lists are refused, and so are longer entries.
const MAX_LENGTH: usize = 8 << 20;
const MAX_ENTRIES: usize = 100_000;
const MAX_DATA: usize = 256 << 10;

/// The register of the list.
pub const PCR: u32 = 10;

/// The path of the entry that the kernel makes first: over PCRs 0 to 9 (or 7).
const BOOT_AGGREGATE: &str = "boot_aggregate";

/// One entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The template's name: `ima`, `ima-ng`, `ima-sig`, or another that only the binary form can have.
    pub template: String,
    /// What is digested; none where the entry is a violation.
    data: Option<Vec<u8>>,
    /// Of the templates that are known here: the file's digest with its algorithm, `sha256:…`.
    pub digest: Option<String>,
    /// And its path.
    pub path: Option<String>,
}

impl Entry {
    /// By what the bank of SHA-256 was extended.
    #[must_use]
    pub fn extension(&self) -> [u8; 32] {
        self.data.as_deref().map_or([0xff; 32], sha256::digest)
    }

    /// Whether a file was measured while somebody could write to it.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        self.data.is_none()
    }

    /// Whether it speaks of the registers before PCR 10.
    #[must_use]
    pub fn is_boot_aggregate(&self) -> bool {
        self.path.as_deref() == Some(BOOT_AGGREGATE)
    }
}

/// Whether bytes begin as a list does, in either form.
#[must_use]
pub fn may_be(bytes: &[u8]) -> bool {
    let ascii = bytes.starts_with(b"10 ") && bytes.get(43) == Some(&b' ');
    let name = bytes.get(28..31) == Some(b"ima");
    ascii || (name && bytes.starts_with(&PCR.to_le_bytes()))
}

/// Reads a list, whichever form it has.
///
/// # Errors
/// What is wrong with it, with the number of the entry.
pub fn read(list: &[u8]) -> Result<Vec<Entry>, String> {
    if list.len() > MAX_LENGTH {
        return Err("a list of this size".into());
    }
    let entries = match list.starts_with(&PCR.to_le_bytes()) {
        true => binary::read(list),
        false => ascii::read(list),
    };
    entries.map_err(|(number, why)| format!("entry {number}: {why}"))
}

/// How many entries, from the first on, lead from zeros to a value of PCR 10: the list goes on while a quote
/// is made. None where no number does.
#[must_use]
pub fn leading_to(entries: &[Entry], value: &[u8]) -> Option<usize> {
    let mut register = [0; 32];
    for (number, entry) in entries.iter().enumerate() {
        let mut both = register.to_vec();
        both.extend(entry.extension());
        register = sha256::digest(&both);
        if register == value {
            return Some(number + 1);
        }
    }
    None
}

/// What the digest of a boot aggregate is of: the registers 0 to 9, or 0 to 7 of older kernels.
#[must_use]
pub fn is_aggregate_of(digest: &str, registers: &[&[u8]]) -> bool {
    let of = |count: usize| {
        registers.get(..count).is_some_and(|some| {
            let digested = crate::hex::encode(&sha256::digest(&some.concat()));
            digest.strip_prefix("sha256:") == Some(digested.as_str())
        })
    };
    of(10) || of(8)
}

/// Template data of the known templates, from their fields: `d-ng`, `n-ng` and, of `ima-sig`, `sig`; of
/// `ima` a SHA-1 digest and a name filled with zeros.
fn template_data(template: &str, fields: &[&[u8]]) -> Option<Vec<u8>> {
    const IMA_NAME: usize = 256;
    match (template, fields) {
        ("ima", [digest, name]) => {
            let mut data = digest.to_vec();
            data.extend_from_slice(name);
            let whole = digest.len() + IMA_NAME;
            (data.len() < whole).then(|| data.resize(whole, 0))?;
            Some(data)
        }
        ("ima-ng", [_, _]) | ("ima-sig", [_, _, _]) => {
            let mut data = Vec::new();
            for field in fields {
                data.extend_from_slice(&u32::try_from(field.len()).ok()?.to_le_bytes());
                data.extend_from_slice(field);
            }
            Some(data)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
