//! A quote of swtpm, an emulator that others wrote, made with tpm2-tools. Where they are not installed the test
//! says so; in continuous integration they must be there.

use std::sync::Arc;

use claviger::claim::Value;
use claviger::error::Code;
use claviger::quote::{Authority, Revocation};
use data_encoding::{BASE64, HEXLOWER};
use serde_json::json;

use super::bench::Bench;
use claviger_tests::minted::tpm::sha256;
use claviger_tests::swtpm::Emulator;

#[test]
fn a_quote_of_an_emulator_that_others_wrote_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(emulator) = Emulator::start(folder) else { return };
    let nonce = sha256(b"challenge");
    let hex = HEXLOWER.encode(&nonce);
    for (scheme, key) in [("ecc", "ecdsa"), ("rsa", "rsassa")] {
        // The emulator has room for three objects.
        emulator.tool("tpm2_createek -c ek.ctx -G rsa -u ek.pub");
        emulator.tool("tpm2_flushcontext -t");
        emulator.tool(&format!(
                "tpm2_createak -C ek.ctx -c ak.ctx -G {scheme} -g sha256 -s {key} -u ak.pem -f pem -n ak.name"
            ),
        );
        emulator.tool("tpm2_flushcontext -t");
        emulator.tool(&format!("tpm2_pcrextend 16:sha256={hex}"));
        emulator.tool(&format!(
                "tpm2_quote -c ak.ctx -l sha256:0,7,16 -q {hex} -m quote -s signature -o pcrs -F values -g sha256"
            ),
        );
        emulator.tool("tpm2_flushcontext -t");
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let pcrs = read("pcrs");
        let pcr = |number: usize| HEXLOWER.encode(&pcrs[number * 32..][..32]);
        let pem = String::from_utf8(read("ak.pem")).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let evidence = json!({
            "quote": BASE64.encode(&read("quote")),
            "signature": BASE64.encode(&read("signature")),
            "ak_public": body,
            "pcrs": {"sha256": {"0": pcr(0), "7": pcr(1), "16": pcr(2)}},
        });
        let bench = Bench::of("verifier-tpm");
        let builder = Authority::builder().revocation(Revocation::Waived);
        let authority = Arc::new(builder.pin("tpm", &[], pem).build().unwrap());
        let verified = bench.verify(&authority, &evidence.to_string()).unwrap();
        let claim = |name: &str| {
            verified
                .claims()
                .iter()
                .find(|claim| claim.name == name)
                .map(|claim| claim.value.clone())
        };
        assert_eq!(claim("tpm.nonce"), Some(Value::Bytes(nonce.to_vec())));
        assert_eq!(claim("tpm.pcr16"), Some(Value::Bytes(pcrs[64..96].to_vec())));
        let nobody = Arc::new(Authority::builder().build().unwrap());
        let refused =
            bench.verify(&nobody, &evidence.to_string()).err().map(|refusal| refusal.code);
        assert_eq!(refused, Some(Code::EvidenceUntrusted));
    }
}

/// One entry of `ima-ng` in the form for people, and what the bank of SHA-256 is extended by.
fn measured(path: &str, file: [u8; 32], violation: bool) -> (String, [u8; 32]) {
    let sized = |field: &[u8]| [&(field.len() as u32).to_le_bytes(), field].concat();
    let digest = [b"sha256:\0".as_slice(), &file].concat();
    let name = [path.as_bytes(), &[0]].concat();
    let data = [sized(&digest), sized(&name)].concat();
    let (listed, extension) = match violation {
        true => ("00".repeat(20), [0xff; 32]),
        false => ("5a".repeat(20), sha256(&data)),
    };
    let line = format!("10 {listed} ima-ng sha256:{} {path}\n", HEXLOWER.encode(&file));
    (line, extension)
}

