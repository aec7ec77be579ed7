//! Which claims may have a reference value, and what such a value looks like. A value that could
//! never equal what a report says is refused when it comes, not found out at midnight.

use serde_json::Value as Json;

/// What a claim's value is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Bytes, of any number but none.
    AnyBytes,
    /// So many bytes.
    Bytes(usize),
    /// A digest: SHA-256, SHA-384 or SHA-512.
    Digest,
    /// A whole number from zero.
    Unsigned,
}

/// Claims of TEEs whose evidence the host reads, or is to read, itself: the name behind the TEE's.
/// What a report says of the moment (report data), of the machine (chip id) or of its firmware (TCB,
/// which has floors, not values) is not among them. A name that ends in `*` has a number there.
const KNOWN: &[(&str, &str, Kind)] = &[
    ("cca", "config", Kind::AnyBytes),
    // Of any of the platform's components: their number and order are the platform's own.
    ("cca", "firmware", Kind::Digest),
    ("cca", "implementation_id", Kind::Bytes(32)),
    ("cca", "personalization_value", Kind::Bytes(64)),
    ("cca", "rem*", Kind::Digest),
    ("cca", "rim", Kind::Digest),
    ("nitro", "nitrotpm_pcr4", Kind::Bytes(48)),
    ("nitro", "nitrotpm_pcr7", Kind::Bytes(48)),
    ("nitro", "nitrotpm_pcr12", Kind::Bytes(48)),
    ("nitro", "pcr0", Kind::Bytes(48)),
    ("nitro", "pcr1", Kind::Bytes(48)),
    ("nitro", "pcr2", Kind::Bytes(48)),
    ("nitro", "pcr3", Kind::Bytes(48)),
    ("nitro", "pcr4", Kind::Bytes(48)),
    ("nitro", "pcr8", Kind::Bytes(48)),
    ("nvidia", "measurement_*", Kind::Bytes(48)),
    ("sgx", "isv_prod_id", Kind::Unsigned),
    ("sgx", "mrenclave", Kind::Bytes(32)),
    ("sgx", "mrsigner", Kind::Bytes(32)),
    ("snp", "author_key_digest", Kind::Bytes(48)),
    ("snp", "family_id", Kind::Bytes(16)),
    ("snp", "guest_svn", Kind::Unsigned),
    ("snp", "host_data", Kind::Bytes(32)),
    ("snp", "id_key_digest", Kind::Bytes(48)),
    ("snp", "image_id", Kind::Bytes(16)),
    ("snp", "measurement", Kind::Bytes(48)),
    ("snp", "vmpl", Kind::Unsigned),
    ("tdx", "mrconfigid", Kind::Bytes(48)),
    ("tdx", "mrowner", Kind::Bytes(48)),
    ("tdx", "mrownerconfig", Kind::Bytes(48)),
    ("tdx", "mrseam", Kind::Bytes(48)),
    ("tdx", "mrtd", Kind::Bytes(48)),
    ("tdx", "rtmr0", Kind::Bytes(48)),
    ("tdx", "rtmr1", Kind::Bytes(48)),
    ("tdx", "rtmr2", Kind::Bytes(48)),
    ("tdx", "rtmr3", Kind::Bytes(48)),
];

/// The longest name of a TEE or a claim, and the longest text of a value, in bytes.
const LONGEST_NAME: usize = 64;
const LONGEST_TEXT: usize = 1024;

/// Whether a TEE or a claim can be called so: `[a-z][a-z0-9_]{0,63}`.
pub(super) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.len() <= LONGEST_NAME
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(plain)
}

