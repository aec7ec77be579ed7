//! TPMT_PUBLIC (part 2, section 12.2.4) of an RSA key: what a TPM's key is, and what it may do.

use super::attest::Selection;
use crate::bytes::Bytes;
use crate::sha256;
use crate::tcg::Bank;
use crate::verifier::Rejection;

/// Algorithms (section 6.3).
const RSA: u16 = 0x0001;
const SHA256: u16 = 0x000b;
const NULL: u16 = 0x0010;
const RSAES: u16 = 0x0015;

/// TPMA_OBJECT (section 8.3).
const FIXED_TPM: u32 = 1 << 1;
const FIXED_PARENT: u32 = 1 << 4;
const SENSITIVE_DATA_ORIGIN: u32 = 1 << 5;
const USER_WITH_AUTH: u32 = 1 << 6;
const RESTRICTED: u32 = 1 << 16;
const DECRYPT: u32 = 1 << 17;
const SIGN: u32 = 1 << 18;

/// TPM_CC_PolicyPCR (section 6.5.2).
const POLICY_PCR: u32 = 0x0000_017f;

/// What is meant where the exponent is not told (section 12.2.3.5).
const EXPONENT: u32 = 65_537;

/// Bytes of a modulus at most: 4096 bits.
const MAX_MODULUS: usize = 512;

/// An RSA key's public area. Its name is a digest of these bytes, SHA-256's alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RsaPublic<'a> {
    /// TPMT_PUBLIC, whole: what a name is the digest of.
    pub area: &'a [u8],
    /// The modulus, big-endian.
    pub modulus: &'a [u8],
    /// The exponent.
    pub exponent: u32,
    attributes: u32,
    policy: &'a [u8],
}

impl<'a> RsaPublic<'a> {
    /// Reads a TPM2B_PUBLIC that fills `public`. What it says counts after a TPM certified its name.
    ///
    /// # Errors
    /// [`Rejection::Malformed`]; [`Rejection::Unsupported`] for keys of another kind and names by another
    /// algorithm.
    pub fn read(public: &'a [u8]) -> Result<Self, Rejection> {
        let mut outer = Bytes(public);
        let area = outer.sized().filter(|_| outer.is_empty());
        let area = area.ok_or_else(|| malformed("not one TPM2B"))?;
        let mut bytes = Bytes(area);
        let short = || malformed("not whole");
        let (kind, name) = (bytes.u16_be(), bytes.u16_be());
        let (Some(kind), Some(name)) = (kind, name) else { return Err(short()) };
        if (kind, name) != (RSA, SHA256) {
            let why = format!("a TPM's key of kind {kind:#06x}, named by {name:#06x}");
            return Err(Rejection::Unsupported(why));
        }
        let read = Self::rest(area, &mut bytes).ok_or_else(short)?;
        match bytes.is_empty() && !read.modulus.is_empty() {
            true => Ok(read),
            false => Err(malformed("something stands behind it, or nothing in it")),
        }
    }

    fn rest(area: &'a [u8], bytes: &mut Bytes<'a>) -> Option<Self> {
        let attributes = bytes.u32_be()?;
        let policy = bytes.sized().filter(|policy| policy.len() <= 64)?;
        // TPMT_SYM_DEF_OBJECT: bits and mode where it is any.
        if bytes.u16_be()? != NULL {
            bytes.take(4)?;
        }
        // TPMT_RSA_SCHEME: a hash algorithm where it has one.
        let scheme = bytes.u16_be()?;
        if scheme != NULL && scheme != RSAES {
            bytes.take(2)?;
        }
        let _bits = bytes.u16_be()?;
        let exponent = match bytes.u32_be()? {
            0 => EXPONENT,
            exponent => exponent,
        };
        let modulus = bytes.sized().filter(|modulus| modulus.len() <= MAX_MODULUS)?;
        Some(Self { area, modulus, exponent, attributes, policy })
    }

    /// Whether the TPM made the key and keeps it, decrypts with it and does nothing else, and only for
    /// whoever meets its policy: knowing a password is not enough.
    #[must_use]
    pub fn only_decrypts_by_policy(&self) -> bool {
        let set = FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | DECRYPT;
        let clear = USER_WITH_AUTH | RESTRICTED | SIGN;
        self.attributes & (set | clear) == set
    }

