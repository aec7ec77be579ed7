//! An address whose port is known before it is listened on: tokens name it, and are made ready before the
//! doors open.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

use crate::http::ServeError;

/// An address with its port, the system's choice where none was wanted. Nobody else is given it meanwhile:
/// a socket that is bound and does not listen keeps others away, but not a listener that names the port
/// (`SO_REUSEADDR`, socket(7)).
#[derive(Debug)]
pub(super) struct Reserved {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl Reserved {
    pub(super) fn new(wanted: SocketAddr) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: wanted, source };
        let socket = bound(wanted).map_err(failed)?;
        Ok(Self { address: socket.local_addr().map_err(failed)?, _socket: socket })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn bound(wanted: SocketAddr) -> io::Result<TcpSocket> {
    let socket = match wanted {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(wanted)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reserved_port_is_there_for_whoever_names_it_and_taken_once_it_is_listened_on() {
        let any = ([127, 0, 0, 1], 0).into();
        let (reserved, other) = (Reserved::new(any).unwrap(), Reserved::new(any).unwrap());
        assert_ne!(reserved.address().port(), 0);
        assert_ne!(reserved.address(), other.address());
        let _listener = tokio::net::TcpListener::bind(reserved.address()).await.unwrap();
        let refused = Reserved::new(reserved.address()).unwrap_err();
        assert!(matches!(refused, ServeError::Listen { .. }), "{refused}");
    }
}
