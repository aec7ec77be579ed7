//! `material`: key material as handles. The bytes stay in the host.

use std::fmt;

use data_encoding::{BASE64, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use wasmtime::component::Resource;

use crate::plugin::kms::bindings::claviger::plugin::material::{Encoding, Host, HostSecret};
use crate::plugin::kms::call::KmsCall;
use crate::plugin::limits::{Held, Metered};
use crate::secret::Secret;

/// Key material behind a handle.
#[derive(Clone)]
pub struct Material {
    pub(in crate::plugin) secret: Secret,
    /// Whether the plugin knows the bytes: it made the handle from them.
    pub(in crate::plugin) known: bool,
}

impl Material {
    /// Material that the plugin does not know.
    pub(in crate::plugin) fn unknown(secret: Secret) -> Self {
        Self { secret, known: false }
    }
}

impl Held for Material {
    fn held(&self) -> usize {
        self.secret.len()
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.secret, f)
    }
}

impl Host for KmsCall {
    fn hold(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Resource<Material>> {
        self.meter().host_call()?;
        self.meter().push(Material { secret: Secret::new(bytes), known: true })
    }
}

impl HostSecret for KmsCall {
    fn length(&mut self, material: Resource<Material>) -> wasmtime::Result<u32> {
        self.meter().host_call()?;
        let length = self.meter().table.get(&material)?.secret.len();
        Ok(u32::try_from(length).unwrap_or(u32::MAX))
    }

    fn decode(
        &mut self,
        material: Resource<Material>,
        encoding: Encoding,
    ) -> wasmtime::Result<Result<Resource<Material>, String>> {
        self.meter().host_call()?;
        let Material { secret, known } = self.meter().table.get(&material)?;
        let known = *known;
        match decode(secret, encoding) {
            Some(secret) => self.meter().push(Material { secret, known }).map(Ok),
            None => Ok(Err("the secret is not written that way".into())),
        }
    }

    fn reveal(
        &mut self,
        material: Resource<Material>,
    ) -> wasmtime::Result<Result<Vec<u8>, String>> {
        self.meter().host_call()?;
        if !self.services().reads_key_material {
            return Ok(Err("this plugin may not read key material".into()));
        }
        let secret = self.meter().table.get(&material)?.secret.clone();
        let bytes = secret.expose().to_vec();
        self.reads(secret);
        Ok(Ok(bytes))
    }

    fn drop(&mut self, material: Resource<Material>) -> wasmtime::Result<()> {
        self.meter().table.delete(material)?;
        Ok(())
    }
}

/// The bytes that the secret's text stands for. Nothing says where or why a text is wrong: that
/// would tell something of it.
fn decode(secret: &Secret, encoding: Encoding) -> Option<Secret> {
    let text = secret.expose();
    let bytes = match encoding {
        Encoding::Raw => text.to_vec(),
        Encoding::Utf8 => std::str::from_utf8(text).ok()?.as_bytes().to_vec(),
        Encoding::Base64 => BASE64.decode(text).ok()?,
        Encoding::Base64url => match text.ends_with(b"=") {
            true => BASE64URL.decode(text).ok()?,
            false => BASE64URL_NOPAD.decode(text).ok()?,
        },
        Encoding::Hex => HEXLOWER_PERMISSIVE.decode(text).ok()?,
    };
    Some(Secret::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_decoded_as_it_is_written_or_not_at_all() {
        let decode = |text: &str, encoding| decode(&text.as_bytes().to_vec().into(), encoding);
        for (text, encoding) in [
            ("+/8=", Encoding::Base64),
            ("-_8", Encoding::Base64url),
            ("-_8=", Encoding::Base64url),
            ("fbff", Encoding::Hex),
            ("FBFF", Encoding::Hex),
        ] {
            assert!(decode(text, encoding).unwrap().matches(&[0xfb, 0xff]), "{text}");
        }
        assert!(decode("k\u{e9}y", Encoding::Utf8).unwrap().matches("k\u{e9}y".as_bytes()));
        assert!(decode("abc", Encoding::Raw).unwrap().matches(b"abc"));
        for (text, encoding) in [
            ("+/8", Encoding::Base64),
            ("-_8=", Encoding::Base64),
            ("+/8", Encoding::Base64url),
            ("abc", Encoding::Hex),
            ("xy", Encoding::Hex),
            ("+/9=", Encoding::Base64),
        ] {
            assert!(decode(text, encoding).is_none(), "{text}");
        }
        let not_utf8 = Secret::new(vec![0xff]);
        assert!(super::decode(&not_utf8, Encoding::Utf8).is_none());
    }
}
