//! Nitro documents that carry nonce and recipient key apart, as AWS' own KMS wants it: `nonce`, and
//! `public_key` as SubjectPublicKeyInfo.

use claviger::assemble::Plan;
use claviger::error::Code;
use claviger::http::{AttestationRequest, Base64Url, Challenge, EvidenceBody};
use claviger::keys::{RecipientKey, RecipientKind};
use claviger_tests::minted::group;
use claviger_tests::minted::nitro::Nitro;
use claviger_tests::site::{Guest, Site};

const IMAGE: [u8; 48] = [9; 48];

fn trusted(nitro: &Nitro, plan: &mut Plan) {
    plan.bundled.as_mut().unwrap().insert("verifier-nitro".to_owned());
    plan.simulated_roots.push(nitro.root.clone());
    for pcr in ["pcr0", "pcr1", "pcr2"] {
        plan.configured.push(group("nitro", [(pcr.to_owned(), &IMAGE[..])]));
    }
}

fn spki(guest: &Guest) -> Vec<u8> {
    RecipientKey::from_jwk(guest.key.jwk()).unwrap().spki().unwrap()
}

// attacks 1, 8 and 10, invariant 2
#[tokio::test]
async fn an_enclave_may_carry_nonce_and_key_apart_and_both_count() {
    let nitro = Nitro::new();
    let site = Site::with(|_, plan| trusted(&nitro, plan)).await;
    let material = site.key("k").await;
    let (guest, thief) =
        (Guest::with_key(RecipientKind::P384), Guest::with_key(RecipientKind::P384));
    let submit = async |challenge: &Challenge, chosen: &[(&str, &[u8])]| {
        let data = Base64Url(nitro.document_with(IMAGE, chosen));
        let (tee, media_type, attachments) = ("nitro".to_owned(), None, Vec::new());
        let request = AttestationRequest {
            evidence: EvidenceBody { tee, media_type, data, attachments },
            ..guest.answer_with(challenge, Vec::new())
        };
        site.submit(&guest, "k", request).await.map_err(|refusal| refusal.code)
    };
    let (own, other) = (spki(&guest), spki(&thief));
    let challenge = site.challenge_for(&guest, "k");
    let nonce = challenge.nonce.0.clone();
    let released = submit(&challenge, &[("nonce", &nonce), ("public_key", &own)]).await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);

    let earlier = nonce;
    type Chosen<'a> = Vec<(&'a str, &'a [u8])>;
    for number in 0..7 {
        let challenge = site.challenge_for(&guest, "k");
        let nonce = challenge.nonce.0.clone();
        let digest = guest.report_data(&challenge);
        let chosen: Chosen<'_> = match number {
            0 => vec![("nonce", &earlier), ("public_key", &own)],
            1 => vec![("nonce", &nonce), ("public_key", &other)],
            2 => vec![("nonce", &nonce)],
            3 => vec![("public_key", &own)],
            4 => vec![("nonce", &nonce[..31]), ("public_key", &own)],
            5 => vec![("nonce", &nonce), ("public_key", &own[1..])],
            // The digest beside a key of somebody else: what is there must hold.
            _ => vec![("user_data", &digest), ("public_key", &other)],
        };
        let refused = submit(&challenge, &chosen).await.map(drop);
        assert_eq!(refused, Err(Code::EvidenceNotBound), "{number}");
    }
    assert_eq!(site.releases(), 1);
}
