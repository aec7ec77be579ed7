//! What Linux measured into PCR 10, as far as the quoted value proves it.

use super::quote::Quoted;
use crate::ima::{self, Entry};
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::custody::{self, Digest};
use crate::verifier::types::{Claim, Value};

/// Files that are told, and the bytes that they may have together.
const MAX_FILES: usize = 192;
const MAX_TEXTS: usize = 14 << 10;

/// What was learnt of a list.
#[derive(Debug)]
pub struct Measured {
    /// The entries that lead to PCR 10.
    entries: Vec<Entry>,
    /// Whether the first of them is of the PCRs before; none where these are not all quoted, or it is by
    /// another algorithm than SHA-256.
    boot_aggregate: Option<bool>,
}

/// The list among what came along: whatever begins as one.
#[must_use]
pub fn find_list(attachments: &[Vec<u8>]) -> Option<&[u8]> {
    attachments.iter().find(|one| ima::may_be(one)).map(Vec::as_slice)
}

/// Replays a list against PCR 10 of SHA-256. Entries behind those that lead to it were measured after the
/// quote, and are left out.
///
/// # Errors
/// [`Rejection::Untrusted`] where no part of it leads to the quoted value, or its boot aggregate is of other
/// PCRs; [`Rejection::Malformed`]; [`Rejection::Unsupported`] where no such PCR is quoted.
pub fn measured(quoted: &Quoted, list: &[u8]) -> Result<Measured, Rejection> {
    let mut entries =
        ima::read(list).map_err(|why| Rejection::Malformed(format!("IMA list, {why}")))?;
    let place = |index: u32| {
        quoted.places.iter().find(|place| place.bank == Bank::Sha256 && place.index == index)
    };
    let value = |index: u32| {
        let at = place(index)?.at;
        quoted.values.get(at.start as usize..)?.get(..at.length as usize)
    };
    let unquoted = || Rejection::Unsupported("an IMA list without PCR 10 of SHA-256".into());
    let (ten, register) = (place(ima::PCR).ok_or_else(unquoted)?, value(ima::PCR));
    let other = || Rejection::Untrusted("the IMA list does not lead to PCR 10".into());
    let count = ima::leading_to(&entries, register.ok_or_else(unquoted)?).ok_or_else(other)?;
    entries.truncate(count);
    let extensions: Vec<Vec<u8>> = entries.iter().map(|one| one.extension().to_vec()).collect();
    // What was found here the host finds by its own.
    custody::replay(&quoted.registers, ten.at, Digest::Sha256, &[0; 32], &extensions)?;
    let before: Option<Vec<&[u8]>> = (0..ima::PCR).map(value).collect();
    let first = entries.first().filter(|first| first.is_boot_aggregate());
    let digest = first.and_then(|first| first.digest.as_deref());
    let digest = digest.filter(|digest| digest.starts_with("sha256:"));
    let boot_aggregate =
        digest.zip(before).map(|(digest, before)| ima::is_aggregate_of(digest, &before));
    if boot_aggregate == Some(false) {
        let why = "the IMA list begins with a boot aggregate of other PCRs";
        return Err(Rejection::Untrusted(why.into()));
    }
    Ok(Measured { entries, boot_aggregate })
}

impl Measured {
    /// `ima.entries`, `ima.violations`: how many; `ima.boot_aggregate`; `ima.files`: `sha256:… /path`, as
    /// many as there is room for; `ima.files_beyond`: how many there are besides, those of templates that are
    /// not known here among them.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        let claim = |name: &str, value| Claim { name: format!("ima.{name}"), value };
        let number = |count: usize| Value::Unsigned(u64::try_from(count).unwrap_or(u64::MAX));
        let violations = self.entries.iter().filter(|entry| entry.is_violation()).count();
        let (mut files, mut bytes) = (Vec::new(), 0_usize);
        for entry in &self.entries {
            let Some((digest, path)) = entry.digest.as_ref().zip(entry.path.as_ref()) else {
                continue;
            };
            let text = format!("{digest} {path}");
            bytes = bytes.saturating_add(text.len());
            if bytes > MAX_TEXTS || files.len() >= MAX_FILES {
                break;
            }
            files.push(text);
        }
        let mut claims = vec![
            claim("entries", number(self.entries.len())),
            claim("violations", number(violations)),
        ];
        match self.entries.len().saturating_sub(files.len()) {
            0 => {}
            beyond => claims.push(claim("files_beyond", number(beyond))),
        }
        claims.push(claim("files", Value::Texts(files)));
        let aggregate = self.boot_aggregate.map(|held| claim("boot_aggregate", Value::Flag(held)));
        claims.extend(aggregate);
        claims
    }
}
