//! A client of OCI registries (OCI distribution specification 1.1), as far as plugins need one: content
//! pushed and pulled by digest, tags, and signatures that refer to a manifest.
//!
//! For authors and operators at the command line: a host that serves never pulls. What comes is bounded
//! by what a descriptor says before it is fetched, and held against its digest.

mod http;
mod reference;

use serde::de::DeserializeOwned;

use self::http::{Answer, Transport};
use super::package::{
    COMPONENT_TYPE, Descriptor, INDEX_TYPE, ImageManifest, Index, LARGEST_COMPONENT,
    LARGEST_SIGNATURE, Layout, MANIFEST_TYPE, MOST_SIGNATURES, Package, SIGNATURE_TYPE,
};
use crate::json::{self, Limits};
use crate::plugin::package::layout::{digest_of, index};

pub use http::{Access, TransportError};
pub use reference::{NotAReference, Reference};

/// The largest manifest or index that is read, in bytes.
const LARGEST_MANIFEST: usize = 256 << 10;

/// A registry did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// What came is not what was asked for.
    #[error("{what}: what came has the digest {found}, not {wanted}")]
    Digest {
        /// What was fetched.
        what: &'static str,
        /// Its digest.
        found: String,
        /// The digest that was asked for.
        wanted: String,
    },
    /// A manifest does not parse.
    #[error("{0}")]
    Malformed(String),
    /// It is no plugin.
    #[error("it is no plugin: {0}")]
    Shape(&'static str),
    /// The registry refused, or has not what was asked for.
    #[error("the registry answered {status} to {what}{words}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What was asked.
        what: String,
        /// The registry's own words.
        words: String,
    },
    /// Larger than is read.
    #[error("{what} has {bytes} bytes, and at most {limit} are read")]
    TooLarge {
        /// What.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: usize,
    },
    /// No connection, or it broke.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// One repository of a registry.
#[derive(Debug)]
pub struct Repository {
    reference: Reference,
    transport: Transport,
}

impl Repository {
    /// The repository of a reference.
    pub fn new(reference: Reference, access: Access) -> Result<Self, RegistryError> {
        let transport = Transport::new(&reference, access)?;
        Ok(Self { reference, transport })
    }

    /// Pushes a package under the reference's tag, with its signatures. The digest of its manifest.
    pub async fn push(&self, package: &Package) -> Result<String, RegistryError> {
        let layout = Layout::new(package);
        let manifests: Vec<_> =
            std::iter::once(&layout.manifest).chain(&layout.signatures).collect();
        for (digest, bytes) in &layout.blobs {
            if manifests.iter().all(|manifest| manifest.digest != *digest) {
                self.push_blob(digest, bytes).await?;
            }
        }
        let bytes = |digest: &str| layout.blobs.get(digest).cloned().unwrap_or_default();
        let digest = layout.manifest.digest.clone();
        let tag = self.reference.tag.clone().unwrap_or_else(|| digest.clone());
        self.put_manifest(&tag, MANIFEST_TYPE, bytes(&digest)).await?;
        for signature in &layout.signatures {
            let put = self.put_manifest(&signature.digest, MANIFEST_TYPE, bytes(&signature.digest));
            // A registry that knows of references says so.
            if put.await?.header("oci-subject").is_none() {
                self.refer(&digest, signature).await?;
            }
        }
        Ok(digest)
    }

    /// Pulls a package with its signatures, and the digest of its manifest. Where the reference names a
    /// digest, a tag counts for nothing.
    pub async fn pull(&self) -> Result<(Package, String), RegistryError> {
        let Reference { tag, digest, .. } = &self.reference;
        let named = digest.as_ref().or(tag.as_ref()).map_or("latest", String::as_str);
        let answer = self.get(&format!("manifests/{named}"), LARGEST_MANIFEST).await?;
        let bytes = answer.expect("a manifest", &[200])?.body;
        let found = digest_of(&bytes);
        if let Some(wanted) = digest.as_ref().filter(|wanted| **wanted != found) {
            let wanted = wanted.clone();
            return Err(RegistryError::Digest { what: "the manifest", found, wanted });
        }
        let manifest: ImageManifest = parse(&bytes)?;
        let [layer] = manifest.layers.as_slice() else {
            return Err(RegistryError::Shape("its manifest has not exactly one layer"));
        };
        if layer.media_type != COMPONENT_TYPE {
            return Err(RegistryError::Shape("its layer is no WebAssembly"));
        }
        let component = self.blob("the component", layer, LARGEST_COMPONENT).await?;
        let mut signatures = Vec::new();
        for signed in self.referring(&found).await?.iter().take(MOST_SIGNATURES) {
            let answer =
                self.get(&format!("manifests/{}", signed.digest), LARGEST_MANIFEST).await?;
            let bytes = answer.expect("a signature's manifest", &[200])?.body;
            let own = digest_of(&bytes);
            if own != signed.digest {
                let (what, wanted) = ("a signature's manifest", signed.digest.clone());
                return Err(RegistryError::Digest { what, found: own, wanted });
            }
            let manifest: ImageManifest = parse(&bytes)?;
            let about = manifest.subject.as_ref().map(|subject| subject.digest.as_str());
            let [layer] = manifest.layers.as_slice() else { continue };
            if about == Some(found.as_str()) && layer.media_type == SIGNATURE_TYPE {
                signatures.push(self.blob("a signature", layer, LARGEST_SIGNATURE).await?);
            }
        }
        Ok((Package { component, signatures }, found))
    }

