//! The whole way, challenge to key, for attesters other than SEV-SNP: released for sound evidence that is
//! affirmed, and for nothing that is of another challenge, another key, a debug mode or a changed byte.

mod azure;
mod devices;
mod intel;
mod tokens;

use aws_lc_rs::digest::{SHA256, SHA384, digest};
use claviger::appraisal::TeePolicy;
use claviger::assemble::Plan;
use claviger::error::Code;
use claviger::flow::ReportDataInput;
use claviger::http::{AttestationRequest, Base64Url, Challenge, EvidenceBody};
use claviger::quote::Revocation;
use claviger::reference::Group;
use claviger_tests::minted::cca;
use claviger_tests::minted::nitro::Nitro;
use claviger_tests::site::{Ground, Guest, Site, code};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};

use azure::{SnpVms, TdxVms};
use devices::{Gpus, Machine};
use intel::{Domain, Enclave, Started};
use tokens::{NitroEnclave, Realm};

/// One attester, as the tests make its evidence.
trait Attester {
    const TEE: &'static str;
    /// Whether it stands on a simulated root; else on an anchor of the operator's.
    const SIMULATED: bool;
    /// None: the verifier's first.
    const MEDIA_TYPE: Option<&'static str> = None;

    /// What the operator says of it.
    fn configure(&self, plan: &mut Plan);

    /// Sound evidence, or that of a debugged one, with whatever goes along.
    fn evidence(&self, made_for: &MadeFor<'_>, debugged: bool) -> (Vec<u8>, Vec<Vec<u8>>);

    /// Changes a bit that a signature covers.
    fn change(data: &mut Vec<u8>);
}

/// Changes a bit where this run of bytes begins.
fn change_at(data: &mut [u8], run: &[u8]) {
    let at = data.windows(run.len()).position(|window| window == run).unwrap();
    data[at] ^= 1;
}

/// Changes the name of the signer in a TPM's quote, which stands in JSON at this place.
fn change_quote(data: &mut Vec<u8>, place: &str, encoding: &data_encoding::Encoding) {
    let mut evidence: serde_json::Value = serde_json::from_slice(data).unwrap();
    let text = evidence.pointer_mut(place).unwrap();
    let mut quote = encoding.decode(text.as_str().unwrap().as_bytes()).unwrap();
    quote[10] ^= 1;
    *text = encoding.encode(&quote).into();
    *data = evidence.to_string().into_bytes();
}

/// What evidence is made for.
struct MadeFor<'a>(ReportDataInput<'a>);

impl MadeFor<'_> {
    fn digest(&self) -> [u8; 64] {
        self.0.digest()
    }
}

fn group(tee: &str, claim: &str, value: &[u8]) -> Group {
    let values = [(claim.to_owned(), HEXLOWER.encode(value).into())].into();
    Group { tee: tee.to_owned(), values }
}

fn settings(plan: &mut Plan, tee: &str, settings: serde_json::Value) {
    let settings = settings.as_object().unwrap().clone();
    let policy = TeePolicy { settings, ..TeePolicy::default() };
    plan.appraisal.insert(tee.to_owned(), policy);
}

fn parts(evidence: EvidenceBody) -> (Vec<u8>, Vec<Vec<u8>>) {
    (evidence.data.0, evidence.attachments.into_iter().map(|one| one.0).collect())
}

fn answer<A: Attester>(
    attester: &A,
    guest: &Guest,
    challenge: &Challenge,
    recipient: &Guest,
    debugged: bool,
) -> AttestationRequest {
    let thumbprint = recipient.key.thumbprint();
    let made_for = MadeFor(ReportDataInput {
        host: &challenge.host,
        tenant: &guest.tenant,
        purpose: &challenge.purpose,
        nonce: challenge.nonce.0.as_slice().try_into().unwrap(),
        recipient: &thumbprint,
        companions: &[],
    });
    let (data, attachments) = attester.evidence(&made_for, debugged);
    AttestationRequest {
        evidence: EvidenceBody {
            tee: A::TEE.to_owned(),
            media_type: A::MEDIA_TYPE.map(str::to_owned),
            data: Base64Url(data),
            attachments: attachments.into_iter().map(Base64Url).collect(),
        },
        ..guest.answer_with(challenge, Vec::new())
    }
}

