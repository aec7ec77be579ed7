//! `sealed-store`: a connector's records, private to it and to the tenant that the call is for.

use crate::plugin::kms::bindings::claviger::plugin::sealed_store::{Error, Host};
use crate::plugin::kms::call::{KmsCall, Place};
use crate::plugin::limits::Metered;
use crate::store::StoreError;
use crate::store::names::NotAName;

/// The most keys in one answer.
const PAGE: u32 = 1_000;

type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for KmsCall {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.meter().host_call()?;
        Ok(self.place().and_then(|place| {
            let value = place.store.get(&place.space.record(&key)?)?;
            Ok(value.map(|value| value.expose().to_vec()))
        }))
    }

    async fn swap(
        &mut self,
        key: String,
        expected: Option<Vec<u8>>,
        value: Option<Vec<u8>>,
    ) -> Answer<bool> {
        self.meter().host_call()?;
        let place = match self.place::<Error>() {
            Ok(place) => place.clone(),
            Err(error) => return Ok(Err(error)),
        };
        self.waiting(move || {
            let at = place.space.record(&key)?;
            Ok(place.store.swap(&at, expected.as_deref(), value.as_deref())?)
        })
        .await
    }

    fn list(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<Vec<String>> {
        self.meter().host_call()?;
        Ok(self.place().and_then(|place| list(place, &prefix, after, limit)))
    }
}

fn list(
    place: &Place,
    prefix: &str,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<String>, Error> {
    let prefix = place.space.records(prefix)?;
    let after = after.map(|after| place.space.record(&after)).transpose()?;
    let limit = usize::try_from(limit.min(PAGE)).unwrap_or_default();
    let keys = place.store.range(&prefix, after.as_deref(), limit)?;
    let names = keys.iter().filter_map(|key| place.space.record_name(key));
    Ok(names.map(str::to_owned).collect())
}

impl From<NotAName> for Error {
    fn from(error: NotAName) -> Self {
        Self::Invalid(error.to_string())
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
