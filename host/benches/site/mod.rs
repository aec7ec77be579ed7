//! What the benchmarks run on: a host in this process, and reports for it.
#![allow(dead_code, reason = "each benchmark takes what it needs")]

use std::sync::Arc;

use claviger::flow::{Caller, Evidence, Host, Purpose};
use claviger::quote::{Authority, Revocation};
use claviger::tenant::Tenant;
use claviger_tests::site;
use tokio::runtime::Runtime;

pub(crate) use claviger_tests::site::{Guest, NOW};

pub(crate) const KEY: &str = "bench-key";

pub(crate) fn runtime(threads: usize) -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn caller() -> Caller {
    site::caller(&Tenant::default())
}

pub(crate) fn purpose() -> Purpose {
    Purpose::Release { key: KEY.to_owned() }
}

pub(crate) fn evidence(data: Vec<u8>, attachments: &[Vec<u8>]) -> Evidence {
    Evidence { tee: "snp".to_owned(), media_type: None, data, attachments: attachments.to_vec() }
}

/// A genuine report with the certificate of its key.
pub(crate) struct Report {
    pub(crate) bytes: Vec<u8>,
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Report {
    pub(crate) fn new() -> Self {
        let guest = Guest::new().hardware;
        let evidence = guest.evidence([7; 64]);
        Self { bytes: evidence.data, certificates: evidence.attachments }
    }

    pub(crate) fn evidence(&self) -> Evidence {
        evidence(self.bytes.clone(), &self.certificates)
    }

    /// Trusts the report's family, and has verified nothing yet.
    pub(crate) fn authority(&self) -> Arc<Authority> {
        let family = site::family();
        let authority = Authority::builder()
            .revocation(Revocation::Required)
            .simulated_root(family.ark().to_vec())
            .certificate(family.ask().to_vec())
            .certificate(family.crl(&family.crl_template()));
        Arc::new(authority.build().unwrap())
    }
}

/// A folder and what else a host needs.
pub(crate) struct Ground(site::Ground);

impl Ground {
    pub(crate) fn new() -> Self {
        Self(site::Ground::new())
    }

    /// A host with one key.
    pub(crate) async fn host(&self) -> Host {
        let host = self.0.try_build(self.0.plan()).await.unwrap();
        host.create_key(&caller(), "bench", site::new_key(KEY)).await.unwrap();
        host
    }
}
