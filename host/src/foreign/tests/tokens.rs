//! The strict check, over pinned keys.

use claviger_tests::vectors;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};

use super::support::{ISSUER, Listed, NOW, Signer, claims, pinned, recipient, with, without};
use crate::clock::Timestamp;
use crate::foreign::{ForeignError, Issuers};
use crate::json::JsonError;
use crate::keys::RecipientKeyError;

async fn check(signer: &Signer, token: &str) -> Result<(), ForeignError> {
    let listed = Listed::new(pinned(ISSUER, signer.jwks()));
    listed.issuer().check(token, NOW).await.map(|_| ())
}

async fn of_claims(claims: &Value) -> Result<(), ForeignError> {
    let signer = Signer::new("a");
    check(&signer, &signer.token(claims)).await
}

async fn of_header(change: impl FnOnce(Value) -> Value) -> Result<(), ForeignError> {
    let signer = Signer::new("a");
    let header = change(signer.header()).to_string();
    check(&signer, &signer.sign(&header, &claims().to_string())).await
}

#[tokio::test]
async fn a_sound_token_of_a_listed_authority_is_accepted() {
    assert_eq!(of_claims(&claims()).await, Ok(()));
    assert_eq!(of_claims(&with(claims(), "aud", json!(["them", "us"]))).await, Ok(()));
    assert_eq!(of_header(|header| without(header, "typ")).await, Ok(()));
}

// attack 52
#[tokio::test]
async fn an_authoritys_token_without_signature_or_with_a_mac_is_refused() {
    use aws_lc_rs::hmac;
    let signer = Signer::new("a");
    for alg in ["none", "None", "HS256", "EdDSA", "RS256", "PS256", "ES384", "es256"] {
        let outcome = of_header(|header| with(header, "alg", json!(alg))).await;
        assert_eq!(outcome, Err(ForeignError::Algorithm), "{alg}");
    }
    let token = signer.token(&claims());
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert_eq!(check(&signer, &format!("{signed}.")).await, Err(ForeignError::Signature));
    let public = hmac::Key::new(hmac::HMAC_SHA256, &signer.jwks());
    let mac = BASE64URL_NOPAD.encode(hmac::sign(&public, signed.as_bytes()).as_ref());
    assert_eq!(check(&signer, &format!("{signed}.{mac}")).await, Err(ForeignError::Signature));
}

// attack 52
#[tokio::test]
async fn a_key_that_an_authoritys_token_brings_along_is_not_used() {
    let (theirs, thief) = (Signer::new("a"), Signer::new("a"));
    for (name, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!("https://thief.example/certs")),
        ("x5u", json!("https://thief.example/cert")),
    ] {
        let header = with(thief.header(), name, value).to_string();
        let token = thief.sign(&header, &claims().to_string());
        assert_eq!(check(&theirs, &token).await, Err(ForeignError::Signature), "{name}");
    }
    let outcome = of_header(|header| with(header, "crit", json!(["exp"]))).await;
    assert_eq!(outcome, Err(ForeignError::Critical));
    let outcome = of_header(|header| with(header, "typ", json!("logout+jwt"))).await;
    assert_eq!(outcome, Err(ForeignError::Type));
}

// attack 52
#[tokio::test]
async fn a_kid_of_another_authority_is_unknown() {
    let (ours, other) = (Signer::new("a"), Signer::new("b"));
    assert_eq!(check(&ours, &other.token(&claims())).await, Err(ForeignError::UnknownKey));
    let outcome = of_header(|header| without(header, "kid")).await;
    assert_eq!(outcome, Err(ForeignError::UnknownKey));
}

// attack 52
#[tokio::test]
async fn a_key_is_not_used_for_what_its_set_does_not_say() {
    let signer = Signer::new("a");
    for (name, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES384")),
        ("kty", json!("RSA")),
    ] {
        let set = json!({"keys": [with(signer.jwk(), name, value), Signer::new("b").jwk()]});
        let listed = Listed::new(pinned(ISSUER, set.to_string().into_bytes()));
        let outcome = listed.issuer().check(&signer.token(&claims()), NOW).await.map(|_| ());
        let wanted = [Err(ForeignError::UnknownKey), Err(ForeignError::Algorithm)];
        assert!(wanted.contains(&outcome), "{name}: {outcome:?}");
    }
    let twice = json!({"keys": [signer.jwk(), Signer::new("a").jwk(), Signer::new("b").jwk()]});
    let listed = Listed::new(pinned(ISSUER, twice.to_string().into_bytes()));
    let outcome = listed.issuer().check(&signer.token(&claims()), NOW).await.map(|_| ());
    assert_eq!(outcome, Err(ForeignError::UnknownKey));
}

// attack 52
#[tokio::test]
async fn an_authoritys_token_has_its_time_and_its_audience() {
    let at = |name: &str, offset: i64| {
        with(claims(), name, json!(NOW.0.checked_add_signed(offset).unwrap()))
    };
    for (claims, wanted) in [
        (at("exp", -31), ForeignError::Expired),
        (at("iat", 31), ForeignError::NotYetValid),
        (at("nbf", 31), ForeignError::NotYetValid),
        (at("iat", -331), ForeignError::TooOld),
        (without(claims(), "iat"), ForeignError::Claim("iat")),
        (without(claims(), "exp"), ForeignError::Claim("exp")),
        (with(claims(), "exp", json!("1867225600")), ForeignError::Claim("exp")),
        (with(claims(), "nbf", json!(-1)), ForeignError::Claim("nbf")),
        (with(claims(), "aud", json!("them")), ForeignError::Claim("aud")),
        (without(claims(), "aud"), ForeignError::Claim("aud")),
        (with(claims(), "iss", json!("https://authority.example/")), ForeignError::Claim("iss")),
        (with(claims(), "iss", json!([ISSUER])), ForeignError::Claim("iss")),
    ] {
        assert_eq!(of_claims(&claims).await, Err(wanted), "{claims}");
    }
    for sound in [at("exp", -29), at("iat", 29), at("iat", -329)] {
        assert_eq!(of_claims(&sound).await, Ok(()), "{sound}");
    }
}

