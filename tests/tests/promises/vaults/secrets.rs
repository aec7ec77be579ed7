//! Secrets with a release policy: read by nobody, released as keys are.

use claviger::error::Code;
use claviger::flow::Purpose;
use claviger::http::{ChallengeRequest, ReleaseRequest, ReleaseWithToken, SecretChangeRequest};
use claviger_tests::site::{Guest, Site, code, new_key, with_evidence};

use crate::keeping::{new_secret, refused};

// invariants 4, 5 and 9
#[tokio::test]
async fn a_secret_with_a_release_policy_is_released_and_never_read() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, workload, guest) = (served.administrator(), served.client(), Guest::new());
    let first = client.set_secret("s", &new_secret("first-value")).await.unwrap();
    assert_eq!(code(site.release(&guest, "secrets/s").await), Code::SecretNotFound);
    client.set_secret("s", &new_secret("second-value")).await.unwrap();
    let told = client.set_secret_release_policy("s", &"affirming".into()).await.unwrap();
    assert!(told.release_policy.is_some());
    for version in [None, Some(first.version.as_str())] {
        assert_eq!(refused(client.secret("s", version).await), "secret-not-readable");
    }

    let wanted = ChallengeRequest::Release { key: "secrets/s".to_owned() };
    let challenge = workload.challenge(&wanted).await.unwrap();
    assert_eq!(challenge.purpose, "release:secrets/s");
    let released =
        workload.release_secret("s", &with_evidence(guest.answer(&challenge))).await.unwrap();
    let opened = guest.key.unwrap(&released.jwe).unwrap();
    assert_eq!(opened.secret.expose(), b"second-value");
    assert_eq!((opened.header.key.as_str(), released.version.len()), ("secrets/s", 32));
    let token = site.attest(&guest).await.unwrap().token;
    let by_token =
        ReleaseRequest::Token(ReleaseWithToken { token, version: Some(first.version.clone()) });
    let released = workload.release_secret("s", &by_token).await.unwrap();
    assert_eq!(guest.open(&released.jwe), b"first-value");

    let records = site.records();
    let released: Vec<_> = records.iter().filter(|record| record["event"] == "released").collect();
    assert_eq!(released.len(), 2);
    assert!(released.iter().all(|record| record["key"] == "secrets/s"));
    let text = records.iter().map(ToString::to_string).collect::<String>();
    assert!(!text.contains("-value"));
}

// attacks 12 and 13
#[tokio::test]
async fn neither_for_another_purpose_nor_when_it_is_gone_or_outside_its_time() {
    let site = Site::new().await;
    let served = site.serve().await;
    let (client, guest) = (served.administrator(), Guest::new());
    let mut new = new_secret("value");
    new.release_policy = Some("affirming".into());
    client.set_secret("s", &new).await.unwrap();
    // A key of that name is another thing.
    let caller = guest.caller();
    site.host.create_key(&caller, "tests", new_key("s")).await.unwrap();
    for (purpose, asked) in [("s", "secrets/s"), ("secrets/s", "s"), ("secrets/t", "secrets/s")] {
        let purpose = Purpose::Release { key: purpose.to_owned() };
        let challenge = site.host.challenge(&caller, &purpose).unwrap().into();
        let crossed = site.submit(&guest, asked, guest.answer(&challenge)).await;
        assert_eq!(code(crossed), Code::ChallengeInvalid, "{asked}");
    }
    for name in ["secrets/", "secrets/../s", "secrets/a/b", "secret/s", "/s"] {
        let purpose = Purpose::Release { key: name.to_owned() };
        assert!(site.host.challenge(&caller, &purpose).is_err(), "{name}");
    }
    let stranger = Guest::whose(|report| report.measurement = [1; 48]);
    assert_eq!(code(site.release(&stranger, "secrets/s").await), Code::NotAffirming);
    let change = |change: SecretChangeRequest| {
        let client = &client;
        async move { client.change_secret("s", &change).await.unwrap() }
    };
    let released = || site.release(&guest, "secrets/s");
    released().await.unwrap();
    change(SecretChangeRequest { enabled: Some(false), ..Default::default() }).await;
    assert_eq!(code(released().await), Code::KeyDisabled);
    let over = Some("2026-11-24T04:00:00Z".to_owned());
    change(SecretChangeRequest { enabled: Some(true), expires: over, ..Default::default() }).await;
    assert_eq!(code(released().await), Code::KeyExpired);
    let late = Some("2027-11-24T04:00:00Z".to_owned());
    change(SecretChangeRequest { expires: late, ..Default::default() }).await;
    client.delete_secret("s").await.unwrap();
    assert_eq!(code(released().await), Code::SecretNotFound);
    client.recover_secret("s").await.unwrap();
    released().await.unwrap();
    let backup = client.back_up_secret("s").await.unwrap().backup.0;
    client.delete_secret("s").await.unwrap();
    client.purge_secret("s").await.unwrap();
    assert_eq!(code(released().await), Code::SecretNotFound);
    client.restore_secret(backup).await.unwrap();
    assert_eq!(refused(client.secret("s", None).await), "secret-not-readable");
    released().await.unwrap();
}
