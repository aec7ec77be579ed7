//! The plugins inside the binary, built from `plugins/` by the build script.

/// Names and components.
pub const BUNDLED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The component of a bundled plugin.
#[must_use]
pub fn component(name: &str) -> Option<&'static [u8]> {
    BUNDLED.iter().find(|(bundled, _)| *bundled == name).map(|(_, component)| *component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::manifest::Manifest;

    #[test]
    fn every_bundled_plugin_has_a_manifest_of_its_own_name() {
        for (name, component) in BUNDLED {
            assert_eq!(Manifest::read(component).unwrap().name, *name);
        }
        assert!(component("no-such-plugin").is_none());
    }

    // attack 48
    #[test]
    fn no_path_of_the_machine_that_built_it_stands_in_a_bundled_plugin() {
        let home = std::env::var("HOME").unwrap();
        for (name, component) in BUNDLED {
            let found = component.windows(home.len()).any(|window| window == home.as_bytes());
            assert!(!found || home.len() < 4, "{name}");
        }
    }
}
