//! What the imports of a connector's call work with.

use std::fmt;
use std::sync::Arc;

use crate::egress::TENANT;
use crate::keys::SignedRelease;
use crate::plugin::bindings::claviger::plugin::{log, settings, types};
use crate::plugin::import;
use crate::plugin::kms::KmsServices;
use crate::plugin::kms::known::Known;
use crate::plugin::limits::{Meter, Metered};
use crate::random::Random;
use crate::secret::Secret;
use crate::store::SealedStore;
use crate::store::names::PluginSpace;
use crate::tenant::Tenant;

/// The state of one call.
pub struct KmsCall {
    meter: Meter,
    services: Arc<KmsServices>,
    place: Option<Place>,
    tenant: Option<Tenant>,
    read: Vec<Secret>,
    releases: Vec<SignedRelease>,
}

/// Where a connector may keep things: its own place in the tenant that the call is for.
#[derive(Clone)]
pub(in crate::plugin) struct Place {
    pub(in crate::plugin) store: Arc<SealedStore>,
    pub(in crate::plugin) random: Arc<dyn Random>,
    pub(in crate::plugin) space: PluginSpace,
}

impl KmsCall {
    /// A call for a tenant, in its space; nowhere while a connector is tried.
    pub(super) fn new(
        meter: Meter,
        services: Arc<KmsServices>,
        space: Option<(Tenant, PluginSpace)>,
    ) -> Self {
        let (tenant, space) = space.unzip();
        let place = space.map(|space| Place {
            store: Arc::clone(&services.store),
            random: Arc::clone(&services.random),
            space,
        });
        Self { meter, services, place, tenant, read: Vec::new(), releases: Vec::new() }
    }

    /// The tenant that the call is for.
    pub(in crate::plugin) fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(Tenant::as_str)
    }

    /// What the operator gave this connector.
    pub(in crate::plugin) fn services(&self) -> &KmsServices {
        &self.services
    }

    /// The plugin gets this secret's bytes.
    pub(in crate::plugin) fn reads(&mut self, secret: Secret) {
        self.read.push(secret);
    }

    /// A release under its service's signature came in.
    pub(in crate::plugin) fn came(&mut self, release: SignedRelease) {
        self.releases.push(release);
    }

    /// Whether what the plugin wrapped stands in a release that came in signed, of this version.
    pub(super) fn signed(&self, jwe: &str, version: &str) -> bool {
        self.releases.iter().any(|release| release.is_in(jwe, version))
    }

    /// What it may not tell.
    pub(super) fn known(&self) -> Known<'_> {
        Known { granted: &self.services.secrets, read: &self.read }
    }

    /// Where it may keep things.
    pub(in crate::plugin) fn place<E: Unavailable>(&self) -> Result<&Place, E> {
        let place = self.place.as_ref();
        place.ok_or_else(|| E::unavailable("no call is being served"))
    }

    /// Runs what waits for the disk or computes for long on a thread made for it, no longer than the
    /// call may last. What has begun to be written is still written.
    pub(in crate::plugin) async fn waiting<R, E>(
        &mut self,
        work: impl FnOnce() -> Result<R, E> + Send + 'static,
    ) -> wasmtime::Result<Result<R, E>>
    where
        R: Send + 'static,
        E: Unavailable,
    {
        let ends = tokio::time::Instant::from_std(self.meter.ends());
        let work = tokio::task::spawn_blocking(work);
        match tokio::time::timeout_at(ends, work).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Ok(Err(E::unavailable("the host failed at it"))),
            Err(_) => {
                self.meter.in_time()?;
                Ok(Err(E::unavailable("it took too long")))
            }
        }
    }
}

/// An error of an import that can say that the host is at fault.
pub(in crate::plugin) trait Unavailable: Send + 'static {
    fn unavailable(why: &str) -> Self;
}

macro_rules! unavailable {
    ($($interface:ident),*) => {$(
        impl Unavailable for super::bindings::claviger::plugin::$interface::Error {
            fn unavailable(why: &str) -> Self {
                Self::Unavailable(why.to_owned())
            }
        }
    )*};
}

