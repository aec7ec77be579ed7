//! Keys that the host uses toward the outside: the recipient keys that released material is
//! wrapped to, and the keys that sign attestation results. And what private keys of tenants do
//! natively: see `private_key.rs`, `signing.rs`, `oaep.rs`, `aes_key_wrap.rs`.
//!
//! | recipient key (JWK) | `alg` of the JWE | content key |
//! |---|---|---|
//! | EC P-256, P-384, P-521 | `ECDH-ES` | Concat KDF of the agreement (RFC 7518, section 4.6) |
//! | OKP X25519 | `ECDH-ES` | the same (RFC 8037) |
//! | RSA, 2048 to 8192 bits | `RSA-OAEP-256` | random, encrypted (RFC 7518, section 4.3) |
//! | AKP `X-Wing` | `X-Wing` | Concat KDF of the encapsulated secret, see `xwing.rs` |
//!
//! `enc` is `A256GCM` everywhere. Nothing else is offered, so nothing else can be negotiated. Clients
//! of Azure Key Vault get what they know instead, an RSA AES key wrap: see `key_wrap.rs`. Tokens for guests
//! with a TPM are sealed to a key of it: see `sealing.rs`.

mod aes_key_wrap;
mod agreement;
mod concat_kdf;
mod held_recipient;
mod jwe;
mod jwk;
mod key_wrap;
mod oaep;
mod private_key;
mod recipient;
mod recipient_private;
mod release_jws;
mod rs256;
mod rsa;
mod sealing;
mod signed_release;
mod signing;
mod spki;
mod token;
mod token_claims;
mod token_cose;
mod token_key;
mod token_keys;
mod xwing;

pub(crate) use aes_key_wrap::AesKeyWrap;
pub use held_recipient::HeldRecipient;
pub use jwe::WrapHeader;
pub use key_wrap::RsaAesKeyWrap;
pub use oaep::OaepKey;
pub(crate) use oaep::of as oaep_of;
pub use private_key::{PrivateKeyError, PrivateKind};
pub use recipient::{RecipientKey, RecipientKeyError, WrapError};
pub use recipient_private::{RecipientKind, RecipientPrivateKey, UnwrapError, Unwrapped};
pub use rs256::{CertifiedKey, CertifiedKeys};
pub use sealing::SealingKey;
pub use signed_release::{SignedRelease, SignedReleaseError};
pub use signing::Signable;
pub use token::{TYP_EAT, TokenError};
pub use token_claims::Expected;
pub use token_cose::TYP_EAT_CWT;
pub use token_key::TokenAlgorithm;
pub use token_keys::{TokenKeyError, TokenKeySummary, TokenKeys};
