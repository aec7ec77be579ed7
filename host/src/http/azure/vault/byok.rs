//! A key brought along wrapped ("BYOK"): the package that an HSM vendor's tool makes of a key, for a key
//! exchange key of this vault.
//!
//! ```text
//! {"schema_version": "1.0.0", "header": {"kid": "https://vault/keys/kek/version", "alg": "dir",
//!  "enc": "CKM_RSA_AES_KEY_WRAP"}, "ciphertext": base64url, "generator": "…"}
//! ```
//! Source: Azure Key Vault, "Bring your own key specification", section "Key Transfer Blob".

use serde::Deserialize;

use super::wire::Octets;
use super::words::refuse;
use crate::flow::vault::WrappedKey;
use crate::http::azure::error::Fault;
use crate::keys::RsaAesKeyWrap;

#[derive(Deserialize)]
struct Package {
    schema_version: String,
    header: Header,
    ciphertext: Octets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    kid: String,
    alg: String,
    enc: String,
}

/// Reads a package that is wrapped to a key of the vault at `url`.
pub(super) fn read(package: &[u8], url: &str) -> Result<WrappedKey, Fault> {
    let wrong = || refuse("Property key.key_hsm is not a key transfer blob.");
    let Package { schema_version, header, ciphertext } =
        serde_json::from_slice(package).map_err(|_| wrong())?;
    if schema_version != "1.0.0" || header.alg != "dir" {
        return Err(wrong());
    }
    let wrap = RsaAesKeyWrap::of(&header.enc).ok_or_else(wrong)?;
    let kek = header.kid.strip_prefix(url).and_then(|rest| rest.strip_prefix("/keys/"));
    let kek = kek
        .ok_or_else(|| refuse("Property key.key_hsm names a key exchange key of another vault."))?;
    let (by, version) = match kek.split_once('/') {
        None => (kek, None),
        Some((by, version)) => (by, Some(version.to_owned())),
    };
    let bytes = ciphertext.0.expose().to_vec();
    Ok(WrappedKey { by: by.to_owned(), version, wrap, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: &str = r#"{"schema_version": "1.0.0", "header": {"kid": "https://v.example/keys/kek/0a1b",
        "alg": "dir", "enc": "CKM_RSA_AES_KEY_WRAP"}, "ciphertext": "AQID", "generator": "tool 1; firmware 2"}"#;

    #[test]
    fn a_package_names_a_key_of_this_vault_and_a_wrap_that_is_known() {
        let read = |text: &str| read(text.as_bytes(), "https://v.example");
        let sound = read(SOUND).unwrap();
        assert_eq!((sound.by.as_str(), sound.version.as_deref()), ("kek", Some("0a1b")));
        assert_eq!((sound.wrap, sound.bytes), (RsaAesKeyWrap::Sha1, vec![1, 2, 3]));
        let newest = read(&SOUND.replacen("/0a1b", "", 1)).unwrap();
        assert_eq!(newest.version, None);
        for (from, to) in [
            ("1.0.0", "2.0.0"),
            ("\"dir\"", "\"RSA-OAEP\""),
            ("CKM_RSA_AES_KEY_WRAP", "A256KW"),
            ("https://v.example/", "https://other.example/"),
            ("https://v.example/keys/", "https://v.example/secrets/"),
            ("https://v.example/keys/", "https://v.example.evil/keys/"),
            ("AQID", "A"),
            ("\"alg\"", "\"crit\": 1, \"alg\""),
            ("{\"schema", "[\"schema"),
        ] {
            let changed = SOUND.replacen(from, to, 1);
            assert_ne!(changed, SOUND, "{from}");
            assert!(read(&changed).is_err(), "{to}");
        }
    }
}