// attack 39
#[test]
fn a_list_of_linux_ima_counts_where_it_leads_to_pcr_10_of_an_emulator() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(emulator) = Emulator::start(folder) else { return };
    // The PCRs before, as firmware leaves them.
    emulator.tool(&format!("tpm2_pcrextend 4:sha256={}", HEXLOWER.encode(&sha256(b"loader"))));
    emulator.tool("tpm2_pcrread sha256:0,1,2,3,4,5,6,7,8,9 -o before");
    let aggregate = sha256(&std::fs::read(folder.join("before")).unwrap());
    let entries = [
        measured("boot_aggregate", aggregate, false),
        measured("/usr/bin/env", [8; 32], false),
        measured("/tmp/open", [0; 32], true),
    ];
    for (_, extension) in &entries {
        let extension = HEXLOWER.encode(extension);
        emulator.tool(&format!("tpm2_pcrextend 10:sha256={extension}"));
    }
    emulator.tool("tpm2_createek -c ek.ctx -G rsa -u ek.pub");
    emulator.tool("tpm2_flushcontext -t");
    emulator.tool(
        "tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name",
    );
    emulator.tool("tpm2_flushcontext -t");
    let quote = |selected: &[usize]| {
        let list: Vec<String> = selected.iter().map(usize::to_string).collect();
        let nonce = HEXLOWER.encode(&sha256(b"challenge"));
        emulator.tool(&format!(
                "tpm2_quote -c ak.ctx -l sha256:{} -q {nonce} -m quote -s signature -o pcrs -F values -g sha256",
                list.join(",")
            ),
        );
        emulator.tool("tpm2_flushcontext -t");
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let values = read("pcrs");
        let value = |(place, index): (usize, &usize)| {
            (index.to_string(), HEXLOWER.encode(&values[place * 32..][..32]).into())
        };
        let pcrs: serde_json::Map<String, serde_json::Value> =
            selected.iter().enumerate().map(value).collect();
        let pem = String::from_utf8(read("ak.pem")).unwrap();
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        json!({
            "quote": BASE64.encode(&read("quote")),
            "signature": BASE64.encode(&read("signature")),
            "ak_public": body,
            "pcrs": {"sha256": pcrs},
        })
    };
    let bench = Bench::of("verifier-tpm");
    let pem = std::fs::read(folder.join("ak.pem")).unwrap();
    let builder = Authority::builder().revocation(Revocation::Waived);
    let authority = Arc::new(builder.pin("tpm", &[], pem).build().unwrap());
    let verify = |quote: &serde_json::Value, list: &str| {
        let mut evidence = quote.clone();
        evidence["ima_list"] = list.into();
        bench.verify(&authority, &evidence.to_string())
    };
    let list: String = entries.iter().map(|(line, _)| line.as_str()).collect();
    let longer = list.clone() + &measured("/usr/bin/later", [9; 32], false).0;
    let (all, some) = (quote(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), quote(&[10]));
    for (quote, list, aggregate) in
        [(&all, &list, true), (&all, &longer, true), (&some, &list, false)]
    {
        let verified = verify(quote, list).unwrap();
        let claim = |name: &str| {
            let found = verified.claims().iter().find(|claim| claim.name == name);
            found.map(|claim| claim.value.clone())
        };
        assert_eq!(claim("ima.entries"), Some(Value::Unsigned(3)));
        assert_eq!(claim("ima.violations"), Some(Value::Unsigned(1)));
        assert_eq!(claim("ima.boot_aggregate"), aggregate.then_some(Value::Flag(true)));
        let Some(Value::Texts(files)) = claim("ima.files") else { panic!("no files") };
        assert_eq!(files[1], format!("sha256:{} /usr/bin/env", "08".repeat(32)));
    }
    let code = |list: &str| verify(&all, list).err().map(|refusal| refusal.code);
    let other = |from: &str, to: &str| {
        assert!(list.contains(from), "{from}");
        list.replacen(from, to, 1)
    };
    let shorter: String = entries[..2].iter().map(|(line, _)| line.as_str()).collect();
    let swapped: String = [1, 0, 2].iter().map(|place| entries[*place].0.as_str()).collect();
    for untrue in [
        shorter,
        swapped,
        other(&"08".repeat(32), &"09".repeat(32)),
        other("/usr/bin/env", "/usr/bin/sh"),
        // No violation any more, or another one.
        other(&"00".repeat(20), &"5a".repeat(20)),
        other(&"5a".repeat(20), &"00".repeat(20)),
    ] {
        assert_eq!(code(&untrue), Some(Code::EvidenceUntrusted), "{untrue}");
    }
    assert_eq!(code(&other("ima-ng", "ima-buf")), Some(Code::EvidenceMalformed));
    let nothing = quote(&[0]);
    let refused = verify(&nothing, &list).err().map(|refusal| refusal.code);
    assert_eq!(refused, Some(Code::EvidenceUnsupported));
    // A list of another start: it leads to its PCR 10, and to other PCRs before.
    emulator.tool(
        "tpm2_pcrextend 4:sha256=1111111111111111111111111111111111111111111111111111111111111111",
    );
    let later = quote(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    let refused = verify(&later, &list).err().map(|refusal| refusal.code);
    assert_eq!(refused, Some(Code::EvidenceUntrusted));
}
