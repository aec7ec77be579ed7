//! Reference documents of every form: CoRIM, DSSE with what is in it, the plain form, SWID.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use claviger::reference::{Container, Opened, ReferencePlan, Signers};
use claviger::tenant::Tenant;

fuzz_target!(|bytes: &[u8]| {
    let signers = Signers::new(ReferencePlan::default()).unwrap();
    for container in [Container::Corim, Container::Dsse, Container::Json, Container::Rim] {
        if let Ok(opened) = Opened::read(container, bytes) {
            // Nobody is listed.
            assert!(opened.admit(&signers, &Tenant::default()).is_err());
        }
    }
});
