//! What an answer leaves unread of a request over HTTP/2.
//!
//! A request that is refused by its head is answered before its body has come. HTTP/2 then has the stream reset
//! behind the answer (RFC 9113, section 8.1), which clients may do without, and which some that are in wide
//! use, curl before 8 among them, take for a failure: they drop the answer that says why. So a little is read
//! and thrown away first.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

/// So much is read, and no longer than this is waited.
const MOST: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(1);

/// A body with two hands on it: whoever serves the request, and whoever reads the rest.
pub(super) struct Unread<B = Incoming>(Arc<Mutex<B>>);

impl<B> Clone for Unread<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Unread<B> {
    pub(super) fn new(body: B) -> Self {
        Self(Arc::new(Mutex::new(body)))
    }

    /// Reads the rest, if it is little and comes soon.
    pub(super) async fn discard(mut self) {
        let mut left = MOST;
        let rest = async {
            while let Some(Ok(frame)) = self.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => break,
                }
            }
        };
        // Where it does not come, the stream is reset as ever.
        let _ = tokio::time::timeout(PATIENCE, rest).await;
    }

    fn with<T>(&self, ask: impl FnOnce(&mut B) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Unread<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.with(|body| Pin::new(body).poll_frame(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|body| body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|body| body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::VecDeque;

    /// Pieces that are there already; behind them either the end, or nothing for ever.
    struct Pieces(VecDeque<usize>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            match self.0.pop_front() {
                Some(length) => Poll::Ready(Some(Ok(Frame::data(vec![0; length].into())))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    async fn left_of(pieces: &[usize], ends: bool) -> usize {
        let body = Unread::new(Pieces(pieces.iter().copied().collect(), ends));
        body.clone().discard().await;
        body.with(|pieces| pieces.0.len())
    }

    #[tokio::test]
    async fn a_little_is_read_and_waited_for() {
        assert_eq!(left_of(&[], true).await, 0);
        assert_eq!(left_of(&[10, 0, MOST - 10], true).await, 0);
        assert_eq!(left_of(&[MOST, 1, 1, 1], true).await, 2);
        // Nothing more comes: it is not waited for long.
        assert_eq!(left_of(&[10], false).await, 0);
    }
}
