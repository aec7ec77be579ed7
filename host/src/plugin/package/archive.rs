//! A package in one file: an OCI image layout in a tar archive (POSIX.1-1988 `ustar`), as `claviger
//! plugin save` writes it and the administration's API takes it.
//!
//! Read strictly: plain files only, each once, bounded before anything is kept; every content is
//! held against the digest that leads to it.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::layout::{
    COMPONENT_TYPE, ImageManifest, Index, Layout, MANIFEST_TYPE, SIGNATURE_TYPE, digest_of,
};
use super::{LARGEST_COMPONENT, LARGEST_SIGNATURE, MOST_SIGNATURES, Package};
use crate::json::{self, Limits};

/// The largest archive that is read, in bytes.
pub const LARGEST: usize = LARGEST_COMPONENT + (4 << 20);

/// Bytes of a record of the archive.
const BLOCK: usize = 512;

/// The most files in one archive: blobs of the component and its signatures, and a little.
const MOST_FILES: usize = 4 * MOST_SIGNATURES + 16;

/// Manifests and indexes are small.
const LIMITS: Limits = Limits::REQUEST.with_bytes(64 << 10);

/// An archive is not one of a plugin.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ArchiveError {
    /// Content does not have the digest that leads to it.
    #[error("{0}: its content is another")]
    Digest(String),
    /// A manifest or the index does not parse.
    #[error("{0}")]
    Json(String),
    /// Something that is pointed to is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// It is not the layout of one component.
    #[error("it is no plugin's image layout: {0}")]
    Shape(&'static str),
    /// It is no archive, or has what such an archive has not.
    #[error("it is no tar archive of plain files: {0}")]
    Tar(&'static str),
    /// More than is read.
    #[error("{0} is larger than is read")]
    TooLarge(&'static str),
}

impl Package {
    /// Reads an archive.
    pub fn from_archive(archive: &[u8]) -> Result<Self, ArchiveError> {
        if archive.len() > LARGEST {
            return Err(ArchiveError::TooLarge("the archive"));
        }
        let files = unpack(archive)?;
        if !files.contains_key("oci-layout") {
            return Err(ArchiveError::Shape("there is no file oci-layout"));
        }
        let index = files.get("index.json");
        let index = index.ok_or_else(|| ArchiveError::Missing("index.json".into()))?;
        let index: Index = parse(index)?;
        let (mut component, mut signatures) = (None, Vec::new());
        for listed in &index.manifests {
            if listed.media_type != MANIFEST_TYPE {
                return Err(ArchiveError::Shape("the index lists what is no manifest"));
            }
            let manifest: ImageManifest = parse(content(&files, &listed.digest)?)?;
            let [layer] = manifest.layers.as_slice() else {
                return Err(ArchiveError::Shape("a manifest has not exactly one layer"));
            };
            let bytes = content(&files, &layer.digest)?;
            match layer.media_type.as_str() {
                COMPONENT_TYPE if component.is_none() => {
                    component = Some((bytes.to_vec(), listed.digest.clone()));
                }
                COMPONENT_TYPE => return Err(ArchiveError::Shape("there are two components")),
                SIGNATURE_TYPE if bytes.len() > LARGEST_SIGNATURE => {
                    return Err(ArchiveError::TooLarge("a signature"));
                }
                SIGNATURE_TYPE if signatures.len() >= MOST_SIGNATURES => {
                    return Err(ArchiveError::TooLarge("the list of signatures"));
                }
                SIGNATURE_TYPE => {
                    let subject = manifest.subject.map(|subject| subject.digest);
                    signatures.push((bytes.to_vec(), subject));
                }
                _ => return Err(ArchiveError::Shape("a layer of another media type")),
            }
        }
        let (component, manifest) =
            component.ok_or(ArchiveError::Shape("there is no component"))?;
        if component.len() > LARGEST_COMPONENT {
            return Err(ArchiveError::TooLarge("the component"));
        }
        if signatures.iter().any(|(_, subject)| subject.as_ref() != Some(&manifest)) {
            return Err(ArchiveError::Shape("a signature is about something else"));
        }
        let signatures = signatures.into_iter().map(|(bytes, _)| bytes).collect();
        Ok(Self { component, signatures })
    }

    /// Writes an archive; the same package makes the same one.
    #[must_use]
    pub fn to_archive(&self) -> Vec<u8> {
        let layout = Layout::new(self);
        let mut archive = Vec::new();
        append(&mut archive, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        append(&mut archive, "index.json", &layout.index());
        for (digest, bytes) in &layout.blobs {
            append(&mut archive, &path_of(digest), bytes);
        }
        archive.resize(archive.len() + 2 * BLOCK, 0);
        archive
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ArchiveError> {
    json::parse(bytes, LIMITS).map_err(|error| ArchiveError::Json(error.to_string()))
}

fn path_of(digest: &str) -> String {
    format!("blobs/{}", digest.replacen(':', "/", 1))
}

fn content<'a>(files: &BTreeMap<&str, &'a [u8]>, digest: &str) -> Result<&'a [u8], ArchiveError> {
    let bytes = files.get(path_of(digest).as_str());
    let bytes = bytes.ok_or_else(|| ArchiveError::Missing(digest.to_owned()))?;
    if digest_of(bytes) != digest {
        return Err(ArchiveError::Digest(digest.to_owned()));
    }
    Ok(bytes)
}

/// The plain files of an archive, by their names.
fn unpack(mut rest: &[u8]) -> Result<BTreeMap<&str, &[u8]>, ArchiveError> {
    const PLAIN: [u8; 2] = [b'0', 0];
    const FOLDER: u8 = b'5';
    let mut files = BTreeMap::new();
    while let Some((header, after)) = rest.split_at_checked(BLOCK) {
        if header.iter().all(|byte| *byte == 0) {
            return Ok(files);
        }
        let name = header.get(..100).and_then(terminated).ok_or(ArchiveError::Tar("a name"))?;
        let size = header.get(124..136).and_then(octal).ok_or(ArchiveError::Tar("a size"))?;
        if header.get(148..156).and_then(octal) != Some(checksum(header)) {
            return Err(ArchiveError::Tar("a checksum"));
        }
        let kind = header.get(156).copied().unwrap_or_default();
        let padded = size.checked_next_multiple_of(BLOCK).ok_or(ArchiveError::Tar("a size"))?;
        let (content, after) =
            after.split_at_checked(padded).ok_or(ArchiveError::Tar("it ends too early"))?;
        rest = after;
        if kind == FOLDER {
            continue;
        }
        if !PLAIN.contains(&kind) {
            return Err(ArchiveError::Tar("a link, a device or an extension"));
        }
        let name = name.strip_prefix("./").unwrap_or(name);
        let content = content.get(..size).unwrap_or_default();
        if files.insert(name, content).is_some() {
            return Err(ArchiveError::Tar("a file stands there twice"));
        }
        if files.len() > MOST_FILES {
            return Err(ArchiveError::TooLarge("the list of files"));
        }
    }
    Err(ArchiveError::Tar("it has no end"))
}

fn append(archive: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum = checksum(&header);
    for (to, from) in header.iter_mut().skip(148).zip(format!("{sum:06o}\0 ").bytes()) {
        *to = from;
    }
    archive.extend(header);
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}

/// The sum of a header's bytes, its own field taken for spaces.
fn checksum(header: &[u8]) -> usize {
    let field = 148..156;
    let byte = |(index, byte): (usize, &u8)| match field.contains(&index) {
        true => usize::from(b' '),
        false => usize::from(*byte),
    };
    header.iter().enumerate().map(byte).sum()
}

/// Text up to the first zero byte.
fn terminated(field: &[u8]) -> Option<&str> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    std::str::from_utf8(field.get(..end)?).ok().filter(|text| !text.is_empty())
}

/// A number in octal digits.
fn octal(field: &[u8]) -> Option<usize> {
    let end = field.iter().rposition(|byte| !matches!(byte, 0 | b' ')).map_or(0, |last| last + 1);
    let digits = std::str::from_utf8(field.get(..end)?).ok()?.trim_start_matches(' ');
    let plain = !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    plain.then(|| usize::from_str_radix(digits, 8).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package() -> Package {
        Package { component: vec![7; 1_000], signatures: vec![b"{}".to_vec(), b"[]".to_vec()] }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let archive = package().to_archive();
        assert_eq!(archive, package().to_archive());
        assert_eq!(Package::from_archive(&archive), Ok(package()));
        let bare = Package::unsigned(b"x".to_vec());
        assert_eq!(Package::from_archive(&bare.to_archive()), Ok(bare));
    }

    // attack 48
    #[test]
    fn an_archive_with_any_byte_changed_is_another_or_none() {
        let archive = package().to_archive();
        for index in 0..archive.len() {
            let mut changed = archive.clone();
            changed[index] ^= 1;
            if let Ok(read) = Package::from_archive(&changed) {
                assert_eq!(read, package(), "byte {index}");
            }
        }
        for length in 0..archive.len() - BLOCK {
            assert!(Package::from_archive(&archive[..length]).is_err(), "{length} bytes");
        }
    }

    // attack 48
    #[test]
    fn links_doubles_and_other_layouts_are_refused() {
        let plain = package().to_archive();
        let mut link = plain.clone();
        link[156] = b'2';
        let sum = format!("{:06o}\0 ", checksum(&link[..BLOCK]));
        link[148..156].copy_from_slice(sum.as_bytes());
        assert_eq!(
            Package::from_archive(&link),
            Err(ArchiveError::Tar("a link, a device or an extension"))
        );
        let mut double = Vec::new();
        append(&mut double, "oci-layout", b"{}");
        double.extend(&plain);
        assert_eq!(
            Package::from_archive(&double),
            Err(ArchiveError::Tar("a file stands there twice"))
        );
        let mut empty = Vec::new();
        append(&mut empty, "oci-layout", b"{}");
        append(&mut empty, "index.json", br#"{"manifests":[]}"#);
        empty.resize(empty.len() + 2 * BLOCK, 0);
        assert_eq!(
            Package::from_archive(&empty),
            Err(ArchiveError::Shape("there is no component"))
        );
    }
}
