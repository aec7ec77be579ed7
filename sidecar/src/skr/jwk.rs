//! A released key as a JWK: symmetric keys as they are, RSA and EC keys out of PKCS#8 (RFC 5208).

use aws_lc_rs::agreement::{ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey};
use claviger_client::Secret;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value, json};

/// Why a key is no JWK.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the released key is not of the kind that the vault says it is")]
pub(super) struct KeyError;

/// Object identifiers of the curves (RFC 5480, section 2.1.1.1), DER without tag and length.
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];

/// The JWK of material whose kind the vault names: `oct`, `RSA`, `EC`, each with `-HSM` or without.
pub(super) fn jwk(
    kty: &str,
    key_ops: Option<&Value>,
    material: &Secret,
) -> Result<Value, KeyError> {
    let kind = kty.strip_suffix("-HSM").unwrap_or(kty);
    let mut jwk = match kind {
        "oct" => json!({"kty": "oct", "k": text(material.expose())}),
        "RSA" => rsa(material.expose()).ok_or(KeyError)?,
        "EC" => ec(material.expose()).ok_or(KeyError)?,
        _ => return Err(KeyError),
    };
    if let (Some(key_ops), Some(members)) = (key_ops, jwk.as_object_mut()) {
        members.insert("key_ops".to_owned(), key_ops.clone());
    }
    Ok(jwk)
}

/// RSAPrivateKey (RFC 8017, appendix A.1.2).
fn rsa(pkcs8: &[u8]) -> Option<Value> {
    let (_, key) = private_key_info(pkcs8)?;
    let mut numbers = Der(Der(key).only(0x30)?);
    numbers.next(0x02).filter(|version| *version == [0])?;
    let mut members: Map<String, Value> = Map::new();
    members.insert("kty".to_owned(), json!("RSA"));
    for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        let number = numbers.next(0x02)?;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        members.insert(name.to_owned(), json!(text(number)));
    }
    numbers.0.is_empty().then_some(Value::Object(members))
}

/// ECPrivateKey (RFC 5915); the public point is computed.
fn ec(pkcs8: &[u8]) -> Option<Value> {
    let (mut algorithm, key) = private_key_info(pkcs8)?;
    algorithm.next(0x06)?;
    let (name, curve, length) = match algorithm.next(0x06)? {
        P256 => ("P-256", &ECDH_P256, 32),
        P384 => ("P-384", &ECDH_P384, 48),
        P521 => ("P-521", &ECDH_P521, 66),
        _ => return None,
    };
    let mut key = Der(Der(key).only(0x30)?);
    key.next(0x02).filter(|version| *version == [1])?;
    let scalar = key.next(0x04).filter(|scalar| scalar.len() == length)?;
    let public = PrivateKey::from_private_key(curve, scalar).ok()?.compute_public_key().ok()?;
    let (x, y) = public.as_ref().get(1..)?.split_at_checked(length)?;
    Some(json!({"kty": "EC", "crv": name, "x": text(x), "y": text(y), "d": text(scalar)}))
}

/// Algorithm and private key of a PrivateKeyInfo.
fn private_key_info(pkcs8: &[u8]) -> Option<(Der<'_>, &[u8])> {
    let mut info = Der(Der(pkcs8).only(0x30)?);
    info.next(0x02)?;
    let algorithm = Der(info.next(0x30)?);
    Some((algorithm, info.next(0x04)?))
}

fn text(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// Elements of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The content of the next element, which has this tag.
    fn next(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (first, rest) = self.0.split_first()?;
        let (length, rest) = rest.split_first()?;
        let (length, rest) = match *length {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*first == tag).then_some(content)
    }

    /// The same, with nothing behind it.
    fn only(mut self, tag: u8) -> Option<&'a [u8]> {
        self.next(tag).filter(|_| self.0.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, PrivateDecryptingKey};
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};

    use super::*;

    fn octets(jwk: &Value, name: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(jwk[name].as_str().unwrap().as_bytes()).unwrap()
    }

    #[test]
    fn a_symmetric_key_is_its_bytes() {
        let ops = json!(["encrypt", "decrypt"]);
        let key = jwk("oct-HSM", Some(&ops), &Secret::new(vec![1; 32])).unwrap();
        assert_eq!(key, json!({"kty": "oct", "k": text(&[1; 32]), "key_ops": ops}));
    }

    #[test]
    fn an_ec_key_has_its_point() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        let key = jwk("EC-HSM", None, &Secret::new(pkcs8)).unwrap();
        let point = [vec![4], octets(&key, "x"), octets(&key, "y")].concat();
        assert_eq!(pair.public_key().as_ref(), point);
        assert_eq!(key["crv"], "P-384");
        assert_eq!(octets(&key, "d").len(), 48);
    }

    #[test]
    fn an_rsa_key_has_all_its_numbers() {
        let pair = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let key = jwk("RSA", None, &Secret::new(der.as_ref().to_vec())).unwrap();
        for (name, length) in [("n", 256), ("e", 3), ("p", 128), ("q", 128)] {
            assert_eq!(octets(&key, name).len(), length, "{name}");
        }
        assert_eq!(key.as_object().unwrap().len(), 9);
    }

    #[test]
    fn material_of_another_kind_is_refused() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let pkcs8 = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
        assert_eq!(jwk("RSA", None, &Secret::new(pkcs8.clone())), Err(KeyError));
        assert_eq!(jwk("OKP", None, &Secret::new(pkcs8.clone())), Err(KeyError));
        for cut in [0, 1, 5, 20, pkcs8.len() - 1] {
            assert_eq!(jwk("EC", None, &Secret::new(pkcs8[..cut].to_vec())), Err(KeyError));
        }
    }
}
