//! The Concat key derivation function with SHA-256, as `ECDH-ES` uses it (RFC 7518, section 4.6.2;
//! NIST SP 800-56A, section 5.8.1).

use aws_lc_rs::error::Unspecified;
use aws_lc_rs::kdf::{
    SskdfDigestAlgorithm, SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest,
};
use zeroize::Zeroizing;

const SHA256: Option<&SskdfDigestAlgorithm> =
    get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256);

/// Derives `N` bytes from the shared secret `z` for the content encryption `algorithm` (the JWE's
/// `enc`, as `ECDH-ES` is used directly), with what the two parties are called: the decoded `apu`
/// and `apv`.
///
/// Each block is SHA-256 over: the block's number (4 bytes, from 1) ‖ `z` ‖ length (4 bytes) and
/// `algorithm` ‖ length and `apu` ‖ length and `apv` ‖ the bits wanted (4 bytes). All numbers are
/// big-endian. The provider's one-step KDF (NIST SP 800-56C, option 1) does just that, and leaves no
/// copy of the key behind.
pub(super) fn derive<const N: usize>(
    z: &[u8],
    algorithm: &str,
    apu: &[u8],
    apv: &[u8],
) -> Result<Zeroizing<[u8; N]>, Unspecified> {
    let mut info = Vec::new();
    for field in [algorithm.as_bytes(), apu, apv] {
        info.extend_from_slice(&length(field.len()));
        info.extend_from_slice(field);
    }
    info.extend_from_slice(&length(N.saturating_mul(8)));
    let mut derived = Zeroizing::new([0; N]);
    sskdf_digest(SHA256.ok_or(Unspecified)?, z, &info, derived.as_mut_slice())?;
    Ok(derived)
}

/// A length as 4 bytes; the fields are a few dozen bytes long.
fn length(of: usize) -> [u8; 4] {
    u32::try_from(of).unwrap_or(u32::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::digest;
    use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

    use super::*;

    /// RFC 7518, appendix C.
    #[test]
    fn the_derived_key_of_rfc_7518_appendix_c_comes_out() {
        let z = [
            158, 86, 217, 29, 129, 113, 53, 211, 114, 131, 66, 131, 191, 132, 38, 156, 251, 49,
            110, 163, 218, 128, 106, 72, 246, 218, 167, 121, 140, 254, 144, 196,
        ];
        let key = derive::<16>(&z, "A128GCM", b"Alice", b"Bob").unwrap();
        assert_eq!(BASE64URL_NOPAD.encode(&*key), "VqqN6vgjbSBcIijNcacQGg");
    }

    /// Two blocks, as `A256CBC-HS512` would need: the first 32 bytes differ from those of a shorter
    /// key, for the length is hashed too.
    #[test]
    fn a_longer_key_is_made_of_numbered_blocks() {
        let long = derive::<64>(b"z", "A256CBC-HS512", b"", b"").unwrap();
        let short = derive::<32>(b"z", "A256CBC-HS512", b"", b"").unwrap();
        assert_ne!(long[..32], long[32..]);
        for (block, number) in long.chunks(32).zip(1_u8..) {
            let info = [&[0, 0, 0, 13][..], b"A256CBC-HS512", &[0; 8], &[0, 0, 2, 0]].concat();
            let input = [&[0, 0, 0, number, b'z'], info.as_slice()].concat();
            assert_eq!(block, digest::digest(&digest::SHA256, &input).as_ref(), "{number}");
        }
        assert_ne!(HEXLOWER.encode(&long[..32]), HEXLOWER.encode(&*short));
    }
}
