//! Listens, lets connections in within bounds, and drains when told to stop.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::admission::Admission;
use super::api::Api;
use super::auth::{Administrator, Authentication};
use super::azure::{AzureSettings, NotAnAuthority};
use super::connection;
use super::door::Door;
use super::settings::HttpSettings;
use super::tls::{ServerCertificate, TlsError, server_config};
use super::{admin_router, api_router};
use crate::random::Random;

/// How often certificate files are looked at.
const CERTIFICATE_INTERVAL: Duration = Duration::from_secs(10);

/// How long accepting pauses where the system has no more file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Where the host listens.
pub struct Listeners {
    /// The front doors for workloads.
    pub api: Listener,
    /// Administration; none: there is none.
    pub admin: Option<AdminListener>,
    /// Beside the native API: what clients of Microsoft's services speak; none: it is closed.
    pub azure: Option<AzureSettings>,
}

/// An address and the certificate that is shown there.
pub struct Listener {
    /// Port 0: the system chooses.
    pub address: SocketAddr,
    /// May be shared between listeners.
    pub certificate: Arc<ServerCertificate>,
}

/// The administration's address and who may use it.
pub struct AdminListener {
    /// Where.
    pub listener: Listener,
    /// The CA of the operators' client certificates, PEM; none: tokens only.
    pub client_authority: Option<Vec<u8>>,
    /// Who administers.
    pub administrators: Vec<Administrator>,
}

/// Why the host does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not one of this machine.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The wanted address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The face for clients of Microsoft's services has no address.
    #[error("azure: {0}")]
    Azure(#[from] NotAnAuthority),
}

/// A serving host. Dropping it stops it at once; [`ServerHandle::shutdown`] lets it finish.
pub struct ServerHandle {
    api_address: SocketAddr,
    admin_address: Option<SocketAddr>,
    certificates: Vec<Arc<ServerCertificate>>,
    drain: watch::Sender<bool>,
    tasks: JoinSet<bool>,
    watchers: Vec<JoinHandle<()>>,
}

/// Opens the doors.
///
/// # Errors
/// Where an address cannot be listened on or TLS is not configured rightly.
pub async fn serve(
    api: Arc<dyn Api>,
    random: Arc<dyn Random>,
    settings: HttpSettings,
    listeners: Listeners,
) -> Result<ServerHandle, ServeError> {
    let settings = Arc::new(settings);
    let (drain, draining) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut certificates = vec![Arc::clone(&listeners.api.certificate)];
    let door = |administrators, azure| {
        let authentication = Authentication::new(administrators, settings.failed_authentications);
        Door::new(
            Arc::clone(&api),
            Arc::clone(&random),
            Arc::clone(&settings),
            authentication,
            azure,
        )
    };

    let open = Open::bind(&listeners.api, None).await?;
    let api_address = open.address;
    let azure = listeners.azure.map(|azure| azure.face(api_address.port())).transpose()?;
    let router = api_router(door(Vec::new(), azure));
    tasks.spawn(open.accept(router, Arc::clone(&settings), draining.clone()));

    let mut admin_address = None;
    if let Some(admin) = listeners.admin {
        let authority = admin.client_authority.as_deref();
        let open = Open::bind(&admin.listener, authority).await?;
        let router = admin_router(door(admin.administrators, None));
        admin_address = Some(open.address);
        certificates.push(admin.listener.certificate);
        tasks.spawn(open.accept(router, Arc::clone(&settings), draining));
    }

    let watch =
        |certificate| tokio::spawn(ServerCertificate::watch(certificate, CERTIFICATE_INTERVAL));
    Ok(ServerHandle {
        api_address,
        admin_address,
        drain,
        tasks,
        watchers: certificates.iter().map(Arc::downgrade).map(watch).collect(),
        certificates,
    })
}

impl ServerHandle {
    /// Where workloads are served.
    #[must_use]
    pub fn api_address(&self) -> SocketAddr {
        self.api_address
    }

    /// Where administration is served.
    #[must_use]
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Looks at the certificate files now (on SIGHUP) instead of at the next interval.
    ///
    /// # Errors
    /// Where a new pair is not right; the old one stands.
    pub fn reload_certificates(&self) -> Result<(), TlsError> {
        for certificate in &self.certificates {
            certificate.reload()?;
        }
        Ok(())
    }

    /// Closes the doors, finishes what is in flight and returns `true`; `false` where the drain's
    /// deadline cut something off.
    pub async fn shutdown(mut self) -> bool {
        self.drain.send_replace(true);
        let mut clean = true;
        while let Some(drained) = self.tasks.join_next().await {
            clean &= drained.unwrap_or(false);
        }
        clean
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        for watcher in &self.watchers {
            watcher.abort();
        }
    }
}

/// An open door.
struct Open {
    listener: TcpListener,
    address: SocketAddr,
    tls: TlsAcceptor,
}

impl Open {
    async fn bind(
        listener: &Listener,
        client_authority: Option<&[u8]>,
    ) -> Result<Self, ServeError> {
        let config = server_config(Arc::clone(&listener.certificate), client_authority)?;
        let address = listener.address;
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        Ok(Self {
            address: listener.local_addr().map_err(failed)?,
            listener,
            tls: TlsAcceptor::from(config),
        })
    }

    /// Accepts until the host drains; then says whether all connections ended in time.
    async fn accept(
        self,
        router: Router,
        settings: Arc<HttpSettings>,
        drain: watch::Receiver<bool>,
    ) -> bool {
        let admission = Admission::new(settings.connections, settings.connections_per_client);
        let mut connections = JoinSet::new();
        let mut stop = drain.clone();
        loop {
            tokio::select! {
                () = connection::told_to_stop(&mut stop) => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => {
                        // Over the bound the stream is dropped, and so closed.
                        let Ok(place) = admission.enter(address.ip()) else { continue };
                        let served = connection::serve(
                            stream, address, self.tls.clone(), router.clone(),
                            Arc::clone(&settings), drain.clone(),
                        );
                        connections.spawn(async move {
                            served.await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "accepting a connection failed");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        let all = async { while connections.join_next().await.is_some() {} };
        tokio::time::timeout(settings.drain_deadline, all).await.is_ok()
    }
}
