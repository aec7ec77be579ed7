//! Certificates and revocation lists: forged, swapped, out of their time, missing.

use claviger::clock::Timestamp;
use claviger::error::Code;
use claviger::quote::Revocation;
use claviger::quote::snp::Product;
use claviger::simulated::{AuthorityKey, Endorser, Extension, Role, SimulatedGuest, oid};
use claviger_tests::site::{Ground, Guest, NOW, Site, code, family};

const DAY: u64 = 86_400;

async fn site() -> Site {
    let site = Site::new().await;
    site.key("k").await;
    site
}

async fn outcome(site: &Site, endorser: Endorser) -> Result<(), Code> {
    let guest = Guest::on(SimulatedGuest::new(endorser));
    site.release(&guest, "k").await.map(drop).map_err(|refusal| refusal.code)
}

/// A site that knows this revocation list and no other.
async fn knowing(list: Option<Vec<u8>>) -> Site {
    let site = Site::with(|_, plan| {
        plan.endorsements = vec![family().ask().to_vec(), family().asvk().to_vec()];
        plan.endorsements.extend(list);
    })
    .await;
    site.key("k").await;
    site
}

fn chip() -> Endorser {
    claviger_tests::site::chip()
}

// attack 23
#[tokio::test]
async fn a_chip_that_somebody_else_certified_under_amds_names_is_refused() {
    let site = site().await;
    let template = family().chip_template();
    let stranger = AuthorityKey::generate().unwrap();
    let forged = family().forge_chip(&template, &stranger, |_| {}).unwrap();
    assert_eq!(outcome(&site, forged).await, Err(Code::EvidenceUntrusted));
    // With a whole chain of his own along.
    let ask = family().reissue(Role::Ask, &stranger, |_| {});
    let ark = family().reissue(Role::Ark, &stranger, |_| {});
    let forged = family().forge_chip(&template, &stranger, |_| {}).unwrap();
    let mut hardware = SimulatedGuest::new(forged);
    hardware.attachments.extend([ask, ark]);
    let refused = site.release(&Guest::on(hardware), "k").await;
    assert_eq!(code(refused), Code::EvidenceUntrusted);
    assert_eq!(site.releases(), 0);
}

// attack 23
#[tokio::test]
async fn a_chip_certified_by_the_providers_authority_is_refused() {
    let site = site().await;
    let template = family().chip_template();
    let by_asvk = family().forge_chip(&template, family().key(Role::Asvk), |_| {}).unwrap();
    assert!(outcome(&site, by_asvk).await.is_err());
    let by_ark = family().forge_chip(&template, family().key(Role::Ark), |_| {}).unwrap();
    assert!(outcome(&site, by_ark).await.is_err());
    let provider = family().provider_template();
    let by_ask = family().forge_provider(&provider, family().key(Role::Ask), |_| {}).unwrap();
    assert!(outcome(&site, by_ask).await.is_err());
    let named_asvk = family()
        .forge_chip(&template, family().key(Role::Asvk), |certificate| {
            certificate.issuer = family().name(Role::Asvk);
        })
        .unwrap();
    assert!(outcome(&site, named_asvk).await.is_err());
    assert_eq!(site.releases(), 0);
}

// attack 23
#[tokio::test]
async fn a_certificate_with_an_extension_missing_or_twice_is_refused() {
    let site = site().await;
    let template = family().chip_template();
    let ask = family().key(Role::Ask);
    for oid in [oid::AMD_PRODUCT_NAME, oid::AMD_BOOTLOADER, oid::AMD_SNP, oid::AMD_MICROCODE] {
        let without = family().forge_chip(&template, ask, |c| c.remove(oid)).unwrap();
        assert!(outcome(&site, without).await.is_err());
        let twice = family().forge_chip(&template, ask, |c| c.repeat(oid)).unwrap();
        assert!(outcome(&site, twice).await.is_err());
    }
    let other_product = |name: &'static str| {
        family().forge_chip(&template, ask, |certificate| {
            certificate.replace(Extension::text(oid::AMD_PRODUCT_NAME, name));
        })
    };
    assert!(outcome(&site, other_product("Milan-B0").unwrap()).await.is_err());
    assert!(outcome(&site, other_product("Genoa\u{0}").unwrap()).await.is_err());
    assert_eq!(site.releases(), 0);
}

