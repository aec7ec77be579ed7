//! What hostile clients send: evidence cut, grown, flipped, nested and made up. Whatever a verifier
//! makes of it, it must say so: a trap, a bound that it runs into, or a verdict that no verifier may
//! give is a failure.

use std::sync::Arc;

use anyhow::bail;

use super::cases::Read;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::plugin::{VerifierFailure, VerifierPlugin, VerifierRequest};
use crate::quote::{Authority, Examination};

/// At most so many cuts and so many flips of each piece of evidence.
const MOST_VARIANTS: usize = 512;

/// One piece of hostile evidence.
struct Input {
    name: String,
    evidence: Vec<u8>,
    attachments: Vec<Vec<u8>>,
}

/// Hands all of it in; how many pieces that were.
pub(super) async fn run(plugin: &VerifierPlugin, cases: &[Read]) -> anyhow::Result<usize> {
    let nobody = Authority::builder().build().map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let nobody = Arc::new(nobody);
    let mut count = 0;
    for media_type in &plugin.description().evidence_types {
        for input in made_up() {
            hand_in(plugin, &nobody, SystemClock.now(), media_type, input).await?;
            count += 1;
        }
    }
    for case in cases.iter().filter(|case| case.is_accepted()) {
        for input in changed(case) {
            let media_type = case.media_type(plugin);
            hand_in(plugin, &case.authority, case.at, &media_type, input).await?;
            count += 1;
        }
    }
    Ok(count)
}

async fn hand_in(
    plugin: &VerifierPlugin,
    authority: &Arc<Authority>,
    at: Timestamp,
    media_type: &str,
    input: Input,
) -> anyhow::Result<()> {
    let Input { name, evidence, attachments } = input;
    let request = VerifierRequest { evidence_type: media_type.to_owned(), evidence, attachments };
    let examination = Examination::new(Arc::clone(authority), at);
    match plugin.verify(examination, request).await {
        // A byte that nothing is said about may change: the gate asks what the verdict rests on.
        Ok(_) => Ok(()),
        Err(refused) if matches!(refused.failure, VerifierFailure::Rejected(_)) => Ok(()),
        Err(stopped) => bail!("{name}, as {media_type}: {}", stopped.failure),
    }
}

/// Evidence of nobody.
fn made_up() -> Vec<Input> {
    let input = |name: &str, evidence: Vec<u8>| Input {
        name: name.to_owned(),
        evidence,
        attachments: Vec::new(),
    };
    let mut inputs = vec![
        input("nothing", Vec::new()),
        input("one byte", vec![0]),
        input("a mebibyte of zeros", vec![0; 1 << 20]),
        input("a mebibyte of ones", vec![0xff; 1 << 20]),
        input("JSON nested deeply", b"[".repeat(100_000)),
        input("an object nested deeply", br#"{"a":"#.repeat(50_000)),
        input("JSON of many members", many_members()),
        input("a JSON number without end", [b"[".as_slice(), &b"9".repeat(100_000)].concat()),
        input("CBOR nested deeply", vec![0x81; 100_000]),
        input("CBOR of indefinite arrays", vec![0x9f; 100_000]),
        input("a CBOR string of 2^63 bytes", [&[0x5b, 0x7f][..], &[0xff; 7]].concat()),
        input("a CBOR map of 2^64 pairs", [&[0xbb][..], &[0xff; 8]].concat()),
        input("DER of 4 GiB", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        input("DER nested deeply", [0x30, 0x80].repeat(50_000)),
        input("not UTF-8", b"{\"\xff\xfe\":\"\xc0\x80\"}".to_vec()),
        input("a gzip of nothing", vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0]),
        input("base64 that is none", b"=".repeat(100_000)),
    ];
    // The same bytes each time: a failure can be looked at again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in [16, 64, 255, 1_024, 1_184, 4_096, 65_536] {
        let noise = (0..length).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        });
        inputs.push(input(&format!("{length} bytes of noise"), noise.collect()));
    }
    inputs.push(Input {
        name: "a thousand attachments".to_owned(),
        evidence: vec![0; 64],
        attachments: vec![vec![0x30]; 1_000],
    });
    inputs
}

fn many_members() -> Vec<u8> {
    let members: Vec<_> = (0..50_000).map(|number| format!("\"{number}\":0")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// Genuine evidence, cut and changed.
fn changed(case: &Read) -> Vec<Input> {
    let Read { name, evidence, attachments, .. } = case;
    let input = |what: String, evidence: Vec<u8>, attachments: Vec<Vec<u8>>| Input {
        name: format!("{name}, {what}"),
        evidence,
        attachments,
    };
    let step = evidence.len().div_ceil(MOST_VARIANTS).max(1);
    let mut inputs = Vec::new();
    for at in (0..evidence.len()).step_by(step) {
        let cut = evidence.get(..at).unwrap_or_default().to_vec();
        inputs.push(input(format!("cut at {at}"), cut, attachments.clone()));
        let mut flipped = evidence.clone();
        if let Some(byte) = flipped.get_mut(at) {
            *byte ^= 0x80;
        }
        inputs.push(input(format!("byte {at} flipped"), flipped, attachments.clone()));
    }
    let twice = evidence.repeat(2);
    inputs.push(input("twice".to_owned(), twice, attachments.clone()));
    let longer = [evidence.as_slice(), &[0; 4_096]].concat();
    inputs.push(input("with zeros behind".to_owned(), longer, attachments.clone()));
    inputs.push(input("without attachments".to_owned(), evidence.clone(), Vec::new()));
    let foreign = vec![evidence.clone(); 3];
    inputs.push(input("attached to itself".to_owned(), evidence.clone(), foreign));
    inputs
}
