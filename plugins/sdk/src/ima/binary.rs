//! The binary form: number of the PCR, digest of SHA-1, template name and data, each with its length, all
//! in little-endian.

use super::{Entry, MAX_DATA, MAX_ENTRIES, PCR, template_data};
use crate::bytes::Bytes;
use crate::hex;

/// Template names are short.
const MAX_NAME: usize = 64;

type Result<T> = std::result::Result<T, (usize, &'static str)>;

pub(super) fn read(list: &[u8]) -> Result<Vec<Entry>> {
    let mut bytes = Bytes(list);
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let number = entries.len();
        if number >= MAX_ENTRIES {
            return Err((number, "more entries than are read"));
        }
        entries.push(entry(&mut bytes).map_err(|why| (number, why))?);
    }
    Ok(entries)
}

fn entry(bytes: &mut Bytes<'_>) -> std::result::Result<Entry, &'static str> {
    const SHORT: &str = "it is not whole";
    if bytes.u32_le().ok_or(SHORT)? != PCR {
        return Err("measured into another register");
    }
    let violation = bytes.take(20).ok_or(SHORT)?.iter().all(|byte| *byte == 0);
    let name = sized(bytes, MAX_NAME).ok_or(SHORT)?;
    let template = std::str::from_utf8(name).map_err(|_| "a template's name that is no text")?;
    let (data, fields) = match template {
        // Of this one alone the data have no length before them.
        "ima" => {
            let digest = bytes.take(20).ok_or(SHORT)?;
            let name = sized(bytes, MAX_DATA).ok_or(SHORT)?;
            let data = template_data(template, &[digest, name]).ok_or("a name of this length")?;
            (data, Some((format!("sha1:{}", hex::encode(digest)), text(name)?)))
        }
        _ => {
            let data = sized(bytes, MAX_DATA).ok_or(SHORT)?;
            (data.to_vec(), known(template, data)?)
        }
    };
    let (digest, path) = fields.unzip();
    let data = (!violation).then_some(data);
    Ok(Entry { template: template.to_owned(), data, digest, path })
}

/// Digest and path of the templates that are known here.
fn known(
    template: &str,
    data: &[u8],
) -> std::result::Result<Option<(String, String)>, &'static str> {
    const OTHER: &str = "fields that are not the template's";
    let mut bytes = Bytes(data);
    if !matches!(template, "ima-ng" | "ima-sig") {
        return Ok(None);
    }
    let digest = sized(&mut bytes, MAX_DATA).ok_or(OTHER)?;
    let name = sized(&mut bytes, MAX_DATA).ok_or(OTHER)?;
    if template == "ima-sig" {
        sized(&mut bytes, MAX_DATA).ok_or(OTHER)?;
    }
    if !bytes.is_empty() {
        return Err(OTHER);
    }
    let place = digest.iter().position(|byte| *byte == 0).ok_or(OTHER)?;
    let (algorithm, digest) = digest.split_at_checked(place).ok_or(OTHER)?;
    let digest = hex::encode(digest.get(1..).unwrap_or_default());
    let path = text(name.strip_suffix(&[0]).ok_or(OTHER)?)?;
    Ok(Some((format!("{}{digest}", text(algorithm)?), path)))
}

fn sized<'a>(bytes: &mut Bytes<'a>, most: usize) -> Option<&'a [u8]> {
    let length = bytes.u32_le().and_then(|length| usize::try_from(length).ok())?;
    (length <= most).then(|| bytes.take(length))?
}

/// Linux' paths are bytes; what is no text is written so that it is seen.
fn text(bytes: &[u8]) -> std::result::Result<String, &'static str> {
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
