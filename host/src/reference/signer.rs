//! Who may sign reference values, and what: a list in the configuration, and nobody else.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::claims;
use super::document::{Document, Group};
use super::error::ReferenceError;
use crate::audit::Digest;
use crate::quote::{
    DigestAlgorithm, Lineage, PublicKey, SignatureKind, SignatureScheme, SigningRoot,
};
use crate::tenant::Tenant;

/// How a signature says it was made.
#[derive(Clone, Debug)]
pub(super) enum Scheme {
    /// By the key of a certificate that came along, with r and s on P-384.
    Certified(Lineage),
    /// By a COSE algorithm (RFC 9053, RFC 9864), which the key must be of.
    Cose(i64),
    /// It does not say: the key knows. ECDSA comes in DER or as r and s.
    OfTheKey,
}

/// A signature that nobody has checked yet.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    pub(super) scheme: Scheme,
    pub(super) message: Vec<u8>,
    pub(super) bytes: Vec<u8>,
}

/// A signer as the configuration tells of it.
#[derive(Clone, Debug, Default)]
pub struct SignerPlan {
    /// Its name.
    pub name: String,
    /// The public key: PEM (`PUBLIC KEY`) or a JWK. P-256, P-384 or Ed25519.
    pub key: Vec<u8>,
    /// In the key's place a vendor's root that is built in: whoever it certifies signs.
    pub root: Option<String>,
    /// Whose values it may sign: `snp`. None named: nobody's.
    pub tees: Vec<String>,
    /// Which claims of them, without the TEE's name; any where absent.
    pub claims: Option<Vec<String>>,
    /// The one tenant that it may sign for; every tenant where absent.
    pub tenant: Option<Tenant>,
    /// It may sign provenance that names one of these builders, and nothing else; anything where
    /// absent.
    pub builders: Option<Vec<String>>,
}

/// Who may sign what.
#[derive(Clone, Debug, Default)]
pub struct ReferencePlan {
    /// Whether an administrator may add values that nobody signed.
    pub allow_unsigned: bool,
    /// Who signs.
    pub signers: Vec<SignerPlan>,
}

/// Who vouches for a document.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Origin {
    /// A listed signer.
    Signed {
        /// Its name in the configuration.
        signer: String,
        /// SHA-256 over its key's SubjectPublicKeyInfo.
        key: Digest,
    },
    /// The administrator who added it.
    Unsigned,
}

/// The list, read.
#[derive(Clone)]
pub struct Signers {
    allow_unsigned: bool,
    signers: Vec<Signer>,
}

#[derive(Clone)]
struct Signer {
    name: String,
    key: Key,
    fingerprint: Digest,
    tees: BTreeSet<String>,
    claims: Option<BTreeSet<String>>,
    tenant: Option<Tenant>,
    builders: Option<BTreeSet<String>>,
}

#[derive(Clone)]
enum Key {
    Own(PublicKey),
    Root(SigningRoot),
}

impl Signers {
    /// Reads the keys of a plan. The error names the signer.
    pub fn new(plan: ReferencePlan) -> Result<Self, String> {
        let mut names = BTreeSet::new();
        let mut signers = Vec::new();
        for signer in plan.signers {
            let name = signer.name.clone();
            if name.is_empty() || !names.insert(name.clone()) {
                return Err(format!("the signer {name:?}: a name of its own is needed"));
            }
            let signer =
                Signer::new(signer).map_err(|reason| format!("the signer {name}: {reason}"))?;
            signers.push(signer);
        }
        Ok(Self { allow_unsigned: plan.allow_unsigned, signers })
    }

    /// Whoever a root certifies that is built in nowhere may sign all of NVIDIA's values.
    #[cfg(test)]
    pub(super) fn rooted(root: &[u8]) -> Self {
        let root = SigningRoot::read(root).unwrap();
        let signer = Signer {
            name: "root".to_owned(),
            fingerprint: Digest(root.fingerprint().unwrap()),
            key: Key::Root(root),
            tees: BTreeSet::from(["nvidia".to_owned()]),
            claims: None,
            tenant: None,
            builders: None,
        };
        Self { allow_unsigned: false, signers: vec![signer] }
    }

    /// Finds out who vouches for `document` in `tenant`.
    pub(super) fn origin(
        &self,
        document: &Document,
        signatures: &[Signature],
        tenant: &Tenant,
    ) -> Result<Origin, ReferenceError> {
        if signatures.is_empty() {
            return match self.allow_unsigned {
                true => Ok(Origin::Unsigned),
                false => Err(ReferenceError::Unsigned),
            };
        }
        let mut fault = ReferenceError::NotSigned;
        for signature in signatures {
            for signer in self.signers.iter().filter(|signer| signer.signed(signature)) {
                match signer.permits(document, tenant) {
                    Ok(()) => {
                        let (signer, key) = (signer.name.clone(), signer.fingerprint);
                        return Ok(Origin::Signed { signer, key });
                    }
                    Err(what) => {
                        let signer = signer.name.clone();
                        fault = ReferenceError::BeyondScope { signer, what };
                    }
                }
            }
        }
        Err(fault)
    }

