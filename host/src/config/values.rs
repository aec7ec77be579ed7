//! Byte strings in a configuration: hexadecimal, of a fixed length.

use serde::Deserialize;

/// `N` bytes, in hexadecimal of either case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| format!("wanted are {N} bytes in hexadecimal ({} characters)", 2 * N))
    }
}

/// A SHA-256 digest, `sha256:` and hexadecimal.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Digest256(pub [u8; 32]);

impl TryFrom<String> for Digest256 {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:").ok_or("wanted is `sha256:` and 64 characters")?;
        Hex::try_from(hex.to_owned()).map(|Hex(digest)| Self(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_of_the_right_length_are_taken() {
        assert_eq!(Hex::<2>::try_from("0aFf".to_owned()), Ok(Hex([0x0a, 0xff])));
        for bad in ["", "0a", "0aff00", "0af", "0xff", "zzzz"] {
            assert!(Hex::<2>::try_from(bad.to_owned()).is_err(), "{bad}");
        }
        let digest = format!("sha256:{}", "07".repeat(32));
        assert_eq!(Digest256::try_from(digest), Ok(Digest256([7; 32])));
        assert!(Digest256::try_from("07".repeat(32)).is_err());
    }
}
