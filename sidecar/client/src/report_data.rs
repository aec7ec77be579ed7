//! The bytes that evidence must carry: a digest over everything that the evidence is made for.
//!
//! `SHA-512( f("claviger report data 1") ‖ f(host) ‖ f(tenant) ‖ f(purpose) ‖ f(nonce) ‖ f(recipient) )`,
//! where `f(x)` is the length of `x` in bytes as an unsigned 32-bit big-endian number, then `x`. Behind
//! it stand, for each companion in its order, `f(tee) ‖ f(SHA-256(evidence))`.

use aws_lc_rs::digest::{Algorithm, Context, Digest, SHA256, SHA512, digest};

use crate::platform::Evidence;

/// Names this construction and its version.
const LABEL: &[u8] = b"claviger report data 1";

/// What evidence is made for. A platform takes from it as many bytes as its format has room for.
#[derive(Clone, Debug)]
pub struct ReportData {
    input: Vec<u8>,
}

impl ReportData {
    /// From the host's identifier, the tenant's name, the purpose's label (`attestation`, or `release:`
    /// and the key's name), the challenge's nonce and the recipient key's thumbprint (RFC 7638,
    /// SHA-256).
    #[must_use]
    pub fn new(
        host: &str,
        tenant: &str,
        purpose: &str,
        nonce: &[u8; 32],
        recipient: &[u8; 32],
    ) -> Self {
        let mut made = Self { input: Vec::new() };
        for field in
            [LABEL, host.as_bytes(), tenant.as_bytes(), purpose.as_bytes(), nonce, recipient]
        {
            made.push(field);
        }
        made
    }

    /// The same, vouching for evidence that goes along.
    #[must_use]
    pub fn with_companions(&self, companions: &[Evidence]) -> Self {
        let mut made = self.clone();
        for companion in companions {
            made.push(companion.tee.as_bytes());
            made.push(digest(&SHA256, &companion.data).as_ref());
        }
        made
    }

    /// SHA-512: for SNP, TDX, Nitro.
    #[must_use]
    pub fn sha512(&self) -> [u8; 64] {
        fixed(&self.by(&SHA512))
    }

    /// SHA-256: for TPMs, whose qualifying data has room for no more.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        fixed(&self.by(&SHA256))
    }

    fn by(&self, algorithm: &'static Algorithm) -> Digest {
        let mut context = Context::new(algorithm);
        context.update(&self.input);
        context.finish()
    }

    fn push(&mut self, field: &[u8]) {
        // Every field is a name or a digest, far below 4 GiB.
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.input.extend_from_slice(&length.to_be_bytes());
        self.input.extend_from_slice(field);
    }
}

fn fixed<const N: usize>(digest: &Digest) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// The host's own vectors (`flow/report_data.rs`), made with Python's hashlib from the definition.
    #[test]
    fn the_published_vectors_hold() {
        let of = |host, tenant, purpose| ReportData::new(host, tenant, purpose, &[1; 32], &[2; 32]);
        let attestation = of("claviger", "default", "attestation");
        assert_eq!(HEXLOWER.encode(&attestation.sha512()), ATTESTATION);
        let release = of("claviger-eu", "team-7", "release:db-key");
        assert_eq!(HEXLOWER.encode(&release.sha512()), RELEASE);
    }

    #[test]
    fn companions_count_with_their_kind_and_their_order() {
        let plain = ReportData::new("h", "default", "attestation", &[1; 32], &[2; 32]);
        let gpu = |byte| Evidence::new("nvidia", "application/json", vec![byte]);
        let one = plain.with_companions(&[gpu(1), gpu(2)]).sha256();
        assert_ne!(one, plain.with_companions(&[gpu(2), gpu(1)]).sha256());
        assert_ne!(one, plain.sha256());
    }

    const ATTESTATION: &str = "8c7d8e133c40f7452bed634cdb9c9f708d506c00b2af773c6629810e9625d2dabc4b63901ec8585c633d0c637ec4981bbd06d74c95fd626fcb5ca37e78d3d617";
    const RELEASE: &str = "b048faea39f4897b891d0466e043bb565b04032099370b6e6926cf230abf71daed7fa4c02c0a7b6d54fcb264a8a813cf63c5231f8ee0f4ef2be024802c86e9a7";
}
