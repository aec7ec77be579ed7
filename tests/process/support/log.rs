//! The audit log as it lies on the disk, read without the host's code.

use std::path::Path;

use serde_json::Value;

/// The whole lines of the log; one that was not written to its end is none.
pub(crate) fn lines(state: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(state.join("audit/audit.jsonl")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}

/// The same, each as what it says.
pub(crate) fn records(state: &Path) -> Vec<Value> {
    lines(state).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}
