//! What came with a report beside its key: read when first asked for, and only as far.

use std::cell::OnceCell;
use std::sync::Arc;

use super::super::authority::Authority;
use super::super::bundle::Bundle;
use super::super::crl::Crl;
use super::super::fault::Fault;
use super::super::x509::Certificate;
use super::family::Family;
use super::report::EndorsementKey;

/// Signatures of authorities that are checked for one report; RSA-4096 each.
const MAX_AUTHORITIES: usize = 4;
/// Signatures of revocation lists that are checked for one report.
const MAX_LISTS: usize = 4;

/// The certificates and lists of one bundle.
pub(crate) struct Brought<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) bundle: &'a Bundle<'a>,
    certificates: Vec<OnceCell<Result<Arc<Certificate>, Fault>>>,
    authorities: OnceCell<Vec<(&'a Family, EndorsementKey, Arc<Certificate>)>>,
    lists: OnceCell<Lists>,
}

/// Lists that a trusted root signed, with its key; and why the first that is none was passed over.
#[derive(Default)]
struct Lists {
    genuine: Vec<([u8; 32], Arc<Crl>)>,
    fault: Option<Fault>,
}

impl<'a> Brought<'a> {
    pub(crate) fn new(authority: &'a Authority, bundle: &'a Bundle<'a>) -> Self {
        Self {
            authority,
            bundle,
            certificates: bundle.certificates.iter().map(|_| OnceCell::new()).collect(),
            authorities: OnceCell::new(),
            lists: OnceCell::new(),
        }
    }

    /// Places in the bundle of what is not one of AMD's own authorities, which the host has.
    pub(crate) fn places(&self) -> impl Iterator<Item = (usize, &'a [u8; 32])> + use<'a> {
        let authority = self.authority;
        let items = self.bundle.certificates.iter().map(|item| &item.fingerprint).enumerate();
        items.filter(|(_, fingerprint)| !authority.is_published(fingerprint))
    }

    /// The certificate at a place.
    pub(crate) fn certificate(&self, place: usize) -> Result<&Arc<Certificate>, Fault> {
        let missing = || Fault::malformed("a certificate");
        let cell = self.certificates.get(place).ok_or_else(missing)?;
        let item = self.bundle.certificates.get(place).ok_or_else(missing)?;
        let certificate = cell.get_or_init(|| Certificate::parse(&item.der).map(Arc::new));
        certificate.as_ref().map_err(Clone::clone)
    }

    /// Authorities for keys of a kind that came along and that a trusted root issued.
    pub(crate) fn authorities(
        &self,
        key: EndorsementKey,
    ) -> impl Iterator<Item = (&'a Family, &Arc<Certificate>)> {
        let found = self.authorities.get_or_init(|| self.find_authorities());
        let of_kind = found.iter().filter(move |(_, kind, _)| *kind == key);
        of_kind.map(|(family, _, certificate)| (*family, certificate))
    }

    fn find_authorities(&self) -> Vec<(&'a Family, EndorsementKey, Arc<Certificate>)> {
        let readable = self.places().filter_map(|(place, _)| self.certificate(place).ok());
        let named = readable.flat_map(|certificate| {
            let families = self.authority.families.iter();
            families
                .filter_map(move |family| Some((family, family.role(certificate)?, certificate)))
        });
        named
            .take(MAX_AUTHORITIES)
            .filter(|(family, _, certificate)| certificate.check_issued_by(&family.root).is_ok())
            .map(|(family, key, certificate)| (family, key, Arc::clone(certificate)))
            .collect()
    }

    /// The lists of a root that came along.
    pub(crate) fn lists_of(&self, root_key: &[u8; 32]) -> impl Iterator<Item = &Arc<Crl>> {
        let of_root = self.lists().genuine.iter().filter(move |(key, _)| key == root_key);
        of_root.map(|(_, list)| list)
    }

    /// Why the first list that should have been one of a trusted root is none.
    pub(crate) fn list_fault(&self) -> Option<&Fault> {
        self.lists().fault.as_ref()
    }

    fn lists(&self) -> &Lists {
        self.lists.get_or_init(|| self.find_lists())
    }

    /// A list that names a root and is not signed by it is a forgery, or of another root of that
    /// name.
    fn find_lists(&self) -> Lists {
        let mut found = Lists::default();
        let mut checks = 0;
        for item in &self.bundle.lists {
            let list = match Crl::parse(&item.der) {
                Ok(list) => Arc::new(list),
                Err(reason) => {
                    found.fault.get_or_insert(reason);
                    continue;
                }
            };
            let named = |family: &&Family| family.root.subject == list.issuer;
            for family in self.authority.families.iter().filter(named) {
                checks += 1;
                if checks > MAX_LISTS {
                    found
                        .fault
                        .get_or_insert(Fault::malformed("more revocation lists than needed"));
                    return found;
                }
                match list.check_issued_by(&family.root) {
                    Ok(()) => found.genuine.push((family.root_key, Arc::clone(&list))),
                    Err(reason) => {
                        found.fault.get_or_insert(reason);
                    }
                }
            }
        }
        found
    }
}
