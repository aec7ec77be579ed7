//! What evidence comes without is asked for at the operator's sources, bounded and checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use claviger::clock::Timestamp;
use claviger::endorsements::{SourceKind, SourcePlan};
use claviger::error::{Code, Refusal};
use claviger::quote::snp::Product;
use claviger::simulated::{Role, SimulatedGuest};
use claviger_tests::service::{Reply, Service};
use claviger_tests::site::{Guest, NOW, Site, chip, family};

/// A guest that brings nothing along.
fn bare(hardware: claviger::simulated::Endorser) -> Guest {
    let mut hardware = SimulatedGuest::new(hardware);
    hardware.attachments.clear();
    Guest::on(hardware)
}

/// A host that knows AMD's authorities, no revocation list, and this source.
async fn site(service: &Service) -> Site {
    let source =
        SourcePlan { kind: SourceKind::AmdKds, url: service.url.clone(), ca: service.ca.clone() };
    let site = Site::with(|_, plan| {
        plan.endorsements = vec![family().ask().to_vec(), family().asvk().to_vec()];
        plan.endorsement_sources = vec![source];
    })
    .await;
    site.key("k").await;
    site
}

async fn released(site: &Site, guest: &Guest) -> Result<(), Refusal> {
    site.release(guest, "k").await.map(drop)
}

async fn refused(answers: impl Fn(&str) -> Reply + Send + Sync + 'static) -> (Refusal, Site) {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), answers).await;
    let site = site(&service).await;
    let refusal = released(&site, &bare(chip())).await.unwrap_err();
    assert_eq!(site.releases(), 0);
    (refusal, site)
}

/// What AMD's service would answer for this chip.
fn answers(vcek: Vec<u8>) -> impl Fn(&str) -> Reply + Send + Sync {
    move |path| match path {
        path if path.ends_with("/crl") => Reply::ok(family().crl(&family().crl_template())),
        path if path.starts_with("/vcek/v1/Genoa/") => Reply::ok(vcek.clone()),
        _ => Reply::status(404),
    }
}

fn vcek_of(hardware: &claviger::simulated::Endorser) -> Vec<u8> {
    SimulatedGuest::new(hardware.clone()).attachments[0].clone()
}

#[tokio::test]
async fn a_guest_that_brings_no_certificate_gets_its_key_and_the_source_is_asked_once() {
    let folder = tempfile::tempdir().unwrap();
    let hardware = chip();
    let service = Service::start(folder.path(), answers(vcek_of(&hardware))).await;
    let site = site(&service).await;
    let guest = bare(hardware);
    released(&site, &guest).await.unwrap();
    released(&site, &guest).await.unwrap();
    let asked = service.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked.iter().any(|path| path == "/vcek/v1/Genoa/crl"), "{asked:?}");
    assert!(asked.iter().any(|path| path.contains("?blSPL=")), "{asked:?}");
    // It is kept: a host that begins anew on the same store asks nobody.
    let source =
        SourcePlan { kind: SourceKind::AmdKds, url: service.url.clone(), ca: service.ca.clone() };
    let site = site
        .again(|_, plan| {
            plan.endorsements = vec![family().ask().to_vec(), family().asvk().to_vec()];
            plan.endorsement_sources = vec![source];
        })
        .await;
    released(&site, &guest).await.unwrap();
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn a_certificate_of_the_firmware_before_does_not_keep_the_host_from_asking() {
    let hardware = chip();
    let mut before = family().chip_template();
    before.tcb.microcode -= 1;
    let before = vcek_of(&family().chip(&before).unwrap());
    let unreadable = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_vec();
    for brought in [before, unreadable] {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(folder.path(), answers(vcek_of(&hardware))).await;
        let site = site(&service).await;
        let mut guest = SimulatedGuest::new(hardware.clone());
        guest.attachments = vec![brought.clone()];
        released(&site, &Guest::on(guest)).await.unwrap();
        assert_eq!(service.asked().len(), 2);
        // Where nobody has the right one, what came along is told, and nothing is released.
        let service = Service::start(folder.path(), |_: &str| Reply::status(404)).await;
        let site = self::site(&service).await;
        let mut guest = SimulatedGuest::new(hardware.clone());
        guest.attachments = vec![brought];
        let refusal = released(&site, &Guest::on(guest)).await.unwrap_err();
        let told = [Code::EvidenceUntrusted, Code::EvidenceMalformed];
        assert!(told.contains(&refusal.code), "{refusal}");
        assert_eq!(site.releases(), 0);
    }
}

