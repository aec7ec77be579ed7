//! A signer's certificates, checked for all but the moment and the root: who keeps a signed document for
//! later asks about both when it is used.

use std::sync::Arc;

use super::fault::Fault;
use super::key::{Kind, PublicKey, Scheme};
use super::vendors::PUBLISHED_SIGNERS;
use super::x509::Certificate;
use super::{anchors, authority};
use crate::clock::Timestamp;

/// A chain, leaf first, each certificate issued by the next.
#[derive(Clone)]
pub(crate) struct Lineage {
    key: PublicKey,
    last: Arc<Certificate>,
    /// How many certificates stand between the last one and the leaf; the last one counts where it is none.
    below: usize,
    not_before: Timestamp,
    not_after: Timestamp,
}

/// A vendor's root for what it signs beside hardware.
#[derive(Clone)]
pub(crate) struct SigningRoot(Arc<Certificate>);

impl Lineage {
    /// Reads a chain in DER.
    pub(crate) fn read(chain: &[Vec<u8>]) -> Result<Self, Fault> {
        let mut certificates = Vec::with_capacity(chain.len());
        for der in chain {
            certificates.push(Certificate::parse(der)?);
        }
        let leaf = certificates.first().ok_or_else(|| Fault::malformed("an empty chain"))?;
        leaf.check_end_entity()?;
        for (below, (issued, issuer)) in
            certificates.iter().zip(certificates.iter().skip(1)).enumerate()
        {
            issued.check_issued_by(issuer)?;
            anchors::check_path_length(issuer, below)?;
        }
        let key = leaf.key.clone();
        let not_before = certificates.iter().map(|one| one.not_before).max().unwrap_or_default();
        let not_after = certificates.iter().map(|one| one.not_after).min().unwrap_or_default();
        let below = certificates.len().saturating_sub(1);
        let last = certificates.pop().ok_or_else(|| Fault::malformed("an empty chain"))?;
        Ok(Self { key, last: Arc::new(last), below, not_before, not_after })
    }

    /// When all of the certificates are valid; both ends count.
    pub(crate) fn window(&self) -> (Timestamp, Timestamp) {
        (self.not_before, self.not_after)
    }

    /// Whether the leaf signed a message, with r and s on P-384, and the chain leads to this root.
    pub(crate) fn check(
        &self,
        root: &SigningRoot,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Fault> {
        let SigningRoot(root) = root;
        if self.last.der() != root.der() {
            self.last.check_issued_by(root)?;
            anchors::check_path_length(root, self.below)?;
        }
        if self.below == 0 && self.last.der() == root.der() {
            return Err(Fault::untrusted("a root signs certificates, not documents"));
        }
        root.check_dates(self.not_before)?;
        root.check_dates(self.not_after)?;
        if self.key.kind() != Kind::P384 {
            return Err(Fault::unsupported("a signer whose key is not on P-384"));
        }
        self.key.verify(Scheme::EcdsaFixed, message, signature)
    }
}

impl std::fmt::Debug for Lineage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lineage(up to {})", self.last.subject)
    }
}

impl SigningRoot {
    /// The built-in root of that name.
    pub(crate) fn named(name: &str) -> Result<Self, Fault> {
        let published = PUBLISHED_SIGNERS.iter().find(|one| one.set == name);
        let published = published
            .ok_or_else(|| Fault::Untrusted(format!("no root called {name:?} is built in")))?;
        Self::read(published.pem)
    }

    /// A certificate that signs itself, PEM or DER.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Fault> {
        let root = authority::one_certificate(bytes)?;
        root.check_issued_by(&root)?;
        Ok(Self(Arc::new(root)))
    }

    /// SHA-256 over its key's SubjectPublicKeyInfo.
    pub(crate) fn fingerprint(&self) -> Result<[u8; 32], Fault> {
        self.0.key.fingerprint()
    }
}
