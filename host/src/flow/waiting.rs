//! Work that may wait for the disk, away from the threads that serve everybody.

use crate::error::{Code, Refusal};

/// Runs `work` on a thread that may wait.
pub(super) async fn waiting<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refusal::new(Code::Internal, error.to_string()))?
}
