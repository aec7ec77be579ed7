//! A service that repeats the credential, or a value that is withheld, does not thereby give it to the
//! plugin, however it spells it.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use zeroize::Zeroizing;

use crate::secret::{Secret, spelled};

/// What stands in a secret's place.
const MASK: &[u8] = b"[withheld]";

/// Shorter credentials are not looked for: they would be found everywhere.
const SHORTEST: usize = 6;

/// Shorter values that are withheld are not: words such as `enabled` are values, too.
const SHORTEST_VALUE: usize = 12;

/// Credentials that are looked for.
pub(super) fn credentials(secrets: Vec<Secret>) -> Vec<Secret> {
    secrets.into_iter().filter(|secret| secret.len() >= SHORTEST).collect()
}

/// Withheld values that are looked for elsewhere in the same answer: as they are, the bytes that they
/// mean in base64, and the texts inside an object or a list.
pub(super) fn values<'a>(withheld: impl Iterator<Item = &'a Secret>) -> Vec<Secret> {
    let mut wanted = Vec::new();
    for value in withheld {
        add(&mut wanted, value.expose());
        if let Ok(inner) = serde_json::from_slice(value.expose()) {
            texts(&mut wanted, inner);
        }
    }
    wanted
}

fn add(wanted: &mut Vec<Secret>, value: &[u8]) {
    let text = value.trim_ascii_end();
    let meant = BASE64.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text));
    let long = |bytes: &Vec<u8>| bytes.len() >= SHORTEST_VALUE;
    wanted.extend(Some(text.to_vec()).filter(long).map(Secret::new));
    wanted.extend(meant.ok().filter(long).map(Secret::new));
}

fn texts(wanted: &mut Vec<Secret>, value: serde_json::Value) {
    match value {
        serde_json::Value::Array(inner) => inner.into_iter().for_each(|one| texts(wanted, one)),
        serde_json::Value::Object(inner) => {
            inner.into_iter().for_each(|(_, one)| texts(wanted, one));
        }
        serde_json::Value::String(text) => {
            add(wanted, text.as_bytes());
            drop(Zeroizing::new(text));
        }
        _ => {}
    }
}

/// Whether the bytes hold one of the secrets.
pub(super) fn holds(bytes: &[u8], secrets: &[Secret]) -> bool {
    secrets.iter().any(|secret| spelled::holds(bytes, secret.expose()))
}

/// The same bytes without the secrets.
pub(super) fn mask(mut body: Zeroizing<Vec<u8>>, secrets: &[Secret]) -> Zeroizing<Vec<u8>> {
    for secret in secrets {
        let places = spelled::places(&body, secret.expose());
        if places.is_empty() {
            continue;
        }
        let mut masked = Zeroizing::new(Vec::with_capacity(body.len().saturating_mul(2)));
        let mut from = 0;
        for place in places {
            masked.extend_from_slice(body.get(from..place.start).unwrap_or_default());
            masked.extend_from_slice(MASK);
            from = place.end;
        }
        masked.extend_from_slice(body.get(from..).unwrap_or_default());
        body = masked;
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 50
    #[test]
    fn a_credential_in_an_answer_is_masked_wherever_it_stands() {
        let secrets = vec![Secret::new(b"s.3cr3t".to_vec()), Secret::new(b"x".to_vec())];
        let secrets = credentials(secrets);
        let body =
            Zeroizing::new(br#"{"errors":["bad token s.3cr3t","s.3cr3ts.3cr3t x"]}"#.to_vec());
        let masked = mask(body, &secrets);
        let wanted = br#"{"errors":["bad token [withheld]","[withheld][withheld] x"]}"#;
        assert_eq!(masked.as_slice(), wanted);
    }

    // attack 50
    #[test]
    fn a_withheld_value_is_masked_as_text_as_what_it_means_and_inside_an_object() {
        let key = b"sixteen bytes or";
        let text = BASE64.encode(key);
        let object = format!(r#"{{"1":"{text}","n":7}}"#);
        for value in [text.clone(), object] {
            let wanted = values([Secret::new(value.into_bytes())].iter());
            for echo in [
                text.clone(),
                data_encoding::HEXLOWER.encode(key),
                "sixteen%20bytes%20or".to_owned(),
                BASE64.encode(text.as_bytes()),
            ] {
                let body = format!(r#"{{"value":null,"echo":"{echo}"}}"#);
                assert!(holds(body.as_bytes(), &wanted), "{echo}");
                let masked = mask(Zeroizing::new(body.into_bytes()), &wanted);
                assert_eq!(masked.as_slice(), br#"{"value":null,"echo":"[withheld]"}"#, "{echo}");
            }
        }
        assert!(values([Secret::new(b"enabled".to_vec())].iter()).is_empty());
    }
}
