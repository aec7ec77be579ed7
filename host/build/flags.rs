//! How a plugin is compiled: by this crate's build the bundled ones, by `claviger plugin build` a vendor's.

use std::env;
use std::path::{Path, PathBuf};

pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Flags for rustc, as `CARGO_ENCODED_RUSTFLAGS` takes them. `folders`: those whose paths could stand in the
/// component, and what is written in their place.
///
/// A small stack keeps an instance's first pages few; vectors (WebAssembly 2.0) read texts many bytes at a
/// time; without paths of this machine, the same source makes the same component, and the same digest,
/// everywhere.
pub(crate) fn flags(folders: &[(&Path, &str)]) -> String {
    let mut flags =
        ["-Clink-arg=-zstack-size=32768", "-Ctarget-feature=+simd128"].map(str::to_owned).to_vec();
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let home = home.iter().map(|home| (home.as_path(), "cargo"));
    let remapped =
        |(folder, name): (&Path, &str)| format!("--remap-path-prefix={}={name}", folder.display());
    flags.extend(home.chain(folders.iter().copied()).map(remapped));
    flags.join("\u{1f}")
}
