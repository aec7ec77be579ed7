//! What the audit log tells of: the kinds of events, by their names in a record.

use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Evidence was appraised and a token issued.
    Attested,
    /// The server's certificate was read anew.
    CertificateReloaded,
    /// Another connector holds the keys from now on.
    ConnectorChosen,
    /// A configuration took effect.
    Configuration,
    /// The host began to serve.
    HostStarted,
    /// The host ended in order.
    HostStopped,
    /// A sealed copy of a key or secret was taken along.
    KeyBackedUp,
    /// A key was created.
    KeyCreated,
    /// A key was deleted.
    KeyDeleted,
    /// A key was disabled.
    KeyDisabled,
    /// A key was enabled.
    KeyEnabled,
    /// A deleted key was destroyed.
    KeyPurged,
    /// A plain secret was read by a principal with the permission.
    KeyRead,
    /// A deletion of a key was taken back.
    KeyRecovered,
    /// A key or secret came back from a backup.
    KeyRestored,
    /// A key got a new version.
    KeyRotated,
    /// What is known of a key was changed.
    KeyUpdated,
    /// A key signed, decrypted, wrapped or the like; it did not leave.
    KeyUsed,
    /// The log was closed in order; written by the log itself.
    LogClosed,
    /// The log was opened; written by the log itself.
    LogOpened,
    /// A plugin was disabled: nothing serves under its name.
    PluginDisabled,
    /// A plugin was installed under a new name.
    PluginInstalled,
    /// A plugin was loaded.
    PluginLoaded,
    /// A plugin was refused.
    PluginRefused,
    /// The version of a plugin that served before serves again.
    PluginRolledBack,
    /// A plugin took another's place.
    PluginSwapped,
    /// A policy was set or removed.
    PolicyChanged,
    /// A reference document was added, perhaps in another's place.
    ReferenceAdded,
    /// A reference document was taken back.
    ReferenceRevoked,
    /// A request was refused.
    Refused,
    /// Key material left, wrapped to a recipient key.
    Released,
    /// A secret was stored, changed or recovered.
    SecretChanged,
    /// A secret was deleted.
    SecretDeleted,
    /// A new token signing key took over.
    TokenKeyRotated,
}
