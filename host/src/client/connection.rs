//! One kept-alive connection.

use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::{Client, ClientError};

/// A connection with the task that drives it; ends when dropped.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Client {
    /// Sends on the open connection, or on a new one.
    pub(super) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let mut open = self.connection.lock().await;
        let kept = match open.take() {
            Some(mut connection) => connection.sender.ready().await.is_ok().then_some(connection),
            None => None,
        };
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let answer = connection.sender.try_send_request(request).await;
        let answer = match answer {
            Ok(response) => Ok(response),
            Err(mut failed) => match failed.take_message() {
                // The kept connection was closed before a byte of the request went out.
                Some(request) => {
                    connection = self.connect().await?;
                    connection.sender.send_request(request).await
                }
                None => Err(failed.into_error()),
            },
        };
        let response = answer.map_err(|error| self.broken(error))?;
        *open = Some(connection);
        Ok(response)
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let (host, port) = &self.address;
        let stream =
            TcpStream::connect((host.as_str(), *port)).await.map_err(|error| self.broken(error))?;
        let _ = stream.set_nodelay(true);
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| self.broken(error))?;
        let (sender, driver) =
            handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(error))?;
        let driver = tokio::spawn(async move {
            // What ends a connection is seen by the request on it.
            let _ = driver.await;
        });
        Ok(Connection { sender, driver })
    }
}
