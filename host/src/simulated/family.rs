//! One product's supply chain: ARK, ASK and ASVK with keys and certificates, and all they issue.

use std::sync::Arc;
use std::thread;

use super::SimulationError;
use super::algorithm::Algorithm;
use super::authority::{AuthorityKey, Role};
use super::certificate::CertificateTemplate;
use super::chip::{ChipTemplate, ProviderTemplate};
use super::crl::CrlTemplate;
use super::endorser::{EndorsementKey, Endorser, Platform, certified};
use super::extension::Extension;
use super::name::Name;
use super::pem::{Document, Writer};
use crate::clock::Timestamp;
use crate::quote::snp::product::Product;
use crate::secret::Secret;

/// What kind of family the text holds.
const KIND: &str = "SEV-SNP";
/// How long a revocation list holds: AMD renews its own once a year.
const CRL_VALIDITY: u64 = 365 * 86_400;
/// How long before the minting moment the first revocation list was made.
const CRL_AGE: u64 = 3_600;

/// One product's keys and certificates. Clones share the keys.
#[derive(Clone, Debug)]
pub struct Family {
    product: Product,
    minted: Timestamp,
    ark: Authority,
    ask: Authority,
    asvk: Authority,
}

#[derive(Clone, Debug)]
struct Authority {
    key: Arc<AuthorityKey>,
    certificate: Vec<u8>,
}

