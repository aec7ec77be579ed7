//! Keys of Azure Key Vault and Managed HSM: secure key release to the recipient that a token of Azure
//! Attestation names, or secrets. The host attaches the token of its identity and withholds the
//! secrets; neither comes in here.
#![forbid(unsafe_code)]

mod configuration;
mod import;
mod release;
mod service;

use claviger_plugin_sdk::kms::{
    Context, Error, Held, KeyManagement, KeyReference, KeyRelease, KeySummary, NewKey, Released,
    clock, sealed_store,
};

use configuration::{Configuration, Source};

claviger_plugin_sdk::manifest! {
    name: "kms-azure",
    kind: "kms",
    imports: ["clock", "http", "log", "material", "release-context", "sealed-store", "settings"],
    settings: {
        "vault": "The vault: https://name.vault.azure.net, https://name.managedhsm.azure.net.",
        "source": "release (secure key release, the default) or secret.",
        "prefix": "What stands before a key's name; by default the tenant, with its length before it: 7-default-.",
        "api-version": "7.4 by default.",
        "encoding": "Secrets: base64 (the default), base64url, hex, utf8 or raw.",
        "release-policy": "release: the vault's own policy of keys that are imported, in Azure's JSON.",
        "media-type": "What a symmetric key or a secret is: application/octet-stream by default.",
    },
}
claviger_plugin_sdk::register_managed_kms!(Azure);

struct Azure;

impl KeyRelease for Azure {
    fn release(key: KeyReference, context: &Context) -> Result<Released, Error> {
        let of = Configuration::read()?;
        find(&key.name)?;
        let name = of.name(&key.name)?;
        let version = key.version.as_deref().map(checked).transpose()?;
        match of.source {
            Source::Release => {
                release::release(&of, &name, version, context).map(Released::Wrapped)
            }
            Source::Secret => {
                let fetched = service::secret(&of, &name, version)?;
                let (key, version) = (fetched.key, fetched.version);
                Ok(Released::Held(Held { media_type: of.media_type, key, version }))
            }
        }
    }

    fn health() -> Result<(), Error> {
        service::health(&Configuration::read()?)
    }
}

impl KeyManagement for Azure {
    /// Puts a given key into the vault; or makes known a key that somebody put there.
    fn create(key: NewKey) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        let name = of.name(&key.name)?;
        let known = match &key.key {
            None => service::known(&of, &name, None)?,
            Some(given) => {
                match find(&key.name) {
                    Err(Error::NotFound) => {}
                    Err(error) => return Err(error),
                    Ok(_) => return Err(Error::Conflict("there is a key of that name".into())),
                }
                import::import(&of, &name, &key.kind, given)?
            }
        };
        let record = format!("{FORM} {} {}", key.kind, clock::now());
        let made = sealed_store::swap(&place(&key.name), None, Some(record.as_bytes()));
        match made.map_err(store_error)? {
            true => summary(&key.name, known),
            false => Err(Error::Conflict("there is a key of that name".into())),
        }
    }

    fn rotate(_: String) -> Result<KeySummary, Error> {
        Err(Error::Unsupported("a key is rotated in its vault".into()))
    }

    fn list(cursor: Option<String>) -> Result<(Vec<KeySummary>, Option<String>), Error> {
        let after = cursor.as_deref().map(place);
        let names = sealed_store::list(RECORDS, after.as_deref(), PAGE).map_err(store_error)?;
        let full = usize::try_from(PAGE).is_ok_and(|page| names.len() == page);
        let names: Vec<_> = names.iter().filter_map(|name| name.strip_prefix(RECORDS)).collect();
        let next = names.last().filter(|_| full).map(|name| (*name).to_owned());
        let unasked = || service::Known { version: "latest".into(), enabled: true };
        let page = names.iter().map(|name| summary(name, unasked()));
        Ok((page.collect::<Result<_, _>>()?, next))
    }

    fn versions(name: String) -> Result<Vec<KeySummary>, Error> {
        Self::get(KeyReference { name, version: None }).map(|latest| vec![latest])
    }

    fn get(key: KeyReference) -> Result<KeySummary, Error> {
        let of = Configuration::read()?;
        find(&key.name)?;
        let version = key.version.as_deref().map(checked).transpose()?;
        summary(&key.name, service::known(&of, &of.name(&key.name)?, version)?)
    }

    fn set_enabled(_: KeyReference, _: bool) -> Result<KeySummary, Error> {
        Err(Error::Unsupported("a key is disabled in its vault".into()))
    }

    /// The key is not known here any more; what the vault has of it stays.
    fn delete(name: String) -> Result<(), Error> {
        let was = find(&name)?;
        match sealed_store::swap(&place(&name), Some(&was), None).map_err(store_error)? {
            true => Ok(()),
            false => Err(Error::Conflict("the key was changed meanwhile".into())),
        }
    }
}

/// Keys on one page of a list.
const PAGE: u32 = 100;

/// Where the records stand: which keys are known here, each a line of form, kind and time.
const RECORDS: &str = "key/";

const FORM: &str = "claviger-kms-azure-1";

fn place(name: &str) -> String {
    format!("{RECORDS}{name}")
}

fn find(name: &str) -> Result<Vec<u8>, Error> {
    sealed_store::get(&place(name)).map_err(store_error)?.ok_or(Error::NotFound)
}

fn summary(name: &str, known: service::Known) -> Result<KeySummary, Error> {
    let record = find(name)?;
    let text = std::str::from_utf8(&record).unwrap_or_default();
    let mut words = text.split(' ').skip_while(|word| *word != FORM).skip(1);
    let kind = words.next().unwrap_or("unknown").to_owned();
    let created = words.next().and_then(|created| created.parse().ok()).unwrap_or(0);
    Ok(KeySummary {
        name: name.to_owned(),
        version: known.version,
        kind,
        enabled: known.enabled,
        exportable: true,
        created,
        updated: created,
    })
}

/// A version as a vault writes it: 32 hexadecimal digits.
fn checked(version: &str) -> Result<&str, Error> {
    let digits = version.bytes().all(|byte| byte.is_ascii_hexdigit());
    if digits && version.len() == 32 { Ok(version) } else { Err(Error::NotFound) }
}

fn store_error(error: sealed_store::Error) -> Error {
    match error {
        sealed_store::Error::Invalid(why) => Error::Malformed(why),
        sealed_store::Error::Unavailable(why) => Error::Unavailable(why),
    }
}
