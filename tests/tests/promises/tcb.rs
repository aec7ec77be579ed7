//! Firmware versions: what the certificate, the report and the operator's floor say must agree, and
//! a chip does not go back behind what it has shown.

use claviger::error::Code;
use claviger::quote::snp::{Product, Tcb};
use claviger::simulated::{ChipTemplate, SimulatedGuest};
use claviger_tests::site::{Guest, Site, family, family_of};

/// A guest on chip 0 with this firmware, certificate and report alike.
fn at(tcb: Tcb) -> Guest {
    let template = ChipTemplate { tcb, ..family().chip_template() };
    Guest::on(SimulatedGuest::new(family().chip(&template).unwrap()))
}

fn current() -> Tcb {
    family().chip_template().tcb
}

/// Each part one lower.
fn lower(tcb: Tcb) -> Vec<Tcb> {
    let mut lower = vec![
        Tcb { bootloader: tcb.bootloader - 1, ..tcb },
        Tcb { tee: tcb.tee - 1, ..tcb },
        Tcb { snp: tcb.snp - 1, ..tcb },
        Tcb { microcode: tcb.microcode - 1, ..tcb },
    ];
    lower.extend(tcb.fmc.map(|fmc| Tcb { fmc: Some(fmc - 1), ..tcb }));
    lower
}

async fn site(floor: Tcb) -> Site {
    let site = Site::with(|_, plan| plan.snp.minimum_tcb.genoa = floor).await;
    site.key("k").await;
    site
}

async fn outcome(site: &Site, guest: &Guest) -> Result<(), Code> {
    site.release(guest, "k").await.map(drop).map_err(|refusal| refusal.code)
}

// attack 21
#[tokio::test]
async fn a_report_of_other_firmware_than_its_certificate_is_refused() {
    for product in [Product::Genoa, Product::Turin] {
        let family = family_of(product);
        let site = Site::with(|_, plan| {
            plan.simulated_roots = vec![family.ark().to_vec()];
            let crl = family.crl(&family.crl_template());
            plan.endorsements = vec![family.ask().to_vec(), crl];
        })
        .await;
        site.key("k").await;
        let endorser = family.chip(&family.chip_template()).unwrap();
        let mut guest = Guest::on(SimulatedGuest::new(endorser));
        assert_eq!(outcome(&site, &guest).await, Ok(()));
        let sound = guest.hardware.template.clone();
        for tcb in lower(family.chip_template().tcb) {
            guest.hardware.template = sound.clone().with_tcb(tcb);
            let refused = outcome(&site, &guest).await;
            assert_eq!(refused, Err(Code::EvidenceUntrusted), "{product} {tcb:?}");
        }
    }
}

// attack 22
#[tokio::test]
async fn firmware_under_the_operators_floor_gets_no_key() {
    let site = site(current()).await;
    for tcb in lower(current()) {
        assert_eq!(outcome(&site, &at(tcb)).await, Err(Code::NotAffirming), "{tcb:?}");
    }
    // The floor holds for what is committed and for what the guest was launched on, too.
    for tcb in lower(current()) {
        let committed = Guest::whose(|report| report.committed_tcb = tcb);
        let launched = Guest::whose(|report| report.launch_tcb = tcb);
        assert_eq!(outcome(&site, &committed).await, Err(Code::NotAffirming), "{tcb:?}");
        assert_eq!(outcome(&site, &launched).await, Err(Code::NotAffirming), "{tcb:?}");
    }
    assert_eq!(outcome(&site, &at(current())).await, Ok(()));
}

// attacks 15 and 22
#[tokio::test]
async fn a_chip_does_not_go_back_to_older_firmware_not_even_over_a_restart() {
    let mut site = site(Tcb::default()).await;
    let older = Tcb { snp: current().snp - 1, ..current() };
    assert_eq!(outcome(&site, &at(older)).await, Ok(()));
    assert_eq!(outcome(&site, &at(current())).await, Ok(()));
    assert_eq!(outcome(&site, &at(older)).await, Err(Code::NotAffirming));
    // One part newer does not make up for another that is older.
    let crossed = Tcb { microcode: current().microcode + 1, ..older };
    assert_eq!(outcome(&site, &at(crossed)).await, Err(Code::NotAffirming));
    site = site.again(|_, _| {}).await;
    assert_eq!(outcome(&site, &at(older)).await, Err(Code::NotAffirming));
    assert_eq!(outcome(&site, &at(current())).await, Ok(()));
    // Another chip has a past of its own.
    let hardware_id = claviger::simulated::chip::hardware_id(Product::Genoa, 1);
    let template = ChipTemplate { tcb: older, hardware_id, ..family().chip_template() };
    let other = Guest::on(SimulatedGuest::new(family().chip(&template).unwrap()));
    assert_eq!(outcome(&site, &other).await, Ok(()));
}

// attacks 15 and 22
#[tokio::test]
async fn a_second_key_under_the_same_chips_name_does_not_undo_its_past() {
    let site = site(Tcb::default()).await;
    assert_eq!(outcome(&site, &at(current())).await, Ok(()));
    for tcb in lower(current()) {
        // Each is a fresh key, rightly certified for the same chip.
        assert_eq!(outcome(&site, &at(tcb)).await, Err(Code::NotAffirming), "{tcb:?}");
    }
}

// attacks 20 and 22
#[tokio::test]
async fn a_chip_that_masks_its_name_does_not_get_rid_of_its_past() {
    let site = site(Tcb::default()).await;
    let masked = |tcb| {
        let mut guest = at(tcb);
        guest.hardware.template.chip_id = [0; 64];
        guest
    };
    let older = Tcb { snp: current().snp - 1, ..current() };
    assert_eq!(outcome(&site, &masked(older)).await, Ok(()));
    assert_eq!(outcome(&site, &masked(current())).await, Ok(()));
    // Its certificate names it all the same.
    assert_eq!(outcome(&site, &masked(older)).await, Err(Code::NotAffirming));
    assert_eq!(outcome(&site, &at(older)).await, Err(Code::NotAffirming));
    let token = site.attest(&masked(older)).await.unwrap();
    assert_eq!(token.status, "contraindicated");
}

// attack 22
#[tokio::test]
async fn without_rollback_protection_the_floor_is_all_there_is() {
    let site = Site::with(|_, plan| plan.rollback_protection = false).await;
    site.key("k").await;
    let older = Tcb { snp: current().snp - 1, ..current() };
    assert_eq!(outcome(&site, &at(current())).await, Ok(()));
    assert_eq!(outcome(&site, &at(older)).await, Ok(()));
}