#[tokio::test]
async fn many_at_once_ask_once() {
    let folder = tempfile::tempdir().unwrap();
    let hardware = chip();
    let reply = answers(vcek_of(&hardware));
    let slow = move |path: &str| Reply { after: Duration::from_millis(100), ..reply(path) };
    let service = Service::start(folder.path(), slow).await;
    let site = Arc::new(site(&service).await);
    let guest = Arc::new(bare(hardware));
    let all = (0..8).map(|_| {
        let (site, guest) = (Arc::clone(&site), Arc::clone(&guest));
        tokio::spawn(async move { released(&site, &guest).await })
    });
    for one in all.collect::<Vec<_>>() {
        one.await.unwrap().unwrap();
    }
    assert_eq!(service.asked().len(), 2);
}

// attack 29
#[tokio::test]
async fn the_certificate_of_another_chip_or_by_another_signer_is_not_believed_nor_kept() {
    let stranger = claviger::simulated::AuthorityKey::generate().unwrap();
    let template = family().chip_template();
    let forged = family().forge_chip(&template, &stranger, |_| {}).unwrap();
    let other = claviger_tests::site::provider().attachments[0].clone();
    for wrong in [vcek_of(&forged), other, b"\x30\x03\x02\x01\x00".to_vec()] {
        let (refusal, _) = refused(answers(wrong)).await;
        assert_eq!(refusal.code, Code::EndorsementsUnavailable, "{refusal}");
    }
}

#[tokio::test]
async fn a_source_that_is_down_slow_endless_or_something_else_is_a_refusal_with_its_reason() {
    let html = |_: &str| Reply {
        headers: vec![("content-type", "text/html".to_owned())],
        ..Reply::ok(b"<html>log in</html>".to_vec())
    };
    let elsewhere = |_: &str| Reply {
        headers: vec![("location", "https://localhost:1/".to_owned())],
        ..Reply::status(302)
    };
    let endless = |_: &str| Reply::ok(vec![0x30; 3 << 20]);
    let late = |_: &str| Reply { after: Duration::from_secs(3600), ..Reply::status(200) };
    for (what, why) in [
        (Box::new(html) as Box<dyn Fn(&str) -> Reply + Send + Sync>, "a page for people"),
        (Box::new(elsewhere), "status 302"),
        (Box::new(endless), "length limit exceeded"),
        (Box::new(|_: &str| Reply::status(500)), "status 500"),
        (Box::new(|_: &str| Reply::status(404)), "has it not"),
        (Box::new(late), "no answer in time"),
    ] {
        let (refusal, _) = refused(what).await;
        assert_eq!(refusal.code, Code::EndorsementsUnavailable, "{refusal}");
        assert!(refusal.reason.contains(why), "{why}: {}", refusal.reason);
    }
}

#[tokio::test]
async fn a_source_that_has_enough_is_left_alone_for_as_long_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let enough =
        |_: &str| Reply { headers: vec![("retry-after", "77".to_owned())], ..Reply::status(429) };
    let service = Service::start(folder.path(), enough).await;
    let site = site(&service).await;
    let guest = bare(chip());
    for _ in 0..3 {
        let refusal = released(&site, &guest).await.unwrap_err();
        assert_eq!(refusal.code, Code::EndorsementsUnavailable);
        assert_eq!(refusal.retry_after, Some(Duration::from_secs(77)));
    }
    assert_eq!(service.asked().len(), 1);
    site.at(78);
    released(&site, &guest).await.unwrap_err();
    assert_eq!(service.asked().len(), 2);
}

