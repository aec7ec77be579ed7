use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::json;

use super::*;

/// A root, and a vault's signing certificate below it.
struct Vault {
    root: CertificateDer<'static>,
    leaf: CertificateDer<'static>,
    key: RsaKeyPair,
}

const NOW: Duration = Duration::from_secs(1_800_000_000);

fn vault(names: &[&str]) -> Vault {
    vault_for(names, &[])
}

/// The same, of a certificate for these purposes; none: for any.
fn vault_for(names: &[&str], purposes: &[rcgen::ExtendedKeyUsagePurpose]) -> Vault {
    let root_key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = root.self_signed(&root_key).unwrap();
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key);
    let pem = pem(der.unwrap().as_ref());
    let leaf_key = KeyPair::from_pem(&pem).unwrap();
    let mut leaf = CertificateParams::default();
    leaf.subject_alt_names =
        names.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap())).collect();
    leaf.extended_key_usages = purposes.to_vec();
    let issuer = Issuer::from_params(&root, &root_key);
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    Vault { root: certificate.der().clone(), leaf: leaf.der().clone(), key }
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der))
}

fn sign(vault: &Vault, header: &Value) -> String {
    let part = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let signed = format!("{}.{}", part(header), part(&json!({"request": {}})));
    let mut signature = vec![0; 256];
    vault
        .key
        .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature))
}

fn header(vault: &Vault) -> Value {
    json!({"alg": "RS256", "x5c": [BASE64.encode(&vault.leaf), BASE64.encode(&vault.root)]})
}

fn outcome(vault: &Vault, header: &Value, endpoint: &str) -> Result<Value, JwsError> {
    verify(&sign(vault, header), endpoint, std::slice::from_ref(&vault.root), NOW)
}

#[test]
fn a_vaults_answer_counts_for_the_vault_that_was_asked() {
    let named = vault(&["vault.example"]);
    for endpoint in ["vault.example", "vault.example:8443"] {
        assert_eq!(outcome(&named, &header(&named), endpoint).unwrap(), json!({"request": {}}));
    }
    let wanted = JwsError::Name("other.example".to_owned());
    assert_eq!(outcome(&named, &header(&named), "other.example"), Err(wanted));
    let literal = vault(&["localhost:8443"]);
    assert!(outcome(&literal, &header(&literal), "localhost:8443").is_ok());
    assert!(outcome(&literal, &header(&literal), "localhost:8444").is_err());
}

#[test]
fn a_chain_that_leads_elsewhere_and_a_time_outside_are_refused() {
    let (ours, other) = (vault(&["vault.example"]), vault(&["vault.example"]));
    let jws = sign(&ours, &header(&ours));
    let roots = std::slice::from_ref(&other.root);
    assert!(matches!(verify(&jws, "vault.example", roots, NOW), Err(JwsError::Chain(_))));
    assert!(matches!(verify(&jws, "vault.example", &[], NOW), Err(JwsError::Chain(_))));
    let roots = std::slice::from_ref(&ours.root);
    let late = Duration::from_secs(100_000_000_000);
    assert!(matches!(verify(&jws, "vault.example", roots, late), Err(JwsError::Chain(_))));
    // Of a server, as the vault is.
    use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, CodeSigning, ServerAuth};
    for (purpose, counts) in [(ServerAuth, true), (ClientAuth, false), (CodeSigning, false)] {
        let purposed = vault_for(&["vault.example"], std::slice::from_ref(&purpose));
        let outcome = outcome(&purposed, &header(&purposed), "vault.example");
        assert_eq!(outcome.is_ok(), counts, "{purpose:?}: {outcome:?}");
    }
}

#[test]
fn a_signature_by_another_key_or_over_other_words_is_refused() {
    let (ours, other) = (vault(&["vault.example"]), vault(&["vault.example"]));
    let roots = std::slice::from_ref(&ours.root);
    let forged = sign(&other, &header(&ours));
    assert_eq!(verify(&forged, "vault.example", roots, NOW), Err(JwsError::Signature));
    let jws = sign(&ours, &header(&ours));
    let payload = BASE64URL_NOPAD.encode(json!({"request": {"a": 1}}).to_string().as_bytes());
    let parts: Vec<&str> = jws.split('.').collect();
    let changed = [parts[0], &payload, parts[2]].join(".");
    assert_eq!(verify(&changed, "vault.example", roots, NOW), Err(JwsError::Signature));
}

#[test]
fn no_member_of_the_header_chooses_a_weaker_check() {
    let vault = vault(&["vault.example"]);
    for (name, value, wanted) in [
        ("alg", json!("none"), JwsError::Algorithm),
        ("alg", json!("HS256"), JwsError::Algorithm),
        ("alg", json!("RS512"), JwsError::Signature),
        ("crit", json!(["b64"]), JwsError::Malformed),
        ("x5c", json!([]), JwsError::Malformed),
        ("x5c", json!(vec![BASE64.encode(&vault.leaf); 9]), JwsError::Malformed),
        ("x5c", json!(["AAAA"]), JwsError::Chain("BadDer".to_owned())),
    ] {
        let mut header = header(&vault);
        header[name] = value;
        let outcome = outcome(&vault, &header, "vault.example").unwrap_err();
        assert_eq!(std::mem::discriminant(&outcome), std::mem::discriminant(&wanted), "{name}");
    }
}
