//! A sender of the tests' own wraps to an X25519 key; that the host's wraps open for every kind of key
//! is tried with the host itself (`sidecar/tests/process`).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde_json::json;

use super::*;

fn wrap(to: &RecipientKey, change: impl FnOnce(&mut Value)) -> String {
    let ours = PrivateKey::generate(&aws_lc_rs::agreement::X25519).unwrap();
    let x = BASE64URL_NOPAD.decode(to.jwk()["x"].as_str().unwrap().as_bytes()).unwrap();
    let z = agreement::agree(&CURVE_X25519, &ours, &x).unwrap();
    let kid = BASE64URL_NOPAD.encode(to.thumbprint());
    let key = agreement::derive(&z, b"Claviger", kid.as_bytes()).unwrap();
    let epk = BASE64URL_NOPAD.encode(ours.compute_public_key().unwrap().as_ref());
    let mut header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": kid, "cty": "text/plain",
        "epk": {"kty": "OKP", "crv": "X25519", "x": epk},
        "apu": BASE64URL_NOPAD.encode(b"Claviger"), "apv": BASE64URL_NOPAD.encode(kid.as_bytes()),
        "claviger": {"tenant": "default", "key": "disk", "version": "1",
            "challenge": BASE64URL_NOPAD.encode(&[7; 32])}});
    change(&mut header);
    let protected = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    let mut content = b"key material".to_vec();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice()).unwrap())
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key([0; 12]),
            Aad::from(protected.as_bytes()),
            &mut content,
        )
        .unwrap();
    let (content, tag) = content.split_at(12);
    let part = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    format!("{protected}..{}.{}.{}", part(&[0; 12]), part(content), part(tag))
}

fn key() -> RecipientKey {
    RecipientKey::generate(RecipientKind::X25519).unwrap()
}

#[test]
fn what_was_wrapped_opens_with_its_context() {
    let key = key();
    let unwrapped = key.unwrap(&wrap(&key, |_| {})).unwrap();
    assert_eq!(unwrapped.secret.expose(), b"key material");
    assert_eq!(unwrapped.header.key, "disk");
    assert_eq!(unwrapped.header.challenge, [7; 32]);
    assert!(format!("{unwrapped:?}").contains("[secret, 12 bytes]"));
}

// attack 53
#[test]
fn no_other_algorithm_extension_or_spelling_is_accepted() {
    let key = key();
    for (name, value, wanted) in [
        ("alg", json!("dir"), UnwrapError::Unsupported),
        ("enc", json!("A128GCM"), UnwrapError::Unsupported),
        ("zip", json!("DEF"), UnwrapError::Malformed),
        ("crit", json!(["exp"]), UnwrapError::Malformed),
        ("jku", json!("https://evil.example"), UnwrapError::Malformed),
        ("kid", json!("other"), UnwrapError::WrongRecipient),
        ("epk", json!(null), UnwrapError::Malformed),
        ("epk", json!({"kty": "OKP", "crv": "X25519", "x": "A".repeat(43)}), UnwrapError::Failed),
    ] {
        let jwe = wrap(&key, |header| header[name] = value);
        assert_eq!(key.unwrap(&jwe).err(), Some(wanted), "{name}");
    }
    let jwe = wrap(&key, |_| {});
    for other in [format!("{jwe}."), format!("{jwe}="), jwe.replacen("..", ".AAAA.", 1)] {
        assert_eq!(key.unwrap(&other).err(), Some(UnwrapError::Malformed));
    }
}

// attacks 10 and 53
#[test]
fn neither_an_altered_text_nor_another_key_opens_it() {
    let (key, other) = (key(), key());
    let jwe = wrap(&key, |_| {});
    assert_eq!(other.unwrap(&jwe).err(), Some(UnwrapError::WrongRecipient));
    let header = jwe.split('.').next().unwrap();
    let mut changed: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(header.as_bytes()).unwrap()).unwrap();
    changed["claviger"]["key"] = json!("other");
    let changed = BASE64URL_NOPAD.encode(changed.to_string().as_bytes());
    assert_eq!(key.unwrap(&jwe.replacen(header, &changed, 1)).err(), Some(UnwrapError::Failed));
    let renamed = wrap(&key, |header| {
        header["kid"] = json!(BASE64URL_NOPAD.encode(other.thumbprint()));
    });
    assert_eq!(other.unwrap(&renamed).err(), Some(UnwrapError::Failed));
}

#[test]
fn every_kind_makes_a_key_with_public_members_only() {
    for (kind, names) in [
        (RecipientKind::P256, &["crv", "kty", "x", "y"][..]),
        (RecipientKind::P384, &["crv", "kty", "x", "y"]),
        (RecipientKind::P521, &["crv", "kty", "x", "y"]),
        (RecipientKind::Rsa2048, &["e", "kty", "n"]),
        (RecipientKind::X25519, &["crv", "kty", "x"]),
        (RecipientKind::XWing, &["alg", "kty", "pub"]),
        (RecipientKind::Rsa3072, &["e", "kty", "n"]),
    ] {
        let key = RecipientKey::generate(kind).unwrap();
        assert!(key.jwk().keys().eq(names.iter()), "{kind:?}");
    }
}
