//! The recipient key: the public key of a workload, to which released keys are wrapped.

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use zeroize::Zeroizing;

use super::agreement::{self, Point, PublicJwk};
use super::concat_kdf;
use super::jwe::{self, ContentKey, ENCRYPTION, Header, WrapHeader};
use super::jwk::{Canonical, Members};
use super::{rsa, spki, xwing};

/// `apu` of what this host wraps: the name of the sender.
const SENDER: &[u8] = b"Claviger";

/// Why a recipient key was refused. Names members, repeats nothing of their content.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RecipientKeyError {
    /// `alg`, `use` or `key_ops` says that the key is for something else.
    #[error("the member `{0}` does not allow what the key is needed for")]
    Contradiction(&'static str),
    /// The point is not on its curve, of small order, or spelled in a way that is not canonical; or
    /// the coefficients are beyond their modulus.
    #[error("the public key is not a valid one")]
    InvalidPoint,
    /// A member is missing, not base64url without padding, or of the wrong length.
    #[error("the member `{0}` is missing or malformed")]
    Malformed(&'static str),
    /// Not a JSON object.
    #[error("the recipient key is not a JSON object")]
    NotAnObject,
    /// A private or symmetric key was sent.
    #[error(
        "the member `{0}` is private: it must not leave its owner, and this key must not be used again"
    )]
    PrivateMember(&'static str),
    /// The kind of key is not known here.
    #[error("the member `{0}` names a kind of key that is not supported")]
    Unsupported(&'static str),
    /// RSA with a modulus or exponent outside what is accepted.
    #[error("the member `{0}` is too small or too large")]
    Weak(&'static str),
}

/// Why nothing was wrapped.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum WrapError {
    /// The key agreement failed or came out all zero.
    #[error("the key agreement with the recipient key failed")]
    Agreement,
    /// The wrap is one to RSA keys, and the recipient key is another.
    #[error("the recipient key is not an RSA key")]
    NotRsa,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// A public key that was found fit to wrap to.
pub struct RecipientKey {
    canonical: Canonical,
    material: Material,
}

enum Material {
    Agreement(Point),
    Rsa(rsa::PublicKey),
    XWing(Box<xwing::PublicKey>),
}

impl RecipientKey {
    /// Reads a public JWK (RFC 7517) of one of the kinds in the table of [`crate::keys`]. Members
    /// that no rule speaks of are ignored (RFC 7517, section 4); the caller refuses members that
    /// stand twice, with [`crate::json`].
    ///
    /// # Errors
    /// [`RecipientKeyError`].
    pub fn from_jwk(jwk: &Value) -> Result<Self, RecipientKeyError> {
        let members = Members::of(jwk)?;
        let kty = members.text("kty")?;
        let material = match kty {
            "EC" | "OKP" => {
                members.allow(agreement::ALGORITHM, &["deriveKey", "deriveBits"])?;
                Material::Agreement(Point::from_members(kty, members)?)
            }
            "RSA" => {
                members.allow(rsa::ALGORITHM, &["encrypt", "wrapKey"])?;
                Material::Rsa(rsa::PublicKey::from_members(members)?)
            }
            "AKP" => {
                let key = xwing::PublicKey::from_members(members)?;
                members.allow(xwing::ALGORITHM, &["encapsulateBits", "encapsulateKey"])?;
                Material::XWing(Box::new(key))
            }
            _ => return Err(RecipientKeyError::Unsupported("kty")),
        };
        let canonical = match &material {
            Material::Agreement(point) => point.canonical()?,
            Material::Rsa(key) => key.canonical(),
            Material::XWing(key) => key.canonical(),
        };
        Ok(Self { canonical, material })
    }

    /// The JWK with its required members only; what `cnf` of a token carries.
    #[must_use]
    pub fn jwk(&self) -> &Value {
        &self.canonical.jwk
    }

    /// SHA-256 thumbprint (RFC 7638); for `AKP` over `alg`, `kty` and `pub`.
    #[must_use]
    pub fn thumbprint(&self) -> [u8; 32] {
        self.canonical.thumbprint
    }

    /// The thumbprint in base64url: `kid` of what is wrapped to this key.
    #[must_use]
    pub fn kid(&self) -> String {
        BASE64URL_NOPAD.encode(&self.canonical.thumbprint)
    }

    /// The key as a DER SubjectPublicKeyInfo; none for X-Wing, which has no such form here.
    #[must_use]
    pub fn spki(&self) -> Option<Vec<u8>> {
        spki::of_jwk(&self.canonical.jwk)
    }

    /// Encrypts `plaintext` so that only the holder of the private key reads it: a compact JWE that
    /// authenticates `context` along with it.
    ///
    /// The protected header has `alg`, `enc`, `kid`, `cty` and `claviger`, and for `ECDH-ES` and
    /// `X-Wing` also `apu` (the eight letters `Claviger`) and `apv` (the text of `kid`).
    ///
    /// # Errors
    /// [`WrapError`]; nothing was encrypted then.
    pub fn wrap(&self, plaintext: &[u8], context: &WrapHeader) -> Result<String, WrapError> {
        let kid = self.kid();
        let established = self.establish(kid.as_bytes())?;
        let parties = established.derived.then(|| {
            let name = |party: &[u8]| BASE64URL_NOPAD.encode(party);
            (name(SENDER), name(kid.as_bytes()))
        });
        let (apu, apv) = parties.unzip();
        let header = Header {
            alg: established.algorithm.to_owned(),
            enc: ENCRYPTION.to_owned(),
            kid,
            cty: context.cty.clone(),
            epk: established.epk,
            apu,
            apv,
            claviger: context.clone(),
        };
        jwe::seal(&header, &established.key, &established.encrypted_key, plaintext)
    }

    /// Whether it is an RSA key.
    #[must_use]
    pub fn is_rsa(&self) -> bool {
        self.rsa().is_some()
    }

    /// The key, where it is an RSA key.
    pub(super) fn rsa(&self) -> Option<&rsa::PublicKey> {
        match &self.material {
            Material::Rsa(key) => Some(key),
            Material::Agreement(_) | Material::XWing(_) => None,
        }
    }

    /// Comes to a content key that only the recipient can come to as well.
    fn establish(&self, apv: &[u8]) -> Result<Established, WrapError> {
        match &self.material {
            Material::Agreement(point) => {
                let (ephemeral, z) = point.agree_fresh()?;
                let epk = PublicJwk::new(point.curve(), &ephemeral).ok_or(WrapError::Provider)?;
                let key = concat_kdf::derive(&z, ENCRYPTION, SENDER, apv);
                Ok(Established {
                    algorithm: agreement::ALGORITHM,
                    key: key.map_err(|_| WrapError::Provider)?,
                    derived: true,
                    encrypted_key: Vec::new(),
                    epk: Some(epk),
                })
            }
            Material::Rsa(public) => {
                let mut key: ContentKey = Zeroizing::new([0; 32]);
                aws_lc_rs::rand::fill(key.as_mut()).map_err(|_| WrapError::Provider)?;
                Ok(Established {
                    algorithm: rsa::ALGORITHM,
                    encrypted_key: public.encrypt(&key, rsa::OAEP)?,
                    key,
                    derived: false,
                    epk: None,
                })
            }
            Material::XWing(public) => {
                let (encapsulation, shared) = public.encapsulate()?;
                let key = concat_kdf::derive(shared.as_slice(), ENCRYPTION, SENDER, apv);
                Ok(Established {
                    algorithm: xwing::ALGORITHM,
                    key: key.map_err(|_| WrapError::Provider)?,
                    derived: true,
                    encrypted_key: encapsulation,
                    epk: None,
                })
            }
        }
    }
}

impl std::fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecipientKey({})", self.kid())
    }
}

