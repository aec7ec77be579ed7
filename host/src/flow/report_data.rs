//! The bytes that evidence must carry: a digest over everything that the evidence is made for.
//!
//! `report_data = SHA-512( f("claviger report data 1") ‖ f(host) ‖ f(tenant) ‖ f(purpose) ‖
//! f(nonce) ‖ f(recipient) )`, where `f(x)` is the length of `x` in bytes as an unsigned 32-bit
//! big-endian number, then `x`. The length prefixes leave no two inputs with the same bytes.
//!
//! - `host`: the host's identifier, UTF-8, as the challenge names it;
//! - `tenant`: the tenant's name, ASCII; `default` where the path names none;
//! - `purpose`: `attestation`, or `release:` and the key's name, UTF-8;
//! - `nonce`: the challenge's 32 bytes;
//! - `recipient`: the 32 bytes of the recipient key's JWK thumbprint (RFC 7638, SHA-256).
//!
//! Evidence that others come along with (see [`Companion`]) vouches for them: behind `f(recipient)`
//! stand, for each companion in its order, `f(tee) ‖ f(SHA-256(evidence))`, where `tee` is its kind as
//! the submission names it, and `evidence` the bytes as they are sent. What a companion itself carries
//! is the digest without any.
//!
//! A format that has no room for 64 bytes carries the SHA-256 (or SHA-384) of the same.

use aws_lc_rs::digest;

use crate::quote::DigestAlgorithm;
use crate::tenant::Tenant;

/// The first field: names this construction and its version.
const LABEL: &[u8] = b"claviger report data 1";

/// What evidence is made for.
#[derive(Clone, Copy, Debug)]
pub struct ReportDataInput<'a> {
    /// The host's identifier.
    pub host: &'a str,
    /// The tenant.
    pub tenant: &'a Tenant,
    /// The purpose's label.
    pub purpose: &'a str,
    /// The challenge's nonce.
    pub nonce: &'a [u8; 32],
    /// The recipient key's thumbprint (RFC 7638, SHA-256).
    pub recipient: &'a [u8; 32],
    /// The evidence that goes along, in its order. A companion itself has none.
    pub companions: &'a [Companion],
}

/// Evidence of one more attester of the same workload, such as a GPU's, as the main evidence vouches for
/// it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Companion {
    /// The attester's kind: `nvidia`.
    pub tee: String,
    /// SHA-256 of its evidence as it is sent.
    pub evidence: [u8; 32],
}

impl ReportDataInput<'_> {
    /// The 64 bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 64] {
        let mut output = [0; 64];
        output.copy_from_slice(self.digest_by(DigestAlgorithm::Sha512).as_ref());
        output
    }

    /// The same input, by another algorithm.
    #[must_use]
    pub fn digest_by(&self, algorithm: DigestAlgorithm) -> digest::Digest {
        let mut context = digest::Context::new(match algorithm {
            DigestAlgorithm::Sha256 => &digest::SHA256,
            DigestAlgorithm::Sha384 => &digest::SHA384,
            DigestAlgorithm::Sha512 => &digest::SHA512,
        });
        let fields: [&[u8]; 6] = [
            LABEL,
            self.host.as_bytes(),
            self.tenant.as_str().as_bytes(),
            self.purpose.as_bytes(),
            self.nonce,
            self.recipient,
        ];
        for field in fields {
            context.update(&length_prefix(field.len()));
            context.update(field);
        }
        for Companion { tee, evidence } in self.companions {
            for field in [tee.as_bytes(), evidence] {
                context.update(&length_prefix(field.len()));
                context.update(field);
            }
        }
        context.finish()
    }
}

/// Big-endian length. Every field is far below 4 GiB: names are bounded where they are parsed.
pub(super) fn length_prefix(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    fn input<'a>(host: &'a str, tenant: &'a Tenant, purpose: &'a str) -> ReportDataInput<'a> {
        ReportDataInput {
            host,
            tenant,
            purpose,
            nonce: &[1; 32],
            recipient: &[2; 32],
            companions: &[],
        }
    }

    /// Made with Python's hashlib from the definition above.
    #[test]
    fn the_published_vectors_hold() {
        let tenant = Tenant::default();
        let team = Tenant::parse("team-7").unwrap();
        let attestation = input("claviger", &tenant, "attestation").digest();
        let release = input("claviger-eu", &team, "release:db-key").digest();
        assert_eq!(HEXLOWER.encode(&attestation), VECTOR_ATTESTATION);
        assert_eq!(HEXLOWER.encode(&release), VECTOR_RELEASE);
        let companions = [companion("nvidia", 3), companion("nvidia", 4)];
        let input = input("claviger", &tenant, "attestation");
        let accompanied = ReportDataInput { companions: &companions, ..input }.digest();
        assert_eq!(HEXLOWER.encode(&accompanied), VECTOR_ACCOMPANIED);
    }

    fn companion(tee: &str, byte: u8) -> Companion {
        Companion { tee: tee.to_owned(), evidence: [byte; 32] }
    }

    #[test]
    fn companions_count_with_their_kind_their_order_and_their_number() {
        let tenant = Tenant::default();
        let of = |companions: &[Companion]| {
            ReportDataInput { companions, ..input("h", &tenant, "attestation") }.digest()
        };
        let (a, b) = (companion("nvidia", 3), companion("tpm", 4));
        let all = [
            of(&[]),
            of(std::slice::from_ref(&a)),
            of(std::slice::from_ref(&b)),
            of(&[a.clone(), b.clone()]),
            of(&[b.clone(), a.clone()]),
            of(&[a.clone(), b.clone(), b.clone()]),
            of(&[companion("tpm", 3), companion("nvidia", 4)]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
    }

    const VECTOR_ATTESTATION: &str = "8c7d8e133c40f7452bed634cdb9c9f708d506c00b2af773c6629810e9625d2dabc4b63901ec8585c633d0c637ec4981bbd06d74c95fd626fcb5ca37e78d3d617";
    const VECTOR_RELEASE: &str = "b048faea39f4897b891d0466e043bb565b04032099370b6e6926cf230abf71daed7fa4c02c0a7b6d54fcb264a8a813cf63c5231f8ee0f4ef2be024802c86e9a7";
    const VECTOR_ACCOMPANIED: &str = "d32cb31faadfff557e3b8aadc182c60e0a55f752b419d692d7adcc7e12beeb29e1847e3295a3c0a8b0a7908850fdaabd2eea7cb8e0b58afbaf4548539bd76b9c";

    // attack 9
    #[test]
    fn fields_cannot_flow_into_each_other() {
        let tenant = Tenant::default();
        let a = input("hosta", &tenant, "release:b").digest();
        let b = input("host", &tenant, "arelease:b").digest();
        assert_ne!(a, b);
        let other = Tenant::parse("defaul").unwrap();
        assert_ne!(input("h", &tenant, "x").digest(), input("h", &other, "tx").digest());
    }
}
