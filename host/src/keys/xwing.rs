//! X-Wing, the hybrid of ML-KEM-768 and X25519 (draft-connolly-cfrg-xwing-kem-08; the same as
//! `MLKEM768-X25519`, HPKE KEM 0x647a, of draft-ietf-hpke-pq). What is wrapped stays secret while
//! either of the two holds.
//!
//! JOSE has no registered name for it yet; the drafts that would use it through HPKE
//! (draft-skokan-jose-hpke-pq-pqt) derive keys with SHAKE256, which the cryptographic provider does
//! not offer. Until then this is Claviger's own profile, under a name that none of those uses:
//!
//! - The JWK is `{"kty": "AKP", "alg": "X-Wing", "pub": …}`. `pub` is base64url of 1216 bytes:
//!   ML-KEM-768 encapsulation key (1184, FIPS 203) ‖ X25519 public key (32).
//! - The JWE has `alg` `X-Wing` and `enc` `A256GCM`. Its Encrypted Key is the encapsulation, 1120
//!   bytes: ML-KEM-768 ciphertext `ct_M` (1088) ‖ ephemeral X25519 public key `ct_X` (32).
//! - The shared secret is SHA3-256 over 134 bytes: `ss_M` (32) ‖ `ss_X` (32) ‖ `ct_X` (32) ‖ the
//!   recipient's X25519 public key (32) ‖ the label `5c 2e 2f 2f 5e 5c`.
//! - The content key is derived from it as for `ECDH-ES`: Concat KDF (RFC 7518, section 4.6.2) with
//!   the AlgorithmID `A256GCM`, `apu` and `apv` of the header and 256 bits.

use aws_lc_rs::agreement::PrivateKey;
use aws_lc_rs::digest::{Context, SHA3_256};
use aws_lc_rs::kem::{DecapsulationKey, EncapsulationKey, ML_KEM_768};
use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::agreement::{CURVE_X25519, Point};
use super::jwk::{Canonical, Members};
use super::recipient::{RecipientKeyError, WrapError};

/// `alg` of the JWK and of the JWE.
pub(super) const ALGORITHM: &str = "X-Wing";

/// Bytes of an ML-KEM-768 encapsulation key: 768 coefficients of 12 bits and a seed.
const ML_KEM_KEY: usize = 1184;
/// Bytes of an ML-KEM-768 ciphertext.
const ML_KEM_CIPHERTEXT: usize = 1088;
/// Bytes of an X25519 public key.
const X25519_KEY: usize = 32;
/// The modulus of ML-KEM's coefficients.
const Q: u16 = 3329;

/// The draft's label, `\.//^\`.
const LABEL: &[u8; 6] = br"\.//^\";

/// A secret that sender and recipient share.
pub(super) type Shared = Zeroizing<[u8; 32]>;

/// A validated public key.
pub(super) struct PublicKey {
    octets: Vec<u8>,
    ml_kem: EncapsulationKey,
    x25519: Point,
}

impl PublicKey {
    /// From `alg` and `pub`.
    pub(super) fn from_members(members: Members<'_>) -> Result<Self, RecipientKeyError> {
        if members.text("alg")? != ALGORITHM {
            return Err(RecipientKeyError::Unsupported("alg"));
        }
        Self::from_octets(members.octets("pub")?)
    }

    /// From 1216 bytes.
    fn from_octets(octets: Vec<u8>) -> Result<Self, RecipientKeyError> {
        let (ml_kem, x25519) = octets
            .split_at_checked(ML_KEM_KEY)
            .filter(|(_, x25519)| x25519.len() == X25519_KEY)
            .ok_or(RecipientKeyError::Malformed("pub"))?;
        check_modulus(ml_kem)?;
        let x25519 = Point::from_octets(&CURVE_X25519, x25519)?;
        let ml_kem = EncapsulationKey::new(&ML_KEM_768, ml_kem)
            .map_err(|_| RecipientKeyError::InvalidPoint)?;
        Ok(Self { octets, ml_kem, x25519 })
    }

    /// The key in its canonical spelling.
    pub(super) fn canonical(&self) -> Canonical {
        let octets = BASE64URL_NOPAD.encode(&self.octets);
        Canonical::new(&[("alg", ALGORITHM), ("kty", "AKP"), ("pub", &octets)])
    }

    /// Makes a shared secret and the encapsulation from which the recipient gets it too.
    pub(super) fn encapsulate(&self) -> Result<(Vec<u8>, Shared), WrapError> {
        let (ciphertext, ml_kem) = self.ml_kem.encapsulate().map_err(|_| WrapError::Provider)?;
        let (ephemeral, x25519) = self.x25519.agree_fresh()?;
        let recipient = self.octets.get(ML_KEM_KEY..).unwrap_or_default();
        let shared = combine(ml_kem.as_ref(), &x25519, &ephemeral, recipient);
        Ok(([ciphertext.as_ref(), &ephemeral].concat(), shared))
    }
}

/// A private key; it stays with whoever made it.
pub(super) struct SecretKey {
    ml_kem: DecapsulationKey,
    x25519: PrivateKey,
    public: PublicKey,
}

impl SecretKey {
    /// A fresh key.
    pub(super) fn generate() -> Result<Self, WrapError> {
        let ml_kem = DecapsulationKey::generate(&ML_KEM_768).map_err(|_| WrapError::Provider)?;
        let x25519 =
            PrivateKey::generate(CURVE_X25519.algorithm).map_err(|_| WrapError::Provider)?;
        let ml_kem_public = ml_kem
            .encapsulation_key()
            .and_then(|key| key.key_bytes())
            .map_err(|_| WrapError::Provider)?;
        let x25519_public = x25519.compute_public_key().map_err(|_| WrapError::Provider)?;
        let octets = [ml_kem_public.as_ref(), x25519_public.as_ref()].concat();
        let public = PublicKey::from_octets(octets).map_err(|_| WrapError::Provider)?;
        Ok(Self { ml_kem, x25519, public })
    }

