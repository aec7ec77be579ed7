//! AES key wrap (RFC 3394): `A128KW`, `A192KW`, `A256KW` (RFC 7518, section 4.4).
//!
//! The provider has it for keys of 128 and 256 bits; for 192 the same steps are taken here over its
//! block cipher.

use aws_lc_rs::cipher::{
    AES_192, DecryptingKey, DecryptionContext, EncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::private_key::PrivateKeyError;
use crate::secret::Secret;

/// The initial value of RFC 3394, section 2.2.3.1.
const INITIAL: [u8; 8] = [0xa6; 8];

/// Rounds over the whole (section 2.2.1).
const ROUNDS: u64 = 6;

/// A key that wraps keys.
pub(crate) struct AesKeyWrap<'a> {
    key: &'a [u8],
}

impl<'a> AesKeyWrap<'a> {
    /// Of a key with 16, 24 or 32 octets.
    pub(crate) fn new(key: &'a [u8]) -> Option<Self> {
        matches!(key.len(), 16 | 24 | 32).then_some(Self { key })
    }

    /// Wraps a multiple of 8 octets, at least 16.
    pub(crate) fn wrap(&self, plain: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let length = || PrivateKeyError::Length("the key");
        let Some(kek) = self.provided()? else {
            return self.wrap_192(plain);
        };
        let mut buffer = vec![0; plain.len().saturating_add(8)];
        Ok(kek.wrap(plain, &mut buffer).map_err(|_| length())?.to_vec())
    }

    /// Unwraps; what was altered or wrapped by another key does not open.
    pub(crate) fn unwrap(&self, wrapped: &[u8]) -> Result<Secret, PrivateKeyError> {
        let Some(kek) = self.provided()? else {
            return self.unwrap_192(wrapped);
        };
        let mut buffer = Zeroizing::new(vec![0; wrapped.len()]);
        let key = kek.unwrap(wrapped, &mut buffer).map_err(|_| PrivateKeyError::Closed)?;
        Ok(Secret::new(key.to_vec()))
    }

    /// The provider's own, where it has one.
    fn provided(&self) -> Result<Option<AesKek>, PrivateKeyError> {
        let cipher = match self.key.len() {
            16 => &AES_128,
            24 => return Ok(None),
            _ => &AES_256,
        };
        AesKek::new(cipher, self.key).map(Some).map_err(|_| PrivateKeyError::Provider)
    }

    /// Section 2.2.1.
    fn wrap_192(&self, plain: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let (blocks, []) = plain.as_chunks::<8>() else {
            return Err(PrivateKeyError::Length("the key"));
        };
        if blocks.len() < 2 {
            return Err(PrivateKeyError::Length("the key"));
        }
        let cipher = EncryptingKey::ecb(self.unbound()?).map_err(provider)?;
        let (mut a, mut r) = (INITIAL, Zeroizing::new(blocks.to_vec()));
        let mut step = 0_u64;
        for _ in 0..ROUNDS {
            for block in r.iter_mut() {
                step = step.saturating_add(1);
                let mut both = joined(a, *block);
                cipher.encrypt(&mut *both).map_err(provider)?;
                let (high, low) = split(&both)?;
                a = xor(high, step);
                *block = low;
            }
        }
        Ok([&a[..], r.as_flattened()].concat())
    }

    /// Section 2.2.2.
    fn unwrap_192(&self, wrapped: &[u8]) -> Result<Secret, PrivateKeyError> {
        let ([a, blocks @ ..], []) = wrapped.as_chunks::<8>() else {
            return Err(PrivateKeyError::Closed);
        };
        if blocks.len() < 2 {
            return Err(PrivateKeyError::Closed);
        }
        let cipher = DecryptingKey::ecb(self.unbound()?).map_err(provider)?;
        let (mut a, mut r) = (*a, Zeroizing::new(blocks.to_vec()));
        let count = u64::try_from(blocks.len()).map_err(|_| PrivateKeyError::Closed)?;
        let mut step = count.saturating_mul(ROUNDS);
        for _ in 0..ROUNDS {
            for block in r.iter_mut().rev() {
                let mut both = joined(xor(a, step), *block);
                cipher.decrypt(&mut *both, DecryptionContext::None).map_err(provider)?;
                (a, *block) = split(&both)?;
                step = step.saturating_sub(1);
            }
        }
        match bool::from(a.ct_eq(&INITIAL)) {
            true => Ok(Secret::new(r.as_flattened().to_vec())),
            false => Err(PrivateKeyError::Closed),
        }
    }

