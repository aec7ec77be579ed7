//! In which form a result is handed out.

/// The form of a result (RFC 9782).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Form {
    /// A CBOR Web Token (RFC 8392), in COSE_Sign1.
    Cwt,
    /// A JSON Web Token (RFC 7519), in compact JWS.
    #[default]
    Jwt,
}

impl Form {
    /// The media type, without parameters.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Cwt => "application/eat+cwt",
            Self::Jwt => "application/eat+jwt",
        }
    }
}