/// Checks that `value` can be a value of `claim` of `tee`. Of a TEE that only a plugin reads,
/// every name is taken: its facts are the plugin's to name.
pub(super) fn check(tee: &str, claim: &str, value: &Json) -> Result<(), String> {
    if !is_name(&tee.replace('-', "_")) || !is_name(claim) {
        return Err(format!("{tee:?}.{claim:?} is not a claim's name"));
    }
    let known = KNOWN.iter().find(|known| known.0 == tee && is_called(claim, known.1));
    let kind = match known {
        Some((.., kind)) => *kind,
        None if KNOWN.iter().any(|known| known.0 == tee) => {
            return Err(format!("{tee}.{claim} takes no reference value"));
        }
        None => return check_unknown(tee, claim, value),
    };
    let hex = value.as_str().unwrap_or_default();
    let digits = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let (fits, wanted) = match kind {
        Kind::AnyBytes => (
            digits && (2..=LONGEST_TEXT).contains(&hex.len()) && hex.len().is_multiple_of(2),
            "bytes in lower-case hexadecimal".to_owned(),
        ),
        Kind::Bytes(length) => {
            (digits && hex.len() == 2 * length, format!("{length} bytes in lower-case hexadecimal"))
        }
        Kind::Digest => (
            digits && [64, 96, 128].contains(&hex.len()),
            "32, 48 or 64 bytes in lower-case hexadecimal".to_owned(),
        ),
        Kind::Unsigned => (value.is_u64(), "a whole number".to_owned()),
    };
    if fits { Ok(()) } else { Err(format!("{tee}.{claim}: wanted is {wanted}")) }
}

fn is_called(claim: &str, name: &str) -> bool {
    let Some(start) = name.strip_suffix('*') else { return claim == name };
    let number = claim.strip_prefix(start).unwrap_or_default();
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    digits && (1..=3).contains(&number.len()) && (number == "0" || !number.starts_with('0'))
}

fn check_unknown(tee: &str, claim: &str, value: &Json) -> Result<(), String> {
    let fits = match value {
        Json::Bool(_) => true,
        Json::Number(number) => number.is_u64() || number.is_i64(),
        Json::String(text) => !text.is_empty() && text.len() <= LONGEST_TEXT,
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{tee}.{claim}: wanted is text, a whole number or a flag"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_no_report_can_say_is_refused() {
        let measurement = "0a".repeat(48);
        assert!(check("snp", "measurement", &json!(measurement)).is_ok());
        assert!(check("snp", "guest_svn", &json!(7)).is_ok());
        assert!(check("acme", "image", &json!("x")).is_ok());
        assert!(check("nvidia", "measurement_36", &json!(measurement)).is_ok());
        assert!(check("cca", "rim", &json!("0a".repeat(64))).is_ok());
        assert!(check("cca", "rem0", &json!("0a".repeat(32))).is_ok());
        assert!(check("cca", "config", &json!("0a")).is_ok());
        for (tee, claim, value) in [
            ("snp", "measurement", json!("0a".repeat(32))),
            ("snp", "measurement", json!(measurement.to_uppercase())),
            ("snp", "measurement", json!("")),
            ("snp", "measurement", json!([measurement])),
            ("snp", "guest_svn", json!("7")),
            ("snp", "guest_svn", json!(-7)),
            ("snp", "report_data", json!("00".repeat(64))),
            ("snp", "snp.measurement", json!(measurement)),
            ("snp", "*", json!(measurement)),
            ("cca", "config", json!("0a0")),
            ("cca", "rim", json!("0a".repeat(33))),
            ("cca", "rem", json!(measurement)),
            ("nvidia", "measurement_", json!(measurement)),
            ("nvidia", "measurement_*", json!(measurement)),
            ("nvidia", "measurement_07", json!(measurement)),
            ("nvidia", "measurement_7", json!("0a".repeat(32))),
            ("SNP", "measurement", json!(measurement)),
            ("", "measurement", json!(measurement)),
            ("acme", "image", json!("")),
            ("acme", "image", json!(1.5)),
            ("acme", "image", json!({})),
        ] {
            assert!(check(tee, claim, &value).is_err(), "{tee} {claim} {value}");
        }
    }
}
