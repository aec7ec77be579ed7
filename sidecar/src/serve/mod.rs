//! What neighbours ask: HTTP and gRPC on one address that only this machine reaches.

mod grpc;
mod listener;
mod router;

pub(crate) use listener::{Address, Listener, serve};
pub(crate) use router::Desk;
