//! The certificate can be renewed while the host serves, and only by a right one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::support::{FakeHost, Raw, Served, serve_with, settings};
use crate::clock::{Clock, SystemClock};
use crate::http::{DevelopmentCertificates, ServerCertificate, TlsError};

fn write(folder: &Path, certificate: &[u8], key: &[u8]) {
    let path = folder.join("key.pem");
    fs::write(folder.join("certificate.pem"), certificate).unwrap();
    fs::write(&path, key).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn mint() -> DevelopmentCertificates {
    DevelopmentCertificates::mint(SystemClock.now()).unwrap()
}

async fn shown(served: &Served, authority: &str) -> bool {
    let port = served.handle.api_address().port();
    let authority = authority.to_owned();
    let attempt = tokio::spawn(async move {
        Raw::connect(port, &authority, &[b"http/1.1"]).await;
    });
    attempt.await.is_ok()
}

#[tokio::test]
async fn a_new_pair_is_shown_without_a_restart_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (mint(), mint());
    write(folder.path(), old.certificate.as_bytes(), old.key.expose());
    let open = || {
        ServerCertificate::open(
            &folder.path().join("certificate.pem"),
            &folder.path().join("key.pem"),
        )
    };
    let certificate = open().unwrap();
    let served = serve_with(FakeHost::default(), settings(), certificate, Vec::new(), None).await;
    assert!(shown(&served, &old.authority).await);

    // The key of another certificate; then no PEM at all; then nothing.
    write(folder.path(), new.certificate.as_bytes(), old.key.expose());
    assert!(served.handle.reload_certificates().is_err());
    assert!(shown(&served, &old.authority).await);
    write(folder.path(), b"garbage", new.key.expose());
    assert!(matches!(served.handle.reload_certificates(), Err(TlsError::Invalid(_))));
    fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert!(matches!(served.handle.reload_certificates(), Err(TlsError::File { .. })));
    assert!(shown(&served, &old.authority).await);

    write(folder.path(), new.certificate.as_bytes(), new.key.expose());
    served.handle.reload_certificates().unwrap();
    assert!(shown(&served, &new.authority).await);
    assert!(!shown(&served, &old.authority).await);

    // attack 63
    let key = folder.path().join("key.pem");
    let set_mode = |mode| fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o604);
    assert!(matches!(open(), Err(TlsError::Exposed(_))));

    // A renewed key that everybody may read is shown once that is mended, without being written
    // again.
    write(folder.path(), old.certificate.as_bytes(), old.key.expose());
    set_mode(0o644);
    assert!(matches!(served.handle.reload_certificates(), Err(TlsError::Exposed(_))));
    assert!(shown(&served, &new.authority).await);
    set_mode(0o600);
    served.handle.reload_certificates().unwrap();
    assert!(shown(&served, &old.authority).await);
}
