//! A certificate for development: made on first start, by a certificate authority of its own that
//! is constrained to this machine's names, so that trusting its `ca.pem` puts nothing else at risk.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
    SanType,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{TlsError, files};
use crate::clock::Timestamp;
use crate::secret::Secret;

const DAY: u64 = 24 * 3600;
const AUTHORITY_DAYS: u64 = 3650;
pub(super) const LEAF_DAYS: u64 = 365;
/// Less than this before its end, a certificate is made anew.
const RENEWAL_DAYS: u64 = 30;

/// A development certificate for `localhost`, `vault.localhost`, `127.0.0.1` and `::1`.
#[derive(Debug)]
pub struct DevelopmentCertificates {
    /// The certificate authority, PEM: what clients trust.
    pub authority: String,
    /// The leaf, PEM.
    pub certificate: String,
    /// The leaf's key, PEM.
    pub key: Secret,
}

impl DevelopmentCertificates {
    /// Makes an authority and a leaf that nobody has seen.
    ///
    /// # Errors
    /// Where keys cannot be made.
    pub fn mint(now: Timestamp) -> Result<Self, TlsError> {
        let authority = Authority::mint(now)?;
        let (certificate, key) = authority.leaf(now)?;
        Ok(Self { authority: authority.certificate, certificate, key })
    }

    /// Takes what stands in `folder` (`ca.pem`, `ca-key.pem`, `server.pem`, `server-key.pem`) and
    /// makes what is missing or about to expire. A leaf is renewed under the same authority.
    ///
    /// # Errors
    /// Where a file cannot be read or written, or a key may be read by everybody.
    pub fn open(folder: &Path, now: Timestamp) -> Result<Self, TlsError> {
        fs::create_dir_all(folder)
            .map_err(|source| TlsError::File { path: folder.to_owned(), source })?;
        let path = |name: &str| folder.join(name);
        let authority = match read_pair(&path("ca.pem"), &path("ca-key.pem"), now)? {
            Some((certificate, key)) => Authority { certificate, key: key_pair(&key)? },
            None => {
                // What an old authority signed is of no use any more; first, so that nothing of it
                // stays where this is cut short.
                let _ = fs::remove_file(path("server.pem"));
                let authority = Authority::mint(now)?;
                let key = Secret::new(authority.key.serialize_pem().into_bytes());
                files::write(&path("ca-key.pem"), key.expose(), 0o600)?;
                files::write(&path("ca.pem"), authority.certificate.as_bytes(), 0o644)?;
                authority
            }
        };
        let leaf = read_pair(&path("server.pem"), &path("server-key.pem"), now)?;
        let (certificate, key) = match leaf {
            Some(pair) => pair,
            None => {
                let (certificate, key) = authority.leaf(now)?;
                files::write(&path("server-key.pem"), key.expose(), 0o600)?;
                files::write(&path("server.pem"), certificate.as_bytes(), 0o644)?;
                (certificate, key)
            }
        };
        Ok(Self { authority: authority.certificate, certificate, key })
    }
}

struct Authority {
    certificate: String,
    key: KeyPair,
}

impl Authority {
    fn mint(now: Timestamp) -> Result<Self, TlsError> {
        let key = KeyPair::generate().map_err(invalid)?;
        let mut parameters = authority_parameters();
        (parameters.not_before, parameters.not_after) = validity(now, AUTHORITY_DAYS)?;
        let certificate = parameters.self_signed(&key).map_err(invalid)?.pem();
        Ok(Self { certificate, key })
    }

    fn leaf(&self, now: Timestamp) -> Result<(String, Secret), TlsError> {
        let key = KeyPair::generate().map_err(invalid)?;
        let mut parameters = CertificateParams::default();
        (parameters.not_before, parameters.not_after) = validity(now, LEAF_DAYS)?;
        parameters.distinguished_name.push(DnType::CommonName, "Claviger development host");
        let localhost = "localhost".try_into().map_err(invalid)?;
        let vault = "vault.localhost".try_into().map_err(invalid)?;
        parameters.subject_alt_names = vec![
            SanType::DnsName(localhost),
            SanType::DnsName(vault),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(authority_parameters(), &self.key);
        let certificate = parameters.signed_by(&key, &issuer).map_err(invalid)?;
        let pem = Secret::new(key.serialize_pem().into_bytes());
        Ok((certificate.pem(), pem))
    }
}

fn authority_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    let name = "Claviger development authority";
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 1], 32)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(
                Ipv6Addr::LOCALHOST.octets(),
                128,
            )),
        ],
        excluded_subtrees: Vec::new(),
    });
    parameters
}

