//! The manifest: JSON in the custom section `claviger:manifest` of the plugin's own module.

/// Writes the plugin's manifest. Version and description come from the crate.
///
/// ```
/// claviger_plugin_sdk::manifest! {
///     name: "verifier-acme",
///     kind: "verifier",
///     imports: ["log", "settings", "quotes"],
///     anchors: ["amd"],
///     settings: { "minimum-svn": "Reports of an older guest are rejected." },
/// }
/// ```
///
/// `kind` is `verifier` or `kms`. `imports` are the interfaces of `wit/` that the plugin wants, each
/// of which the operator's grants must cover; a component that imports others is refused. `anchors`, which
/// may be left out, are the sets of trust anchors that a verifier names. `settings`
/// names what `settings.get` knows, each with one line of help.
#[macro_export]
macro_rules! manifest {
    (
        name: $name:literal,
        kind: $kind:literal,
        imports: [$import:literal $(, $imports:literal)* $(,)?],
        $(anchors: [$anchor:literal $(, $anchors:literal)* $(,)?],)?
        settings: { $($setting:literal : $help:literal $(, $settings:literal : $helps:literal)* $(,)?)? } $(,)?
    ) => {
        const _: () = {
            const JSON: &[u8] = concat!(
                "{\"name\":\"", $name,
                "\",\"kind\":\"", $kind,
                "\",\"version\":\"", env!("CARGO_PKG_VERSION"),
                "\",\"description\":\"", env!("CARGO_PKG_DESCRIPTION"),
                "\",\"imports\":[\"", $import, "\"" $(, ",\"", $imports, "\"")*, "]",
                $(",\"anchors\":[\"", $anchor, "\"" $(, ",\"", $anchors, "\"")*, "]",)?
                ",\"settings\":{",
                $("\"", $setting, "\":\"", $help, "\"", $(",\"", $settings, "\":\"", $helps, "\"",)*)?
                "}}"
            ).as_bytes();

            const fn sized<const N: usize>() -> [u8; N] {
                let mut bytes = [0; N];
                bytes.copy_from_slice(JSON);
                bytes
            }

            #[cfg_attr(target_arch = "wasm32", unsafe(link_section = "claviger:manifest"))]
            #[used]
            static MANIFEST: [u8; JSON.len()] = sized();
        };
    };
}
