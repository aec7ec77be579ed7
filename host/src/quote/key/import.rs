//! Public keys come in: from their parts and from each encoding. Whatever the encoding, the key is
//! validated here: points lie on their curve, RSA moduli have 2048 bits or more.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::signature::{self as sig, ParsedPublicKey, RsaPublicKeyComponents};

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
        let length = match kind {
            Kind::P256 => 32,
            Kind::P384 => 48,
            Kind::P521 => 66,
            _ => {
                return Err(Fault::unsupported("coordinates of a key that is not on a curve"));
            }
        };
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
        if !odd(modulus) || !odd(exponent) || matches!(exponent, [0, ..] | [1]) {
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
        if kind == Kind::Ed25519 && bytes.len() != 32 {
            return Err(Fault::malformed("an Ed25519 key of other than 32 bytes"));
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
