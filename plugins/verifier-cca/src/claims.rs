//! What the verdict says about platform and realm.

use claviger_plugin_sdk::verifier::Rejection;
use claviger_plugin_sdk::verifier::types::{Claim, Quote, Value};

use crate::field::Bytes;
use crate::platform::{Lifecycle, Platform};
use crate::realm::Realm;

/// Claims from one statement, in which the token's own begin at `base`.
struct Claims {
    statement: u32,
    base: usize,
    found: Vec<Claim>,
}

impl Claims {
    fn of(statement: u32, base: usize) -> Self {
        Self { statement, base, found: Vec::new() }
    }

    fn add(&mut self, name: &str, value: Value) {
        self.found.push(Claim { name: format!("cca.{name}"), value });
    }

    fn quote(&mut self, name: &str, bytes: &Bytes<'_>) -> Result<(), Rejection> {
        // Nobody can point at nothing.
        if !bytes.bytes.is_empty() {
            let at = bytes.span(self.base)?;
            self.add(name, Value::Quoted(Quote { statement: self.statement, at }));
        }
        Ok(())
    }

    fn text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.add(name, Value::Text(text.to_owned()));
        }
    }
}

/// Of the platform and its firmware.
pub(crate) fn of_platform(
    platform: &Platform<'_>,
    statement: u32,
    base: usize,
) -> Result<Vec<Claim>, Rejection> {
    let mut claims = Claims::of(statement, base);
    claims.text("platform_profile", Some(platform.profile));
    claims.quote("platform_challenge", &platform.challenge)?;
    claims.quote("implementation_id", &platform.implementation_id)?;
    claims.quote("instance_id", &platform.instance_id)?;
    claims.quote("config", &platform.config)?;
    claims.add("lifecycle", Value::Unsigned(platform.lifecycle.into()));
    let state = platform.lifecycle();
    claims.text("lifecycle_state", Some(words(state)));
    let debug = matches!(state, Lifecycle::NonPlatformDebug | Lifecycle::PlatformDebug);
    claims.add("debug", Value::Flag(debug));
    claims.text("platform_hash_algo", Some(platform.hash_algo));
    claims.text("verification_service", platform.verification_service);
    claims.add("sw_components", Value::Unsigned(platform.components.len() as u64));
    for (number, component) in platform.components.iter().enumerate() {
        let name = |part: &str| format!("sw_component_{number}_{part}");
        claims.text(&name("type"), component.kind);
        claims.text(&name("version"), component.version);
        claims.text(&name("hash_algo"), component.hash_algo);
        claims.quote(&name("measurement"), &component.measurement)?;
        claims.quote(&name("signer_id"), &component.signer_id)?;
    }
    Ok(claims.found)
}

/// Of the realm.
pub(crate) fn of_realm(
    realm: &Realm<'_>,
    statement: u32,
    base: usize,
) -> Result<Vec<Claim>, Rejection> {
    let mut claims = Claims::of(statement, base);
    claims.text("realm_profile", realm.profile);
    claims.quote("realm_challenge", &realm.challenge)?;
    claims.quote("personalization_value", &realm.personalization_value)?;
    claims.quote("rim", &realm.initial_measurement)?;
    for (number, measurement) in realm.extensible_measurements.iter().enumerate() {
        claims.quote(&format!("rem{number}"), measurement)?;
    }
    claims.text("realm_hash_algo", Some(realm.hash_algo));
    claims.quote("public_key", &realm.public_key)?;
    claims.text("public_key_hash_algo", Some(realm.public_key_hash_algo));
    Ok(claims.found)
}

fn words(state: Lifecycle) -> &'static str {
    match state {
        Lifecycle::Assembly => "assembly-and-test",
        Lifecycle::Decommissioned => "decommissioned",
        Lifecycle::NonPlatformDebug => "non-platform-debug",
        Lifecycle::PlatformDebug => "recoverable-platform-debug",
        Lifecycle::Provisioning => "rot-provisioning",
        Lifecycle::Secured => "secured",
        Lifecycle::Unknown => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::{self, bytes, list, map, number};

    #[test]
    fn what_is_said_stays_within_a_verdicts_limits() {
        let component = map(&[
            (number(1), mint::text("RMM")),
            (number(2), bytes(&[7; 32])),
            (number(4), mint::text("1.0")),
            (number(5), bytes(&[7; 32])),
            (number(6), mint::text("sha-256")),
        ]);
        let many = |count: usize| {
            let list = list(&vec![component.clone(); count]);
            map(&mint::with(&mint::platform(), number(2399), list))
        };
        let payload = many(32);
        let platform = of_platform(&Platform::read(&payload).unwrap(), 0, 0).unwrap();
        let payload = map(&mint::realm());
        let realm = of_realm(&Realm::read(&payload).unwrap(), 1, 0).unwrap();
        assert!(platform.len() + realm.len() <= 256);
        assert!(Platform::read(&many(33)).is_err());
    }

    #[test]
    fn a_platform_under_debug_says_so() {
        for (lifecycle, debug) in [(0x3003, false), (0x4000, true), (0x50ff, true), (0x6000, false)]
        {
            let payload = map(&mint::with(&mint::platform(), number(2395), number(lifecycle)));
            let claims = of_platform(&Platform::read(&payload).unwrap(), 0, 0).unwrap();
            let found = claims.iter().find(|claim| claim.name == "cca.debug").unwrap();
            assert!(matches!(found.value, Value::Flag(flag) if flag == debug), "{lifecycle:x}");
        }
    }
}
