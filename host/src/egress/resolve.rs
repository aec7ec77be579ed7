//! Names to addresses, injected: what a name resolves to is nobody's word.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// What a look-up comes to.
pub type Looked<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks names up.
pub trait Resolver: Send + Sync + 'static {
    /// Every address of the host.
    fn look_up<'a>(&'a self, host: &'a str) -> Looked<'a>;
}

/// The operating system's resolver.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn look_up<'a>(&'a self, host: &'a str) -> Looked<'a> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