    /// Whether what was let in once would be let in by today's list.
    pub(super) fn still(&self, origin: &Origin, document: &Document, tenant: &Tenant) -> bool {
        match origin {
            Origin::Unsigned => self.allow_unsigned,
            Origin::Signed { signer, key } => self.signers.iter().any(|listed| {
                listed.name == *signer
                    && listed.fingerprint == *key
                    && listed.permits(document, tenant).is_ok()
            }),
        }
    }
}

impl Signer {
    fn new(plan: SignerPlan) -> Result<Self, String> {
        let (key, fingerprint) = match (&plan.root, plan.key.as_slice()) {
            (Some(root), []) => {
                let root = SigningRoot::named(root).map_err(|fault| fault.to_string())?;
                let fingerprint = root.fingerprint();
                (Key::Root(root), fingerprint)
            }
            (Some(_), _) => return Err("a key or a root, not both".to_owned()),
            (None, key) => {
                let key = own_key(key)?;
                let fingerprint = key.fingerprint();
                (Key::Own(key), fingerprint)
            }
        };
        let fingerprint = fingerprint.map_err(|fault| fault.to_string())?;
        let names = plan.tees.iter().chain(plan.claims.iter().flatten());
        if let Some(wrong) = names.clone().find(|name| !claims::is_name(name)) {
            return Err(format!("{wrong:?} is the name of no TEE or claim"));
        }
        Ok(Self {
            name: plan.name,
            key,
            fingerprint: Digest(fingerprint),
            tees: plan.tees.into_iter().collect(),
            claims: plan.claims.map(|claims| claims.into_iter().collect()),
            tenant: plan.tenant,
            builders: plan.builders.map(|builders| builders.into_iter().collect()),
        })
    }

    /// The key decides how a signature is checked; what the signature says must agree.
    fn signed(&self, signature: &Signature) -> bool {
        let Signature { scheme, message, bytes } = signature;
        let (key, scheme) = match (&self.key, scheme) {
            (Key::Root(root), Scheme::Certified(lineage)) => {
                return lineage.check(root, message, bytes).is_ok();
            }
            (Key::Root(_), _) | (Key::Own(_), Scheme::Certified(_)) => return false,
            (Key::Own(key), scheme) => (key, scheme),
        };
        let kind = key.kind();
        let (digest, length, names) = match kind {
            SignatureKind::P256 => (DigestAlgorithm::Sha256, 64, [-7, -9]),
            SignatureKind::P384 => (DigestAlgorithm::Sha384, 96, [-35, -51]),
            _ => (DigestAlgorithm::Sha512, 64, [-8, -19]),
        };
        let scheme = match (kind, scheme) {
            (_, Scheme::Cose(name)) if !names.contains(name) => return false,
            (SignatureKind::Ed25519, _) => SignatureScheme::Ed25519,
            (_, Scheme::Cose(_)) => SignatureScheme::EcdsaFixed,
            (_, Scheme::OfTheKey) if bytes.len() == length => SignatureScheme::EcdsaFixed,
            _ => SignatureScheme::EcdsaDer(digest),
        };
        key.verify(scheme, message, bytes).is_ok()
    }

    /// Whether it may sign this; the error says what it may not.
    fn permits(&self, document: &Document, tenant: &Tenant) -> Result<(), String> {
        if self.tenant.as_ref().is_some_and(|own| own != tenant) {
            return Err(format!("for the tenant {tenant}"));
        }
        if let Some(builders) = &self.builders
            && !document.builder.as_ref().is_some_and(|builder| builders.contains(builder))
        {
            return Err(match &document.builder {
                Some(builder) => format!("what {builder:?} built"),
                None => "what no builder built".to_owned(),
            });
        }
        document.groups.iter().try_for_each(|group| self.permits_group(group))
    }

    fn permits_group(&self, group: &Group) -> Result<(), String> {
        if !self.tees.contains(&group.tee) {
            return Err(format!("values of {}", group.tee));
        }
        let Some(claims) = &self.claims else { return Ok(()) };
        match group.values.keys().find(|claim| !claims.contains(*claim)) {
            Some(claim) => Err(format!("{}.{claim}", group.tee)),
            None => Ok(()),
        }
    }
}

fn own_key(key: &[u8]) -> Result<PublicKey, String> {
    let key = PublicKey::supplied(key).map_err(|fault| format!("the key: {fault}"))?;
    match key.kind() {
        SignatureKind::P256 | SignatureKind::P384 | SignatureKind::Ed25519 => Ok(key),
        kind => Err(format!("a {} key; wanted is P-256, P-384 or Ed25519", kind.name())),
    }
}
