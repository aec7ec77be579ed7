//! One product line's authorities: its root (ARK) and what the root issued for chips (ASK) and for
//! cloud providers (ASVK).

use std::sync::Arc;

use super::super::bundle::Bundle;
use super::super::fault::Fault;
use super::super::x509::Certificate;
use super::product::Product;
use super::report::EndorsementKey;
use super::vek::authority_name;

/// One root and its authorities, whose signatures have been checked.
pub(crate) struct Family {
    pub(crate) product: Product,
    pub(crate) root: Arc<Certificate>,
    pub(crate) root_key: [u8; 32],
    pub(crate) simulated: bool,
    authorities: Vec<(EndorsementKey, Arc<Certificate>)>,
}

/// AMD's published roots and authorities; see `roots/README.md`.
const PUBLISHED: [&[u8]; 3] = [
    include_bytes!("roots/milan.pem"),
    include_bytes!("roots/genoa.pem"),
    include_bytes!("roots/turin.pem"),
];

impl Family {
    /// AMD's families.
    pub(crate) fn published() -> Result<Vec<Self>, Fault> {
        PUBLISHED.into_iter().map(Self::from_pem).collect()
    }

    /// A family from the root first, then its authorities.
    fn from_pem(pem: &[u8]) -> Result<Self, Fault> {
        let bundle = Bundle::supplied(pem)?;
        let mut certificates = bundle.certificates.iter().map(|item| Certificate::parse(&item.der));
        let root = certificates.next().ok_or_else(|| Fault::malformed("no root"))??;
        let mut family = Self::of_root(root, false)?;
        for certificate in certificates {
            let certificate = Arc::new(certificate?);
            if !family.adopt(&certificate)? {
                return Err(Fault::malformed("an authority of no known name"));
            }
        }
        Ok(family)
    }

    /// A family of a root that the caller trusts.
    pub(crate) fn of_root(root: Certificate, simulated: bool) -> Result<Self, Fault> {
        let name = root.subject.common_name();
        let product = Product::ALL
            .into_iter()
            .find(|product| name == Some(&format!("ARK-{product}")))
            .ok_or_else(|| Fault::Untrusted(format!("{} is no AMD root", root.subject)))?;
        root.check_issued_by(&root)?;
        let root_key = root.key.fingerprint()?;
        Ok(Self { product, root: Arc::new(root), root_key, simulated, authorities: Vec::new() })
    }

    /// Keeps an authority of this family for good. Answers whether it is one.
    pub(crate) fn adopt(&mut self, certificate: &Arc<Certificate>) -> Result<bool, Fault> {
        let Some(key) = self.role(certificate) else {
            return Ok(false);
        };
        certificate.check_issued_by(&self.root)?;
        self.authorities.push((key, Arc::clone(certificate)));
        Ok(true)
    }

    /// What a certificate may issue here, going by names alone.
    pub(crate) fn role(&self, certificate: &Certificate) -> Option<EndorsementKey> {
        let name = certificate.subject.common_name()?;
        [EndorsementKey::Vcek, EndorsementKey::Vlek]
            .into_iter()
            .find(|key| name == authority_name(*key, self.product))
            .filter(|_| certificate.issuer == self.root.subject)
    }

    /// The root and its authorities.
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        let authorities = self.authorities.iter().map(|(_, certificate)| &**certificate);
        std::iter::once(&*self.root).chain(authorities)
    }

    /// The authorities for keys of a kind.
    pub(crate) fn authorities(
        &self,
        key: EndorsementKey,
    ) -> impl Iterator<Item = &Arc<Certificate>> {
        self.authorities.iter().filter(move |(kind, _)| *kind == key).map(|(_, one)| one)
    }
}
