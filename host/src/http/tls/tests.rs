//! A client certificate counts as long as it is valid, and no longer.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ServerConfig, ServerConnection,
    SupportedProtocolVersion, version,
};
use time::OffsetDateTime;

use super::*;
use crate::clock::Timestamp;

const NOW: Timestamp = Timestamp(1_760_000_000);
const HOUR: u64 = 3600;

/// A clock that stands still.
#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.0)))
    }
}

/// A host with a client whose certificate is valid from `NOW` for an hour.
struct Site {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

impl Site {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let moment = |at: Timestamp| {
            OffsetDateTime::from_unix_timestamp(i64::try_from(at.0).unwrap()).unwrap()
        };
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let operators =
            CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(["carol".to_owned()]).unwrap();
        parameters.not_before = moment(NOW);
        parameters.not_after = moment(NOW.plus(HOUR));
        let carol = parameters.signed_by(&key, &operators).unwrap();

        let host = DevelopmentCertificates::mint(NOW).unwrap();
        let certificate =
            ServerCertificate::from_pem(host.certificate.as_bytes(), host.key.expose()).unwrap();
        let server = server_config(certificate, Some(operators.pem().as_bytes())).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        let client = ClientConfig::builder_with_details(provider(), Arc::new(At(NOW)))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots(host.authority.as_bytes()).unwrap())
            .with_client_auth_cert(vec![carol.der().clone()], key.into())
            .unwrap();
        Self { server, client: Arc::new(client) }
    }

    /// One connection at that moment of the host's clock: whether it was resumed, and whether a
    /// certificate stands behind it; or why it failed.
    fn connect(&self, at: Timestamp) -> Result<(Option<HandshakeKind>, bool), rustls::Error> {
        let mut config = ServerConfig::clone(&self.server);
        config.time_provider = Arc::new(At(at));
        let mut server = ServerConnection::new(Arc::new(config)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        while client.wants_write() || server.wants_write() {
            let mut wire = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut wire).unwrap();
            }
            let mut wire = wire.as_slice();
            while !wire.is_empty() {
                server.read_tls(&mut wire).unwrap();
                server.process_new_packets()?;
            }
            let mut wire = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut wire).unwrap();
            }
            let mut wire = wire.as_slice();
            while !wire.is_empty() {
                client.read_tls(&mut wire).unwrap();
                client.process_new_packets()?;
            }
        }
        Ok((server.handshake_kind(), server.peer_certificates().is_some()))
    }
}

// attack 60
#[test]
fn a_session_outlives_no_client_certificate() {
    for version in [&version::TLS13, &version::TLS12] {
        let site = Site::new(version);
        // A second connection would resume what the first one left, if anything.
        for _ in 0..2 {
            let (kind, known) = site.connect(NOW.plus(60)).unwrap();
            assert_eq!((kind, known), (Some(HandshakeKind::Full), true), "{version:?}");
        }
        let refused = site.connect(NOW.plus(2 * HOUR)).unwrap_err();
        assert!(refused.to_string().contains("xpired"), "{version:?}: {refused}");
    }
}
