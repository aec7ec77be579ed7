//! TPMT_SIGNATURE (part 2, section 11.3.4), in the form in which the host checks signatures.

use crate::bytes::Bytes;
use crate::tcg::Bank;
use crate::verifier::Rejection;
use crate::verifier::custody::{Algorithm, Digest};

const RSASSA: u16 = 0x0014;
const RSAPSS: u16 = 0x0016;
const ECDSA: u16 = 0x0018;

/// A signature and how it was made.
#[derive(Clone, Debug)]
pub struct Signature {
    /// Of which kind.
    pub algorithm: Algorithm,
    /// The hash algorithm in it, by which the TPM also digests PCRs (part 3, section 18.4).
    pub digest: Digest,
    /// As `custody.check` takes it.
    pub bytes: Vec<u8>,
}

impl Signature {
    /// Reads a TPMT_SIGNATURE that fills `signature`.
    ///
    /// # Errors
    /// [`Rejection::Unsupported`] for SHA-1 and for schemes other than RSASSA, RSAPSS and ECDSA;
    /// [`Rejection::Malformed`].
    pub fn read(signature: &[u8]) -> Result<Self, Rejection> {
        let mut bytes = Bytes(signature);
        let (scheme, hash) = (bytes.u16_be(), bytes.u16_be());
        let (scheme, hash) = scheme.zip(hash).ok_or_else(|| malformed("not whole"))?;
        let digest = Bank::of(hash).and_then(Bank::digest).ok_or_else(|| {
            Rejection::Unsupported(format!("a TPM's signature by the hash algorithm {hash:#06x}"))
        })?;
        let read = match scheme {
            RSASSA | RSAPSS => bytes.sized().map(<[u8]>::to_vec),
            ECDSA => {
                let size = coordinate(digest);
                let numbers = bytes.sized().zip(bytes.sized());
                numbers.and_then(|(r, s)| Some([padded(r, size)?, padded(s, size)?].concat()))
            }
            other => {
                return Err(Rejection::Unsupported(format!(
                    "a TPM's signature scheme {other:#06x}"
                )));
            }
        };
        let read = read.filter(|read| !read.is_empty() && bytes.is_empty());
        Ok(Self {
            algorithm: algorithm(scheme, digest),
            digest,
            bytes: read.ok_or_else(|| malformed("not one signature and nothing else"))?,
        })
    }

    /// RSASSA with SHA-256 where only the signature itself is told.
    #[must_use]
    pub fn rsassa_sha256(bytes: Vec<u8>) -> Self {
        let digest = Digest::Sha256;
        Self { algorithm: algorithm(RSASSA, digest), digest, bytes }
    }
}

fn algorithm(scheme: u16, digest: Digest) -> Algorithm {
    match (scheme, digest) {
        (RSASSA, Digest::Sha256) => Algorithm::RsaPkcs1Sha256,
        (RSASSA, Digest::Sha384) => Algorithm::RsaPkcs1Sha384,
        (RSASSA, Digest::Sha512) => Algorithm::RsaPkcs1Sha512,
        (RSAPSS, Digest::Sha256) => Algorithm::RsaPssSha256,
        (RSAPSS, Digest::Sha384) => Algorithm::RsaPssSha384,
        (RSAPSS, Digest::Sha512) => Algorithm::RsaPssSha512,
        (_, Digest::Sha256) => Algorithm::EcdsaP256Sha256,
        (_, Digest::Sha384) => Algorithm::EcdsaP384Sha384,
        (_, Digest::Sha512) => Algorithm::EcdsaP521Sha512,
    }
}

/// The host knows each curve with one hash algorithm: bytes of a coordinate.
fn coordinate(digest: Digest) -> usize {
    match digest {
        Digest::Sha256 => 32,
        Digest::Sha384 => 48,
        Digest::Sha512 => 66,
    }
}

/// TPMs may leave out leading zeros.
fn padded(number: &[u8], size: usize) -> Option<Vec<u8>> {
    let missing = size.checked_sub(number.len())?;
    Some([&vec![0; missing], number].concat())
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(format!("TPMT_SIGNATURE: {why}"))
}
