//! What the tests stand on: hosts, guests and adversaries. The tests themselves are in `tests/`.

pub mod hostile;
pub mod site;