// attack 23
#[tokio::test]
async fn a_certificate_outside_its_time_is_refused() {
    let site = site().await;
    let mut expired = family().chip_template();
    (expired.not_before, expired.not_after) = (Timestamp(NOW.0 - 9 * DAY), Timestamp(NOW.0 - 1));
    assert_eq!(outcome(&site, family().chip(&expired).unwrap()).await, Err(Code::EvidenceExpired));
    let mut future = family().chip_template();
    (future.not_before, future.not_after) = (NOW.plus(1), NOW.plus(9 * DAY));
    let endorser = family().chip(&future).unwrap();
    assert_eq!(outcome(&site, endorser.clone()).await, Err(Code::EvidenceExpired));
    // The same certificate when its time has come, and when it is over.
    site.at(10);
    assert_eq!(outcome(&site, endorser.clone()).await, Ok(()));
    site.at(9 * DAY + 1);
    assert_eq!(outcome(&site, endorser).await, Err(Code::EvidenceExpired));
}

// attack 24, invariant 6
#[tokio::test]
async fn without_a_revocation_list_nothing_is_released() {
    let site = knowing(None).await;
    let guest = Guest::on(SimulatedGuest::new(chip()));
    let refusal = site.release(&guest, "k").await.unwrap_err();
    assert_eq!(refusal.code, Code::EndorsementsUnavailable);
    assert!(refusal.retry_after.is_some());
    let waived = Site::with(|_, plan| {
        plan.endorsements = vec![family().ask().to_vec()];
        plan.revocation = Revocation::Waived;
    })
    .await;
    waived.key("k").await;
    assert_eq!(outcome(&waived, chip()).await, Ok(()));
    let path = waived.records().last().unwrap()["trust_path"].to_string();
    assert!(path.contains("revocation WAIVED by the operator"), "{path}");
}

// attack 24
#[tokio::test]
async fn what_a_revoked_authority_certified_is_refused() {
    let serial = Role::Ask.serial(Product::Genoa);
    let list = family().crl_template().revoke(serial, Timestamp(NOW.0 - DAY));
    let site = knowing(Some(family().crl(&list))).await;
    assert_eq!(outcome(&site, chip()).await, Err(Code::EvidenceRevoked));
    // The provider's authority is another one.
    let provider = family().provider(&family().provider_template()).unwrap();
    assert_eq!(outcome(&site, provider).await, Ok(()));
}

// attack 24, invariant 6
#[tokio::test]
async fn a_revocation_list_outside_its_time_is_none() {
    let until = |next_update| {
        let list = family().crl_template();
        family().crl(&claviger::simulated::CrlTemplate { next_update, ..list })
    };
    let site = knowing(Some(until(Some(NOW.plus(DAY))))).await;
    assert_eq!(outcome(&site, chip()).await, Ok(()));
    site.at(DAY + 1);
    assert_eq!(outcome(&site, chip()).await, Err(Code::EvidenceExpired));
    let mut future = family().crl_template();
    future.this_update = NOW.plus(60);
    let site = knowing(Some(family().crl(&future))).await;
    assert_eq!(outcome(&site, chip()).await, Err(Code::EvidenceExpired));
}

// attack 24
#[tokio::test]
async fn a_host_does_not_start_with_a_forged_or_endless_revocation_list() {
    let template = family().crl_template();
    let by_ask = template.sign(family().key(Role::Ask));
    let endless = family()
        .crl(&claviger::simulated::CrlTemplate { next_update: None, ..family().crl_template() });
    for list in [by_ask, endless] {
        let ground = Ground::new();
        let mut plan = ground.plan();
        plan.endorsements.push(list);
        let refused = ground.try_build(plan).await.err().unwrap();
        assert!(refused.starts_with("trust anchors:"), "{refused}");
    }
}
