//! Reports, read back by `sev` and checked by `p384`.

use p384::ecdsa::signature::Verifier as _;
use sev::firmware::guest::AttestationReport;
use sev::firmware::host::TcbVersion;
use sev::parser::ByteParser;

use super::*;
use crate::quote::snp::tcb::Tcb;
use crate::simulated::report::{POLICY_DEBUG, SIGNED_BY_VLEK};
use crate::simulated::{
    EndorsementKey, Endorser, FirmwareVersion, REPORT_LENGTH, ReportTemplate, SIGNED_LENGTH,
};

/// Every field another value.
fn motley(product: Product, version: u32) -> ReportTemplate {
    let tcb = |base: u8| Tcb {
        fmc: (product == Product::Turin).then_some(base),
        bootloader: base + 1,
        tee: base + 2,
        snp: base + 3,
        microcode: base + 4,
    };
    ReportTemplate {
        version,
        guest_svn: 0x0102_0304,
        policy: 0x0000_0000_0003_1f37,
        family_id: [0x11; 16],
        image_id: [0x12; 16],
        vmpl: 3,
        current_tcb: tcb(10),
        platform_info: 0xa7,
        key_info: 0x0000_0005,
        report_data: std::array::from_fn(|index| index as u8),
        measurement: [0x13; 48],
        host_data: [0x14; 32],
        id_key_digest: [0x15; 48],
        author_key_digest: [0x16; 48],
        report_id: [0x17; 32],
        report_id_ma: [0x18; 32],
        reported_tcb: tcb(20),
        committed_tcb: tcb(30),
        current_version: FirmwareVersion { major: 1, minor: 2, build: 3 },
        committed_version: FirmwareVersion { major: 4, minor: 5, build: 6 },
        launch_tcb: tcb(40),
        launch_mitigations: 0x0102_0304_0506_0708,
        current_mitigations: 0x1112_1314_1516_1718,
        ..ReportTemplate::of(product)
    }
}

fn endorser(product: Product) -> Endorser {
    let family = family(product);
    family.chip(&family.chip_template()).unwrap()
}

/// Whether the key in `certificate` signed the first 672 bytes of `report`.
fn holds(der: &[u8], report: &[u8; REPORT_LENGTH]) -> bool {
    let certificate = certificate(der);
    let point = &certificate.public_key().subject_public_key.data;
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(point).unwrap();
    let component = |from: usize| -> [u8; 48] {
        assert!(report[from + 48..from + 72].iter().all(|byte| *byte == 0));
        std::array::from_fn(|index| report[from + 47 - index])
    };
    let (r, s) = (component(SIGNED_LENGTH), component(SIGNED_LENGTH + 72));
    let signature = p384::ecdsa::Signature::from_scalars(r, s).unwrap();
    assert!(report[SIGNED_LENGTH + 144..].iter().all(|byte| *byte == 0));
    key.verify(&report[..SIGNED_LENGTH], &signature).is_ok()
}

#[test]
fn sev_reads_every_field_of_every_version_and_product_as_the_template_has_it() {
    for product in Product::ALL {
        let endorser = endorser(product);
        for version in [2, 3, 4, 5] {
            let template = motley(product, version);
            let bytes = endorser.sign(&template);
            assert!(holds(endorser.certificate(), &bytes));
            let read = AttestationReport::from_bytes(&bytes).unwrap();
            let tcb = |tcb: TcbVersion| Tcb {
                fmc: tcb.fmc,
                bootloader: tcb.bootloader,
                tee: tcb.tee,
                snp: tcb.snp,
                microcode: tcb.microcode,
            };
            let firmware = |version: sev::firmware::guest::Version| FirmwareVersion {
                major: version.major,
                minor: version.minor,
                build: version.build,
            };
            let again = ReportTemplate {
                product,
                version: read.version,
                guest_svn: read.guest_svn,
                policy: read.policy.into(),
                family_id: read.family_id,
                image_id: read.image_id,
                vmpl: read.vmpl,
                signature_algorithm: read.sig_algo,
                current_tcb: tcb(read.current_tcb),
                platform_info: read.plat_info.into(),
                key_info: read.key_info.into(),
                report_data: read.report_data,
                measurement: read.measurement,
                host_data: read.host_data,
                id_key_digest: read.id_key_digest,
                author_key_digest: read.author_key_digest,
                report_id: read.report_id,
                report_id_ma: read.report_id_ma,
                reported_tcb: tcb(read.reported_tcb),
                cpuid_family: read.cpuid_fam_id.unwrap_or(template.cpuid_family),
                cpuid_model: read.cpuid_mod_id.unwrap_or(template.cpuid_model),
                cpuid_stepping: read.cpuid_step.unwrap_or(template.cpuid_stepping),
                chip_id: read.chip_id,
                committed_tcb: tcb(read.committed_tcb),
                current_version: firmware(read.current),
                committed_version: firmware(read.committed),
                launch_tcb: tcb(read.launch_tcb),
                launch_mitigations: read.launch_mit_vector.unwrap_or(template.launch_mitigations),
                current_mitigations: read
                    .current_mit_vector
                    .unwrap_or(template.current_mitigations),
            };
            assert_eq!(again, template, "{product}, version {version}");
            assert_eq!(read.cpuid_fam_id.is_some(), version > 2);
            assert_eq!(read.launch_mit_vector.is_some(), version == 5);
        }
    }
}

