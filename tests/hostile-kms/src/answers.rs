//! Answers that a connector may not give, and reaches for what is not its own.

use claviger_plugin_sdk::kms::log::{self, Level};
use claviger_plugin_sdk::kms::material::{self, Encoding};
use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyReference, Released, Wrapped, sealed_keys, sealed_store, settings,
};

use crate::{VERSION, of_the_host, sound};

/// The answer that the key's name asks for.
pub(crate) fn answer(key: &KeyReference, context: &Context) -> Result<Released, Error> {
    let name = key.name.as_str();
    let held = match name {
        "empty" => Held { key: material::hold(&[]), ..sound(name)? },
        "media-type-forged" => {
            Held { media_type: "text/plain\r\nset-cookie: a=b".into(), ..sound(name)? }
        }
        "media-type-giant" => Held { media_type: "a/".repeat(100_000), ..sound(name)? },
        "version-forged" => Held { version: "1\n2".into(), ..sound(name)? },
        "version-other" => Held { version: "7".into(), ..sound(name)? },
        "handle-forged" => Held { key: forged_handle(), ..sound(name)? },
        "wrapped-garbage" => return Ok(wrapped(b"garbage".to_vec())),
        "wrapped-evidence" => {
            return Ok(wrapped(
                context.evidence().map(|evidence| evidence.bytes).unwrap_or_default(),
            ));
        }
        "wrapped-given" => return Ok(wrapped(settings::get("token").unwrap_or_default().into())),
        "wrapped-nothing" => return Ok(wrapped(Vec::new())),
        "made-up" => Held { key: material::hold(b"of its own choice"), ..sound(name)? },
        "reveal" => return Ok(wrapped(reveal(name)?)),
        "reveal-decoded" => return Ok(wrapped(reveal_decoded(name)?)),
        "reveal-and-hold" => Held { key: material::hold(&reveal_decoded(name)?), ..sound(name)? },
        "decrypt" => return Ok(wrapped(decrypt(name)?)),
        "climb-to-neighbour" => sound("../../../other/plugin/kms-hostile/key/victim")?,
        "climb-to-host" => sound("/host/data-key")?,
        "read-neighbour" => {
            read("../../../other/plugin/kms-hostile/record/r")?;
            sound(name)?
        }
        "list-everything" => {
            let found = list()?;
            return Err(Error::Denied(format!("found: {}", found.join(" "))));
        }
        "words-forged" => {
            return Err(Error::Denied("no\n2026-11-24 INFO released\u{1b}[31m".into()));
        }
        "words-giant" => return Err(Error::Denied("w".repeat(6 << 20))),
        name => sound(name)?,
    };
    Ok(Released::Held(held))
}

fn wrapped(bytes: Vec<u8>) -> Released {
    let media_type = "application/jose".into();
    Released::Wrapped(Wrapped { media_type, bytes, version: VERSION.into() })
}

/// Looks inside the key and writes it everywhere.
fn reveal(name: &str) -> Result<Vec<u8>, Error> {
    let key = sealed_keys::open(name).map_err(of_the_host)?;
    let bytes = key.reveal().map_err(Error::Denied)?;
    log::write(Level::Info, &format!("revealed {bytes:?}"));
    Ok(bytes)
}

fn reveal_decoded(name: &str) -> Result<Vec<u8>, Error> {
    let key = sealed_keys::open(name).map_err(of_the_host)?;
    let same = key.decode(Encoding::Raw).map_err(Error::Malformed)?;
    same.reveal().map_err(Error::Denied)
}

fn decrypt(name: &str) -> Result<Vec<u8>, Error> {
    sealed_keys::perform(name, "RSA-OAEP-256", &[1; 256]).map_err(of_the_host)
}

fn read(key: &str) -> Result<Option<Vec<u8>>, Error> {
    sealed_store::get(key).map_err(|error| Error::Malformed(format!("{error:?}")))
}

fn list() -> Result<Vec<String>, Error> {
    sealed_store::list("", None, 1000).map_err(|error| Error::Malformed(format!("{error:?}")))
}

/// A number that is no handle of this call.
#[expect(unsafe_code, reason = "that is the deed")]
pub(crate) fn forged_handle() -> material::Secret {
    // SAFETY: a handle is a number to WebAssembly; the host has to refuse one that it did not give.
    unsafe { material::Secret::from_handle(4096) }
}
