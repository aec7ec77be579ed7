//! Public keys come in: from their parts and from each encoding. Whatever the encoding, the key is
//! validated here: points lie on their curve, RSA moduli have 2048 bits or more.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{self as sig, ParsedPublicKey, RsaPublicKeyComponents};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;

use super::super::algorithm::KeyEncoding;
use super::super::der::{self, Reader, tag};
use super::super::fault::Fault;
use super::{Kind, Parsed, PublicKey, algorithm, cose, jwk, tpm};

mod oid {
    /// id-ecPublicKey, 1.2.840.10045.2.1
    pub(super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    /// secp256r1, 1.2.840.10045.3.1.7
    pub(super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    /// secp384r1, 1.3.132.0.34
    pub(super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    /// secp521r1, 1.3.132.0.35
    pub(super) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
    /// rsaEncryption, 1.2.840.113549.1.1.1
    pub(super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    /// id-Ed25519, 1.3.101.112
    pub(super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    /// id-ml-dsa-65, 2.16.840.1.101.3.4.3.18
    pub(super) const ML_DSA_65: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x12];
    /// id-ml-dsa-87, 2.16.840.1.101.3.4.3.19
    pub(super) const ML_DSA_87: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x13];
}

impl PublicKey {
    /// Reads a key that fills `bytes`.
    pub(crate) fn decode(bytes: &[u8], encoding: KeyEncoding) -> Result<Self, Fault> {
        match encoding {
            KeyEncoding::SpkiDer => Self::from_spki(bytes),
            KeyEncoding::Sec1 => Self::from_point(bytes),
            KeyEncoding::RawXy => Self::from_coordinates(bytes),
            KeyEncoding::TpmPublic => tpm::decode(bytes),
            KeyEncoding::Jwk => jwk::decode(bytes),
            KeyEncoding::CoseKey => cose::decode(bytes),
        }
    }

    /// A key as an operator has it: SubjectPublicKeyInfo in PEM or DER, or a JWK.
    pub(crate) fn supplied(bytes: &[u8]) -> Result<Self, Fault> {
        let text = bytes.trim_ascii();
        if text.starts_with(b"{") {
            return Self::decode(text, KeyEncoding::Jwk);
        }
        // SEQUENCE: DER.
        if bytes.first() == Some(&0x30) {
            return Self::from_spki(bytes);
        }
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(bytes).map_err(|error| {
            Fault::Malformed(format!("the key is no PUBLIC KEY in PEM: {error}"))
        })?;
        Self::from_spki(&spki)
    }

    /// A DER SubjectPublicKeyInfo.
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, Fault> {
        let Spki { oid, parameters, bits } =
            Spki::read(spki).map_err(|fault| fault.within("public key"))?;
        match (oid, parameters) {
            (oid::EC, Some([0x06, _, curve @ ..])) => {
                let kind = match curve {
                    oid::P256 => Kind::P256,
                    oid::P384 => Kind::P384,
                    oid::P521 => Kind::P521,
                    _ => return Err(Fault::unsupported("a key on an unknown curve")),
                };
                Self::of_kind(kind, bits)
            }
            (oid::RSA, Some([0x05, 0x00])) => {
                let parts = || -> der::Result<(&[u8], &[u8])> {
                    let mut key = Reader::whole(bits, tag::SEQUENCE)?;
                    let modulus = der::unsigned(key.expect(tag::INTEGER)?.content)?;
                    let exponent = der::unsigned(key.expect(tag::INTEGER)?.content)?;
                    key.finish()?;
                    Ok((modulus, exponent))
                };
                let (modulus, exponent) = parts().map_err(|fault| fault.within("RSA key"))?;
                Self::from_rsa(modulus, exponent)
            }
            (oid::ED25519, None) => Self::of_kind(Kind::Ed25519, bits),
            (oid::ML_DSA_65, None) => Self::of_kind(Kind::MlDsa65, bits),
            (oid::ML_DSA_87, None) => Self::of_kind(Kind::MlDsa87, bits),
            _ => Err(Fault::unsupported("a public key of an unknown algorithm")),
        }
    }

    /// A SEC 1 point; its length tells the curve.
    fn from_point(point: &[u8]) -> Result<Self, Fault> {
        let kind = match (point.first(), point.len()) {
            (Some(4), 65) | (Some(2 | 3), 33) => Kind::P256,
            (Some(4), 97) | (Some(2 | 3), 49) => Kind::P384,
            (Some(4), 133) | (Some(2 | 3), 67) => Kind::P521,
            _ => return Err(Fault::malformed("a SEC 1 point of P-256, P-384 or P-521")),
        };
        Self::of_kind(kind, point)
    }

    /// x then y; their length tells the curve.
    fn from_coordinates(coordinates: &[u8]) -> Result<Self, Fault> {
        let point: Vec<u8> = [&[4], coordinates].concat();
        Self::from_point(&point)
    }

    /// x and y of a named curve, each of the curve's length exactly.
    pub(super) fn from_x_y(kind: Kind, x: &[u8], y: &[u8]) -> Result<Self, Fault> {
        let length = kind
            .coordinate()
            .ok_or_else(|| Fault::unsupported("coordinates of a key that is not on a curve"))?;
        if x.len() != length || y.len() != length {
            return Err(Fault::malformed("a coordinate that has not the curve's length"));
        }
        Self::of_kind(kind, &[&[4], x, y].concat())
    }

    /// Modulus and public exponent, big-endian, without leading zeros.
    pub(super) fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, Fault> {
        let bits = match modulus.first() {
            None | Some(0) => return Err(Fault::malformed("an RSA modulus")),
            Some(first) => modulus.len().saturating_mul(8) - first.leading_zeros() as usize,
        };
        if !(2048..=8192).contains(&bits) {
            return Err(Fault::Unsupported(format!("an RSA key of {bits} bits")));
        }
        let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
        // From 3 to 33 bits: larger ones only cost time.
        let sound = match exponent {
            [] | [0, ..] | [1] => false,
            [1, _, _, _, _] => true,
            _ => exponent.len() <= 4,
        };
        if !odd(modulus) || !odd(exponent) || !sound {
            return Err(Fault::malformed("an RSA key with an impossible modulus or exponent"));
        }
        let components = RsaPublicKeyComponents { n: modulus, e: exponent };
        let parsed = components
            .to_parsed_public_key(&sig::RSA_PKCS1_2048_8192_SHA256)
            .map_err(|_| Fault::malformed("an RSA key"))?;
        Ok(Self::parsed(Kind::Rsa, parsed))
    }

    /// The key's own bytes: a SEC 1 point, or the raw key of Ed25519 and ML-DSA.
    pub(super) fn of_kind(kind: Kind, bytes: &[u8]) -> Result<Self, Fault> {
        // The provider reads more than these: a whole SubjectPublicKeyInfo, hybrid points.
        let form = match (kind, bytes.first()) {
            (Kind::Ed25519, _) => bytes.len() == 32,
            (Kind::MlDsa65, _) => bytes.len() == 1952,
            (Kind::MlDsa87, _) => bytes.len() == 2592,
            (_, Some(4)) => kind.coordinate().is_some_and(|one| bytes.len() == 1 + 2 * one),
            (_, Some(2 | 3)) => kind.coordinate().is_some_and(|one| bytes.len() == 1 + one),
            _ => false,
        };
        if !form {
            return Err(Fault::Malformed(format!(
                "a {} key of another form or length",
                kind.name()
            )));
        }
        let algorithm = algorithm(kind, kind.usual_scheme())?;
        let parsed = ParsedPublicKey::new(algorithm, bytes)
            .map_err(|_| Fault::Malformed(format!("a key that is not a {} key", kind.name())))?;
        Ok(Self::parsed(kind, parsed))
    }

    fn parsed(kind: Kind, key: ParsedPublicKey) -> Self {
        Self(Arc::new(Parsed {
            kind,
            first: (kind.usual_scheme(), key),
            fingerprint: OnceLock::new(),
            second: OnceLock::new(),
        }))
    }
}

/// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), borrowed.
struct Spki<'a> {
    oid: &'a [u8],
    /// With tag and length.
    parameters: Option<&'a [u8]>,
    bits: &'a [u8],
}

impl<'a> Spki<'a> {
    fn read(spki: &'a [u8]) -> der::Result<Self> {
        let mut outer = Reader::whole(spki, tag::SEQUENCE)?;
        let mut identifier = outer.nested(tag::SEQUENCE)?;
        let bits = der::octets_of_bits(outer.expect(tag::BIT_STRING)?.content)?;
        outer.finish()?;
        let oid = identifier.expect(tag::OID)?.content;
        let parameters = match identifier.is_empty() {
            true => None,
            false => Some(identifier.any()?.raw),
        };
        identifier.finish()?;
        Ok(Self { oid, parameters, bits })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };

    use super::*;

    /// A value with a tag and a length under 128.
    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, content.len() as u8], content].concat()
    }

    fn spki_of_ec(bits: &[u8]) -> Vec<u8> {
        let oids = [tlv(tag::OID, oid::EC), tlv(tag::OID, oid::P256)].concat();
        let bits = tlv(tag::BIT_STRING, &[&[0], bits].concat());
        let content = [tlv(tag::SEQUENCE, &oids), bits].concat();
        let length = content.len();
        match length {
            0..128 => tlv(tag::SEQUENCE, &content),
            _ => [&[tag::SEQUENCE, 0x81, length as u8], content.as_slice()].concat(),
        }
    }

    // attack 53
    #[test]
    fn a_point_has_one_form_or_the_other_and_its_curves_length() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let read = |bits: &[u8]| PublicKey::from_spki(&spki_of_ec(bits)).map(|key| key.kind());
        let parity = point[64] & 1;
        let compressed = [&[2 | parity], &point[1..33]].concat();
        let hybrid = [&[6 | parity], &point[1..]].concat();
        assert_eq!(read(point), Ok(Kind::P256));
        assert_eq!(read(&compressed), Ok(Kind::P256));
        let longer = [point, &[0]].concat();
        for other in [&hybrid, spki.as_ref(), &point[..64], &longer, &[0], &[]] {
            assert!(matches!(read(other), Err(Fault::Malformed(_))), "{other:?}");
        }
    }

    // attack 53
    #[test]
    fn a_key_that_is_no_point_has_its_length() {
        let pair = Ed25519KeyPair::generate().unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let read = |bytes: &[u8]| PublicKey::of_kind(Kind::Ed25519, bytes).is_ok();
        assert!(read(pair.public_key().as_ref()));
        assert!(!read(spki.as_ref()) && !read(&pair.public_key().as_ref()[1..]));
        assert!(PublicKey::of_kind(Kind::MlDsa65, &[1; 1951]).is_err());
        assert!(PublicKey::of_kind(Kind::MlDsa87, &[1; 1952]).is_err());
    }

    // attack 53
    #[test]
    fn an_rsa_exponent_is_odd_and_of_33_bits_at_most() {
        let modulus = [&[0xc1][..], &[0x55; 255]].concat();
        let read = |exponent: &[u8]| PublicKey::from_rsa(&modulus, exponent).is_ok();
        for sound in [&[3][..], &[1, 0, 1], &[0xff; 4], &[1, 0, 0, 0, 1]] {
            assert!(read(sound), "{sound:?}");
        }
        for unsound in
            [&[][..], &[0], &[1], &[2], &[0, 3], &[1, 0, 0], &[2, 0, 0, 0, 1], &[1, 0, 0, 0, 0, 1]]
        {
            assert!(!read(unsound), "{unsound:?}");
        }
    }
}