// attack 52
#[tokio::test]
async fn a_claim_that_stands_twice_in_an_authoritys_token_is_refused() {
    let signer = Signer::new("a");
    let twice = claims().to_string().replacen('{', r#"{"aud":"them","#, 1);
    let token = signer.sign(&signer.header().to_string(), &twice);
    let wanted = ForeignError::Claims(JsonError::DuplicateMember("aud".to_owned()));
    assert_eq!(check(&signer, &token).await, Err(wanted));
    let twice = signer.header().to_string().replacen('{', r#"{"alg":"none","#, 1);
    let token = signer.sign(&twice, &claims().to_string());
    let wanted = ForeignError::Header(JsonError::DuplicateMember("alg".to_owned()));
    assert_eq!(check(&signer, &token).await, Err(wanted));
    let long = signer.token(&with(claims(), "x", json!("A".repeat(100_000))));
    assert_eq!(check(&signer, &long).await, Err(ForeignError::Malformed));
    let five = format!("{}.e30", signer.token(&claims()));
    assert_eq!(check(&signer, &five).await, Err(ForeignError::Malformed));
}

// attacks 10 and 53
#[tokio::test]
async fn a_recipient_key_that_was_swapped_breaks_the_signature() {
    let signer = Signer::new("a");
    let token = signer.token(&claims());
    let [header, _, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let swapped = with(claims(), "cnf", json!({"jwk": recipient()})).to_string();
    let swapped = BASE64URL_NOPAD.encode(swapped.as_bytes());
    let token = format!("{header}.{swapped}.{signature}");
    assert_eq!(check(&signer, &token).await, Err(ForeignError::Signature));
}

// attack 53
#[tokio::test]
async fn of_several_recipient_keys_none_is_chosen_and_a_weak_one_is_refused() {
    let none = without(claims(), "cnf");
    let maa = |keys: Value| with(none.clone(), "x-ms-runtime", json!({"keys": keys}));
    let meant = with(recipient(), "use", json!("enc"));
    let signing = with(recipient(), "use", json!("sig"));
    assert_eq!(of_claims(&maa(json!([meant.clone(), signing.clone()]))).await, Ok(()));
    let ephemeral = with(recipient(), "kid", json!("TpmEphemeralEncryptionKey"));
    assert_eq!(of_claims(&maa(json!([ephemeral.clone()]))).await, Ok(()));
    // One key in both places.
    let key = recipient();
    let both = maa(json!([with(key.clone(), "use", json!("enc"))]));
    assert_eq!(of_claims(&with(both, "cnf", json!({"jwk": key}))).await, Ok(()));
    for (claims, wanted) in [
        (none.clone(), ForeignError::NoRecipient),
        (maa(json!([signing])), ForeignError::NoRecipient),
        (maa(json!([meant.clone(), ephemeral])), ForeignError::ManyRecipients),
        (maa(json!({})), ForeignError::Claim("x-ms-runtime")),
        (
            with(maa(json!([meant])), "cnf", json!({"jwk": recipient()})),
            ForeignError::ManyRecipients,
        ),
        (
            with(
                none.clone(),
                "x-ms-isolation-tee",
                json!({"x-ms-runtime": {"keys": [recipient()]}}),
            ),
            ForeignError::NoRecipient,
        ),
        (
            maa(json!([{"kty": "RSA", "use": "enc", "e": "AQAB",
                "n": BASE64URL_NOPAD.encode(&[0xc1; 128])}])),
            ForeignError::Recipient(RecipientKeyError::Weak("n")),
        ),
    ] {
        assert_eq!(of_claims(&claims).await, Err(wanted), "{claims}");
    }
}

#[test]
fn an_authority_is_listed_once_and_is_not_this_host() {
    let keys = || Signer::new("a").jwks();
    for (plans, own) in [
        (vec![pinned(ISSUER, keys()), pinned("https://authority.example/", keys())], "https://h"),
        (vec![pinned(ISSUER, keys())], "https://authority.example/"),
        (vec![pinned("http://authority.example", keys())], "https://h"),
        (vec![pinned("https://a.example?b=c", keys())], "https://h"),
        (vec![pinned(ISSUER, b"{\"keys\":[]}".to_vec())], "https://h"),
    ] {
        assert!(Issuers::new(plans, own).is_err());
    }
}

// attack 52
#[tokio::test]
async fn a_genuine_azure_token_under_a_key_that_is_not_there_is_refused() {
    let Some(folder) = vectors::folder() else { return };
    let folder = folder.join("maa/unknown-kid-1680173374");
    let token = std::fs::read_to_string(folder.join("token.jwt")).unwrap();
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_slice(&expected).unwrap();
    assert_eq!(expected["expected"]["verdict"], "unknown_key");
    let issuer = expected["fields"]["iss"].as_str().unwrap();
    let at = Timestamp(expected["fields"]["iat"].as_u64().unwrap() + 60);
    let issuers = vec![pinned(issuer, Signer::new("a").jwks())];
    let issuers = Issuers::new(issuers, "https://host.example").unwrap();
    let listed = issuers.of_token(token.trim()).expect("it is read, and says its issuer");
    let outcome = listed.check(token.trim(), at).await.map(|_| ());
    assert_eq!(outcome, Err(ForeignError::UnknownKey));
}
