//! The platform token's claims (draft-ffm-rats-cca-token-00, section 4.7; RMM specification 1.0,
//! A7.2.3.3).

use claviger_plugin_sdk::cbor;
use claviger_plugin_sdk::verifier::Rejection;

use crate::field::{Bytes, Claims, DIGESTS};
use crate::{malformed, unsupported};

/// Profiles that are known here.
const PROFILES: [&str; 2] = ["http://arm.com/CCA-SSD/1.0.0", "tag:arm.com,2023:cca_platform#1.0.0"];

/// As many components as a verdict has claims for.
const MAX_COMPONENTS: usize = 32;
/// Of an instance id (EAT ueid): a random one.
const RANDOM: u8 = 0x01;

mod label {
    pub(super) const CHALLENGE: i64 = 10;
    pub(super) const INSTANCE_ID: i64 = 256;
    pub(super) const PROFILE: i64 = 265;
    pub(super) const LIFECYCLE: i64 = 2395;
    pub(super) const IMPLEMENTATION_ID: i64 = 2396;
    pub(super) const SW_COMPONENTS: i64 = 2399;
    pub(super) const VERIFICATION_SERVICE: i64 = 2400;
    pub(super) const CONFIG: i64 = 2401;
    pub(super) const HASH_ALGO: i64 = 2402;

    pub(super) const ALL: [i64; 9] = [
        CHALLENGE,
        INSTANCE_ID,
        PROFILE,
        LIFECYCLE,
        IMPLEMENTATION_ID,
        SW_COMPONENTS,
        VERIFICATION_SERVICE,
        CONFIG,
        HASH_ALGO,
    ];
}

/// The claims of a platform.
#[derive(Debug)]
pub(crate) struct Platform<'a> {
    pub(crate) profile: &'a str,
    /// The digest of the realm's key.
    pub(crate) challenge: Bytes<'a>,
    /// 32 bytes: which kind of platform.
    pub(crate) implementation_id: Bytes<'a>,
    /// 33 bytes: which platform.
    pub(crate) instance_id: Bytes<'a>,
    pub(crate) config: Bytes<'a>,
    pub(crate) lifecycle: u16,
    pub(crate) components: Vec<Component<'a>>,
    pub(crate) verification_service: Option<&'a str>,
    pub(crate) hash_algo: &'a str,
}

/// A piece of firmware.
#[derive(Debug)]
pub(crate) struct Component<'a> {
    pub(crate) kind: Option<&'a str>,
    pub(crate) measurement: Bytes<'a>,
    pub(crate) version: Option<&'a str>,
    pub(crate) signer_id: Bytes<'a>,
    pub(crate) hash_algo: Option<&'a str>,
}

/// A platform's state of life (draft-ffm-rats-cca-token-00, section 4.7.7), the high byte of the claim.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lifecycle {
    Assembly,
    Decommissioned,
    NonPlatformDebug,
    PlatformDebug,
    Provisioning,
    Secured,
    Unknown,
}