// attack 30
#[tokio::test]
async fn an_older_revocation_list_takes_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let hardware = chip();
    let vcek = vcek_of(&hardware);
    let revoked = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&revoked);
    let serve = answers(vcek);
    let service = Service::start(folder.path(), move |path| {
        if !path.ends_with("/crl") {
            return serve(path);
        }
        let mut template = family().crl_template();
        if state.load(Ordering::SeqCst) {
            template.this_update = template.this_update.plus(100);
            template = template.revoke(Role::Ask.serial(Product::Genoa), Timestamp(NOW.0 - 60));
        }
        Reply::ok(family().crl(&template))
    })
    .await;
    let site = site(&service).await;
    let guest = bare(hardware);
    let refusal = released(&site, &guest).await.unwrap_err();
    assert_eq!(refusal.code, Code::EvidenceRevoked, "{refusal}");
    revoked.store(false, Ordering::SeqCst);
    let refusal = released(&site, &guest).await.unwrap_err();
    assert_eq!(refusal.code, Code::EvidenceRevoked, "{refusal}");
    assert_eq!(site.releases(), 0);
}

mod intels {
    use std::collections::BTreeSet;

    use claviger::clock::{Clock, FixedClock};
    use claviger::endorsements::Endorsements;
    use claviger::quote::{Authority, Examination, Fault, Want};
    use claviger::random::{Random, SystemRandomness};
    use claviger::simulated::intel::{Intel, QuoteBody, Revocations};
    use claviger::store::{Embedded, MasterKey, SealedStore};

    use super::*;

    /// What Intel's service answers: the document, and in a header the chain of who signed it.
    fn service(intel: &Intel, hexadecimal: bool) -> impl Fn(&str) -> Reply + Send + Sync + use<> {
        revoking(intel, hexadecimal, Revocations::default())
    }

    fn revoking(
        intel: &Intel,
        hexadecimal: bool,
        revoked: Revocations,
    ) -> impl Fn(&str) -> Reply + Send + Sync + use<> {
        let [root, pck] = intel.lists(revoked).unwrap();
        let list = move |der: &[u8]| match hexadecimal {
            true => data_encoding::HEXLOWER.encode(der).into_bytes(),
            false => der.to_vec(),
        };
        let (root, pck) = (list(&root), list(&pck));
        let tcb = intel.tcb_info(&intel.tcb_template("TDX")).unwrap();
        let qe = intel.qe_identity(&intel.qe_template("TD_QE")).unwrap();
        let (signer, issuer) = (encoded(&intel.tcb_signer()), encoded(&intel.authority()));
        move |path| {
            let with = |name, chain: &str, body: &[u8]| Reply {
                headers: vec![(name, chain.to_owned())],
                ..Reply::ok(body.to_vec())
            };
            match path {
                path if path.starts_with("/tdx/certification/v4/tcb?fmspc=") => {
                    with("TCB-Info-Issuer-Chain", &signer, &tcb)
                }
                "/tdx/certification/v4/qe/identity" => {
                    with("SGX-Enclave-Identity-Issuer-Chain", &signer, &qe)
                }
                path if path.starts_with("/sgx/certification/v4/pckcrl?ca=") => {
                    with("SGX-PCK-CRL-Issuer-Chain", &issuer, &pck)
                }
                "/IntelSGXRootCA.der" | "/sgx/certification/v4/rootcacrl" => {
                    Reply::ok(root.clone())
                }
                _ => Reply::status(404),
            }
        }
    }