// attacks 1, 10, 16 and 17, invariant 2
async fn goes_the_whole_way<A: Attester>(attester: A) {
    let site = Site::with(|_, plan| {
        plan.bundled.as_mut().unwrap().insert(format!("verifier-{}", A::TEE));
        attester.configure(plan);
    })
    .await;
    let material = site.key("k").await;
    let (guest, other) = (Guest::new(), Guest::new());
    let sound = |challenge: &Challenge| answer(&attester, &guest, challenge, &guest, false);

    let challenge = site.challenge_for(&guest, "k");
    let released = site.submit(&guest, "k", sound(&challenge)).await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
    assert_eq!((released.status, released.simulated), ("affirming", A::SIMULATED));
    let record = site.records().pop().unwrap();
    assert_eq!(record["verifier"]["name"], format!("verifier-{}", A::TEE));
    // By token.
    let request = sound(&site.challenge(&guest));
    let attested = site.host.attest(&guest.caller(), request.into(), Default::default()).await;
    let released = site.redeem(&guest, "k", &attested.unwrap().token).await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);

    // Made for another challenge.
    let (earlier, challenge) = (site.challenge_for(&guest, "k"), site.challenge_for(&guest, "k"));
    let wrong = AttestationRequest { challenge: challenge.challenge.clone(), ..sound(&earlier) };
    assert_eq!(code(site.submit(&guest, "k", wrong).await), Code::EvidenceNotBound);
    // Made for another key.
    let challenge = site.challenge_for(&guest, "k");
    let wrong = answer(&attester, &guest, &challenge, &other, false);
    assert_eq!(code(site.submit(&guest, "k", wrong).await), Code::EvidenceNotBound);
    // In debug mode.
    let challenge = site.challenge_for(&guest, "k");
    let debugged = answer(&attester, &guest, &challenge, &guest, true);
    assert_eq!(code(site.submit(&guest, "k", debugged).await), Code::NotAffirming);
    // Changed.
    let challenge = site.challenge_for(&guest, "k");
    let mut changed = sound(&challenge);
    A::change(&mut changed.evidence.data.0);
    assert_eq!(code(site.submit(&guest, "k", changed).await), Code::EvidenceSignature);
    assert_eq!(site.releases(), 2);
}

#[tokio::test]
async fn a_trust_domain_goes_the_whole_way() {
    goes_the_whole_way(Domain).await;
}

#[tokio::test]
async fn an_enclave_goes_the_whole_way() {
    goes_the_whole_way(Enclave).await;
}

#[tokio::test]
async fn a_realm_goes_the_whole_way() {
    goes_the_whole_way(Realm(cca::parts(1))).await;
}

#[tokio::test]
async fn a_nitro_enclave_goes_the_whole_way() {
    goes_the_whole_way(NitroEnclave(Nitro::new())).await;
}

#[tokio::test]
async fn a_machine_with_a_tpm_goes_the_whole_way() {
    goes_the_whole_way(Machine::new()).await;
}

#[tokio::test]
async fn a_gpu_goes_the_whole_way() {
    goes_the_whole_way(Gpus::new()).await;
}

#[tokio::test]
async fn a_vm_of_azures_on_snp_goes_the_whole_way() {
    goes_the_whole_way(SnpVms::new()).await;
}

#[tokio::test]
async fn a_vm_of_azures_on_tdx_goes_the_whole_way() {
    goes_the_whole_way(TdxVms::new()).await;
}