    /// Whether its policy is TPM2_PolicyPCR (part 3, section 23.7), alone, of these PCRs with these values:
    /// it cannot be used once one of them is another.
    #[must_use]
    pub fn is_bound_to(&self, selections: &[Selection], values: &[u8]) -> bool {
        let [Selection { bank: Bank::Sha256, indexes }] = selections else { return false };
        let mut bitmap = [0_u8; 3];
        for index in indexes {
            let byte = usize::try_from(index / 8).ok().and_then(|byte| bitmap.get_mut(byte));
            let Some(byte) = byte else { return false };
            *byte |= 1 << (index % 8);
        }
        let mut policy = vec![0; 32];
        policy.extend(POLICY_PCR.to_be_bytes());
        policy.extend([0, 0, 0, 1]);
        policy.extend(SHA256.to_be_bytes());
        policy.push(3);
        policy.extend(bitmap);
        policy.extend(sha256::digest(values));
        self.policy == sha256::digest(&policy)
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(format!("TPM2B_PUBLIC: {why}"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// TPM2B_PUBLIC of a key with these attributes and this policy.
    pub(in crate::tpm) fn public(attributes: u32, policy: &[u8]) -> Vec<u8> {
        let sized = |bytes: &[u8]| [&(bytes.len() as u16).to_be_bytes(), bytes].concat();
        let mut area = [RSA.to_be_bytes(), SHA256.to_be_bytes()].concat();
        area.extend(attributes.to_be_bytes());
        area.extend(sized(policy));
        area.extend([NULL.to_be_bytes(), NULL.to_be_bytes(), 2048_u16.to_be_bytes()].concat());
        area.extend([0; 4]);
        area.extend(sized(&[0xc5; 256]));
        sized(&area)
    }

    pub(in crate::tpm) const SEALED: u32 =
        FIXED_TPM | FIXED_PARENT | SENSITIVE_DATA_ORIGIN | DECRYPT | 1 << 10;

    #[test]
    fn a_key_is_read() {
        let public = public(SEALED, &[7; 32]);
        let read = RsaPublic::read(&public).unwrap();
        assert_eq!((read.area, read.modulus), (&public[2..], &[0xc5; 256][..]));
        assert_eq!(read.exponent, 65_537);
        assert!(read.only_decrypts_by_policy());
    }

    #[test]
    fn what_is_cut_or_longer_or_of_another_kind_is_no_key() {
        let public = public(SEALED, &[7; 32]);
        for length in 0..public.len() {
            let cut = RsaPublic::read(&public[..length]);
            assert!(matches!(cut, Err(Rejection::Malformed(_))), "{length}");
            // The same with a length that is true.
            let area = &public[2..length.max(2)];
            let cut = [&(area.len() as u16).to_be_bytes(), area].concat();
            assert!(RsaPublic::read(&cut).is_err(), "{length}");
        }
        assert!(RsaPublic::read(&[&public[..], &[0]].concat()).is_err());
        for (at, byte) in [(3, 0x23), (5, 0x0c)] {
            let mut other = public.clone();
            other[at] = byte;
            assert!(matches!(RsaPublic::read(&other), Err(Rejection::Unsupported(_))), "{at}");
        }
    }

    #[test]
    fn a_key_that_may_leave_or_do_more_or_opens_by_a_password_is_another() {
        for bit in [FIXED_TPM, FIXED_PARENT, SENSITIVE_DATA_ORIGIN, DECRYPT, USER_WITH_AUTH] {
            let public = public(SEALED ^ bit, &[7; 32]);
            assert!(!RsaPublic::read(&public).unwrap().only_decrypts_by_policy(), "{bit:#x}");
        }
        for bit in [RESTRICTED, SIGN] {
            let public = public(SEALED | bit, &[7; 32]);
            assert!(!RsaPublic::read(&public).unwrap().only_decrypts_by_policy(), "{bit:#x}");
        }
    }

    // The policy digest is tpm2-tools': `tpm2_createpolicy --policy-pcr -l sha256:0,1` over PCRs of zeros.
    #[test]
    fn a_key_is_bound_to_the_pcrs_of_its_policy_and_no_others() {
        let selections =
            |indexes: &[u32]| vec![Selection { bank: Bank::Sha256, indexes: indexes.to_vec() }];
        let policy = crate::hex::decode(POLICY).unwrap();
        let public = public(SEALED, &policy);
        let key = RsaPublic::read(&public).unwrap();
        assert!(key.is_bound_to(&selections(&[0, 1]), &[0; 64]));
        let mut other = [0; 64];
        other[63] = 1;
        assert!(!key.is_bound_to(&selections(&[0, 1]), &other));
        assert!(!key.is_bound_to(&selections(&[0, 2]), &[0; 64]));
        assert!(!key.is_bound_to(&selections(&[0, 99]), &[0; 64]));
        assert!(!key.is_bound_to(&[], &[0; 64]));
        let sha384 = vec![Selection { bank: Bank::Sha384, indexes: vec![0, 1] }];
        assert!(!key.is_bound_to(&sha384, &[0; 64]));
    }

    const POLICY: &str = "182c84e9792152b63f7716ef2c303b0e34442f51e72883f944b18d3075b45719";
}
