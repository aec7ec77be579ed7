//! One document over HTTPS, within bounds: five seconds in all, 256 KiB, status 200 and nothing else.
//! A redirection is no answer.

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_ENCODING, HOST};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::jwks::LARGEST;

/// From the first look-up to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads the document at `url`; what went wrong where it cannot be had.
pub(super) async fn fetch(url: &Uri, tls: &Arc<ClientConfig>) -> Result<Bytes, String> {
    let answer = tokio::time::timeout(TIMEOUT, exchange(url, tls)).await;
    let answer = answer.map_err(|_| "no answer in time".to_owned()).and_then(|answer| answer);
    answer.map_err(|reason| format!("{url}: {reason}"))
}

async fn exchange(url: &Uri, tls: &Arc<ClientConfig>) -> Result<Bytes, String> {
    let authority = url.authority().ok_or("no host")?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let port = authority.port_u16().unwrap_or(443);
    let stream = TcpStream::connect((host, port)).await.map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) =
        handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with this function.
    let mut driver = JoinSet::new();
    driver.spawn(async move {
        let _ = connection.await;
    });
    let request = Request::get(url.path())
        .header(HOST, authority.as_str())
        .header(ACCEPT, "application/json, application/jwk-set+json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("status {}", response.status().as_u16()));
    }
    if response.headers().contains_key(CONTENT_ENCODING) {
        return Err("the answer is encoded".to_owned());
    }
    let body = Limited::new(response.into_body(), LARGEST).collect().await;
    Ok(body.map_err(|error| error.to_string())?.to_bytes())
}
