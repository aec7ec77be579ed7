//! Azure's vTPM: the hardware's report, the runtime data whose digest is in it, the quote by the key in
//! those, and the PCRs whose digest is in the quote.

use claviger::quote::{
    DigestAlgorithm, Examination, KeyEncoding, SignatureAlgorithm, Span, Statement,
};
use claviger_tests::vectors::Case;
use data_encoding::HEXLOWER;
use serde_json::Value;

use super::{Signed, each_bit};
use crate::recorded::forms;

/// Where the HCL's report has the hardware's, and the runtime data behind five numbers.
const HARDWARE: std::ops::Range<usize> = 32..1216;
const DATA: usize = 1236;

/// Of a TD quote version 4: header, body, the length and the signature with its key; REPORT_DATA.
const TD_SIGNED: usize = 48 + 584 + 4 + 64 + 64;
const TD_REPORT_DATA: u32 = 48 + 520;
/// Of an SNP report: what is signed, and r and s; REPORT_DATA.
const SNP_SIGNED: usize = 0x2a0 + 144;
const SNP_REPORT_DATA: u32 = 0x50;

pub(super) fn exhaust(case: &Case, examination: &Examination) -> Option<Result<usize, String>> {
    let bytes =
        |name: &str| case.files().find(|file| file.name == name).map(|file| file.bytes.clone());
    let (hcl, message) = (bytes("hcl_report.bin")?, bytes("tpm_quote.msg")?);
    let trials = case.trials();
    let trial = trials.last()?;
    let attachments = forms::of(case, trial).first()?.attachments.clone();
    let hardware = |evidence: &[u8]| -> Option<Statement> {
        match case.tee() {
            "az-tdx" => examination.dcap(evidence.to_vec(), &attachments).ok().map(|r| r.statement),
            _ => examination.snp(evidence.to_vec(), &attachments).ok().map(|r| r.statement),
        }
    };
    let (evidence, covered, report_data) = match case.tee() {
        "az-tdx" => (bytes("td_quote.bin")?, TD_SIGNED, TD_REPORT_DATA),
        _ => (hcl.get(HARDWARE)?.to_vec(), SNP_SIGNED, SNP_REPORT_DATA),
    };
    let statement = hardware(&evidence).unwrap();
    let length = u32::from_le_bytes(hcl.get(DATA - 4..DATA)?.try_into().ok()?) as usize;
    let data = hcl.get(DATA..DATA + length)?;
    let span = |start: usize, length: usize| Span { start: start as u32, length: length as u32 };
    let digest = DigestAlgorithm::Sha256;
    let at = Span { start: report_data, length: 32 };
    let runtime = examination.vouch(&statement, at, digest, data.to_vec()).unwrap();
    let find = |from: usize, byte: u8| data[from..].iter().position(|one| *one == byte);
    let name = data.windows(8).position(|bytes| bytes == b"HCLAkPub")?;
    let start = data[..name].iter().rposition(|byte| *byte == b'{')?;
    let key = span(start, name + find(name, b'}')? + 1 - start);
    let quote = Signed {
        by: examination.adopt(&runtime, key, KeyEncoding::Jwk).unwrap(),
        algorithm: SignatureAlgorithm::RsaPkcs1Sha256,
        signature: bytes("tpm_quote.sig")?,
        message,
    };
    let quoted = quote.statement(examination);
    let pcrs = registers(case)?;
    let pcr_digest = span(quote.message.len() - 32, 32);
    Some((|| {
        let (signed, rest) = evidence.split_at(covered);
        let mut flipped = each_bit("hardware's report", signed, |signed| {
            // Behind r and s the report of SNP is not signed, and must be zeros.
            hardware(&[signed, rest].concat()).is_some()
        })?;
        flipped += each_bit("runtime data", data, |data| {
            examination.vouch(&statement, at, digest, data.to_vec()).is_ok()
        })?;
        flipped += quote.exhaust(examination)?;
        flipped += each_bit("PCRs", &pcrs, |pcrs| {
            examination.vouch(&quoted, pcr_digest, digest, pcrs.to_vec()).is_ok()
        })?;
        Ok(flipped)
    })())
}

/// PCRs of SHA-256, one behind the other, as others read them.
fn registers(case: &Case) -> Option<Vec<u8>> {
    let registers = case.expected.get("fields")?.get("pcrs_sha256")?;
    let all = (0..24).map(|index| registers.get(index.to_string()).and_then(Value::as_str));
    let all = all.map(|value| HEXLOWER.decode(value?.as_bytes()).ok());
    Some(all.collect::<Option<Vec<_>>>()?.concat())
}