    /// The public half.
    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The shared secret of an encapsulation of 1120 bytes. One made for another key gives another
    /// secret (ML-KEM rejects implicitly), and with it nothing can be opened.
    pub(super) fn decapsulate(&self, encapsulation: &[u8]) -> Option<Shared> {
        let (ciphertext, ephemeral) = encapsulation.split_at_checked(ML_KEM_CIPHERTEXT)?;
        let point = Point::from_octets(&CURVE_X25519, ephemeral).ok()?;
        let x25519 = point.agree(&self.x25519).ok()?;
        let ml_kem = self.ml_kem.decapsulate(ciphertext.into()).ok()?;
        let recipient = self.public.octets.get(ML_KEM_KEY..)?;
        Some(combine(ml_kem.as_ref(), &x25519, ephemeral, recipient))
    }
}

/// The combiner of the draft, section 5.3. The provider has no way to hash into a buffer of ours, and
/// its digest is a plain value that cannot be wiped: the stack keeps a copy of the shared secret until
/// it is used again.
fn combine(ml_kem: &[u8], x25519: &[u8], ephemeral: &[u8], recipient: &[u8]) -> Shared {
    let mut hash = Context::new(&SHA3_256);
    for part in [ml_kem, x25519, ephemeral, recipient, LABEL] {
        hash.update(part);
    }
    let mut shared = Zeroizing::new([0; 32]);
    for (to, from) in shared.iter_mut().zip(hash.finish().as_ref()) {
        *to = *from;
    }
    shared
}

/// The modulus check of FIPS 203, section 7.2: every coefficient is below `Q`. Two coefficients lie
/// in three bytes, little-endian.
fn check_modulus(key: &[u8]) -> Result<(), RecipientKeyError> {
    let coefficients = key.get(..1152).unwrap_or_default();
    let reduced = coefficients.chunks_exact(3).all(|bytes| match *bytes {
        [a, b, c] => {
            let (a, b, c) = (u16::from(a), u16::from(b), u16::from(c));
            (a | (b & 0x0f) << 8) < Q && (b >> 4 | c << 4) < Q
        }
        _ => false,
    });
    if reduced { Ok(()) } else { Err(RecipientKeyError::InvalidPoint) }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use serde_json::{Value, json};

    use super::*;

    /// The draft's appendix C, first case: its seed expanded (section 5.2) to the ML-KEM-768
    /// decapsulation key and the X25519 private key, for the provider takes no seeds.
    #[test]
    fn the_draft_s_encapsulation_gives_the_draft_s_secret() {
        let case: Value = serde_json::from_str(include_str!("testdata/xwing.json")).unwrap();
        let bytes = |name: &str| HEXLOWER.decode(case[name].as_str().unwrap().as_bytes()).unwrap();
        let key = SecretKey {
            ml_kem: DecapsulationKey::new(&ML_KEM_768, &bytes("ml_kem_decapsulation_key")).unwrap(),
            x25519: PrivateKey::from_private_key(
                CURVE_X25519.algorithm,
                &bytes("x25519_private_key"),
            )
            .unwrap(),
            public: PublicKey::from_octets(bytes("pk")).unwrap(),
        };
        assert_eq!(key.decapsulate(&bytes("ct")).unwrap().as_slice(), bytes("ss"));
    }

    #[test]
    fn both_sides_share_the_secret() {
        let key = SecretKey::generate().unwrap();
        let (encapsulation, shared) = key.public().encapsulate().unwrap();
        assert_eq!(encapsulation.len(), 1120);
        assert_eq!(key.decapsulate(&encapsulation).unwrap(), shared);
        let other = SecretKey::generate().unwrap();
        assert_ne!(other.decapsulate(&encapsulation).unwrap(), shared);
        assert!(key.decapsulate(&encapsulation[..1119]).is_none());
        assert!(key.decapsulate(&[encapsulation.as_slice(), &[0]].concat()).is_none());
    }

    // attack 53
    #[test]
    fn a_public_key_with_a_coefficient_beyond_the_modulus_is_refused() {
        let key = SecretKey::generate().unwrap();
        let valid = key.public().octets.clone();
        assert!(PublicKey::from_octets(valid.clone()).is_ok());
        for (at, pattern) in
            [(0, [0x01, 0x0d, 0x00]), (1149, [0x00, 0x10, 0xd0]), (3, [0xff, 0xff, 0xff])]
        {
            let mut octets = valid.clone();
            octets[at..at + 3].copy_from_slice(&pattern);
            assert!(
                matches!(PublicKey::from_octets(octets), Err(RecipientKeyError::InvalidPoint)),
                "{at}"
            );
        }
    }

    // attack 53
    #[test]
    fn a_public_key_of_another_length_or_algorithm_is_refused() {
        let key = SecretKey::generate().unwrap();
        for octets in [
            key.public().octets[..1215].to_vec(),
            [key.public().octets.as_slice(), &[0]].concat(),
            Vec::new(),
        ] {
            assert!(matches!(
                PublicKey::from_octets(octets),
                Err(RecipientKeyError::Malformed("pub"))
            ));
        }
        let jwk = json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"});
        assert!(matches!(
            PublicKey::from_members(Members::of(&jwk).unwrap()),
            Err(RecipientKeyError::Unsupported("alg"))
        ));
    }
}
