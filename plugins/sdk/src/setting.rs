//! Settings that more than one connector has, read in one way and refused by name.

use crate::kms::Error;
use crate::kms::http::Form;
use crate::kms::material::Encoding;

/// The setting of this name is not what it must be; `why` goes on from "the setting NAME …".
///
/// # Errors
/// Always: [`Error::Misconfigured`].
pub fn wrong<T>(name: &str, why: &str) -> Result<T, Error> {
    Err(Error::Misconfigured(format!("the setting {name} {why}")))
}

/// How key material is written where it is kept: the setting `encoding`.
///
/// # Errors
/// [`Error::Misconfigured`] where it is none of `raw`, `utf8`, `base64`, `base64url`, `hex`.
pub fn encoding(text: &str) -> Result<Encoding, Error> {
    Ok(match text {
        "base64" => Encoding::Base64,
        "base64url" => Encoding::Base64url,
        "hex" => Encoding::Hex,
        "raw" => Encoding::Raw,
        "utf8" => Encoding::Utf8,
        _ => return wrong("encoding", "is raw, utf8, base64, base64url or hex"),
    })
}

/// The same as a form in which key material is sent there.
///
/// # Errors
/// [`Error::Unsupported`] for `raw` and `utf8`, in which not every key can be written.
pub fn form(encoding: Encoding) -> Result<Form, Error> {
    Ok(match encoding {
        Encoding::Base64 => Form::Base64,
        Encoding::Base64url => Form::Base64url,
        Encoding::Hex => Form::Hex,
        Encoding::Raw | Encoding::Utf8 => {
            let why = "keys are imported in base64, base64url or hex (`encoding`)";
            return Err(Error::Unsupported(why.into()));
        }
    })
}
