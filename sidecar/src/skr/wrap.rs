//! The key provider of ocicrypt: image keys wrapped to an RSA key that a vault releases to attested
//! machines.

use aws_lc_rs::rsa::{
    OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use data_encoding::BASE64;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde_json::{Value, json};

use super::akv::Wanted;
use super::failure::Failure;
use super::{Skr, unwrap};

const UNWRAP: &str = "UnWrapKey failed";
const WRAP: &str = "WrapKey failed";

/// What a wrapped image key says about itself.
#[derive(Deserialize)]
struct Annotation {
    kid: String,
    wrapped_data: String,
    kms_endpoint: String,
    attester_endpoint: String,
}

/// What stands beside a key: `<keypath>-info.json`.
#[derive(Deserialize)]
struct KeyInfo {
    public_key_path: String,
    kms_endpoint: String,
    attester_endpoint: String,
}

impl Skr {
    /// `UnWrapKey`: ocicrypt's input, and its output.
    pub(crate) async fn unwrap_key(&self, input: &[u8]) -> Result<Vec<u8>, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::request(UNWRAP, error);
        let input: Value = serde_json::from_slice(input).map_err(|error| failed(&error))?;
        let annotation = input.pointer("/keyunwrapparams/annotation").and_then(Value::as_str);
        let annotation = annotation.and_then(|text| BASE64.decode(text.as_bytes()).ok());
        let annotation: Annotation = annotation
            .and_then(|json| serde_json::from_slice(&json).ok())
            .ok_or_else(|| failed(&"the annotation is malformed"))?;
        let wrapped = BASE64.decode(annotation.wrapped_data.as_bytes());
        let wrapped = wrapped.map_err(|error| failed(&error))?;
        let wanted = Wanted {
            maa_endpoint: annotation.attester_endpoint,
            akv_endpoint: annotation.kms_endpoint,
            kid: annotation.kid,
            access_token: None,
        };
        let key = private_key(&self.release_pkcs8(&wanted).await?)?;
        let opened = unwrap::decrypt(&key, &OAEP_SHA256_MGF1SHA256, &wrapped);
        let opened = opened.map_err(|error| Failure::refused(UNWRAP, error))?;
        let results = json!({
            "keywrapresults": {"annotation": null},
            "keyunwrapresults": {"optsdata": BASE64.encode(opened.expose())},
        });
        Ok(results.to_string().into_bytes())
    }
}

/// `WrapKey`: the image key under the public key that stands in a file of the sidecar's own. `keys`:
/// the folder that such files may be in.
pub(crate) fn wrap_key(input: &[u8], keys: Option<&std::path::Path>) -> Result<Vec<u8>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::request(WRAP, error);
    let input: Value = serde_json::from_slice(input).map_err(|error| failed(&error))?;
    let text = |pointer: &str| input.pointer(pointer).and_then(Value::as_str);
    let parameter = text("/keywrapparams/ec/Parameters/attestation-agent/0");
    let named = parameter.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let named = named.and_then(|bytes| String::from_utf8(bytes).ok());
    let path = named.as_deref().and_then(|named| named.strip_prefix("skr:"));
    let name = path.and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty());
    let (Some(name), Some(keys)) = (name, keys) else {
        return Err(failed(&"no key is named, or no folder of keys is configured"));
    };
    let info = std::fs::read(keys.join(format!("{name}-info.json")));
    let info: KeyInfo = info
        .ok()
        .and_then(|json| serde_json::from_slice(&json).ok())
        .ok_or_else(|| failed(&"the key's information is missing or malformed"))?;
    let public = std::path::Path::new(&info.public_key_path).file_name();
    let public = public.and_then(|file| std::fs::read(keys.join(file)).ok());
    let public = public.and_then(|pem| SubjectPublicKeyInfoDer::from_pem_slice(&pem).ok());
    let public = public.and_then(|der| PublicEncryptingKey::from_der(&der).ok());
    let key = public.and_then(|key| OaepPublicEncryptingKey::new(key).ok());
    let key = key.ok_or_else(|| failed(&"the public key is missing or malformed"))?;
    let data = text("/keywrapparams/optsdata").and_then(|text| BASE64.decode(text.as_bytes()).ok());
    let data = data.ok_or_else(|| failed(&"`optsdata` is missing or malformed"))?;
    let mut wrapped = vec![0; key.ciphertext_size()];
    key.encrypt(&OAEP_SHA256_MGF1SHA256, &data, &mut wrapped, None)
        .map_err(|_| failed(&"`optsdata` is too long"))?;
    let annotation = json!({
        "kid": name,
        "wrapped_data": BASE64.encode(&wrapped),
        "iv": "",
        "wrap_type": "rsa_3072",
        "kms_endpoint": info.kms_endpoint,
        "attester_endpoint": info.attester_endpoint,
    });
    let annotation = BASE64.encode(annotation.to_string().as_bytes());
    let results = json!({
        "keywrapresults": {"annotation": annotation},
        "keyunwrapresults": {"optsdata": null},
    });
    Ok(results.to_string().into_bytes())
}

fn private_key(pkcs8: &claviger_client::Secret) -> Result<PrivateDecryptingKey, Failure> {
    PrivateDecryptingKey::from_pkcs8(pkcs8.expose())
        .map_err(|_| Failure::refused(UNWRAP, "the released key is no RSA key"))
}
