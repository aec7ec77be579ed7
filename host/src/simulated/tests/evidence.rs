//! Certificate tables and what a simulated guest sends.

use sev::firmware::host::{CertTableEntry, CertType};

use super::*;
use crate::simulated::{CertificateTable, REPORT_LENGTH, SimulatedGuest, table};

fn guest() -> SimulatedGuest {
    let family = family(Product::Genoa);
    SimulatedGuest::new(family.chip(&family.chip_template()).unwrap())
}

#[test]
fn sev_reads_the_certificate_table() {
    let entries = [
        (table::ARK, CertType::ARK, vec![1; 25]),
        (table::ASK, CertType::ASK, vec![2; 10]),
        (table::VCEK, CertType::VCEK, vec![3; 15]),
        (table::VLEK, CertType::VLEK, vec![4; 1]),
        (table::CRL, CertType::CRL, vec![5; 6]),
    ];
    let mut table = CertificateTable::default();
    for (guid, _, data) in &entries {
        table = table.with(*guid, data);
    }
    let mut bytes = table.to_bytes();
    assert_eq!(bytes.len(), 6 * 24 + 57);
    let read = CertTableEntry::vec_bytes_to_cert_table(&mut bytes).unwrap();
    let read: Vec<_> = read.into_iter().map(|one| (one.cert_type, one.data)).collect();
    assert_eq!(read, entries.map(|(_, kind, data)| (kind, data)));
}

#[test]
fn a_forged_table_claims_what_it_likes() {
    let mut table = CertificateTable::default().with(table::VCEK, &[7; 3]);
    table.terminated = false;
    table.entries[0].offset = Some(0xffff_fff0);
    table.entries[0].length = Some(0x20);
    let bytes = table.to_bytes();
    assert_eq!(bytes.len(), 24 + 3);
    assert_eq!(bytes[16..24], [0xf0, 0xff, 0xff, 0xff, 0x20, 0, 0, 0]);
}

#[test]
fn a_guest_answers_for_the_report_data_that_it_was_given() {
    let guest = guest();
    let evidence = guest.evidence([0x5a; 64]);
    assert_eq!(evidence.data.len(), REPORT_LENGTH);
    assert_eq!(evidence.data[0x50..0x90], [0x5a; 64]);
    assert_eq!(evidence.attachments, [guest.endorser.certificate()]);

    let json = evidence.to_json();
    assert_eq!(json["type"], "application/vnd.amd.sev-snp-report");
    let decode = |value: &serde_json::Value| {
        data_encoding::BASE64URL_NOPAD.decode(value.as_str().unwrap().as_bytes()).unwrap()
    };
    assert_eq!(decode(&json["data"]), evidence.data);
    assert_eq!(decode(&json["attachments"][0]), evidence.attachments[0]);
}

#[test]
fn extended_evidence_brings_its_certificate_in_the_table() {
    let guest = guest();
    let evidence = guest.extended_evidence([1; 64]);
    assert!(evidence.attachments.is_empty());
    let mut table = evidence.data[REPORT_LENGTH..].to_vec();
    let read = CertTableEntry::vec_bytes_to_cert_table(&mut table).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].cert_type, CertType::VCEK);
    assert_eq!(read[0].data(), guest.endorser.certificate());
}
