//! Runtime data: what the paravisor says about the VM, the vTPM's keys among it.

use claviger_plugin_sdk::hex;
use claviger_plugin_sdk::json::{Value, with_entries};
use claviger_plugin_sdk::tpm::RsaPublic;
use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::types::{self, Claim, Span};

/// The identifier of the vTPM's attestation key.
const ATTESTATION_KEY: &str = "HCLAkPub";

/// Of the VM's configuration: flags by the paravisor's names and ours.
const FLAGS: [(&str, &str); 4] = [
    ("console-enabled", "console_enabled"),
    ("secure-boot", "secure_boot"),
    ("tpm-enabled", "tpm_enabled"),
    ("tpm-persisted", "tpm_persisted"),
];

/// Texts in it.
const TEXTS: [(&str, &str); 2] =
    [("root-cert-thumbprint", "root_cert_thumbprint"), ("vmUniqueId", "vm_unique_id")];

/// No text in it is longer.
const MAX_TEXT: usize = 256;

#[derive(Debug)]
pub(crate) struct RuntimeData<'a> {
    /// Where the attestation key's JWK stands.
    pub(crate) attestation_key: Span,
    /// Which of the keys it is.
    index: usize,
    value: Value<'a>,
}

impl<'a> RuntimeData<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, Rejection> {
        let malformed = |why: &str| Rejection::Malformed(format!("runtime data: {why}"));
        let (value, places) = with_entries(text, "keys").map_err(malformed)?;
        let is_it = |key: &Value<'_>| matches!(key.member("kid"), Some(Value::Text(id)) if id == ATTESTATION_KEY);
        let mut found =
            keys(&value).iter().zip(places).enumerate().filter(|(_, (key, _))| is_it(key));
        let (Some((index, (_, at))), None) = (found.next(), found.next()) else {
            return Err(malformed("not one attestation key"));
        };
        drop(found);
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(Self {
            attestation_key: Span { start: number(at.start), length: number(at.len()) },
            index,
            value,
        })
    }

    /// What a guest says is the attestation key must be that key.
    pub(crate) fn is_of(&self, key: &RsaPublic<'_>) -> Result<(), Rejection> {
        let jwk = keys(&self.value).get(self.index);
        let member = |name: &str| jwk.and_then(|jwk| jwk.member(name)).and_then(Value::in_base64);
        let exponent = key.exponent.to_be_bytes();
        let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
        let same = member("n").as_deref() == Some(key.modulus)
            && member("e").as_deref() == exponent.get(zeros..);
        match same {
            true => Ok(()),
            false => {
                Err(Rejection::Untrusted("the hardware vouches for another attestation key".into()))
            }
        }
    }

    /// What it says about the VM; flags and texts that are there. `user_data` is what the guest wrote
    /// before it asked for the report (NV index 0x01400002), as bytes.
    pub(crate) fn claims(&self, prefix: &str) -> Vec<Claim> {
        let configuration = self.value.member("vm-configuration");
        let member = |name| configuration.and_then(|configuration| configuration.member(name));
        let claim = |name: &str, value| Claim { name: [prefix, ".", name].concat(), value };
        let flags = FLAGS.iter().filter_map(|(theirs, ours)| match member(theirs)? {
            Value::Flag(flag) => Some(claim(ours, types::Value::Flag(*flag))),
            _ => None,
        });
        let texts = TEXTS.iter().filter_map(|(theirs, ours)| match member(theirs)? {
            Value::Text(text) if text.len() <= MAX_TEXT => {
                Some(claim(ours, types::Value::Text(text.to_string())))
            }
            _ => None,
        });
        let user_data = match self.value.member("user-data") {
            Some(Value::Text(text)) if text.len() <= MAX_TEXT => hex::decode(text),
            _ => None,
        };
        let user_data =
            user_data.map(|bytes| claim("runtime_user_data", types::Value::Bytes(bytes)));
        flags.chain(texts).chain(user_data).collect()
    }
}

fn keys<'v, 'a>(value: &'v Value<'a>) -> &'v [Value<'a>] {
    match value.member("keys") {
        Some(Value::List(keys)) => keys,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_where_it_stands() {
        let text = br#"{"keys":[{"kid":"HCLEkPub"},{"kid":"HCLAkPub","n":"x"}],"vm-configuration":{"secure-boot":true,"vmUniqueId":"A","tpm-enabled":"yes"},"user-data":"00ff"}"#;
        let data = RuntimeData::read(text).unwrap();
        let Span { start, length } = data.attestation_key;
        assert_eq!(&text[start as usize..][..length as usize], br#"{"kid":"HCLAkPub","n":"x"}"#);
        let names: Vec<String> = data.claims("az").into_iter().map(|claim| claim.name).collect();
        assert_eq!(names, ["az.secure_boot", "az.vm_unique_id", "az.runtime_user_data"]);
    }

    // attack 14
    #[test]
    fn another_attestation_key_is_not_the_one_that_the_hardware_vouches_for() {
        let modulus = [0xc5; 256];
        let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        let public = |exponent: u32, modulus: &[u8]| {
            // RSA, SHA-256, any attributes, no policy, neither cipher nor scheme, 2048 bits.
            let mut area = vec![0, 1, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0x10, 8, 0];
            area.extend(exponent.to_be_bytes());
            area.extend(sized(modulus));
            sized(&area)
        };
        let n = "xcXF".repeat(85) + "xQ";
        let text = format!(r#"{{"keys":[{{"kid":"HCLAkPub","e":"AQAB","n":"{n}"}}]}}"#);
        let data = RuntimeData::read(text.as_bytes()).unwrap();
        data.is_of(&RsaPublic::read(&public(0, &modulus)).unwrap()).unwrap();
        data.is_of(&RsaPublic::read(&public(65_537, &modulus)).unwrap()).unwrap();
        let mut other = modulus;
        other[255] ^= 2;
        for public in [public(0, &other), public(3, &modulus), public(0, &modulus[1..])] {
            let refused = data.is_of(&RsaPublic::read(&public).unwrap());
            assert!(matches!(refused, Err(Rejection::Untrusted(_))));
        }
        let none = RuntimeData::read(br#"{"keys":[{"kid":"HCLAkPub"}]}"#).unwrap();
        assert!(none.is_of(&RsaPublic::read(&public(0, &modulus)).unwrap()).is_err());
    }

    #[test]
    fn two_keys_or_none_are_refused() {
        for text in [
            r#"{"keys":[]}"#,
            r#"{"keys":[{"kid":"HCLAkPub"},{"kid":"HCLAkPub"}]}"#,
            r#"{"keys":[{"kid":"HCLAkPub","kid":"HCLAkPub"}]}"#,
            r#"{"keys":{"kid":"HCLAkPub"}}"#,
            r#"{"key":[{"kid":"HCLAkPub"}]}"#,
            r#"{"keys":[{"kid":"hclakpub"}]}"#,
            "",
        ] {
            assert!(
                matches!(RuntimeData::read(text.as_bytes()), Err(Rejection::Malformed(_))),
                "{text}"
            );
        }
    }
}
