//! How much a plugin may use in one call, and the meter that counts it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::ResourceTable;
use wasmtime::{ResourceLimiter, error::Result};

use crate::quote::{Signer, Statement};

/// Bounds on one call of a plugin.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Linear memory in all, in bytes; at most [`LARGEST_MEMORY`](super::engine::LARGEST_MEMORY).
    pub memory: usize,
    /// Elements of all tables together.
    pub table_elements: usize,
    /// Handles (statements, signers, secrets) that exist at the same time.
    pub handles: usize,
    /// Bytes behind all handles that were ever made in the call.
    pub held: usize,
    /// Calls of imports.
    pub host_calls: u32,
    /// Bytes of log messages; what goes beyond is dropped.
    pub log_bytes: usize,
    /// Bytes that cross from the plugin to the host in one call of an import, or in the result.
    pub transfer: usize,
    /// From the start of the instance to the result, waiting included.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 16 << 20,
            table_elements: 20_000,
            handles: 256,
            held: 8 << 20,
            host_calls: 1_024,
            log_bytes: 16 << 10,
            transfer: 4 << 20,
            deadline: Duration::from_secs(2),
        }
    }
}

/// A bound that a plugin ran into; ends the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exceeded {
    /// [`Limits::deadline`].
    Deadline,
    /// [`Limits::handles`].
    Handles,
    /// [`Limits::held`].
    Held,
    /// [`Limits::host_calls`].
    HostCalls,
    /// [`Limits::memory`].
    Memory,
    /// [`Limits::table_elements`].
    Tables,
    /// [`Limits::transfer`].
    Transfer,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "the call took longer than it may",
            Self::Handles => "more handles than are allowed",
            Self::Held => "more bytes behind handles than are allowed",
            Self::HostCalls => "more calls of the host than are allowed",
            Self::Memory => "more memory than is allowed",
            Self::Tables => "more table elements than are allowed",
            Self::Transfer => "more data for the host than is allowed",
        })
    }
}

impl std::error::Error for Exceeded {}

/// What a plugin can hold by a handle, while the bytes are the host's.
pub trait Held: Send + 'static {
    /// How many bytes of the host's memory it keeps.
    fn held(&self) -> usize;
}

impl Held for Signer {
    fn held(&self) -> usize {
        self.certificate().map_or(0, <[u8]>::len)
    }
}

impl Held for Statement {
    fn held(&self) -> usize {
        self.bytes().len()
    }
}

/// Counts what one call uses, and holds its handles.
#[derive(Debug)]
pub struct Meter {
    plugin: Arc<str>,
    /// The objects behind the handles that the plugin holds.
    pub table: ResourceTable,
    limits: Limits,
    ends: Instant,
    held: usize,
    host_calls: u32,
    memory: usize,
    table_elements: usize,
    pub(super) log: super::import::log::Tail,
    refused: Option<Exceeded>,
}

impl Meter {
    /// A meter at zero for a call of `plugin` that starts now.
    #[must_use]
    pub fn new(plugin: Arc<str>, limits: &Limits) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        Self {
            plugin,
            table,
            limits: limits.clone(),
            ends: Instant::now() + limits.deadline,
            held: 0,
            host_calls: 0,
            memory: 0,
            table_elements: 0,
            log: super::import::log::Tail::new(limits.log_bytes),
            refused: None,
        }
    }

    /// The plugin's name.
    #[must_use]
    pub fn plugin(&self) -> &str {
        &self.plugin
    }

    /// When the call must be over.
    #[must_use]
    pub fn ends(&self) -> Instant {
        self.ends
    }

    /// Counts one call of an import. Every import starts with this.
    pub fn host_call(&mut self) -> Result<()> {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls > self.limits.host_calls {
            return Err(self.refuse(Exceeded::HostCalls).into());
        }
        self.in_time()
    }

    /// Fails when the deadline is over.
    pub fn in_time(&mut self) -> Result<()> {
        if Instant::now() >= self.ends {
            return Err(self.refuse(Exceeded::Deadline).into());
        }
        Ok(())
    }

    /// Puts an object into the table and gives the plugin its handle. The bytes behind it count to
    /// the end of the call: dropping handles makes no room.
    pub fn push<T: Held>(&mut self, entry: T) -> Result<wasmtime::component::Resource<T>> {
        self.held = self.held.saturating_add(entry.held());
        if self.held > self.limits.held {
            return Err(self.refuse(Exceeded::Held).into());
        }
        self.table.push(entry).map_err(|_| self.refuse(Exceeded::Handles).into())
    }

    /// The first bound that was run into, if any.
    #[must_use]
    pub fn refused(&self) -> Option<Exceeded> {
        self.refused
    }

    fn refuse(&mut self, what: Exceeded) -> Exceeded {
        *self.refused.get_or_insert(what)
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let total = self.memory.saturating_add(desired.saturating_sub(current));
        let fits = total <= self.limits.memory;
        if fits {
            self.memory = total;
        } else {
            self.refuse(Exceeded::Memory);
        }
        Ok(fits)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let total = self.table_elements.saturating_add(desired.saturating_sub(current));
        let fits = total <= self.limits.table_elements;
        if fits {
            self.table_elements = total;
        } else {
            self.refuse(Exceeded::Tables);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        usize::try_from(super::engine::CORE_INSTANCES).unwrap_or(usize::MAX)
    }

    fn tables(&self) -> usize {
        usize::try_from(super::engine::TABLES).unwrap_or(usize::MAX)
    }

    fn memories(&self) -> usize {
        usize::try_from(super::engine::MEMORIES).unwrap_or(usize::MAX)
    }
}

/// What a store of a plugin's call holds: a meter, and what the imports of its world need.
pub trait Metered: Send + 'static {
    /// The call's meter.
    fn meter(&mut self) -> &mut Meter;
}
