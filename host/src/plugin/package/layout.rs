//! A package as OCI content: the CNCF's conventions for WebAssembly artifacts (TAG Runtime, "Wasm OCI
//! Artifact layout"), one component in one layer, and signatures as manifests that refer to it (OCI
//! image specification 1.1, `subject`).

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Package, sha256};

/// The media type of a manifest.
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index.
pub const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of a WebAssembly artifact's configuration.
pub const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
/// The media type of the layer that is the component.
pub const COMPONENT_TYPE: &str = "application/wasm";
/// The media type of a signature.
pub const SIGNATURE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The media type of the configuration that there is none (OCI image specification 1.1).
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// A pointer to content (OCI image specification, "Content Descriptors").
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Its bytes.
    pub size: u64,
    /// What kind of artifact a manifest is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A manifest, as far as it is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// The configuration: what its media type says, nothing here rests on.
    #[serde(rename = "config")]
    pub _config: Descriptor,
    /// The content.
    pub layers: Vec<Descriptor>,
    /// The manifest that this one is about.
    #[serde(default)]
    pub subject: Option<Descriptor>,
}

/// A list of manifests.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// The manifests.
    pub manifests: Vec<Descriptor>,
}

/// Everything that stands for one package in a registry or an archive.
#[derive(Clone, Debug)]
pub struct Layout {
    /// Content by digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// The component's manifest.
    pub manifest: Descriptor,
    /// The signatures' manifests.
    pub signatures: Vec<Descriptor>,
}

impl Layout {
    /// Lays a package out. The same package is laid out the same way each time.
    #[must_use]
    pub fn new(package: &Package) -> Self {
        let mut blobs = BTreeMap::new();
        let layer = blob(&mut blobs, COMPONENT_TYPE, package.component.clone());
        let manifest = package.manifest().ok();
        let (name, version, about) = manifest.map_or_else(Default::default, |manifest| {
            (manifest.name, manifest.version, manifest.description)
        });
        // The date is part of the conventions; one that moves would give each push another digest.
        let config = json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [layer.digest.clone()],
            "component": { "exports": [], "imports": [], "target": null },
        });
        let config = blob(&mut blobs, CONFIG_TYPE, text(&config));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config,
            "layers": [layer],
            "annotations": {
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.description": about,
            },
        });
        let manifest = blob(&mut blobs, MANIFEST_TYPE, text(&manifest));
        let mut signatures = Vec::new();
        for signature in &package.signatures {
            let config = blob(&mut blobs, EMPTY_TYPE, b"{}".to_vec());
            let layer = blob(&mut blobs, SIGNATURE_TYPE, signature.clone());
            let signed = json!({
                "schemaVersion": 2,
                "mediaType": MANIFEST_TYPE,
                "artifactType": SIGNATURE_TYPE,
                "config": config,
                "layers": [layer],
                "subject": manifest,
            });
            let mut signed = blob(&mut blobs, MANIFEST_TYPE, text(&signed));
            signed.artifact_type = Some(SIGNATURE_TYPE.to_owned());
            signatures.push(signed);
        }
        Self { blobs, manifest, signatures }
    }

    /// The index of everything: the component's manifest first, then the signatures'.
    #[must_use]
    pub fn index(&self) -> Vec<u8> {
        let manifests: Vec<_> = std::iter::once(&self.manifest).chain(&self.signatures).collect();
        index(&manifests)
    }
}

/// An index of manifests, as JSON.
pub(crate) fn index(manifests: &[&Descriptor]) -> Vec<u8> {
    text(&json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": manifests }))
}

/// `sha256:` and the digest of `bytes`.
pub(crate) fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{}", HEXLOWER.encode(&sha256(bytes)))
}

fn blob(blobs: &mut BTreeMap<String, Vec<u8>>, media_type: &str, bytes: Vec<u8>) -> Descriptor {
    let digest = digest_of(&bytes);
    let descriptor = Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.clone(),
        size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        artifact_type: None,
        annotations: BTreeMap::new(),
    };
    blobs.insert(digest, bytes);
    descriptor
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
