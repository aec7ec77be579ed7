//! A key that a client brings or asks for: its kind, and its material out of a private JWK.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::EcdsaKeyPair;
use serde::Deserialize;

use super::byok;
use super::wire::Octets;
use super::words::refuse;
use crate::flow::vault::{Imported, Operation};
use crate::http::azure::error::Fault;
use crate::keys::PrivateKind;
use crate::secret::Secret;

/// A private JWK (RFC 7518, section 6), or a symmetric one.
#[derive(Debug, Deserialize)]
pub(super) struct PrivateJwk {
    kty: String,
    pub(super) key_ops: Option<Vec<Operation>>,
    crv: Option<String>,
    k: Option<Octets>,
    n: Option<Octets>,
    e: Option<Octets>,
    d: Option<Octets>,
    p: Option<Octets>,
    q: Option<Octets>,
    dp: Option<Octets>,
    dq: Option<Octets>,
    qi: Option<Octets>,
    x: Option<Octets>,
    y: Option<Octets>,
    key_hsm: Option<Octets>,
}

/// The kind of `kty`, and whether it is to be called a key in hardware.
pub(super) fn kind(
    kty: &str,
    size: Option<u64>,
    curve: Option<&str>,
) -> Result<(String, bool), Fault> {
    let (family, hardware) = match kty.strip_suffix("-HSM") {
        Some(family) => (family, true),
        None => (kty, false),
    };
    let kind = match (family, curve.unwrap_or("P-256")) {
        ("RSA", _) => format!("rsa-{}", size.unwrap_or(2048)),
        ("oct", _) => format!("oct-{}", size.unwrap_or(256)),
        ("EC", "P-256") => "ec-p256".to_owned(),
        ("EC", "P-384") => "ec-p384".to_owned(),
        ("EC", "P-521") => "ec-p521".to_owned(),
        ("EC", _) => return Err(refuse("Property crv has an invalid value: P-256, P-384, P-521.")),
        _ => return Err(refuse("Property kty has an invalid value: RSA, EC or oct, with -HSM.")),
    };
    Ok((kind, hardware))
}

impl PrivateJwk {
    /// The kind, or its family of what is wrapped; whether it is to be called one in hardware; the material.
    /// `url`: the vault's own.
    pub(super) fn read(&self, url: &str) -> Result<(String, bool, Imported), Fault> {
        if let Some(package) = &self.key_hsm {
            let (_, hardware) = kind(&self.kty, None, self.crv.as_deref())?;
            let family = self.kty.strip_suffix("-HSM").unwrap_or(&self.kty).to_lowercase();
            return Ok((family, hardware, Imported::Wrapped(byok::read(package.0.expose(), url)?)));
        }
        let missing = |name: &'static str| refuse(&format!("Property key.{name} is missing."));
        let wants = |octets: &Option<Octets>, name| {
            octets.as_ref().map(|octets| octets.0.clone()).ok_or_else(|| missing(name))
        };
        let wrong = || refuse("Property key is not a valid private key of its kty.");
        let family = self.kty.strip_suffix("-HSM").unwrap_or(&self.kty);
        let (bits, material) = match family {
            "oct" => {
                let k = wants(&self.k, "k")?;
                (bits(k.len()), k)
            }
            "RSA" => {
                let (n, e) = (wants(&self.n, "n")?, wants(&self.e, "e")?);
                let octets = n.expose().iter().skip_while(|octet| **octet == 0).count();
                let pair = RsaKeyPair::from_components(&KeyPairComponents {
                    public_key: PublicKeyComponents { n: n.expose(), e: e.expose() },
                    d: wants(&self.d, "d")?.expose(),
                    p: wants(&self.p, "p")?.expose(),
                    q: wants(&self.q, "q")?.expose(),
                    dP: wants(&self.dp, "dp")?.expose(),
                    dQ: wants(&self.dq, "dq")?.expose(),
                    qInv: wants(&self.qi, "qi")?.expose(),
                });
                let pair = pair.map_err(|_| wrong())?;
                let der = pair.as_der().map_err(|_| wrong())?;
                (bits(octets), Secret::new(der.as_ref().to_vec()))
            }
            "EC" => {
                let (kind, _) = kind(&self.kty, None, self.crv.as_deref())?;
                let curve =
                    PrivateKind::of(&kind).and_then(PrivateKind::curve).ok_or_else(wrong)?;
                let (x, y) = (wants(&self.x, "x")?, wants(&self.y, "y")?);
                let point = [&[4], x.expose(), y.expose()].concat();
                let d = wants(&self.d, "d")?;
                let pair = EcdsaKeyPair::from_private_key_and_public_key(curve, d.expose(), &point);
                let pair = pair.map_err(|_| wrong())?;
                let der = pair.to_pkcs8v1().map_err(|_| wrong())?;
                (None, Secret::new(der.as_ref().to_vec()))
            }
            _ => return Err(refuse("Property key.kty has an invalid value.")),
        };
        let (kind, hardware) = kind(&self.kty, bits, self.crv.as_deref())?;
        Ok((kind, hardware, Imported::Plain(material)))
    }
}

fn bits(octets: usize) -> Option<u64> {
    u64::try_from(octets).ok().map(|octets| octets.saturating_mul(8))
}
