//! A panic's last words: written to the host's log before the instance stops.

use std::panic::PanicHookInfo;

/// Sends the panics of this instance to `write`, which writes a line at level error. An instance
/// lives for one call only, so every exported function starts with this.
pub(crate) fn report_to(write: fn(&str)) {
    std::panic::set_hook(Box::new(move |panic| write(&describe(panic))));
}

/// `panicked at src/lib.rs:12:5: index out of bounds`.
fn describe(panic: &PanicHookInfo<'_>) -> String {
    let message = panic.payload_as_str().unwrap_or("no message");
    match panic.location() {
        Some(at) => format!("panicked at {at}: {message}"),
        None => format!("panicked: {message}"),
    }
}
