//! The realm token's claims (draft-ffm-rats-cca-token-00, section 4.8; RMM specification 1.0,
//! A7.2.3.1).

use claviger_plugin_sdk::cbor;
use claviger_plugin_sdk::verifier::Rejection;

use crate::field::{Bytes, Claims, DIGESTS};
use crate::{malformed, unsupported};

/// The profile that newer tokens name.
const PROFILE: &str = "tag:arm.com,2023:realm#1.0.0";

/// Extensible measurements of a realm.
const REMS: usize = 4;

mod label {
    pub(super) const CHALLENGE: i64 = 10;
    pub(super) const PROFILE: i64 = 265;
    pub(super) const PERSONALIZATION_VALUE: i64 = 44235;
    pub(super) const HASH_ALGO: i64 = 44236;
    pub(super) const PUBLIC_KEY: i64 = 44237;
    pub(super) const INITIAL_MEASUREMENT: i64 = 44238;
    pub(super) const EXTENSIBLE_MEASUREMENTS: i64 = 44239;
    pub(super) const PUBLIC_KEY_HASH_ALGO: i64 = 44240;

    pub(super) const ALL: [i64; 8] = [
        CHALLENGE,
        PROFILE,
        PERSONALIZATION_VALUE,
        HASH_ALGO,
        PUBLIC_KEY,
        INITIAL_MEASUREMENT,
        EXTENSIBLE_MEASUREMENTS,
        PUBLIC_KEY_HASH_ALGO,
    ];
}

/// The claims of a realm.
#[derive(Debug)]
pub(crate) struct Realm<'a> {
    pub(crate) profile: Option<&'a str>,
    /// 64 bytes, which the realm chose.
    pub(crate) challenge: Bytes<'a>,
    /// 64 bytes, which the host of the realm chose.
    pub(crate) personalization_value: Bytes<'a>,
    /// RIM: the realm as it started.
    pub(crate) initial_measurement: Bytes<'a>,
    /// REM 0 to 3: what the realm added.
    pub(crate) extensible_measurements: Vec<Bytes<'a>>,
    pub(crate) hash_algo: &'a str,
    /// RAK: an uncompressed point, or a COSE_Key.
    pub(crate) public_key: Bytes<'a>,
    pub(crate) public_key_hash_algo: &'a str,
}

impl<'a> Realm<'a> {
    /// Reads claims that fill `payload`.
    pub(crate) fn read(payload: &'a [u8]) -> Result<Self, Rejection> {
        let item = cbor::parse(payload).map_err(malformed)?;
        let claims = Claims::of("the realm token", &item, &label::ALL)?;
        let profile = claims.optional_text(label::PROFILE, "profile")?;
        if let Some(profile) = profile.filter(|profile| *profile != PROFILE) {
            return Err(unsupported("the realm profile", profile));
        }
        let rems = "extensible measurements";
        let extensible_measurements = claims.digests(label::EXTENSIBLE_MEASUREMENTS, rems)?;
        if extensible_measurements.len() != REMS {
            return Err(malformed("the realm token has another number of extensible measurements"));
        }
        let rim = "initial measurement";
        let hash = "hash algorithm of the public key";
        let personalization = "personalization value";
        Ok(Self {
            profile,
            challenge: claims.bytes(label::CHALLENGE, "challenge", &[64])?,
            personalization_value: claims.bytes(
                label::PERSONALIZATION_VALUE,
                personalization,
                &[64],
            )?,
            initial_measurement: claims.bytes(label::INITIAL_MEASUREMENT, rim, &DIGESTS)?,
            extensible_measurements,
            hash_algo: claims.text(label::HASH_ALGO, "hash algorithm")?,
            public_key: claims.any_bytes(label::PUBLIC_KEY, "public key")?,
            public_key_hash_algo: claims.text(label::PUBLIC_KEY_HASH_ALGO, hash)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::{self, bytes, list, number, text};

    #[test]
    fn a_realms_claims_are_read() {
        let payload = mint::map(&mint::realm());
        let realm = Realm::read(&payload).unwrap();
        assert_eq!(realm.extensible_measurements[3].bytes, [3; 32]);
        let at = realm.challenge.span(100).unwrap();
        assert_eq!(&payload[at.start as usize - 100..][..64], realm.challenge.bytes);
        for length in 0..payload.len() {
            assert!(Realm::read(&payload[..length]).is_err(), "{length}");
        }
        let named = mint::with(&mint::realm(), number(265), text(PROFILE));
        assert_eq!(Realm::read(&mint::map(&named)).unwrap().profile, Some(PROFILE));
    }

    #[test]
    fn every_claim_must_be_there_in_its_form_and_no_other() {
        let sound = mint::realm();
        for (label, _) in &sound {
            let rest: Vec<_> = sound.iter().filter(|(other, _)| other != label).cloned().collect();
            let payload = mint::map(&rest);
            let missing = Realm::read(&payload);
            assert!(matches!(missing, Err(Rejection::Malformed(_))), "{label:?}");
        }
        let rem = bytes(&[1; 32]);
        for (label, value) in [
            (10, bytes(&[7; 32])),
            (265, text("tag:arm.com,2023:realm#9.0.0")),
            (44235, bytes(&[7; 32])),
            (44236, number(7)),
            (44237, number(7)),
            (44238, bytes(&[7; 33])),
            (44239, list(&[rem.clone(), rem.clone(), rem.clone()])),
            (44239, list(&[rem.clone(), rem.clone(), rem.clone(), bytes(&[1; 31])])),
            (44240, number(7)),
        ] {
            let changed = mint::with(&sound, number(label), value);
            assert!(Realm::read(&mint::map(&changed)).is_err(), "{label}");
        }
        for label in [number(1_234_567), text("unknown-key")] {
            let more = [&sound[..], &[(label, number(1))]].concat();
            assert!(matches!(Realm::read(&mint::map(&more)), Err(Rejection::Unsupported(_))));
        }
    }
}
