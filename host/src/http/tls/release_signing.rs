//! The certificate under which a development host signs what it releases to clients of Azure Key Vault.
//!
//! Such clients demand an RSA certificate whose names are the vault's `host` and, literally,
//! `host:port`. The development authority's constraint to `localhost` does not allow the latter, so that
//! an authority of its own signs it, whose key is forgotten as soon as it has: trusting it puts nothing
//! else at risk. Its certificate is added to the folder's `ca.pem`.

use std::collections::BTreeSet;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject, SectionKind};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::development::{LEAF_DAYS, invalid, read_pair, validity};
use super::{TlsError, files};
use crate::clock::Timestamp;
use crate::secret::Secret;

const CHAIN: &str = "release-signing.pem";
const KEY: &str = "release-signing-key.pem";

/// A chain, leaf first and root last, and the leaf's key; PEM.
#[derive(Debug)]
pub struct ReleaseSigning {
    /// The chain.
    pub chain: String,
    /// The leaf's key.
    pub key: Secret,
}

impl ReleaseSigning {
    /// Takes what stands in `folder` for these `host[:port]`, or makes it, and has `ca.pem` there name
    /// the authority.
    ///
    /// # Errors
    /// Where a file cannot be read or written, or a key may be read by everybody.
    pub fn open(folder: &Path, authorities: &[String], now: Timestamp) -> Result<Self, TlsError> {
        let names = names(authorities);
        let (chain, key) = (folder.join(CHAIN), folder.join(KEY));
        let kept = read_pair(&chain, &key, now)?.filter(|(chain, _)| is_for(chain, &names));
        let signing = match kept {
            Some((chain, key)) => Self { chain, key },
            None => {
                let minted = Self::mint(&names, now)?;
                files::write(&key, minted.key.expose(), 0o600)?;
                files::write(&chain, minted.chain.as_bytes(), 0o644)?;
                minted
            }
        };
        trust(&folder.join("ca.pem"), &signing.chain)?;
        Ok(signing)
    }

    fn mint(names: &BTreeSet<String>, now: Timestamp) -> Result<Self, TlsError> {
        let authority = |name: &str, below: u8| {
            let mut parameters = CertificateParams::default();
            (parameters.not_before, parameters.not_after) = validity(now, LEAF_DAYS)?;
            parameters.distinguished_name.push(DnType::CommonName, name);
            parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
            parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            Ok::<_, TlsError>(parameters)
        };
        let root_key = KeyPair::generate().map_err(invalid)?;
        let parameters = authority("Claviger development release authority", 1)?;
        let root = parameters.self_signed(&root_key).map_err(invalid)?;
        let root_issuer = Issuer::new(parameters, root_key);
        let between_key = KeyPair::generate().map_err(invalid)?;
        let mut parameters = authority("Claviger development releases", 0)?;
        parameters.use_authority_key_identifier_extension = true;
        let between = parameters.signed_by(&between_key, &root_issuer).map_err(invalid)?;
        let issuer = Issuer::new(parameters, between_key);

        let key =
            KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).map_err(invalid)?;
        let mut parameters = CertificateParams::default();
        (parameters.not_before, parameters.not_after) = validity(now, LEAF_DAYS)?;
        parameters.distinguished_name.push(DnType::CommonName, "Claviger development vault");
        for name in names {
            let name = name.as_str().try_into().map_err(invalid)?;
            parameters.subject_alt_names.push(SanType::DnsName(name));
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let leaf = parameters.signed_by(&key, &issuer).map_err(invalid)?;
        let chain = [leaf.pem(), between.pem(), root.pem()].concat();
        Ok(Self { chain, key: Secret::new(key.serialize_pem().into_bytes()) })
    }
}

/// Each host, and each host with its port.
fn names(authorities: &[String]) -> BTreeSet<String> {
    let both = |authority: &String| {
        let host = authority.rsplit_once(':').map_or(authority.as_str(), |(host, _)| host);
        [host.to_owned(), authority.clone()]
    };
    authorities.iter().flat_map(both).collect()
}

fn is_for(chain: &str, names: &BTreeSet<String>) -> bool {
    let Ok(der) = CertificateDer::from_pem_slice(chain.as_bytes()) else { return false };
    let Ok((_, leaf)) = X509Certificate::from_der(&der) else { return false };
    let Ok(Some(alternatives)) = leaf.subject_alternative_name() else { return false };
    let held = alternatives.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    held.collect::<BTreeSet<_>>() == *names
}

/// `ca.pem` is the listener's authority, and behind it the root of this chain.
fn trust(path: &Path, chain: &str) -> Result<(), TlsError> {
    let present = files::read(path)?;
    let first = certificates(&present)?.into_iter().next();
    let root = certificates(chain.as_bytes())?.pop();
    let (Some(first), Some(root)) = (first, root) else {
        return Err(TlsError::Invalid(format!("{}: no certificate", path.display())));
    };
    let wanted = [first, root].map(|der| pem(&der)).concat();
    if present != wanted.as_bytes() {
        files::write(path, wanted.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn certificates(pem: &[u8]) -> Result<Vec<Vec<u8>>, TlsError> {
    let sections = <(SectionKind, Vec<u8>) as PemObject>::pem_slice_iter(pem);
    let mut found = Vec::new();
    for section in sections {
        let (kind, der) = section.map_err(invalid)?;
        if kind == SectionKind::Certificate {
            found.push(der);
        }
    }
    Ok(found)
}

fn pem(der: &[u8]) -> String {
    let text = data_encoding::BASE64.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use super::super::{DevelopmentCertificates, roots};
    use super::*;

    const NOW: Timestamp = Timestamp(1_760_000_000);

    #[test]
    fn the_signing_certificate_is_kept_as_long_as_the_address_is_and_its_root_stands_in_ca_pem() {
        let folder = tempfile::tempdir().unwrap();
        let open = |port: u16| {
            let authorities = [format!("localhost:{port}"), format!("vault.localhost:{port}")];
            ReleaseSigning::open(folder.path(), &authorities, NOW).unwrap()
        };
        let listener = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        let (first, again, moved) = (open(1), open(1), open(2));
        assert_eq!(first.chain, again.chain);
        assert_ne!(first.chain, moved.chain);
        assert!(is_for(&moved.chain, &names(&["localhost:2".into(), "vault.localhost:2".into()])));
        let pem = std::fs::read(folder.path().join("ca.pem")).unwrap();
        assert_eq!(roots(&pem).unwrap().len(), 2);
        assert_eq!(
            certificates(&pem).unwrap()[1],
            certificates(moved.chain.as_bytes()).unwrap()[2]
        );
        // The listener's own is what it was.
        let reopened = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        assert_eq!(reopened.certificate, listener.certificate);
        assert_eq!(
            certificates(&pem).unwrap()[0],
            certificates(listener.authority.as_bytes()).unwrap()[0]
        );
        // Nothing that signs certificates is kept of that authority.
        let keys: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        let key = |name: &&std::ffi::OsString| name.to_string_lossy().contains("key");
        assert_eq!(keys.iter().filter(key).count(), 3, "{keys:?}");
    }
}
