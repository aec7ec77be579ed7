//! What people copy works as it says.

use claviger::error::Code;
use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::release_policy::Language;
use claviger::tenant::Tenant;
use claviger_tests::hostile::EXAMPLE;
use claviger_tests::site::{Guest, Site, caller, code, new_key, policy};

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

#[tokio::test]
async fn the_example_release_policy_takes_its_measurement_or_its_author_key_and_nothing_else() {
    let measurement = "5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f\
        98189887920ab2fa0096903a0c23fca1";
    let measurement = data_encoding::HEXLOWER.decode(measurement.as_bytes()).unwrap();
    let site = Site::with(|_, plan| {
        plan.issuer = "https://claviger.example".into();
        plan.snp.measurements = [policy().measurements, vec![measurement.clone()]].concat();
    })
    .await;
    let text = include_str!("../../../examples/policies/release.akv.json").to_owned();
    let release_policy = NewReleasePolicy { language: Language::Akv, text, immutable: false };
    let key = NewKey { release_policy, ..new_key("k") };
    site.host.create_key(&caller(&Tenant::default()), "tests", key).await.unwrap();
    let measured = Guest::whose(|report| report.measurement.copy_from_slice(&measurement));
    assert!(site.release(&measured, "k").await.is_ok());
    let author: [u8; 48] = std::array::from_fn(|index| index as u8 + 1);
    let signed = Guest::whose(|report| report.author_key_digest = author);
    assert!(site.release(&signed, "k").await.is_ok());
    assert_eq!(code(site.release(&Guest::new(), "k").await), Code::ReleaseDenied);
}

#[tokio::test]
async fn the_example_release_policy_in_rego_takes_its_images_from_their_third_version_on() {
    let measurement = "5feee30d6d7e1a29f403d70a4198237ddfb13051a2d6976439487c609388ed7f\
        98189887920ab2fa0096903a0c23fca1";
    let measurement = data_encoding::HEXLOWER.decode(measurement.as_bytes()).unwrap();
    let site = Site::with(|_, plan| {
        plan.snp.measurements = [policy().measurements, vec![measurement.clone()]].concat();
    })
    .await;
    let text = include_str!("../../../examples/policies/release.rego").to_owned();
    let release_policy = NewReleasePolicy { language: Language::Rego, text, immutable: false };
    let key = NewKey { release_policy, ..new_key("k") };
    site.host.create_key(&caller(&Tenant::default()), "tests", key).await.unwrap();
    let of_version = |version: u32| {
        Guest::whose(|report| {
            report.measurement.copy_from_slice(&measurement);
            report.guest_svn = version;
        })
    };
    for version in [3, 4] {
        assert!(site.release(&of_version(version), "k").await.is_ok());
    }
    let reason = || site.records().pop().unwrap()["reason"].as_str().unwrap().to_owned();
    assert_eq!(code(site.release(&of_version(2), "k").await), Code::ReleaseDenied);
    assert!(reason().contains("an image older than 3"), "{}", reason());
    let another = Guest::whose(|report| report.guest_svn = 3);
    assert_eq!(code(site.release(&another, "k").await), Code::ReleaseDenied);
    assert!(reason().contains("not one of our images"), "{}", reason());
}
