//! The face that speaks as Microsoft's services do: its envelope, its paths, its host names.

use crate::clock::Timestamp;
use crate::http::DevelopmentCertificates;

use super::support::{FakeHost, Received, Served, azure, settings, start_azure};

async fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    DevelopmentCertificates::open(folder.path(), Timestamp(now.as_secs())).unwrap();
    start_azure(FakeHost::default(), settings(), azure(folder.path().to_owned())).await
}

#[tokio::test]
async fn what_fails_below_its_paths_leaves_in_the_services_envelope() {
    let served = served().await;
    let mut raw = served.raw().await;
    for path in ["/keys/x/nonsense/y/z", "/KEYS//x//nonsense/y/z/", "/attest/nonsense/x"] {
        let answer: Received = raw.ask(&format!("GET {path}"), "", "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("x-ms-error-code"), Some("NotFound"), "{path}");
        assert_eq!(answer.body["error"]["code"], "NotFound", "{path}");
        assert_eq!(answer.header("x-ms-request-id"), answer.header("x-request-id"), "{path}");
    }
    // attack 40: no second spelling, here neither
    let answer = raw.ask("GET /keys/%2e%2e/x", "", "").await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (404, &"NotFound".into()));
    let native = raw.ask("GET /v1//health", "", "").await;
    assert_eq!(native.code(), "not-found");
    let native = raw.ask("GET /nothing", "", "").await;
    assert_eq!(native.code(), "not-found");
}

// attack 61
#[tokio::test]
async fn it_is_closed_unless_it_is_turned_on() {
    let served = super::support::start(settings()).await;
    for path in ["/keys/x", "/secrets/x", "/attest/SevSnpVm", "/certs", "/rng"] {
        let answer = served.raw().await.ask(&format!("GET {path}"), "", "").await;
        assert_eq!(answer.code(), "not-found", "{path}");
    }
}