#[test]
fn older_versions_leave_zeros_where_they_have_no_field() {
    let second = motley(Product::Milan, 2).to_bytes();
    assert!(second[0x188..0x1a0].iter().all(|byte| *byte == 0));
    let third = motley(Product::Milan, 3).to_bytes();
    assert_eq!(third[0x188..0x18b], [0x19, 0x01, 1]);
    assert!(third[0x1f8..].iter().all(|byte| *byte == 0));
    assert_eq!(motley(Product::Milan, 5).to_bytes()[0x1f8], 0x08);
}

#[test]
fn the_default_report_is_of_a_sound_production_guest() {
    let report = ReportTemplate::default();
    let read = AttestationReport::from_bytes(&endorser(Product::Genoa).sign(&report)).unwrap();
    assert_eq!((read.version, read.vmpl, read.sig_algo), (5, 0, 1));
    assert_eq!(u64::from(read.policy), 0x30000);
    assert!(!read.policy.debug_allowed() && !read.policy.migrate_ma_allowed());
    assert!(read.plat_info.alias_check_complete());
    assert_eq!(read.key_info.signing_key(), 0);
    assert_eq!(read.reported_tcb, read.current_tcb);
    assert_eq!(read.reported_tcb, read.committed_tcb);
    assert_eq!(read.reported_tcb, read.launch_tcb);
    for product in Product::ALL {
        let report = ReportTemplate::of(product);
        let cpu = Product::of_cpu(report.cpuid_family, report.cpuid_model);
        assert_eq!(cpu, Some(product));
    }
}

#[test]
fn an_endorser_reports_its_own_platform() {
    let family = family(Product::Turin);
    let mut template = family.chip_template();
    template.tcb.snp += 1;
    template.hardware_id = vec![9; 8];
    let report = family.chip(&template).unwrap().report();
    assert_eq!(report.product, Product::Turin);
    assert_eq!(report.reported_tcb, template.tcb);
    assert_eq!(report.launch_tcb, template.tcb);
    assert_eq!(report.chip_id[..8], [9; 8]);
    assert_eq!(report.chip_id[8..], [0; 56]);

    let provider = family.provider(&family.provider_template()).unwrap();
    assert_eq!(provider.kind(), EndorsementKey::Vlek);
    assert_eq!(provider.report().key_info, SIGNED_BY_VLEK);
    assert!(holds(provider.certificate(), &provider.sign(&provider.report())));
}

#[test]
fn a_signature_stands_for_its_bytes_and_its_key_alone() {
    let ours = endorser(Product::Genoa);
    let other = endorser(Product::Genoa);
    let report = ours.sign(&ours.report());
    assert!(holds(ours.certificate(), &report));
    assert!(!holds(other.certificate(), &report));
    let mut altered = report;
    altered[8] ^= 1;
    assert!(!holds(ours.certificate(), &altered));

    let mut raw = ours.report().to_bytes();
    raw[0x4c] = 0xee;
    let signed = ours.sign_raw(&raw);
    assert!(holds(ours.certificate(), &signed));
    assert_eq!(signed[..SIGNED_LENGTH], raw);

    let debug = ReportTemplate { policy: 0x30000 | POLICY_DEBUG, ..ours.report() };
    let read = AttestationReport::from_bytes(&ours.sign(&debug)).unwrap();
    assert!(read.policy.debug_allowed());
}
