//! What people copy works as it says.

use claviger::error::Code;
use claviger_tests::hostile::EXAMPLE;
use claviger_tests::site::{Guest, Site, code};

#[tokio::test]
async fn the_example_verifier_takes_guests_of_the_listed_author_key_only() {
    let listed = "ab".repeat(48);
    let site = Site::with(|ground, plan| {
        let mut plugin = ground.plugin("verifier-snp", EXAMPLE);
        plugin.values.insert("author-key-digests".into(), listed);
        plan.plugins.push(plugin);
    })
    .await;
    let material = site.key("k").await;
    let ours = Guest::whose(|report| report.author_key_digest = [0xab; 48]);
    let released = site.release(&ours, "k").await.unwrap();
    assert_eq!(ours.open(&released.jwe), material);
    for author_key_digest in [[0; 48], [0xac; 48]] {
        let other = Guest::whose(|report| report.author_key_digest = author_key_digest);
        assert_eq!(code(site.release(&other, "k").await), Code::EvidenceUntrusted);
    }
}
