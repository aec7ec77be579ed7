//! Public JSON Web Keys in their one canonical spelling (RFC 7517), named by thumbprint (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

/// A public key with its required members only.
pub(super) struct Canonical {
    pub(super) jwk: Map<String, Value>,
    pub(super) thumbprint: [u8; 32],
}

impl Canonical {
    /// From the required members, in the lexicographic order of their names. Names and values are of
    /// letters, digits, `-` and `_`, so that they need no escapes.
    pub(super) fn new(members: &[(&str, &str)]) -> Self {
        let text: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":\"{value}\"")).collect();
        let hash = digest(&SHA256, format!("{{{}}}", text.join(",")).as_bytes());
        let mut thumbprint = [0; 32];
        thumbprint.copy_from_slice(hash.as_ref());
        let jwk =
            members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        Self { jwk, thumbprint }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64URL_NOPAD;

    use super::*;

    /// RFC 7638, section 3.1.
    #[test]
    fn the_thumbprint_of_rfc_7638_comes_out() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1\
                 L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4\
                 QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbO\
                 pbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csF\
                 Cur-kEgU8awapJzKnqDKgw";
        let canonical = Canonical::new(&[("e", "AQAB"), ("kty", "RSA"), ("n", n)]);
        let wanted = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(BASE64URL_NOPAD.encode(&canonical.thumbprint), wanted);
    }
}