/// A content key, and what the recipient needs to come to it.
struct Established {
    algorithm: &'static str,
    key: ContentKey,
    /// Whether the key was derived, with the names of the two parties.
    derived: bool,
    encrypted_key: Vec<u8>,
    epk: Option<PublicJwk>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{RecipientKind, RecipientPrivateKey};
    use super::*;

    fn jwk(kind: RecipientKind) -> Value {
        RecipientPrivateKey::generate(kind).unwrap().jwk().clone()
    }

    fn refused(jwk: &Value) -> RecipientKeyError {
        RecipientKey::from_jwk(jwk).unwrap_err()
    }

    fn with(jwk: &Value, name: &str, value: Value) -> Value {
        let mut jwk = jwk.clone();
        jwk[name] = value;
        jwk
    }

    fn octets(jwk: &Value, name: &str) -> Vec<u8> {
        BASE64URL_NOPAD.decode(jwk[name].as_str().unwrap().as_bytes()).unwrap()
    }

    fn encoded(octets: &[u8]) -> Value {
        json!(BASE64URL_NOPAD.encode(octets))
    }

    const FAST: [RecipientKind; 6] = [
        RecipientKind::P256,
        RecipientKind::P384,
        RecipientKind::P521,
        RecipientKind::Rsa2048,
        RecipientKind::X25519,
        RecipientKind::XWing,
    ];