unavailable!(sealed_keys, sealed_store);

impl Metered for KmsCall {
    fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }
}

impl fmt::Debug for KmsCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KmsCall")
            .field("meter", &self.meter)
            .field("services", &self.services)
            .finish_non_exhaustive()
    }
}

impl types::Host for KmsCall {}

impl log::Host for KmsCall {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let message = self.known().words(message);
        import::log::write(&mut self.meter, level, &message)
    }
}

impl settings::Host for KmsCall {
    fn get(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        let value = import::settings::get(&mut self.meter, &self.services.values, &name)?;
        // A connector has no other way to learn for whom it is called.
        let tenant = self.tenant().unwrap_or("default");
        let value = value.map(|value| value.replace(TENANT, tenant));
        Ok(value.or_else(|| (name == "tenant").then(|| tenant.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use crate::plugin::import::material::Material;
    use crate::plugin::kms::bindings::claviger::plugin::{
        http, material, sealed_keys, sealed_store, secrets,
    };
    use crate::plugin::limits::{Exceeded, Limits};
    use crate::random::SystemRandomness;
    use crate::store::{Embedded, MasterKey};
    use material::{Host as _, HostSecret};
    use sealed_keys::Kind;

    fn services() -> KmsServices {
        let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
        let master = MasterKey::ephemeral(random.as_ref()).unwrap();
        let store = Arc::new(Embedded::in_memory().unwrap());
        let store = SealedStore::open(store, &master, random.clone()).unwrap();
        KmsServices::embedded(Arc::new(store), Arc::new(SystemClock), random)
    }

    fn call(services: &KmsServices, plugin: Option<&str>) -> KmsCall {
        let tenant = Tenant::default();
        let space =
            plugin.map(|plugin| (tenant.clone(), PluginSpace::new(&tenant, plugin).unwrap()));
        let meter = Meter::new("kms-test".into(), &Limits::default());
        KmsCall::new(meter, Arc::new(services.clone()), space)
    }

    #[test]
    fn key_material_is_revealed_only_with_the_grant() {
        let mut services = services();
        let mut without = call(&services, Some("a"));
        let secret = without.hold(b"key".to_vec()).unwrap();
        assert_eq!(without.length(without_ref(&secret)).unwrap(), 3);
        assert!(without.reveal(secret).unwrap().is_err());
        services.reads_key_material = true;
        let mut with = call(&services, Some("a"));
        let secret = with.hold(b"key".to_vec()).unwrap();
        assert_eq!(with.reveal(secret).unwrap().unwrap(), b"key");
    }

    // attack 45
    #[test]
    fn what_is_held_by_handles_is_bounded_in_bytes_even_where_they_are_dropped() {
        let services = services();
        let mut call = call(&services, Some("a"));
        let megabyte = || vec![0; 1 << 20];
        for _ in 0..8 {
            let held = call.hold(megabyte()).unwrap();
            HostSecret::drop(&mut call, held).unwrap();
        }
        let refused = call.hold(vec![0; 1]).unwrap_err();
        assert_eq!(refused.downcast_ref::<Exceeded>(), Some(&Exceeded::Held));
    }

    fn without_ref(
        secret: &wasmtime::component::Resource<Material>,
    ) -> wasmtime::component::Resource<Material> {
        wasmtime::component::Resource::new_borrow(secret.rep())
    }

    #[tokio::test]
    async fn what_decrypts_needs_the_grant_and_what_signs_does_not() {
        use sealed_keys::{Error, Host};
        let mut services = services();
        let mut call_a = call(&services, Some("a"));
        let jwk = call_a.generate("k".into(), Kind::Rsa(2048)).await.unwrap();
        assert!(jwk.unwrap().unwrap().contains("\"RSA\""));
        let signed = call_a.perform("k".into(), "PS256".into(), b"m".to_vec());
        assert_eq!(signed.await.unwrap().unwrap().len(), 256);
        let refused = call_a.perform("k".into(), "RSA-OAEP-256".into(), vec![1; 256]);
        assert!(matches!(refused.await.unwrap(), Err(Error::Denied(_))));
        services.reads_key_material = true;
        let mut granted = call(&services, Some("a"));
        let tried = granted.perform("k".into(), "RSA-OAEP-256".into(), vec![1; 256]);
        assert!(matches!(tried.await.unwrap(), Err(Error::Invalid(_))));
    }

    // attack 51
    #[tokio::test]
    async fn keys_and_records_of_another_plugin_are_out_of_reach() {
        let services = services();
        let (mut a, mut b) = (call(&services, Some("a")), call(&services, Some("a-b")));
        {
            use sealed_keys::{Error, Host};
            a.generate("k".into(), Kind::EcP256).await.unwrap().unwrap();
            let again = a.generate("k".into(), Kind::EcP256).await.unwrap();
            assert!(matches!(again, Err(Error::Exists)));
            assert!(matches!(b.open("k".into()).unwrap(), Err(Error::NotFound)));
            let signed = b.perform("k".into(), "ES256".into(), vec![]).await.unwrap();
            assert!(matches!(signed, Err(Error::NotFound)));
            let erased = b.erase("k".into()).await.unwrap();
            assert!(matches!(erased, Err(Error::NotFound)));
            for name in ["../a/key/k", "/k", "", "k/../k", "a\0"] {
                let opened = b.open(name.into()).unwrap();
                assert!(matches!(opened, Err(Error::Invalid(_))), "{name:?}");
            }
            assert!(a.open("k".into()).unwrap().is_ok());
        }
        use sealed_store::{Error, Host};
        let swapped = a.swap("r".into(), None, Some(b"mine".to_vec())).await;
        assert!(swapped.unwrap().unwrap());
        assert_eq!(b.get("r".into()).unwrap().unwrap(), None);
        assert!(b.list(String::new(), None, 9).unwrap().unwrap().is_empty());
        assert_eq!(a.list(String::new(), None, 9).unwrap().unwrap(), ["r"]);
        let climbed = b.get("../../a/record/r".into()).unwrap();
        assert!(matches!(climbed, Err(Error::Invalid(_))));
    }

    #[tokio::test]
    async fn only_granted_secrets_are_given_and_no_target_is_reached() {
        let mut services = services();
        let token = Secret::new(b"t0ken".to_vec());
        services.secrets.insert("token".into(), token);
        let mut call = call(&services, Some("a"));
        assert_eq!(secrets::Host::get(&mut call, "token".into()).unwrap(), Some(b"t0ken".to_vec()));
        assert_eq!(secrets::Host::get(&mut call, "other".into()).unwrap(), None);
        // attack 42
        for url in ["https://kms.example/", "http://169.254.169.254/", "file:///etc/passwd"] {
            let request = http::Request {
                method: "GET".into(),
                url: url.into(),
                headers: Vec::new(),
                body: Vec::new(),
                credential: None,
            };
            let answer = http::Host::send(&mut call, request).await.unwrap();
            assert!(matches!(answer, Err(http::Error::Denied(_))), "{url}");
        }
    }

    #[tokio::test]
    async fn a_connector_that_is_only_tried_keeps_nothing() {
        let services = services();
        let mut tried = call(&services, None);
        let swapped = sealed_store::Host::swap(&mut tried, "r".into(), None, Some(vec![1]));
        assert!(swapped.await.unwrap().is_err());
        let made = sealed_keys::Host::generate(&mut tried, "k".into(), Kind::Oct(128));
        assert!(made.await.unwrap().is_err());
        assert!(services.store.range("t/", None, 9).unwrap().is_empty());
    }

    // attack 45
    #[test]
    fn a_flood_of_handles_ends_the_call() {
        let services = services();
        let mut call = call(&services, Some("a"));
        let flood: wasmtime::Result<Vec<_>> = (0..1_000).map(|_| call.hold(vec![1])).collect();
        assert!(flood.is_err());
    }
}
