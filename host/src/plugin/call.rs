//! One call of a plugin: a store of its own that ends with it, and why it ended early if it did.

use std::sync::Arc;

use wasmtime::component::InstancePre;
use wasmtime::{Store, Trap, UpdateDeadline};

use super::engine::{Engine, Slot};
use super::limits::{Exceeded, Limits, Meter, Metered};
use crate::escape::Escaped;

/// Why a plugin's call gave no result of its own.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Stopped {
    /// It took longer than it may.
    #[error("the plugin took longer than it may")]
    Deadline,
    /// It ran into a bound; which one.
    #[error("the plugin wanted {0}")]
    Limit(String),
    /// It trapped or panicked, or broke the rules of the component model.
    #[error("the plugin stopped: {0}")]
    Trap(String),
}

/// Wasmtime has no type for this error; the words are of the pinned version, and under test.
const TRANSFER_EXCEEDED: &str = "fuel allocated for hostcalls has been exhausted";

/// A store for one call. The instance in it is gone when this is.
#[derive(Debug)]
pub struct Call<T: Metered> {
    store: Store<T>,
    _slot: Slot,
}

impl<T: Metered> Call<T> {
    /// Waits for a place in the pool, then makes the store; the deadline counts from there. `data`
    /// makes what the imports need around the meter.
    ///
    /// An import that waits must itself stop at [`Meter::ends`]; computing is stopped here.
    pub async fn start(
        engine: &Engine,
        plugin: &Arc<str>,
        limits: &Limits,
        data: impl FnOnce(Meter) -> T,
    ) -> Result<Self, Stopped> {
        let slot =
            engine.slot().await.ok_or_else(|| Stopped::Trap("the engine is closed".into()))?;
        let data = data(Meter::new(Arc::clone(plugin), limits));
        let mut store = Store::new(engine.wasmtime(), data);
        store.limiter(|data| data.meter());
        store.set_hostcall_fuel(limits.transfer);
        // The meter's own count comes first; borrowed handles count here too.
        store.set_max_component_handles(limits.handles.saturating_mul(2));
        // At each tick: over, or the worker thread looks at other work first.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| {
            context.data_mut().meter().in_time()?;
            Ok(UpdateDeadline::Yield(1))
        });
        Ok(Self { store, _slot: slot })
    }

    /// The store, to instantiate and call in.
    pub fn store(&mut self) -> &mut Store<T> {
        &mut self.store
    }

    /// The result, or why there is none; the latter is logged under the plugin's name.
    pub fn end<R>(&mut self, result: wasmtime::Result<R>) -> Result<R, Stopped> {
        result.map_err(|error| {
            let stopped = self.stopped(&error);
            let plugin = self.store.data_mut().meter().plugin();
            tracing::error!(target: "claviger::plugin", plugin, "{stopped}");
            stopped
        })
    }

    fn stopped(&mut self, error: &wasmtime::Error) -> Stopped {
        let meter = self.store.data_mut().meter();
        let exceeded = meter.refused().or_else(|| error.downcast_ref::<Exceeded>().copied());
        if let Some(exceeded) = exceeded {
            return match exceeded {
                Exceeded::Deadline => Stopped::Deadline,
                other => Stopped::Limit(other.to_string()),
            };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Stopped::Limit("more stack than is allowed".into()),
            Some(Trap::Interrupt) => Stopped::Deadline,
            trap => {
                let cause = trap.map_or_else(|| error.root_cause().to_string(), Trap::to_string);
                if cause.contains(TRANSFER_EXCEEDED) {
                    return Stopped::Limit(Exceeded::Transfer.to_string());
                }
                let cause = Escaped(&cause);
                Stopped::Trap(match meter.log.last_error() {
                    Some(words) => format!("{cause}; its last words: {words}"),
                    None => cause.to_string(),
                })
            }
        }
    }
}

/// Instantiates a component and throws the instance away, so that what its start does or what the
/// linker cannot see is found before it serves.
pub(super) async fn trial<T: Metered>(
    call: &mut Call<T>,
    pre: &InstancePre<T>,
) -> Result<(), Stopped> {
    let result = pre.instantiate_async(call.store()).await;
    call.end(result).map(drop)
}
