//! From a component's bytes to machine code: from the cache, or compiled and kept there.

use std::time::Instant;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use wasmtime::component::Component;

use super::admission::LoadError;
use super::engine::{Engine, ProgressEvent};
use super::manifest::Manifest;

/// A compiled component with what is known of it before it runs.
#[derive(Debug)]
pub struct Compiled {
    /// Ready to be linked.
    pub component: Component,
    /// SHA-256 of the component's bytes, in lower-case hexadecimal.
    pub digest: String,
    /// What it says about itself.
    pub manifest: Manifest,
}

impl Compiled {
    /// Compiles a component, or finds it compiled. Takes seconds for a large one.
    pub fn new(engine: &Engine, plugin: &str, component: &[u8]) -> Result<Self, LoadError> {
        let limit = engine.settings().component_bytes;
        if component.len() > limit {
            return Err(LoadError::TooLarge { bytes: component.len(), limit });
        }
        let manifest = Manifest::read(component)?;
        let mut digest = [0; 32];
        digest.copy_from_slice(digest::digest(&digest::SHA256, component).as_ref());
        Ok(Self {
            component: cached(engine, plugin, component, &digest)?,
            digest: HEXLOWER.encode(&digest),
            manifest,
        })
    }
}

fn cached(
    engine: &Engine,
    plugin: &str,
    bytes: &[u8],
    digest: &[u8; 32],
) -> Result<Component, LoadError> {
    let started = Instant::now();
    let found = engine.cache().and_then(|cache| cache.load(engine.wasmtime(), plugin, digest));
    if let Some(component) = found {
        let took = started.elapsed();
        engine.progress(plugin, ProgressEvent::Cached { took });
        return Ok(component);
    }
    let size = bytes.len();
    engine.progress(plugin, ProgressEvent::Compiling { bytes: size });
    let component = Component::from_binary(engine.wasmtime(), bytes)
        .map_err(|error| LoadError::Invalid(format!("{error:#}")))?;
    if let Some(cache) = engine.cache() {
        cache.save(plugin, digest, &component);
    }
    let took = started.elapsed();
    engine.progress(plugin, ProgressEvent::Compiled { took });
    Ok(component)
}
