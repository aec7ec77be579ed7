//! What neighbours ask: HTTP and gRPC on one address that only this machine reaches.

mod descriptor;
mod grpc;
mod listener;
mod reflection;
mod router;

pub(crate) use listener::{Address, Listener, serve};
pub(crate) use router::Desk;
