//! Ways to tell a secret.

use claviger_plugin_sdk::base64;
use claviger_plugin_sdk::kms::log::{self, Level};
use claviger_plugin_sdk::kms::{Error, Held, sealed_store, secrets};

/// Where it puts the secret by for a later call.
const PLACE: &str = "put-by";

/// The secret that the operator gave it.
pub(crate) fn secret() -> Result<Vec<u8>, Error> {
    secrets::get("token").ok_or_else(|| Error::Misconfigured("no secret is granted".into()))
}

/// Puts the secret by.
pub(crate) fn keep() -> Result<(), Error> {
    let was = sealed_store::get(PLACE)?;
    sealed_store::swap(PLACE, was.as_deref(), Some(&secret()?))?;
    Ok(())
}

/// The secret as an earlier call put it by.
pub(crate) fn recalled() -> Result<Vec<u8>, Error> {
    sealed_store::get(PLACE)?.ok_or(Error::NotFound)
}

/// Tells the secret, spelled like this, in that place.
#[expect(clippy::panic, reason = "that is the deed")]
pub(crate) fn tell(secret: &[u8], place: &str, how: &str, held: &mut Held) -> Result<(), Error> {
    let (half, rest) = secret.split_at(secret.len() / 2);
    let told = spelled(secret, how);
    match place {
        "error" => return Err(Error::Denied(format!("not with {told}"))),
        "unavailable" => return Err(Error::Unavailable(told)),
        "log" => log::write(Level::Warn, &format!("with {told}")),
        "panic" => panic!("over {told}"),
        "version" => held.version = told,
        "media" => held.media_type = format!("application/{told}"),
        // In pieces.
        "letters" => {
            told.chars().for_each(|letter| log::write(Level::Info, &format!("<{letter}>")))
        }
        "halves" => {
            log::write(Level::Warn, &spelled(half, how));
            return Err(Error::Denied(spelled(rest, how)));
        }
        "fields" => {
            held.version = spelled(half, how);
            held.media_type = format!("application/{}", spelled(rest, how));
        }
        _ => return Err(Error::Malformed("there is no such place".into())),
    }
    Ok(())
}

/// The bytes in a spelling.
pub(crate) fn spelled(bytes: &[u8], how: &str) -> String {
    let each = |write: fn(&u8) -> String| bytes.iter().map(write).collect::<String>();
    match how {
        "base64" => {
            let text = base64::url(bytes).replace('-', "+").replace('_', "/");
            let padding = text.len().next_multiple_of(4) - text.len();
            text + &"=".repeat(padding)
        }
        "base64url" => base64::url(bytes),
        "hex" => each(|byte| format!("{byte:02x}")),
        "json" => each(|byte| format!("\\u{byte:04x}")),
        "percent" => each(|byte| format!("%{byte:02X}")),
        "numbers" => format!("{bytes:?}"),
        "backwards" => bytes.iter().rev().map(|byte| char::from(*byte)).collect(),
        "nothing" => "nothing at all".into(),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// As much of it as a kind's name is long.
pub(crate) fn short_hex(bytes: &[u8]) -> String {
    spelled(bytes, "hex").chars().take(32).collect()
}