    fn unbound(&self) -> Result<UnboundCipherKey, PrivateKeyError> {
        UnboundCipherKey::new(&AES_192, self.key).map_err(provider)
    }
}

fn joined(a: [u8; 8], block: [u8; 8]) -> Zeroizing<[u8; 16]> {
    let mut both = Zeroizing::new([0; 16]);
    for (to, from) in both.iter_mut().zip(a.iter().chain(&block)) {
        *to = *from;
    }
    both
}

fn split(both: &[u8; 16]) -> Result<([u8; 8], [u8; 8]), PrivateKeyError> {
    match both.as_chunks::<8>() {
        ([high, low], []) => Ok((*high, *low)),
        _ => Err(PrivateKeyError::Provider),
    }
}

/// With the number of the step, big-endian.
fn xor(a: [u8; 8], step: u64) -> [u8; 8] {
    (u64::from_be_bytes(a) ^ step).to_be_bytes()
}

fn provider(_: aws_lc_rs::error::Unspecified) -> PrivateKeyError {
    PrivateKeyError::Provider
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE as HEX;

    use super::*;

    /// RFC 3394, sections 4.1 to 4.6: octets of the key that wraps and of the one that is wrapped.
    const VECTORS: [(usize, usize, &str); 6] = [
        (16, 16, "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5"),
        (24, 16, "96778B25AE6CA435F92B5B97C050AED2468AB8A17AD84E5D"),
        (32, 16, "64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7"),
        (24, 24, "031D33264E15D33268F24EC260743EDCE1C6C7DDEE725A936BA814915C6762D2"),
        (32, 24, "A8F9BC1612C68B3FF6E6F4FBE30E71E4769C8B80A32CB8958CD5D17D6B254DA1"),
        (
            32,
            32,
            "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21",
        ),
    ];

    #[test]
    fn the_vectors_of_rfc_3394_come_out_and_open() {
        let kek: Vec<u8> = (0..32).collect();
        let data = HEX.decode(b"00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F");
        let data = data.unwrap();
        for (size, length, wanted) in VECTORS {
            let wrap = AesKeyWrap::new(&kek[..size]).unwrap();
            let wrapped = wrap.wrap(&data[..length]).unwrap();
            assert_eq!(wrapped, HEX.decode(wanted.as_bytes()).unwrap(), "{size} {length}");
            assert!(wrap.unwrap(&wrapped).unwrap().matches(&data[..length]));
        }
    }

    #[test]
    fn what_was_altered_cut_or_wrapped_by_another_does_not_open() {
        for size in [16, 24, 32] {
            let (key, other) = (vec![1; size], vec![2; size]);
            let wrap = AesKeyWrap::new(&key).unwrap();
            let good = wrap.wrap(&[9; 40]).unwrap();
            assert!(AesKeyWrap::new(&other).unwrap().unwrap(&good).is_err());
            for at in 0..good.len() {
                let mut bad = good.clone();
                bad[at] ^= 0x80;
                assert!(wrap.unwrap(&bad).is_err(), "{size} {at}");
            }
            for length in 0..good.len() {
                assert!(wrap.unwrap(&good[..length]).is_err(), "{size} {length}");
            }
            for length in [0, 1, 8, 15, 17] {
                assert!(wrap.wrap(&vec![1; length]).is_err(), "{size} {length}");
            }
        }
        assert!(AesKeyWrap::new(&[1; 20]).is_none());
    }
}