    /// PEM, percent-encoded as a header has it.
    fn encoded(der: &[u8]) -> String {
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            data_encoding::BASE64.encode(der)
        );
        let byte = |byte: u8| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        pem.bytes().map(byte).collect()
    }

    struct Bench {
        authority: Arc<Authority>,
        quote: Vec<u8>,
        endorsements: Arc<Endorsements>,
        store: Arc<SealedStore>,
        service: Service,
    }

    async fn bench(
        intel: &Intel,
        kind: SourceKind,
        answers: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let service = Service::start(folder.path(), answers).await;
        let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
        let key = MasterKey::ephemeral(&*random).unwrap();
        let store = Arc::new(Embedded::in_memory().unwrap());
        let store = Arc::new(SealedStore::open(store, &key, random).unwrap());
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOW));
        let source = SourcePlan { kind, url: service.url.clone(), ca: service.ca.clone() };
        let kept = Arc::clone(&store);
        let endorsements = Arc::new(Endorsements::new(&[source], kept, clock).unwrap());
        let authority = Authority::builder().simulated_root(intel.root()).build().unwrap();
        let template = intel.quote_template(QuoteBody::Td15, [9; 64]);
        let quote = intel.quote(&template).unwrap();
        Bench { authority: Arc::new(authority), quote, endorsements, store, service }
    }

    impl Bench {
        fn examine(&self, attachments: &[Vec<u8>]) -> (Result<(), Fault>, BTreeSet<Want>) {
            let examination = Examination::new(Arc::clone(&self.authority), NOW);
            let examined = examination.dcap(self.quote.clone(), attachments).map(drop);
            (examined, examination.wants())
        }
    }

    #[tokio::test]
    async fn a_quote_that_brings_no_collateral_is_checked_with_what_intels_services_give() {
        let intel = Intel::mint(NOW).unwrap();
        for (kind, hexadecimal) in [(SourceKind::IntelPcs, false), (SourceKind::IntelPccs, true)] {
            let bench = bench(&intel, kind, service(&intel, hexadecimal)).await;
            let (alone, wants) = bench.examine(&[]);
            assert!(matches!(alone, Err(Fault::Unavailable(_))), "{alone:?}");
            assert_eq!(wants.len(), 4, "{wants:?}");
            // Something unreadable beside it does not keep the host from asking.
            let (beside, asked) = bench.examine(&[b"{\"tcbInfo\": {}".to_vec()]);
            assert!(matches!(beside, Err(Fault::Malformed(_))), "{beside:?}");
            assert_eq!(asked, wants);
            let supplied = bench.endorsements.supply(&bench.authority, wants.clone()).await;
            let (examined, _) = bench.examine(&supplied.unwrap());
            examined.unwrap();
            bench.endorsements.supply(&bench.authority, wants).await.unwrap();
            assert_eq!(bench.service.asked().len(), 4);
        }
    }

    // attack 30
    #[tokio::test]
    async fn whoever_a_list_that_was_had_names_stays_revoked_whatever_comes_along() {
        let intel = Intel::mint(NOW).unwrap();
        let [root_list, pck_list] = intel.lists(Revocations::default()).unwrap();
        // All that a quote needs, by lists from before.
        let collateral = [
            intel.tcb_info(&intel.tcb_template("TDX")).unwrap(),
            intel.qe_identity(&intel.qe_template("TD_QE")).unwrap(),
            intel.tcb_signer(),
            root_list,
            pck_list,
        ];
        for revoked in [
            Revocations { pck: true, ..Revocations::default() },
            Revocations { authority: true, ..Revocations::default() },
        ] {
            let mut bench =
                bench(&intel, SourceKind::IntelPcs, revoking(&intel, false, revoked)).await;
            bench.examine(&collateral).0.unwrap();
            let (_, wants) = bench.examine(&[]);
            let lists = wants
                .into_iter()
                .filter(|want| matches!(want, Want::IntelPckCrl(_) | Want::IntelRootCrl));
            bench.endorsements.supply(&bench.authority, lists.collect()).await.unwrap();
            let is_revoked = |bench: &Bench| {
                let (examined, _) = bench.examine(&collateral);
                assert!(matches!(examined, Err(Fault::Revoked(_))), "{examined:?}");
            };
            is_revoked(&bench);
            // A host that begins anew on the same store has the lists before it is asked for any.
            let anew = Authority::builder().simulated_root(intel.root()).build().unwrap();
            bench.authority = Arc::new(anew);
            bench.examine(&collateral).0.unwrap();
            let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOW));
            let again = Endorsements::new(&[], Arc::clone(&bench.store), clock).unwrap();
            again.recall(&bench.authority);
            is_revoked(&bench);
        }
    }

    // attack 29
    #[tokio::test]
    async fn collateral_of_another_root_or_another_platform_is_not_believed() {
        let (intel, stranger) = (Intel::mint(NOW).unwrap(), Intel::mint(NOW).unwrap());
        let forged = bench(&intel, SourceKind::IntelPcs, service(&stranger, false)).await;
        let (_, wants) = forged.examine(&[]);
        for want in wants {
            let name = want.to_string();
            let refused =
                forged.endorsements.supply(&forged.authority, BTreeSet::from([want])).await;
            assert!(refused.is_err(), "{name}");
        }
        // One document is another's answer.
        let honest = service(&intel, false);
        let swapped = move |path: &str| match path {
            path if path.starts_with("/tdx/certification/v4/tcb") => {
                honest("/tdx/certification/v4/qe/identity")
            }
            path => honest(path),
        };
        let bench = bench(&intel, SourceKind::IntelPcs, swapped).await;
        let (_, wants) = bench.examine(&[]);
        let refused = bench.endorsements.supply(&bench.authority, wants).await.unwrap_err();
        assert!(refused.to_string().contains("tcb-info"), "{refused}");
    }
}

