//! What these tests share: the binary, a host that it serves, a guest that asks it.

mod guest;
mod host;
mod log;
mod raw;
mod run;
mod watch;

pub(crate) use guest::{Guest, family};
pub(crate) use host::{Host, State, TOKEN};
pub(crate) use log::{lines, records};
pub(crate) use raw::Raw;
pub(crate) use run::{claviger, verified};
pub(crate) use watch::Watch;

use std::sync::OnceLock;

use tokio::runtime::Runtime;

/// Runs asynchronous work of a test to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).block_on(work)
}
