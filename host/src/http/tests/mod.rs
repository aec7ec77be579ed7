//! The front doors, tested as a client meets them: through TLS on the loopback.

mod administration;
mod azure;
mod bodies;
mod certificates;
mod drain;
mod floods;
mod limits;
mod paths;
mod support;
mod translation;
mod unread;