// attack 30
#[tokio::test]
async fn what_is_renewed_is_never_replaced_by_something_older() {
    use std::collections::BTreeSet;

    use claviger::clock::{Clock, FixedClock};
    use claviger::endorsements::Endorsements;
    use claviger::quote::{Authority, Want};
    use claviger::random::{Random, SystemRandomness};
    use claviger::store::{Embedded, MasterKey, SealedStore};

    let list = |hours: u64| {
        let mut template = family().crl_template();
        template.this_update = template.this_update.plus(hours * 3600);
        template.next_update = Some(template.this_update.plus(100 * 3600));
        family().crl(&template)
    };
    let (newer, older) = (list(10), list(5));
    let old = Arc::new(AtomicBool::new(false));
    let (state, answers) = (Arc::clone(&old), [newer.clone(), older]);
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(folder.path(), move |_| {
        Reply::ok(answers[usize::from(state.load(Ordering::SeqCst))].clone())
    })
    .await;
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let key = MasterKey::ephemeral(&*random).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    let store = Arc::new(SealedStore::open(store, &key, random).unwrap());
    let clock = Arc::new(FixedClock::new(NOW.plus(20 * 3600)));
    let source =
        SourcePlan { kind: SourceKind::AmdKds, url: service.url.clone(), ca: service.ca.clone() };
    let endorsements =
        Endorsements::new(&[source], store, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let endorsements = Arc::new(endorsements);
    let authority = Authority::builder().simulated_root(family().ark()).build().unwrap();
    let authority = Arc::new(authority);
    let wants = BTreeSet::from([Want::AmdCrl(Product::Genoa)]);
    let supplied = endorsements.supply(&authority, wants.clone()).await.unwrap();
    assert_eq!(supplied, std::slice::from_ref(&newer));
    // Little of its time is left: it is asked for once more, in the background.
    old.store(true, Ordering::SeqCst);
    clock.set(NOW.plus(95 * 3600));
    endorsements.supply(&authority, wants.clone()).await.unwrap();
    for _ in 0..500 {
        if service.asked().len() > 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(service.asked().len(), 2);
    // Once the next question begins the last one is over.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let supplied = endorsements.supply(&authority, wants.clone()).await.unwrap();
        assert_eq!(supplied, std::slice::from_ref(&newer));
    }
}
