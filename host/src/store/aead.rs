//! AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces: nonce, ciphertext, tag in one run.
//!
//! A random nonce is safe for 2^32 messages under one key (SP 800-38D section 8.3); a host that
//! wrote a hundred values a second would need more than a year of it, and writes happen only when
//! keys are administered.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::random::{Random, RandomnessFailed};
use crate::secret::Secret;

/// Bytes of the nonce in front.
pub(super) const NONCE_LENGTH: usize = 12;

/// Bytes of the tag behind.
pub(super) const TAG_LENGTH: usize = 16;

/// The cipher for a key; none where the key is not 32 bytes long.
pub(super) fn cipher(key: &Secret) -> Option<LessSafeKey> {
    let key = UnboundKey::new(&AES_256_GCM, key.expose()).ok()?;
    Some(LessSafeKey::new(key))
}

/// Encrypts `plaintext` and authenticates `authenticated` with it.
pub(super) fn seal(
    cipher: &LessSafeKey,
    plaintext: &[u8],
    authenticated: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>, RandomnessFailed> {
    let mut nonce = [0; NONCE_LENGTH];
    random.fill(&mut nonce)?;
    // Encrypted where it lies, and room for all of it at once: no copy of the plaintext is left.
    let mut sealed = Vec::with_capacity(NONCE_LENGTH + plaintext.len() + TAG_LENGTH);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plaintext);
    let (_, body) = sealed.split_first_chunk_mut::<NONCE_LENGTH>().ok_or(RandomnessFailed)?;
    let tag = cipher
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(authenticated),
            body,
        )
        .map_err(|_| RandomnessFailed)?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Decrypts; none where key, `authenticated` or any bit is not what it was.
pub(super) fn open(cipher: &LessSafeKey, sealed: &[u8], authenticated: &[u8]) -> Option<Secret> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LENGTH>()?;
    let mut plaintext = body.to_vec();
    let length = cipher
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(authenticated),
            &mut plaintext,
        )
        .ok()?
        .len();
    plaintext.truncate(length);
    Some(Secret::new(plaintext))
}
