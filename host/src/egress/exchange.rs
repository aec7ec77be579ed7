//! One request and its answer, on a connection that is open or on a new one, within bounds.

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::connection::{self, Connection};
use super::resolve::Resolver;
use super::target::Target;
use super::{EgressError, EgressLimits};

/// An answer as it came, read to its end.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// Sends the request and reads the answer. Where a kept connection turns out to be closed before a
/// byte of the request went out, or takes a GET along, a new one is made.
pub(super) async fn exchange(
    target: &Target,
    resolver: &dyn Resolver,
    limits: &EgressLimits,
    request: Request<Full<Bytes>>,
) -> Result<Reply, EgressError> {
    let (mut connection, response) = match kept(target, limits, request).await {
        Kept::Answered(connection, response) => (connection, response),
        Kept::Failed(error) => return Err(error),
        Kept::Unsent(request) => {
            let mut connection = connection::connect(target, resolver, limits).await?;
            let sent = connection.sender.send_request(request);
            let sent = timeout(limits.first_byte, sent).await.map_err(|_| EgressError::Timeout)?;
            (connection, sent.map_err(broken)?)
        }
    };
    let reply = read(response, limits).await?;
    if connection.sender.ready().await.is_ok() {
        target.pool.give_back(connection);
    }
    Ok(reply)
}

enum Kept {
    Answered(Connection, Response<Incoming>),
    Failed(EgressError),
    Unsent(Request<Full<Bytes>>),
}

/// Tries the connection that is kept.
async fn kept(target: &Target, limits: &EgressLimits, request: Request<Full<Bytes>>) -> Kept {
    let Some(mut connection) = target.pool.take() else { return Kept::Unsent(request) };
    if connection.sender.ready().await.is_err() {
        return Kept::Unsent(request);
    }
    // To read twice does no harm.
    let again = request.method().is_safe().then(|| request.clone());
    let sent = connection.sender.try_send_request(request);
    match timeout(limits.first_byte, sent).await {
        Err(_) => Kept::Failed(EgressError::Timeout),
        Ok(Ok(response)) => Kept::Answered(connection, response),
        Ok(Err(mut failed)) => match failed.take_message().or(again) {
            Some(request) => Kept::Unsent(request),
            None => Kept::Failed(broken(failed.into_error())),
        },
    }
}

/// Reads an answer to its end.
async fn read(response: Response<Incoming>, limits: &EgressLimits) -> Result<Reply, EgressError> {
    let (head, mut incoming) = response.into_parts();
    if head.headers.contains_key(CONTENT_ENCODING) {
        return Err(EgressError::Protocol("the answer is encoded".to_owned()));
    }
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced: Option<usize> = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length| length > limits.answer_bytes) {
        return Err(EgressError::TooLarge);
    }
    // Room for all of it at once, where its length is known: a vector that grows leaves copies behind.
    let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(8 << 10)));
    loop {
        let frame = timeout(limits.idle, incoming.frame()).await;
        let Some(frame) = frame.map_err(|_| EgressError::Timeout)? else { break };
        let cut = |error: hyper::Error| EgressError::Protocol(error.to_string());
        let Ok(data) = frame.map_err(cut)?.into_data() else { continue };
        let length = body.len().saturating_add(data.len());
        if length > limits.answer_bytes {
            return Err(EgressError::TooLarge);
        }
        if length > body.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.saturating_mul(2)));
            larger.extend_from_slice(&body);
            body = larger;
        }
        body.extend_from_slice(&data);
    }
    Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
}

fn broken(error: hyper::Error) -> EgressError {
    let why = error.to_string();
    if error.is_parse_too_large() {
        EgressError::TooLarge
    } else if error.is_parse() || error.is_incomplete_message() || error.is_body_write_aborted() {
        EgressError::Protocol(why)
    } else {
        EgressError::Unreachable(why)
    }
}