// invariant 1
#[tokio::test]
async fn init_data_of_a_domain_are_in_a_result_where_mrconfigid_has_their_digest() {
    let site = Site::with(|_, plan| {
        plan.bundled.as_mut().unwrap().insert("verifier-tdx".to_owned());
        Domain.configure(plan);
    })
    .await;
    let guest = Guest::new();
    let told = async |mrconfigid: [u8; 48], attached: &[u8]| {
        let attester = Started { mrconfigid, attached: attached.to_vec() };
        let request = answer(&attester, &guest, &site.challenge(&guest), &guest, false);
        let attested = site.host.attest(&guest.caller(), request.into(), Default::default()).await;
        let token = attested.unwrap().token;
        let claims = BASE64URL_NOPAD.decode(token.split('.').nth(1).unwrap().as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        claims["submods"]["tdx"]["ear_verifier_claims"]["guest.init_data"].clone()
    };
    let data = b"algorithm = \"sha384\"\nversion = \"0.1.0\"\n";
    let (mut short, mut full, mut longer) = ([0; 48], [0; 48], [0; 48]);
    full.copy_from_slice(digest(&SHA384, data).as_ref());
    short[..32].copy_from_slice(digest(&SHA256, data).as_ref());
    longer.copy_from_slice(&short);
    longer[47] = 1;
    let spelled = [BASE64URL_NOPAD.encode(data), HEXLOWER.encode(data)];
    for mrconfigid in [full, short] {
        let text = told(mrconfigid, data).await;
        assert!(spelled.iter().any(|spelled| text == spelled.as_str()), "{text}");
    }
    for (mrconfigid, attached) in [
        (full, &data[1..]),
        (short, &data[1..]),
        (full, b""),
        ([0; 48], &data[..]),
        (longer, &data[..]),
    ] {
        assert_eq!(told(mrconfigid, attached).await, serde_json::Value::Null);
    }
}

// attack 24, invariant 6
#[tokio::test]
async fn a_gpu_whose_makers_authority_is_revoked_or_not_known_to_stand_gets_no_key() {
    let gpus = Gpus::new();
    for (lists, expected) in [
        (Vec::new(), Code::EndorsementsUnavailable),
        (vec![gpus.maker.list(true)], Code::EvidenceRevoked),
    ] {
        let site = Site::with(|_, plan| {
            let known = plan.endorsements.len();
            gpus.configure(plan);
            plan.endorsements.truncate(known);
            plan.endorsements.extend(lists);
        })
        .await;
        site.key("k").await;
        let guest = Guest::new();
        let challenge = site.challenge_for(&guest, "k");
        let request = answer(&gpus, &guest, &challenge, &guest, false);
        assert_eq!(code(site.submit(&guest, "k", request).await), expected);
    }
}

// attacks 13 and 24, invariant 8
#[tokio::test]
async fn intels_quotes_from_when_revocation_was_waived_are_believed_no_more_when_it_is_required() {
    async fn disbelieved<A: Attester>(attester: A) {
        let change = |revocation| {
            let attester = &attester;
            move |_: &Ground, plan: &mut Plan| {
                plan.bundled.as_mut().unwrap().insert(format!("verifier-{}", A::TEE));
                attester.configure(plan);
                plan.revocation = revocation;
            }
        };
        let site = Site::with(change(Revocation::Waived)).await;
        let (guest, _) = (Guest::new(), site.key("k").await);
        let challenge = site.challenge(&guest);
        let mut request = answer(&attester, &guest, &challenge, &guest, false);
        // What comes last are both lists.
        request.evidence.attachments.truncate(3);
        let attested = site.host.attest(&guest.caller(), request.into(), Default::default()).await;
        let token = attested.unwrap().token;
        assert!(site.redeem(&guest, "k", &token).await.is_ok());
        let site = site.again(change(Revocation::Required)).await;
        assert_eq!(code(site.redeem(&guest, "k", &token).await), Code::EndorsementsUnavailable);
    }
    disbelieved(Domain).await;
    disbelieved(Enclave).await;
}

// attack 23
#[tokio::test]
async fn a_root_that_nobody_named_is_not_the_vendors_whatever_it_calls_itself() {
    async fn untrusted<A: Attester>(attester: A) {
        let site = Site::with(|_, plan| {
            plan.bundled.as_mut().unwrap().insert(format!("verifier-{}", A::TEE));
        })
        .await;
        site.key("k").await;
        let guest = Guest::new();
        let challenge = site.challenge_for(&guest, "k");
        let request = answer(&attester, &guest, &challenge, &guest, false);
        assert_eq!(code(site.submit(&guest, "k", request).await), Code::EvidenceUntrusted);
    }
    untrusted(Gpus::new()).await;
    untrusted(NitroEnclave(Nitro::new())).await;
}
