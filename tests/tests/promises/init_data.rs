//! Init data: what a guest was started with, in a result as what the hardware's own report vouches for.

use aws_lc_rs::digest::{SHA256, digest};
use claviger_tests::site::{Guest, Site};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::Value;

const POLICY: &[u8] = b"package policy\n\ndefault allow := false\n";

/// A guest that was started with [`POLICY`], and attaches this.
fn guest(attached: &[u8]) -> Guest {
    let hash = digest(&SHA256, POLICY);
    let mut guest = Guest::whose(|report| report.host_data.copy_from_slice(hash.as_ref()));
    guest.hardware.attachments.push(attached.to_vec());
    guest
}

// invariant 1
#[tokio::test]
async fn init_data_are_in_a_result_where_the_report_has_their_digest_and_otherwise_not() {
    let site = Site::new().await;
    let claims = |token: &str| -> Value {
        let claims = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap()
    };
    let told = async |guest: &Guest| {
        let attested = site.attest(guest).await.unwrap();
        claims(&attested.token)["submods"]["snp"]["ear_verifier_claims"]["guest.init_data"].clone()
    };
    let text = told(&guest(POLICY)).await;
    let spelled = [BASE64URL_NOPAD.encode(POLICY), HEXLOWER.encode(POLICY)];
    assert!(spelled.iter().any(|spelled| text == spelled.as_str()), "{text}");
    for other in [&POLICY[1..], b"", &[POLICY, b"\n"].concat()] {
        assert_eq!(told(&guest(other)).await, Value::Null, "{other:?}");
    }
    // Another guest's, and a guest without.
    let mut without = Guest::new();
    without.hardware.attachments.push(POLICY.to_vec());
    assert_eq!(told(&without).await, Value::Null);
}
