//! Reads Arm CCA attestation tokens: a platform token, signed by the platform's attestation key (CPAK),
//! which vouches for the key (RAK) that signed the realm token. The host checks both signatures and
//! the digest between them; what is left here is where things stand.

mod claims;
mod field;
mod platform;
mod realm;
mod token;

#[cfg(test)]
mod mint;

use claviger_plugin_sdk::cose::Sign1;
use claviger_plugin_sdk::verifier::custody::{self, Digest, KeyEncoding, Signer, Statement};
use claviger_plugin_sdk::verifier::types::Span;
use claviger_plugin_sdk::verifier::{
    Binding, Carries, Description, NO_CLAIM, Rejection, Request, Trustworthiness, Verdict, Verifier,
};

use platform::{Lifecycle, Platform};
use realm::Realm;
use token::{CBOR, TOKEN, Token};

claviger_plugin_sdk::manifest! {
    name: "verifier-cca",
    kind: "verifier",
    imports: ["custody", "log"],
    anchors: ["cca"],
    settings: {},
}
claviger_plugin_sdk::register_verifier!(Cca);

/// The operator's set of platform keys (CPAK), each pinned under its platform's instance id, 33 bytes.
const ANCHORS: &str = "cca";

/// Where a verdict has its statements.
const PLATFORM: u32 = 0;
const REALM: u32 = 1;

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09, section 2.3).
const AFFIRMING: i8 = 2;
const UNSAFE: i8 = 32;
const CONTRAINDICATED: i8 = 96;

struct Cca;

impl Verifier for Cca {
    fn describe() -> Description {
        Description { tee: "cca".into(), evidence_types: vec![TOKEN.into(), CBOR.into()] }
    }

    fn verify(request: Request) -> Result<Verdict, Rejection> {
        if ![TOKEN, CBOR].contains(&request.evidence_type.as_str()) {
            return Err(Rejection::Unsupported(request.evidence_type));
        }
        let token = Token::read(&request.evidence)?;
        let signed = token.platform()?;
        // Read before it is checked, for it names the key; believed only after.
        let platform = Platform::read(signed.payload)?;
        let cpak = custody::pinned(ANCHORS, platform.instance_id.bytes)?;
        let (platform_statement, platform_at) = check(&cpak, &signed)?;

        let signed = token.realm()?;
        let realm = Realm::read(signed.payload)?;
        let challenge = platform.challenge.span(platform_at)?;
        let rak = attestation_key(&platform_statement, challenge, &realm)?;
        let (realm_statement, realm_at) = check(&rak, &signed)?;

        let mut claims = claims::of_platform(&platform, PLATFORM, platform_at)?;
        claims.extend(claims::of_realm(&realm, REALM, realm_at)?);
        Ok(Verdict {
            statements: vec![platform_statement, realm_statement],
            bindings: vec![Binding {
                statement: REALM,
                at: realm.challenge.span(realm_at)?,
                carries: Carries::ChallengeDigest(Digest::Sha512),
            }],
            claims,
            trustworthiness: judge(platform.lifecycle()),
        })
    }
}

/// The statement of a token, and where its claims begin in it.
fn check(by: &Signer, signed: &Sign1<'_>) -> Result<(Statement, usize), Rejection> {
    let (message, payload) = signed.message();
    let statement = custody::check(by, signed.algorithm, &message, signed.signature)?;
    Ok((statement, payload))
}

/// The realm's key, by its digest in the platform's challenge (RMM specification 1.0, A7.2.3.3.2).
fn attestation_key(
    platform: &Statement,
    challenge: Span,
    realm: &Realm<'_>,
) -> Result<Signer, Rejection> {
    let digest = match realm.public_key_hash_algo {
        "sha-256" => Digest::Sha256,
        "sha-384" => Digest::Sha384,
        "sha-512" => Digest::Sha512,
        other => return Err(unsupported("the hash algorithm", other)),
    };
    let key = realm.public_key.bytes;
    let vouched = custody::vouch(platform, challenge, digest, key)?;
    let length = u32::try_from(key.len()).unwrap_or_default();
    // An uncompressed point, or a COSE_Key, which is a map (RMM specification 1.0, A7.2.3.1.6, and
    // draft-ffm-rats-cca-token-00, section 4.8.4).
    let encoding = match key.first() {
        Some(0x04) => KeyEncoding::Sec1,
        _ => KeyEncoding::CoseKey,
    };
    Ok(custody::adopt(&vouched, Span { start: 0, length }, encoding)?)
}

fn judge(lifecycle: Lifecycle) -> Trustworthiness {
    Trustworthiness {
        // The operator enrolled this platform by its own key.
        instance_identity: Some(AFFIRMING),
        configuration: Some(match lifecycle {
            Lifecycle::Secured => AFFIRMING,
            // Firmware that is no part of the platform's root of trust may be debugged.
            Lifecycle::NonPlatformDebug | Lifecycle::PlatformDebug => CONTRAINDICATED,
            _ => UNSAFE,
        }),
        hardware: Some(AFFIRMING),
        ..NO_CLAIM
    }
}

fn malformed(why: &str) -> Rejection {
    Rejection::Malformed(why.into())
}

fn unsupported(what: &str, found: &str) -> Rejection {
    Rejection::Unsupported(format!("{what} {}", found.escape_debug()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // attack 17
    #[test]
    fn only_a_secured_platform_is_affirmed() {
        for (lifecycle, value) in [
            (Lifecycle::Secured, AFFIRMING),
            (Lifecycle::NonPlatformDebug, CONTRAINDICATED),
            (Lifecycle::PlatformDebug, CONTRAINDICATED),
            (Lifecycle::Decommissioned, UNSAFE),
            (Lifecycle::Provisioning, UNSAFE),
            (Lifecycle::Unknown, UNSAFE),
        ] {
            assert_eq!(judge(lifecycle).configuration, Some(value), "{lifecycle:?}");
        }
    }
}
