//! The configuration's text; no file that it names is looked at.
#![no_main]
#![allow(missing_docs, reason = "a fuzz target")]

use libfuzzer_sys::fuzz_target;
use std::path::Path;

use claviger::config::Config;

fuzz_target!(|text: &str| {
    let _ = Config::parse(text, Path::new("/nowhere/claviger.toml"));
});
