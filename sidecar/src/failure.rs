//! Why the process ends, with its exit code (`sysexits.h`).

use claviger_client::{ClientError, End};

/// The end of the process.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct Exit {
    pub(crate) code: u8,
    reason: String,
}

impl Exit {
    /// 64: arguments or configuration are wrong.
    pub(crate) fn usage(error: impl std::fmt::Display) -> Self {
        Self { code: 64, reason: error.to_string() }
    }

    /// 70: something of this machine failed.
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self { code: 70, reason: error.to_string() }
    }

    /// 77: the key's life ended.
    pub(crate) fn ended(end: End) -> Self {
        Self { code: 77, reason: format!("the key's life has ended: {end}") }
    }
}

impl From<&ClientError> for Exit {
    /// 69: the host is not to be had; 77: it refused; 64: the client is set up wrongly; 70: the rest.
    fn from(error: &ClientError) -> Self {
        let code = match error {
            _ if error.is_temporary() => 69,
            ClientError::Configuration(_) => 64,
            ClientError::Refused(_) => 77,
            _ => 70,
        };
        Self { code, reason: error.to_string() }
    }
}
