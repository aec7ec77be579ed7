//! `sealed-keys`: keys that the host keeps for a connector, private to it and to the tenant.

mod key;
mod operation;

use key::Key;

use wasmtime::component::Resource;

use super::material::Material;
use crate::plugin::kms::bindings::claviger::plugin::sealed_keys as wit;
use crate::plugin::kms::call::{KmsCall, Place};
use crate::plugin::limits::Metered;
use crate::secret::Secret;
use crate::store::StoreError;
use wit::{Error, Host, Kind};

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for KmsCall {
    async fn generate(&mut self, name: String, kind: Kind) -> Answer<Option<String>> {
        self.on_keys(&name, move |place, at| {
            // Before seconds are spent on a key that could not be kept.
            if place.store.get(at)?.is_some() {
                return Err(Error::Exists);
            }
            keep(place, at, &Key::generate(kind, place.random.as_ref())?)
        })
        .await
    }

    async fn put(
        &mut self,
        name: String,
        kind: Kind,
        key: Resource<Material>,
    ) -> Answer<Option<String>> {
        let given = self.meter().table.get(&key)?.secret.clone();
        self.on_keys(&name, move |place, at| keep(place, at, &Key::import(kind, &given)?)).await
    }

    fn open(&mut self, name: String) -> Answer<Resource<Material>> {
        self.meter().host_call()?;
        match self.place().and_then(|place| find(place, &at(place, &name)?)) {
            Ok(key) => self.meter().push(Material::unknown(key.material)).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn perform(
        &mut self,
        name: String,
        algorithm: String,
        input: Vec<u8>,
    ) -> Answer<Vec<u8>> {
        let may_decrypt = self.services().reads_key_material;
        let decrypts = algorithm == operation::RSA_OAEP_256;
        let performed = self.on_keys(&name, move |place, at| {
            let key = find(place, at)?;
            if !decrypts {
                return key.sign(&algorithm, &input);
            }
            if !may_decrypt {
                return Err(Error::Denied(
                    "this plugin may not read key material; `unwrap` gives a handle".into(),
                ));
            }
            Ok(key.decrypt(&algorithm, &input)?.expose().to_vec())
        });
        let performed = performed.await?;
        if let (true, Ok(bytes)) = (decrypts, &performed) {
            self.reads(Secret::new(bytes.clone()));
        }
        Ok(performed)
    }

    async fn unwrap(
        &mut self,
        name: String,
        algorithm: String,
        wrapped: Vec<u8>,
    ) -> Answer<Resource<Material>> {
        let unwrapped =
            self.on_keys(&name, move |place, at| find(place, at)?.unwrap(&algorithm, &wrapped));
        match unwrapped.await? {
            Ok(secret) => self.meter().push(Material::unknown(secret)).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn erase(&mut self, name: String) -> Answer<()> {
        self.on_keys(&name, |place, at| {
            // A key never changes once it is there: what is read here is what is removed.
            let Some(record) = place.store.get(at)? else {
                return Err(Error::NotFound);
            };
            match place.store.swap(at, Some(record.expose()), None)? {
                true => Ok(()),
                false => Err(Error::NotFound),
            }
        })
        .await
    }
}

impl KmsCall {
    /// Counts the call, then runs `work` on the key's place in the store, on a thread that may wait.
    async fn on_keys<R: Send + 'static>(
        &mut self,
        name: &str,
        work: impl FnOnce(&Place, &str) -> Result<R, Error> + Send + 'static,
    ) -> Answer<R> {
        self.meter().host_call()?;
        let place = self.place::<Error>().cloned();
        let (place, at) = match place.and_then(|place| Ok((at(&place, name)?, place))) {
            Ok((at, place)) => (place, at),
            Err(error) => return Ok(Err(error)),
        };
        self.waiting(move || work(&place, &at)).await
    }
}

fn at(place: &Place, name: &str) -> Result<String, Error> {
    let key = place.space.key(name);
    key.map_err(|error| Error::Invalid(error.to_string()))
}

fn find(place: &Place, at: &str) -> Result<Key, Error> {
    let record = place.store.get(at)?.ok_or(Error::NotFound)?;
    Key::decode(&record)
}

fn keep(place: &Place, at: &str, key: &Key) -> Result<Option<String>, Error> {
    let public = key.public()?;
    match place.store.swap(at, None, Some(key.encode().expose()))? {
        true => Ok(public),
        false => Err(Error::Exists),
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLong => Self::Invalid(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
