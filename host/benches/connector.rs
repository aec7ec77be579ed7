//! What a connector's call costs the host beside the time of its key management service: the
//! processor time of the thread on which everything of the host's runs, with a kept connection over
//! TLS. The service, a fake, has a thread of its own.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may stop at the first surprise")]

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use claviger::clock::{Clock, SystemClock};
use claviger::egress::{
    EgressLimits, Gate, Outgoing, Resolver, SystemResolver, TargetPlan, TlsPlan,
};
use claviger::plugin::{
    Engine, EngineSettings, Grants, KeyReference, KmsPlugin, KmsServices, NewKey, ReleaseContext,
    bundled,
};
use claviger::random::{Random, SystemRandomness};
use claviger::store::{Embedded, MasterKey, SealedStore};
use claviger::tenant::Tenant;
use claviger_tests::fake_vault::FakeVault;
use criterion::{Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Builder;

struct Nobody;

impl ReleaseContext for Nobody {
    fn recipient(&self) -> String {
        "{}".to_owned()
    }

    fn attestation(&self) -> Result<String, String> {
        Err("none".to_owned())
    }

    fn evidence(&self) -> Option<(String, Vec<u8>)> {
        None
    }
}

/// The processor time of this thread.
fn spent() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.try_into().unwrap(), now.tv_nsec.try_into().unwrap())
}

fn connector(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let (tell, told) = channel();
    let place = folder.path().to_owned();
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let vault = FakeVault::start(&place).await;
            // No credential is attached, and the fake takes the empty token for a good one.
            vault.state().tokens.push(String::new());
            vault.put("claviger/default/k", &[7; 32]);
            tell.send((vault.server.url.clone(), vault.server.ca.clone())).unwrap();
            std::future::pending::<()>().await;
        });
    });
    let (url, ca) = told.recv().unwrap();
    let target = TargetPlan {
        url: format!("{url}/v1/"),
        methods: ["GET".to_owned()].into(),
        tls: TlsPlan { roots: ca, identity: None },
        addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        credential: None,
        withhold: vec!["/data/data/*".parse().unwrap()],
        ..TargetPlan::default()
    };
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let resolver: Arc<dyn Resolver> = Arc::new(SystemResolver);
    let gate = Gate::new(vec![target], EgressLimits::default(), &resolver, &clock).unwrap();
    let gate = Arc::new(gate);
    let master = MasterKey::ephemeral(&*random).unwrap();
    let store = Arc::new(Embedded::in_memory().unwrap());
    let store = Arc::new(SealedStore::open(store, &master, random.clone()).unwrap());
    let mut services = KmsServices::embedded(store, clock, random);
    let wanted =
        ["clock", "http", "log", "material", "release-context", "sealed-store", "settings"];
    services.grants = Grants::new(wanted);
    services.values.insert("address".to_owned(), url.clone());
    services.egress = Some(gate.clone());
    let engine = Engine::new(EngineSettings::default()).unwrap();
    let component = bundled::component("kms-vault").unwrap();
    let kms = KmsPlugin::load(&engine, "kms-vault", component, services).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (tenant, kind) = (Tenant::default(), "oct-256".to_owned());
    let new = NewKey { name: "k".to_owned(), kind, exportable: true, material: None };
    runtime.block_on(kms.create(&tenant, new)).unwrap();
    let key = KeyReference::latest("k");

    let mut group = criterion.benchmark_group("connector");
    group.bench_function("the gate alone", |bencher| {
        bencher.iter_custom(|times| {
            let url = format!("{url}/v1/secret/data/claviger/default/k");
            let before = spent();
            for _ in 0..times {
                let sent = gate.send(Outgoing {
                    method: "GET",
                    url: &url,
                    headers: &[],
                    body: Vec::new(),
                    credential: None,
                    tenant: None,
                    ends: Instant::now() + Duration::from_secs(5),
                });
                assert_eq!(runtime.block_on(sent).unwrap().status, 200);
            }
            spent() - before
        });
    });
    group.bench_function("kms-vault, a release", |bencher| {
        bencher.iter_custom(|times| {
            let before = spent();
            for _ in 0..times {
                runtime.block_on(kms.release(&tenant, &key, Arc::new(Nobody))).unwrap();
            }
            spent() - before
        });
    });
    group.finish();
}

criterion_group!(benches, connector);
criterion_main!(benches);