/// From a day before `now`, for clocks that are not quite right.
pub(super) fn validity(
    now: Timestamp,
    days: u64,
) -> Result<(OffsetDateTime, OffsetDateTime), TlsError> {
    let moment = |seconds: u64| {
        i64::try_from(seconds)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .ok_or_else(|| TlsError::Invalid("the clock shows no usable time".to_owned()))
    };
    Ok((moment(now.0.saturating_sub(DAY))?, moment(now.plus(days * DAY).0)?))
}

/// A pair that stands in files; none where one is missing, the two do not belong together (writing
/// them was cut short), or the certificate is not to be used for much longer.
pub(super) fn read_pair(
    certificate: &Path,
    key: &Path,
    now: Timestamp,
) -> Result<Option<(String, Secret)>, TlsError> {
    if !certificate.exists() || !key.exists() {
        return Ok(None);
    }
    let pem = String::from_utf8(files::read(certificate)?)
        .map_err(|_| TlsError::Invalid(format!("{} is not PEM", certificate.display())))?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(invalid)?;
    let (_, parsed) = X509Certificate::from_der(&der).map_err(invalid)?;
    let validity = parsed.validity();
    let starts = u64::try_from(validity.not_before.timestamp()).unwrap_or(0);
    let ends = u64::try_from(validity.not_after.timestamp()).unwrap_or(0);
    if now.0 < starts || now.plus(RENEWAL_DAYS * DAY).0 >= ends {
        return Ok(None);
    }
    let key = files::read_private(key)?;
    let pair = key_pair(&key)?.subject_public_key_info() == parsed.public_key().raw;
    Ok(pair.then_some((pem, key)))
}

fn key_pair(pem: &Secret) -> Result<KeyPair, TlsError> {
    let text = std::str::from_utf8(pem.expose()).map_err(invalid)?;
    KeyPair::from_pem(text).map_err(invalid)
}

pub(super) fn invalid(error: impl std::fmt::Display) -> TlsError {
    TlsError::Invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const NOW: Timestamp = Timestamp(1_760_000_000);

    #[test]
    fn a_development_certificate_is_made_once_and_its_keys_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        let second = DevelopmentCertificates::open(folder.path(), NOW.plus(DAY)).unwrap();
        assert_eq!(first.certificate, second.certificate);
        assert_eq!(first.authority, second.authority);
        for name in ["ca-key.pem", "server-key.pem"] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn a_leaf_about_to_expire_is_renewed_under_the_same_authority() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        let later = NOW.plus((LEAF_DAYS - RENEWAL_DAYS + 1) * DAY);
        let renewed = DevelopmentCertificates::open(folder.path(), later).unwrap();
        assert_ne!(first.certificate, renewed.certificate);
        assert_eq!(first.authority, renewed.authority);
    }

    #[test]
    fn a_key_and_a_certificate_of_different_runs_are_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let first = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        let other = DevelopmentCertificates::mint(NOW).unwrap();
        // A run that was cut short between the two files.
        fs::write(folder.path().join("server-key.pem"), other.key.expose()).unwrap();
        let renewed = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        assert_eq!(renewed.authority, first.authority);
        pair(&renewed);
        fs::write(folder.path().join("ca-key.pem"), other.key.expose()).unwrap();
        let renewed = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        assert_ne!(renewed.authority, first.authority);
        pair(&renewed);
        let again = DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        assert_eq!(again.certificate, renewed.certificate);
    }

    /// Refuses a leaf with another's key.
    fn pair(made: &DevelopmentCertificates) {
        let certificate = made.certificate.as_bytes();
        super::super::ServerCertificate::from_pem(certificate, made.key.expose()).unwrap();
    }

    #[test]
    fn a_key_that_everybody_may_read_is_refused() {
        // attack 63
        let folder = tempfile::tempdir().unwrap();
        DevelopmentCertificates::open(folder.path(), NOW).unwrap();
        let key = folder.path().join("server-key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = DevelopmentCertificates::open(folder.path(), NOW);
        assert!(matches!(refused, Err(TlsError::Exposed(_))), "{refused:?}");
    }
}
