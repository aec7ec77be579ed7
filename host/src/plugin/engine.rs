//! The engine that every plugin runs in: wasmtime, its pool of instances, the ticker that ends what
//! runs too long, and the cache of compiled components.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use super::cache::{Cache, CacheSettings};
use super::limits::Limits;
use super::ticker::{Ticker, Watch};

/// Core instances, tables and memories of one component. One made of Rust by `wit-component` has up to
/// four core modules, each table but the main module's with a few elements, and one memory; one with an
/// interpreter inside has dozens of them (JavaScript 13, Python 38), in up to three memories.
pub(super) const CORE_INSTANCES: u32 = 64;
pub(super) const TABLES: u32 = 4;
pub(super) const MEMORIES: u32 = 4;

/// The most memory that a plugin's limits can be raised to. The pool reserves address space for it, and
/// nothing else.
pub const LARGEST_MEMORY: usize = 256 << 20;

/// Kept mapped for the next instance, instead of given back to the system and faulted in again.
const KEEP_RESIDENT: usize = 64 << 10;

/// How the engine is set up.
#[derive(Clone)]
pub struct EngineSettings {
    /// How many plugins' calls may run at the same time; further ones wait.
    pub instances: u32,
    /// Elements of each table that the pool reserves.
    pub table_elements: usize,
    /// The largest component that is compiled, in bytes.
    pub component_bytes: usize,
    /// Where compiled components are kept; without it they are compiled at each start.
    pub cache: Option<CacheSettings>,
    /// Told what takes time, for a person who waits.
    pub on_progress: Option<OnProgress>,
}

/// Called with the plugin's name and what happens to it.
pub type OnProgress = Arc<dyn Fn(&str, ProgressEvent) + Send + Sync>;

/// What takes time when a plugin is loaded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ProgressEvent {
    /// The compiled component was found in the cache.
    Cached {
        /// How long reading it took.
        took: Duration,
    },
    /// The component was compiled.
    Compiled {
        /// How long it took.
        took: Duration,
    },
    /// The component is being compiled.
    Compiling {
        /// Its size.
        bytes: usize,
    },
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            instances: 256,
            table_elements: Limits::default().table_elements,
            component_bytes: 64 << 20,
            cache: None,
            on_progress: None,
        }
    }
}

impl fmt::Debug for EngineSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineSettings")
            .field("instances", &self.instances)
            .field("table_elements", &self.table_elements)
            .field("component_bytes", &self.component_bytes)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// The engine cannot be set up on this machine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime refuses the configuration, or the system refuses the memory.
    #[error("the WebAssembly engine cannot be set up: {0}")]
    Configuration(String),
    /// No thread for the ticker.
    #[error("the plugin ticker cannot be started: {0}")]
    Ticker(#[from] std::io::Error),
}

/// Runs plugins. Clone is cheap; the ticker stops with the last clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    settings: EngineSettings,
    cache: Option<Cache>,
    permits: Arc<Semaphore>,
    ticker: Ticker,
}

impl Engine {
    /// An engine with its pool reserved and its ticker started.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let wasmtime = wasmtime::Engine::new(&config(&settings))
            .map_err(|error| EngineError::Configuration(format!("{error:#}")))?;
        let ticked = wasmtime.clone();
        let ticker = Ticker::start(move || ticked.increment_epoch())?;
        let cache = settings.cache.as_ref().map(|cache| Cache::new(&wasmtime, cache));
        let permits = usize::try_from(settings.instances).unwrap_or(usize::MAX);
        Ok(Self(Arc::new(Inner {
            wasmtime,
            cache,
            permits: Arc::new(Semaphore::new(permits)),
            ticker,
            settings,
        })))
    }

    /// Wasmtime's engine, for linkers and stores.
    #[must_use]
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    /// The settings that it was made with.
    #[must_use]
    pub fn settings(&self) -> &EngineSettings {
        &self.0.settings
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    pub(super) fn progress(&self, plugin: &str, event: ProgressEvent) {
        if let Some(told) = &self.0.settings.on_progress {
            told(plugin, event);
        }
    }

    /// A place in the pool, as soon as there is one; given back when dropped.
    pub(super) async fn slot(&self) -> Option<Slot> {
        // Fails only for a closed semaphore, and nothing closes this one.
        let permit = Arc::clone(&self.0.permits).acquire_owned().await.ok()?;
        Some(Slot { _watch: self.0.ticker.watch(), _permit: permit })
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Engine").field(&self.0.settings).finish()
    }
}

/// A place in the pool, with the ticker running.
#[derive(Debug)]
pub(super) struct Slot {
    _watch: Watch,
    _permit: OwnedSemaphorePermit,
}

/// The settings that were measured to work: an instance and its call cost 8 µs, and a second
/// thread doubles the rate, where the default allocator halves it.
fn config(settings: &EngineSettings) -> Config {
    let instances = settings.instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .total_memories(instances.saturating_mul(MEMORIES))
        .total_tables(instances.saturating_mul(TABLES))
        .total_stacks(instances)
        .max_core_instances_per_component(CORE_INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_memory_size(LARGEST_MEMORY)
        .table_elements(settings.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(KEEP_RESIDENT)
        .async_stack_keep_resident(KEEP_RESIDENT)
        .pagemap_scan(Enabled::Auto);

    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_init_cow(true)
        .concurrency_support(false)
        .epoch_interruption(true)
        // The same input gives the same verdict on every machine, floating point included.
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false);
    config
}