    #[test]
    fn every_kind_is_read_and_spelled_in_one_way() {
        for kind in FAST {
            let private = RecipientPrivateKey::generate(kind).unwrap();
            let noisy = with(private.jwk(), "kid", json!("mine"));
            let key = RecipientKey::from_jwk(&with(&noisy, "use", json!("enc"))).unwrap();
            assert_eq!(key.jwk(), private.jwk(), "{kind:?}");
            assert_eq!(key.thumbprint(), private.thumbprint(), "{kind:?}");
        }
    }

    // attack 53
    #[test]
    fn a_key_with_a_private_member_is_refused() {
        for kind in FAST {
            for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"] {
                let jwk = with(&jwk(kind), name, json!("AQAB"));
                assert_eq!(refused(&jwk), RecipientKeyError::PrivateMember(name));
            }
        }
    }

    // attack 53
    #[test]
    fn a_point_that_is_not_on_its_curve_is_refused() {
        for kind in [RecipientKind::P256, RecipientKind::P384, RecipientKind::P521] {
            let jwk = jwk(kind);
            for name in ["x", "y"] {
                let mut coordinate = octets(&jwk, name);
                *coordinate.last_mut().unwrap() ^= 1;
                let off = with(&jwk, name, encoded(&coordinate));
                assert_eq!(refused(&off), RecipientKeyError::InvalidPoint, "{kind:?}");
            }
            let zero = encoded(&vec![0; octets(&jwk, "x").len()]);
            let origin = with(&with(&jwk, "x", zero.clone()), "y", zero);
            assert_eq!(refused(&origin), RecipientKeyError::InvalidPoint);
            let ones = encoded(&vec![0xff; octets(&jwk, "x").len()]);
            let beyond = with(&jwk, "x", ones);
            assert_eq!(refused(&beyond), RecipientKeyError::InvalidPoint);
        }
    }

    // attack 53
    #[test]
    fn a_coordinate_of_another_length_or_spelling_is_refused() {
        for kind in [RecipientKind::P256, RecipientKind::P521, RecipientKind::X25519] {
            let jwk = jwk(kind);
            let x = octets(&jwk, "x");
            let text = jwk["x"].as_str().unwrap();
            for value in [
                encoded(&x[1..]),
                encoded(&[&[0], x.as_slice()].concat()),
                json!(format!("{text}=")),
                json!(format!("{text}\n")),
                json!(text.replace(['-', '_'], "+") + "+"),
                json!(""),
                json!(7),
                json!([text]),
            ] {
                let jwk = with(&jwk, "x", value);
                assert_eq!(refused(&jwk), RecipientKeyError::Malformed("x"), "{jwk}");
            }
        }
        // 32 bytes leave two bits over in the last character.
        let trailing = json!(format!("{}B", "A".repeat(42)));
        let jwk = with(&jwk(RecipientKind::X25519), "x", trailing);
        assert_eq!(refused(&jwk), RecipientKeyError::Malformed("x"));
    }

    // attack 53
    #[test]
    fn an_x25519_key_of_small_order_or_in_a_second_spelling_is_refused() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap();
        let last = |low: &str, high: &str| hex(&format!("{low}{}{high}", "ff".repeat(30)));
        let mut keys = vec![
            vec![0; 32],
            hex(&format!("01{}", "00".repeat(31))),
            hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
            hex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
            last("ec", "7f"),
            last("ed", "7f"),
            last("ee", "7f"),
            last("f0", "7f"),
            last("ff", "ff"),
        ];
        let mut high_bits = keys.clone();
        for key in &mut high_bits {
            key[31] |= 0x80;
        }
        keys.extend(high_bits);
        let good = jwk(RecipientKind::X25519);
        let mut second_spelling = octets(&good, "x");
        second_spelling[31] |= 0x80;
        keys.push(second_spelling);
        for key in keys {
            let jwk = with(&good, "x", encoded(&key));
            assert_eq!(refused(&jwk), RecipientKeyError::InvalidPoint, "{key:02x?}");
        }
    }

    // attack 53
    #[test]
    fn weak_or_oversized_rsa_is_refused() {
        let good = jwk(RecipientKind::Rsa2048);
        let n = octets(&good, "n");
        let weak = RecipientKeyError::Weak;
        let malformed = RecipientKeyError::Malformed;
        let mut short = n.clone();
        short[0] = 0x7f;
        let mut even = n.clone();
        even[255] &= 0xfe;
        let mut largest = vec![0xff; 1024];
        largest[1023] = 1;
        for (modulus, fault) in [
            (short, weak("n")),
            (n[128..].iter().map(|byte| byte | 1).collect(), weak("n")),
            ([largest.as_slice(), &[1]].concat(), weak("n")),
            (even, malformed("n")),
            ([&[0], n.as_slice()].concat(), malformed("n")),
            (Vec::new(), malformed("n")),
        ] {
            let jwk = with(&good, "n", encoded(&modulus));
            assert_eq!(refused(&jwk), fault);
        }
        assert!(RecipientKey::from_jwk(&with(&good, "n", encoded(&largest))).is_ok());
        for (exponent, fault) in [
            (vec![1], weak("e")),
            (vec![3], weak("e")),
            (vec![0xff, 0xff], weak("e")),
            (vec![1, 0, 2], weak("e")),
            (vec![1, 0, 0, 0, 1], weak("e")),
            (n.clone(), weak("e")),
            (vec![0, 1, 0, 1], malformed("e")),
            (Vec::new(), malformed("e")),
        ] {
            let jwk = with(&good, "e", encoded(&exponent));
            assert_eq!(refused(&jwk), fault);
        }
    }

    // attack 53
    #[test]
    fn a_key_that_is_meant_for_something_else_is_refused() {
        let contradiction = RecipientKeyError::Contradiction;
        for kind in FAST {
            let jwk = jwk(kind);
            for (name, value) in [
                ("use", json!("sig")),
                ("use", json!(["enc"])),
                ("key_ops", json!(["verify"])),
                ("key_ops", json!(["deriveKey", "encrypt", "sign"])),
                ("key_ops", json!("deriveKey")),
                ("key_ops", json!([1])),
            ] {
                assert_eq!(refused(&with(&jwk, name, value)), contradiction(name));
            }
            let ops = with(&jwk, "key_ops", json!([]));
            assert!(RecipientKey::from_jwk(&ops).is_ok(), "{kind:?}");
            if kind != RecipientKind::XWing {
                for alg in ["ES256", "ECDH-ES+A256KW", "RSA-OAEP", "none"] {
                    let jwk = with(&jwk, "alg", json!(alg));
                    assert_eq!(refused(&jwk), contradiction("alg"), "{kind:?}");
                }
            }
        }
    }

    // attack 53
    #[test]
    fn an_unknown_kind_of_key_is_refused() {
        let p256 = jwk(RecipientKind::P256);
        for (jwk, fault) in [
            (json!([]), RecipientKeyError::NotAnObject),
            (json!("key"), RecipientKeyError::NotAnObject),
            (json!({}), RecipientKeyError::Malformed("kty")),
            (json!({"kty": "oct"}), RecipientKeyError::Unsupported("kty")),
            (json!({"kty": "ec"}), RecipientKeyError::Unsupported("kty")),
            (with(&p256, "crv", json!("secp256k1")), RecipientKeyError::Unsupported("crv")),
            (with(&p256, "crv", json!("Ed25519")), RecipientKeyError::Unsupported("crv")),
            (with(&p256, "crv", json!("X25519")), RecipientKeyError::Unsupported("crv")),
            (with(&p256, "kty", json!("OKP")), RecipientKeyError::Unsupported("crv")),
            (with(&p256, "crv", json!("P-384")), RecipientKeyError::Malformed("x")),
        ] {
            assert_eq!(refused(&jwk), fault, "{jwk}");
        }
    }
}