impl Family {
    /// Makes three RSA-4096 keys, each on a thread of its own, and their certificates. Whatever
    /// the family issues by default is valid at `at`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn mint(product: Product, at: Timestamp) -> Result<Self, SimulationError> {
        let [ark, ask, asvk] = thread::scope(|scope| {
            Role::ALL
                .map(|_| scope.spawn(AuthorityKey::generate))
                .map(|thread| thread.join().unwrap_or(Err(SimulationError::Provider)))
        });
        let (ark, ask, asvk) = (ark?, ask?, asvk?);
        let certify =
            |role: Role, key: &AuthorityKey| role.template(product, at, key, &ark).sign(&ark);
        let certificates = Role::ALL.map(|role| match role {
            Role::Ark => certify(role, &ark),
            Role::Ask => certify(role, &ask),
            Role::Asvk => certify(role, &asvk),
        });
        Ok(Self::assemble(product, at, [ark, ask, asvk], certificates))
    }

    /// The product.
    #[must_use]
    pub fn product(&self) -> Product {
        self.product
    }

    /// The moment at which everything that the family issues by default is valid.
    #[must_use]
    pub fn minted(&self) -> Timestamp {
        self.minted
    }

    /// The root's certificate in DER.
    #[must_use]
    pub fn ark(&self) -> &[u8] {
        &self.ark.certificate
    }

    /// The certificate, in DER, of the key that signs VCEKs.
    #[must_use]
    pub fn ask(&self) -> &[u8] {
        &self.ask.certificate
    }

    /// The certificate, in DER, of the key that signs VLEKs.
    #[must_use]
    pub fn asvk(&self) -> &[u8] {
        &self.asvk.certificate
    }

    /// An authority's key.
    #[must_use]
    pub fn key(&self, role: Role) -> &Arc<AuthorityKey> {
        &self.authority(role).key
    }

    /// An authority's name.
    #[must_use]
    pub fn name(&self, role: Role) -> Name {
        Name::simulated(role.common_name(self.product))
    }

    /// Another certificate, in DER, for an authority's key: what it would be, changed by `edit`,
    /// signed by `by`.
    #[must_use]
    pub fn reissue(
        &self,
        role: Role,
        by: &AuthorityKey,
        edit: impl FnOnce(&mut CertificateTemplate),
    ) -> Vec<u8> {
        let own = &self.authority(role).key;
        let mut template = role.template(self.product, self.minted, own, &self.ark.key);
        edit(&mut template);
        template.sign(by)
    }

    /// Chip number 0 of the product.
    #[must_use]
    pub fn chip_template(&self) -> ChipTemplate {
        ChipTemplate::of(self.product, self.minted)
    }

    /// A VCEK: a new key, certified by the ASK. AMD's chips derive theirs, these do not: the same
    /// chip gets another key each time.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn chip(&self, template: &ChipTemplate) -> Result<Endorser, SimulationError> {
        self.forge_chip(template, &self.ask.key, |_| {})
    }

    /// A VCEK whose certificate was changed by `edit` and signed by `by`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn forge_chip(
        &self,
        template: &ChipTemplate,
        by: &AuthorityKey,
        edit: impl FnOnce(&mut CertificateTemplate),
    ) -> Result<Endorser, SimulationError> {
        let platform = Platform {
            kind: EndorsementKey::Vcek,
            product: template.product,
            tcb: template.tcb,
            chip_id: template.chip_id(),
        };
        Endorser::mint(platform, |public_key| {
            let mut certificate = template.certificate(public_key);
            edit(&mut certificate);
            certificate.sign(by)
        })
    }

    /// The simulated provider.
    #[must_use]
    pub fn provider_template(&self) -> ProviderTemplate {
        ProviderTemplate::of(self.product, self.minted)
    }

    /// A VLEK: a new key, certified by the ASVK, loaded into chip number 0.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn provider(&self, template: &ProviderTemplate) -> Result<Endorser, SimulationError> {
        self.forge_provider(template, &self.asvk.key, |_| {})
    }

    /// A VLEK whose certificate was changed by `edit` and signed by `by`.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn forge_provider(
        &self,
        template: &ProviderTemplate,
        by: &AuthorityKey,
        edit: impl FnOnce(&mut CertificateTemplate),
    ) -> Result<Endorser, SimulationError> {
        let platform = Platform {
            kind: EndorsementKey::Vlek,
            product: template.product,
            tcb: template.tcb,
            chip_id: ChipTemplate::of(template.product, self.minted).chip_id(),
        };
        Endorser::mint(platform, |public_key| {
            let mut certificate = template.certificate(public_key);
            edit(&mut certificate);
            certificate.sign(by)
        })
    }

    /// An empty revocation list, number 1, made an hour before the minting moment, for a year.
    #[must_use]
    pub fn crl_template(&self) -> CrlTemplate {
        let this_update = Timestamp(self.minted.0.saturating_sub(CRL_AGE));
        CrlTemplate {
            issuer: self.name(Role::Ark),
            this_update,
            next_update: Some(this_update.plus(CRL_VALIDITY)),
            revoked: Vec::new(),
            extensions: vec![
                Extension::authority_key_identifier(&self.ark.key.id()),
                Extension::crl_number(1),
            ],
            algorithm: Algorithm::AMD_WITH_TRAILER,
            declared_inside: None,
            declared_outside: None,
        }
    }

    /// A revocation list in DER, signed by the ARK.
    #[must_use]
    pub fn crl(&self, template: &CrlTemplate) -> Vec<u8> {
        template.sign(&self.ark.key)
    }

    /// The whole family as text, private keys included.
    ///
    /// # Errors
    /// Where the cryptographic provider fails.
    pub fn to_pem(&self) -> Result<Secret, SimulationError> {
        let mut text = Writer::new();
        text.header("Family", KIND);
        text.header("Product", self.product.name());
        text.header("Minted", &self.minted.to_string());
        for role in Role::ALL {
            let authority = self.authority(role);
            text.block("CERTIFICATE", &authority.certificate);
            text.block("PRIVATE KEY", authority.key.to_pkcs8()?.expose());
        }
        Ok(text.finish())
    }

    /// Reads what [`Family::to_pem`] wrote.
    ///
    /// # Errors
    /// Where the text is anything else.
    pub fn from_pem(text: &str) -> Result<Self, SimulationError> {
        let document = Document::parse(text)?;
        if document.header("Family")? != KIND {
            return Err(SimulationError::Malformed(format!("no {KIND} family")));
        }
        let product = document.product()?;
        let minted = Timestamp::parse(document.header("Minted")?)
            .ok_or_else(|| SimulationError::Malformed("the moment of minting".into()))?;
        let (certificate, private) = ("CERTIFICATE", "PRIVATE KEY");
        let [ark, ark_key, ask, ask_key, asvk, asvk_key] =
            document.blocks([certificate, private, certificate, private, certificate, private])?;
        let keys = [
            AuthorityKey::from_pkcs8(ark_key)?,
            AuthorityKey::from_pkcs8(ask_key)?,
            AuthorityKey::from_pkcs8(asvk_key)?,
        ];
        let certificates = [ark, ask, asvk];
        for (key, certificate) in keys.iter().zip(certificates) {
            certified(certificate, key.public_key())?;
        }
        let certificates = certificates.map(<[u8]>::to_vec);
        Ok(Self::assemble(product, minted, keys, certificates))
    }

    fn assemble(
        product: Product,
        minted: Timestamp,
        keys: [AuthorityKey; 3],
        certificates: [Vec<u8>; 3],
    ) -> Self {
        let [ark, ask, asvk] = keys.map(Arc::new);
        let [ark_certificate, ask_certificate, asvk_certificate] = certificates;
        Self {
            product,
            minted,
            ark: Authority { key: ark, certificate: ark_certificate },
            ask: Authority { key: ask, certificate: ask_certificate },
            asvk: Authority { key: asvk, certificate: asvk_certificate },
        }
    }

    fn authority(&self, role: Role) -> &Authority {
        match role {
            Role::Ark => &self.ark,
            Role::Ask => &self.ask,
            Role::Asvk => &self.asvk,
        }
    }
}
