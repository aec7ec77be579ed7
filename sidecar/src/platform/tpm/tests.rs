//! The commands against swtpm, an emulator that others wrote; keys and indices are made by tpm2-tools.
//! Where these are not installed the test says so; in continuous integration they must be there.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64;
use serde_json::Value;

use super::*;
use crate::metadata::Metadata;
use swtpm::Emulator;

#[allow(dead_code, unreachable_pub, reason = "the file is a public module of the tests' crate")]
#[path = "../../../../tests/src/swtpm.rs"]
mod swtpm;

/// An attestation key, at a persistent handle.
fn make_key(emulator: &Emulator, kind: &str, handle: &str) {
    for line in [
        "tpm2_createek -G rsa -c ek.ctx".to_owned(),
        "tpm2_flushcontext -t".to_owned(),
        format!("tpm2_createak -C ek.ctx -G {kind} -g sha256 -c ak.ctx -u ak.pem -f pem"),
        "tpm2_flushcontext -t".to_owned(),
        format!("tpm2_evictcontrol -C o -c ak.ctx {handle}"),
        "tpm2_flushcontext -t".to_owned(),
    ] {
        emulator.tool(&line);
    }
}

/// What the quote says: extraData, and the digest over the registers.
fn check_quote(message: &[u8], pcrs: &[[u8; 32]], data: &[u8]) {
    let extra = [&[0, 32], data].concat();
    assert!(message.windows(extra.len()).any(|window| window == extra));
    let wanted = digest(&SHA256, &pcrs.concat());
    assert!(message.ends_with(wanted.as_ref()));
}

#[test]
fn a_quote_of_an_emulator_is_of_these_registers_and_this_data() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(emulator) = Emulator::start(folder) else { return };
    make_key(&emulator, "rsa", "0x81010002");
    emulator.tool(
        "tpm2_pcrextend 4:sha256=0000000000000000000000000000000000000000000000000000000000000001",
    );
    let log = folder.join("log");
    std::fs::write(&log, b"events").unwrap();
    let attester = TpmAttester {
        tpm: Mutex::new(open(&format!("tcp:127.0.0.1:{}", emulator.port)).unwrap()),
        key: 0x8101_0002,
        certificates: Vec::new(),
        event_log: log,
    };
    let quote = attester.tpm.lock().unwrap().quote(0x8101_0002, &[9; 32]).unwrap();
    check_quote(&quote.message, &quote.pcrs, &[9; 32]);
    assert_ne!(quote.pcrs[4], [0; 32]);
    let evidence = attester.gather(&[9; 32]).unwrap();
    assert_eq!(evidence.attachments, [b"events".to_vec()]);
    let body: Value = serde_json::from_slice(&evidence.data).unwrap();
    assert_eq!(body["pcrs"]["sha256"]["4"], HEXLOWER.encode(&quote.pcrs[4]));
    let public = BASE64.decode(body["ak_public"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(public[..4], [0, 1, 0, 11]);
    std::fs::write(folder.join("message"), &quote.message).unwrap();
    std::fs::write(folder.join("signature"), &quote.signature).unwrap();
    let data = "09".repeat(32);
    emulator.tool(&format!("tpm2_checkquote -u ak.pem -m message -s signature -q {data}"));
    let error = attester.tpm.lock().unwrap().quote(0x8101_0099, &[9; 32]).err().unwrap();
    assert!(error.to_string().contains("TPM2_Quote was refused"), "{error}");
}

/// swtpm takes indices of 2048 bytes; a report of that length fits (version 1 of the HCL report).
#[test]
fn a_confidential_vms_tpm_is_known_by_its_report_and_quotes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(emulator) = Emulator::start(folder) else { return };
    let place = format!("tcp:127.0.0.1:{}", emulator.port);
    let metadata = Metadata::new("http://127.0.0.1:9").unwrap();
    let find = || azure::AzureVm::find(open(&place).unwrap(), metadata.clone(), PathBuf::new());
    assert!(find().is_none());
    make_key(&emulator, "rsa", "0x81000003");
    let mut report: Vec<u8> = (0..2048_u32).map(|at| at.to_le_bytes()[0]).collect();
    report[..4].copy_from_slice(b"HCLA");
    report[1224..1228].copy_from_slice(&[2, 0, 0, 0]);
    std::fs::write(folder.join("report"), &report).unwrap();
    for line in [
        "tpm2_nvdefine -C o -s 2048 0x01400001",
        "tpm2_nvwrite -C o -i report 0x01400001",
        "tpm2_nvdefine -C o -s 64 0x01400002",
    ] {
        emulator.tool(line);
    }
    let vm = find().unwrap();
    assert_eq!(vm.name(), "az-snp");
    vm.set_user_data(&[5; 64]).unwrap();
    // The emulator serves one connection at a time.
    drop(vm);
    let mut tpm = open(&place).unwrap();
    assert_eq!(tpm.nv_read(0x0140_0001).unwrap(), report);
    assert_eq!(tpm.nv_read(0x0140_0002).unwrap(), [5; 64]);
    let quote = tpm.quote(0x8100_0003, &[3; 32]).unwrap();
    check_quote(&quote.message, &quote.pcrs, &[3; 32]);
}
