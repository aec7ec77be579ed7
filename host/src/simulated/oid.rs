//! Object identifiers of X.509 (RFC 5280), RSASSA-PSS (RFC 4055) and AMD's certificate extensions
//! (AMD 57230, "VCEK Certificate and KDS Interface Specification", chapter 3).

use super::der::Oid;

/// Authority key identifier.
pub const AUTHORITY_KEY_IDENTIFIER: Oid = &[2, 5, 29, 35];
/// Basic constraints: whether the subject is a certification authority, and how deep.
pub const BASIC_CONSTRAINTS: Oid = &[2, 5, 29, 19];
/// Where the issuer publishes its revocation list.
pub const CRL_DISTRIBUTION_POINTS: Oid = &[2, 5, 29, 31];
/// The revocation list's running number.
pub const CRL_NUMBER: Oid = &[2, 5, 29, 20];
/// What the subject's key may do.
pub const KEY_USAGE: Oid = &[2, 5, 29, 15];
/// Subject key identifier.
pub const SUBJECT_KEY_IDENTIFIER: Oid = &[2, 5, 29, 14];

/// Name attributes.
pub(super) const COMMON_NAME: Oid = &[2, 5, 4, 3];
pub(super) const COUNTRY: Oid = &[2, 5, 4, 6];
pub(super) const LOCALITY: Oid = &[2, 5, 4, 7];
pub(super) const STATE: Oid = &[2, 5, 4, 8];
pub(super) const ORGANIZATION: Oid = &[2, 5, 4, 10];
pub(super) const ORGANIZATIONAL_UNIT: Oid = &[2, 5, 4, 11];

pub(super) const RSASSA_PSS: Oid = &[1, 2, 840, 113549, 1, 1, 10];
pub(super) const MGF1: Oid = &[1, 2, 840, 113549, 1, 1, 8];
pub(super) const SHA256_WITH_RSA: Oid = &[1, 2, 840, 113549, 1, 1, 11];
pub(super) const SHA384_WITH_RSA: Oid = &[1, 2, 840, 113549, 1, 1, 12];
pub(super) const SHA512_WITH_RSA: Oid = &[1, 2, 840, 113549, 1, 1, 13];
pub(super) const SHA256: Oid = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
pub(super) const SHA384: Oid = &[2, 16, 840, 1, 101, 3, 4, 2, 2];
pub(super) const SHA512: Oid = &[2, 16, 840, 1, 101, 3, 4, 2, 3];

/// Version of the certificate's own layout, INTEGER: 0, on Turin 1.
pub const AMD_STRUCTURE_VERSION: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 1];
/// Product name, IA5String: `Milan-B0`, `Genoa`.
pub const AMD_PRODUCT_NAME: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 2];
/// Security patch level of the boot loader, INTEGER.
pub const AMD_BOOTLOADER: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 1];
/// Security patch level of the secure processor's operating system, INTEGER.
pub const AMD_TEE: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 2];
/// Security patch level of the SNP firmware, INTEGER.
pub const AMD_SNP: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 3];
/// Reserved patch level 4, INTEGER 0; Milan and Genoa only.
pub const AMD_SPL4: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 4];
/// Reserved patch level 5, INTEGER 0.
pub const AMD_SPL5: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 5];
/// Reserved patch level 6, INTEGER 0.
pub const AMD_SPL6: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 6];
/// Reserved patch level 7, INTEGER 0.
pub const AMD_SPL7: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 7];
/// Security patch level of the microcode, INTEGER.
pub const AMD_MICROCODE: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 8];
/// Security patch level of the FMC, INTEGER; Turin only.
pub const AMD_FMC: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 3, 9];
/// Hardware identity: the bytes themselves, without an inner element; VCEK only.
pub const AMD_HARDWARE_ID: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 4];
/// The cloud provider that a VLEK was issued to, IA5String.
pub const AMD_CSP_ID: Oid = &[1, 3, 6, 1, 4, 1, 3704, 1, 5];
