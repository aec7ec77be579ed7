//! TCB status, and how Intel's verification library makes one of several.
//!
//! Source: Intel SGX DCAP Quote Verification Library, `TcbStatus` and its convergence
//! (`convergeTcbStatuses`, `checkForRelaunch`); PCS API v4, `tcbStatus`.

use serde::Deserialize;

/// What Intel says about a TCB level.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
pub enum TcbStatus {
    /// Nothing is known against it.
    UpToDate,
    /// Software in the TEE has to be hardened.
    SWHardeningNeeded,
    /// The platform has to be configured otherwise.
    ConfigurationNeeded,
    /// Both.
    ConfigurationAndSWHardeningNeeded,
    /// There is newer firmware that matters.
    OutOfDate,
    /// There is newer firmware, and the platform has to be configured otherwise.
    OutOfDateConfigurationNeeded,
    /// Compromised.
    Revoked,
    /// The TD was launched on an older TDX module than runs now.
    #[serde(skip)]
    TDRelaunchAdvised,
    /// The same, and the platform has to be configured otherwise.
    #[serde(skip)]
    TDRelaunchAdvisedConfigurationNeeded,
}

impl TcbStatus {
    /// Intel's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UpToDate => "UpToDate",
            Self::SWHardeningNeeded => "SWHardeningNeeded",
            Self::ConfigurationNeeded => "ConfigurationNeeded",
            Self::ConfigurationAndSWHardeningNeeded => "ConfigurationAndSWHardeningNeeded",
            Self::OutOfDate => "OutOfDate",
            Self::OutOfDateConfigurationNeeded => "OutOfDateConfigurationNeeded",
            Self::Revoked => "Revoked",
            Self::TDRelaunchAdvised => "TDRelaunchAdvised",
            Self::TDRelaunchAdvisedConfigurationNeeded => "TDRelaunchAdvisedConfigurationNeeded",
        }
    }

    /// With that of the QE or of the TDX module. Of these only being out of date or revoked counts.
    pub(crate) fn with(self, part: Self) -> Self {
        match (part, self) {
            (Self::Revoked, _) => Self::Revoked,
            (
                Self::OutOfDate | Self::OutOfDateConfigurationNeeded,
                Self::UpToDate | Self::SWHardeningNeeded,
            ) => Self::OutOfDate,
            (
                Self::OutOfDate | Self::OutOfDateConfigurationNeeded,
                Self::ConfigurationNeeded | Self::ConfigurationAndSWHardeningNeeded,
            ) => Self::OutOfDateConfigurationNeeded,
            _ => self,
        }
    }

    /// Of a TD that was launched at this status, where what runs now has the status `now`.
    pub(crate) fn running(self, now: Self) -> Self {
        use TcbStatus::{
            ConfigurationAndSWHardeningNeeded, ConfigurationNeeded, OutOfDate,
            OutOfDateConfigurationNeeded, Revoked, SWHardeningNeeded, UpToDate,
        };
        match (self, now) {
            (_, Revoked) => Revoked,
            (OutOfDate, UpToDate | SWHardeningNeeded) => Self::TDRelaunchAdvised,
            (OutOfDate, ConfigurationNeeded | ConfigurationAndSWHardeningNeeded)
            | (
                OutOfDateConfigurationNeeded,
                UpToDate
                | SWHardeningNeeded
                | ConfigurationNeeded
                | ConfigurationAndSWHardeningNeeded,
            ) => Self::TDRelaunchAdvisedConfigurationNeeded,
            _ => self,
        }
    }
}
