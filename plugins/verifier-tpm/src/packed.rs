//! go-tpm-tools' message `attest.Attestation` (proto/attest.proto) and the `tpm.Quote`s in it.

use claviger_plugin_sdk::tcg::Bank;
use claviger_plugin_sdk::tpm::Values;
use claviger_plugin_sdk::verifier::Rejection;

use crate::evidence::{Evidence, Quote, malformed};
use crate::protobuf::{self, Value};

/// A machine has fewer banks, and an attestation fewer certificates.
const MAX_QUOTES: usize = 8;
const MAX_CERTIFICATES: usize = 16;

pub(crate) fn read(message: &[u8]) -> Result<Evidence, Rejection> {
    attestation(message).ok_or_else(|| malformed("no attest.Attestation in protobuf"))
}

/// `ak_pub` 1, `quotes` 2, `event_log` 3, `ak_cert` 5, `intermediate_certs` 6.
fn attestation(message: &[u8]) -> Option<Evidence> {
    let mut evidence = Evidence::default();
    let mut leaf = None;
    for (number, value) in protobuf::fields(message)? {
        match number {
            1 => evidence.ak_public = Some(value.bytes()?.to_vec()),
            2 if evidence.quotes.len() < MAX_QUOTES => evidence.quotes.push(quote(value.bytes()?)?),
            2 => return None,
            3 => evidence.event_log = Some(value.bytes()?.to_vec()),
            5 => leaf = Some(value.bytes()?.to_vec()),
            6 if evidence.certificates.len() < MAX_CERTIFICATES => {
                evidence.certificates.push(value.bytes()?.to_vec());
            }
            _ => {}
        }
    }
    if let Some(leaf) = leaf {
        evidence.certificates.insert(0, leaf);
    }
    Some(evidence)
}

/// `quote` 1, `raw_sig` 2, `pcrs` 3.
fn quote(message: &[u8]) -> Option<Quote> {
    let fields = protobuf::fields(message)?;
    Some(Quote {
        values: registers(last(&fields, 3)?.bytes()?)?,
        message: last(&fields, 1)?.bytes()?.to_vec(),
        signature: last(&fields, 2)?.bytes()?.to_vec(),
    })
}

/// `hash` 1, and `pcrs` 2: a map, so messages of `key` 1 and `value` 2.
fn registers(message: &[u8]) -> Option<Values> {
    let fields = protobuf::fields(message)?;
    let bank = Bank::of(u16::try_from(last(&fields, 1)?.number()?).ok()?)?;
    let mut values = Values::default();
    for (_, entry) in fields.iter().filter(|(number, _)| *number == 2) {
        let entry = protobuf::fields(entry.bytes()?)?;
        // A key of 0 is left out.
        let index = last(&entry, 1).map_or(Some(0), Value::number)?;
        let value = last(&entry, 2)?.bytes()?;
        values.add(bank, u32::try_from(index).ok()?, value).then_some(())?;
    }
    Some(values)
}

/// Of a field that comes more than once the last counts (protobuf, "Last One Wins").
fn last<'a>(fields: &[(u64, Value<'a>)], number: u64) -> Option<Value<'a>> {
    fields.iter().rev().find(|(present, _)| *present == number).map(|(_, value)| *value)
}