impl<'a> Platform<'a> {
    /// Reads claims that fill `payload`.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Rejection> {
        let item = cbor::parse(payload).map_err(malformed)?;
        let claims = Claims::of("the platform token", &item, &label::ALL)?;
        let profile = claims.text(label::PROFILE, "profile")?;
        if !PROFILES.contains(&profile) {
            return Err(unsupported("the platform profile", profile));
        }
        let instance_id = claims.bytes(label::INSTANCE_ID, "instance id", &[33])?;
        if instance_id.bytes.first() != Some(&RANDOM) {
            return Err(malformed("the instance id of the platform token is of another kind"));
        }
        let lifecycle = claims.unsigned(label::LIFECYCLE, "lifecycle")?;
        let lifecycle = u16::try_from(lifecycle)
            .map_err(|_| malformed("the lifecycle of the platform token is out of range"))?;
        let entries = claims.list(label::SW_COMPONENTS, "software components")?;
        if entries.is_empty() || entries.len() > MAX_COMPONENTS {
            return Err(Rejection::Unsupported(format!("{} software components", entries.len())));
        }
        let mut components = Vec::with_capacity(entries.len());
        for entry in entries {
            let claims = Claims::of("a software component", entry, &[1, 2, 4, 5, 6])?;
            components.push(Component {
                kind: claims.optional_text(1, "type")?,
                measurement: claims.bytes(2, "measurement", &DIGESTS)?,
                version: claims.optional_text(4, "version")?,
                signer_id: claims.bytes(5, "signer id", &DIGESTS)?,
                hash_algo: claims.optional_text(6, "hash algorithm")?,
            });
        }
        let service = "verification service";
        Ok(Self {
            profile,
            challenge: claims.bytes(label::CHALLENGE, "challenge", &DIGESTS)?,
            implementation_id: claims.bytes(
                label::IMPLEMENTATION_ID,
                "implementation id",
                &[32],
            )?,
            instance_id,
            config: claims.any_bytes(label::CONFIG, "config")?,
            lifecycle,
            components,
            verification_service: claims.optional_text(label::VERIFICATION_SERVICE, service)?,
            hash_algo: claims.text(label::HASH_ALGO, "hash algorithm")?,
        })
    }

    pub(crate) fn lifecycle(&self) -> Lifecycle {
        match self.lifecycle >> 8 {
            0x10 => Lifecycle::Assembly,
            0x20 => Lifecycle::Provisioning,
            0x30 => Lifecycle::Secured,
            0x40 => Lifecycle::NonPlatformDebug,
            0x50 => Lifecycle::PlatformDebug,
            0x60 => Lifecycle::Decommissioned,
            _ => Lifecycle::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::{self, bytes, number, text};

    #[test]
    fn a_platforms_claims_are_read() {
        let payload = mint::map(&mint::platform());
        let platform = Platform::read(&payload).unwrap();
        assert_eq!(platform.lifecycle(), Lifecycle::Secured);
        assert_eq!(platform.components.len(), 1);
        assert_eq!(platform.components[0].kind, Some("RMM"));
        let at = platform.instance_id.span(0).unwrap();
        assert_eq!(&payload[at.start as usize..][..33], platform.instance_id.bytes);
        for length in 0..payload.len() {
            assert!(Platform::read(&payload[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn every_claim_must_be_there_in_its_form_and_no_other() {
        let sound = mint::platform();
        for (label, _) in &sound {
            let rest: Vec<_> = sound.iter().filter(|(other, _)| other != label).cloned().collect();
            let optional = *label == number(2400);
            assert_eq!(Platform::read(&mint::map(&rest)).is_ok(), optional, "{label:?}");
        }
        let component = |members: &[(Vec<u8>, Vec<u8>)]| mint::list(&[mint::map(members)]);
        let measured = (number(2), bytes(&[7; 32]));
        for (label, value) in [
            (10, bytes(&[7; 33])),
            (256, bytes(&[1; 32])),
            (256, bytes(&[2; 33])),
            (265, text("http://arm.com/CCA-SSD/9.0.0")),
            (2395, number(0x1_0000)),
            (2396, bytes(&[7; 33])),
            (2399, mint::list(&[])),
            (2399, component(std::slice::from_ref(&measured))),
            (2399, component(&[measured.clone(), (number(5), text("signer"))])),
            (2399, component(&[measured, (number(5), bytes(&[7; 32])), (number(3), number(1))])),
            (2401, number(7)),
            (2402, number(7)),
        ] {
            let changed = mint::with(&sound, number(label), value);
            assert!(Platform::read(&mint::map(&changed)).is_err(), "{label}");
        }
        let more = [&sound[..], &[(number(77), number(1))]].concat();
        assert!(matches!(Platform::read(&mint::map(&more)), Err(Rejection::Unsupported(_))));
    }
}