    /// What refers to a manifest as its signature: by the registry's own list, or by the tag that
    /// stands for one (distribution specification, "Referrers Tag Schema").
    async fn referring(&self, digest: &str) -> Result<Vec<Descriptor>, RegistryError> {
        let listed = self.get(&format!("referrers/{digest}"), LARGEST_MANIFEST).await?;
        let bytes = match listed.status {
            200 => listed.body,
            _ => {
                let path = format!("manifests/{}", tag_of(digest));
                let tagged = self.get(&path, LARGEST_MANIFEST).await?;
                if tagged.status == 404 {
                    return Ok(Vec::new());
                }
                tagged.expect("the list of signatures", &[200])?.body
            }
        };
        let mut listed = parse::<Index>(&bytes)?.manifests;
        listed.retain(|one| one.artifact_type.as_deref() == Some(SIGNATURE_TYPE));
        Ok(listed)
    }

    /// Adds a signature to the list behind the tag that stands for one.
    async fn refer(&self, digest: &str, signature: &Descriptor) -> Result<(), RegistryError> {
        let path = format!("manifests/{}", tag_of(digest));
        let tagged = self.get(&path, LARGEST_MANIFEST).await?;
        let mut listed = match tagged.status {
            404 => Vec::new(),
            _ => parse::<Index>(&tagged.expect("the list of signatures", &[200])?.body)?.manifests,
        };
        if listed.iter().any(|one| one.digest == signature.digest) {
            return Ok(());
        }
        listed.push(signature.clone());
        let listed: Vec<_> = listed.iter().collect();
        self.put_manifest(&tag_of(digest), INDEX_TYPE, index(&listed)).await.map(drop)
    }

    async fn push_blob(&self, digest: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        let path = self.reference.path(&format!("blobs/{digest}"));
        let present = self.transport.send("HEAD", &path, &[], Vec::new(), 0).await?;
        if present.status == 200 {
            return Ok(());
        }
        let begun = self.reference.path("blobs/uploads/");
        let begun = self.transport.send("POST", &begun, &[], Vec::new(), 1 << 16).await?;
        let begun = begun.expect("the beginning of an upload", &[202])?;
        let location = begun.header("location").map(str::to_owned);
        let location = location.ok_or(RegistryError::Shape("an upload has no place"))?;
        let separator = if location.contains('?') { '&' } else { '?' };
        let place = format!("{location}{separator}digest={digest}");
        let headers = [("content-type", "application/octet-stream")];
        let put = self.transport.send("PUT", &place, &headers, bytes.to_vec(), 1 << 16).await?;
        put.expect("an upload", &[201, 202, 204]).map(drop)
    }

    async fn put_manifest(
        &self,
        named: &str,
        media_type: &str,
        bytes: Vec<u8>,
    ) -> Result<Answer, RegistryError> {
        let path = self.reference.path(&format!("manifests/{named}"));
        let headers = [("content-type", media_type)];
        let put = self.transport.send("PUT", &path, &headers, bytes, 1 << 16).await?;
        put.expect("a manifest", &[200, 201, 202])
    }

    async fn get(&self, path: &str, largest: usize) -> Result<Answer, RegistryError> {
        let path = self.reference.path(path);
        let accept = format!("{MANIFEST_TYPE}, {INDEX_TYPE}");
        let headers = [("accept", accept.as_str())];
        Ok(self.transport.send("GET", &path, &headers, Vec::new(), largest).await?)
    }

    async fn blob(
        &self,
        what: &'static str,
        descriptor: &Descriptor,
        limit: usize,
    ) -> Result<Vec<u8>, RegistryError> {
        let Descriptor { digest, size, .. } = descriptor;
        let fits = usize::try_from(*size).ok().filter(|size| *size <= limit);
        let fits = fits.ok_or(RegistryError::TooLarge { what, bytes: *size, limit })?;
        let path = self.reference.path(&format!("blobs/{digest}"));
        let answer = self.transport.send("GET", &path, &[], Vec::new(), fits).await?;
        let bytes = answer.expect(what, &[200])?.body;
        let found = digest_of(&bytes);
        match found == *digest {
            true => Ok(bytes),
            false => Err(RegistryError::Digest { what, found, wanted: digest.clone() }),
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RegistryError> {
    json::parse(bytes, Limits::REQUEST.with_bytes(LARGEST_MANIFEST))
        .map_err(|error| RegistryError::Malformed(error.to_string()))
}

/// `sha256-…`: the tag under which what refers to a digest is listed.
fn tag_of(digest: &str) -> String {
    digest.replacen(':', "-", 1)
}
