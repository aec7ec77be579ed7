//! Tenants are apart: keys, challenges, tokens, records.

use claviger::error::Code;
use claviger::http::{ChallengeRequest, ReleaseRequest, ReleaseWithToken};
use claviger_tests::site::{Guest, Site, code, tenant};

// attacks 6 and 54
#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_keys() {
    let site = Site::new().await;
    let (a, b) = (tenant("a"), tenant("b"));
    let (of_a, of_b) = (Guest::new().of(&a), Guest::new().of(&b));
    let (material_a, material_b) = (site.key_of(&a, "k").await, site.key_of(&b, "k").await);
    let served = site.serve().await;
    for (tenant, guest, material) in [(&a, &of_a, &material_a), (&b, &of_b, &material_b)] {
        let client = served.client_of(tenant);
        let request = ChallengeRequest::Release { key: "k".into() };
        let challenge = client.challenge(&request).await.unwrap();
        let release = client.release("k", &guest.asks(&challenge)).await.unwrap();
        assert_eq!(guest.open(&release.jwe), *material);
        let header = guest.key.unwrap(&release.jwe).unwrap().header;
        assert_eq!(header.tenant, tenant.as_str());
    }
    let tenants: Vec<_> = site
        .records()
        .iter()
        .filter(|record| record["event"] == "released")
        .map(|record| record["tenant"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(tenants, ["a", "b"]);
}

// attacks 6 and 54
#[tokio::test]
async fn a_key_of_another_tenant_is_not_found_not_listed_and_not_changed() {
    let site = Site::new().await;
    let (a, b) = (tenant("a"), tenant("b"));
    let material = site.key_of(&a, "k").await;
    let stranger = Guest::new().of(&b);
    assert_eq!(code(site.release(&stranger, "k").await), Code::KeyNotFound);
    let token = site.attest(&stranger).await.unwrap().token;
    assert_eq!(code(site.redeem(&stranger, "k", &token).await), Code::KeyNotFound);
    let served = site.serve().await;
    let of_b = served.administrator_of(&b);
    assert!(of_b.list_keys(None).await.unwrap().keys.is_empty());
    for refused in [
        of_b.key("k").await.map(drop),
        of_b.rotate_key("k").await.map(drop),
        of_b.set_key_enabled("k", None, false).await,
        of_b.delete_key("k").await,
    ] {
        assert_eq!(refused.unwrap_err().code(), Some("key-not-found"));
    }
    let owner = Guest::new().of(&a);
    let released = site.release(&owner, "k").await.unwrap();
    assert_eq!(owner.open(&released.jwe), material);
}

// attack 6
#[tokio::test]
async fn a_token_does_not_cross_tenants_over_http() {
    let site = Site::new().await;
    let (a, b) = (tenant("a"), tenant("b"));
    site.key_of(&a, "k").await;
    site.key_of(&b, "k").await;
    let guest = Guest::new().of(&a);
    let token = site.attest(&guest).await.unwrap().token;
    let served = site.serve().await;
    let request = ReleaseRequest::Token(ReleaseWithToken { token, version: None });
    for other in [served.client_of(&b), served.client()] {
        let refused = other.release("k", &request).await.unwrap_err();
        assert_eq!(refused.code(), Some("token-invalid"));
    }
    assert!(served.client_of(&a).release("k", &request).await.is_ok());
}

// attack 40
#[tokio::test]
async fn a_twin_of_a_tenants_name_is_no_tenant() {
    let site = Site::new().await;
    let served = site.serve().await;
    let mut raw = served.raw().await;
    for twin in ["A", "-a", "a_b", "%61", "a%2f", "a/..", ".."] {
        let path = format!("/t/{twin}/v1/challenges");
        let answer = raw.post(&path, r#"{"purpose":"attestation"}"#).await;
        assert_eq!(answer.code(), "not-found", "{twin}");
    }
}
