//! The bounds within which the front doors serve. Every one has a default that suits a small
//! machine on the open network.

use std::time::Duration;

/// What one listener accepts, and for how long.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The largest request body, in bytes; a larger one is refused before it is read.
    pub body_bytes: usize,
    /// How deep the arrays and objects of a JSON body may nest.
    pub json_depth: usize,
    /// From the request's head to the answer, the reading of the body included.
    pub request_timeout: Duration,
    /// From the request's head to the body's last byte. Much shorter than `request_timeout`: while
    /// a body trickles in, it keeps a place from others and costs its sender nothing.
    pub body_timeout: Duration,
    /// A connection on which no whole request head arrived for this long is closed: an idle one as
    /// well as one that sends its head byte by byte.
    pub head_timeout: Duration,
    /// From the connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// How long requests in flight may take to finish once the host is told to stop.
    pub drain_deadline: Duration,
    /// Requests in flight at the same time, from the head to the answer; further ones are answered
    /// `overloaded`. Health is told beside them.
    pub requests_at_once: usize,
    /// The same for one client address (IPv6: one /64); its further ones are answered
    /// `rate-limited`.
    pub requests_per_client: usize,
    /// Connections open at the same time; further ones are closed unanswered.
    pub connections: usize,
    /// The same for one client address (IPv6: one /64).
    pub connections_per_client: usize,
    /// Requests of one client address; none: not limited.
    pub rate: Option<Rate>,
    /// Failed authentications of one client address; further ones are answered `rate-limited`.
    pub failed_authentications: Rate,
    /// What only HTTP/2 knows.
    pub http2: Http2Settings,
}

/// A steady rate with a burst above it.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once after a rest.
    pub burst: u32,
    /// The time after which one more is allowed.
    pub interval: Duration,
}

/// Bounds against floods of streams, resets and headers.
#[derive(Clone, Debug)]
pub struct Http2Settings {
    /// Streams open at the same time on one connection.
    pub streams_at_once: u32,
    /// Streams that the client reset before they were served; more end the connection
    /// (CVE-2023-44487).
    pub pending_resets: usize,
    /// The largest header list, in bytes.
    pub header_bytes: u32,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            body_bytes: 512 * 1024,
            json_depth: 32,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(20),
            requests_at_once: 256,
            requests_per_client: 32,
            connections: 4096,
            connections_per_client: 256,
            rate: Some(Rate { burst: 200, interval: Duration::from_millis(10) }),
            failed_authentications: Rate { burst: 10, interval: Duration::from_secs(6) },
            http2: Http2Settings::default(),
        }
    }
}

impl Default for Http2Settings {
    fn default() -> Self {
        Self { streams_at_once: 64, pending_resets: 20, header_bytes: 16 * 1024 }
    }
}
