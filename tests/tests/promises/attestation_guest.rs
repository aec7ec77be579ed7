//! Guests of Azure's with a virtual TPM over the face of its attestation service: hardware, attestation key,
//! PCRs, and the key that the TPM keeps while they are what they are. The token is sealed to that key, and
//! releases to it.

use claviger::assemble::{AnchorPlan, Plan};
use claviger::clock::{Clock, SystemClock};
use claviger::error::Code;
use claviger::flow::{
    AttestationKind, AttestationRules, Evidence, Guest as Vtpm, MaaAttested, MaaFailure,
    MaaRequest, RuntimeData, Submission, Wanted,
};
use claviger::http::Base64Url;
use claviger::keys::SealingKey;
use claviger::reference::Group;
use claviger::simulated::SimulatedGuest;
use claviger::simulated::intel::QuoteBody;
use claviger::simulated::report::{POLICY_DEBUG, ReportTemplate};
use claviger_tests::minted::azure::Hardware;
use claviger_tests::minted::azure_guest::{
    ATTRIBUTES, Machine, Shown, body, certificate, open, policy, public, unwrapped,
};
use claviger_tests::minted::cca;
use claviger_tests::minted::event_log::Log;
use claviger_tests::minted::tpm::sha256;
use claviger_tests::site::{ADMINISTRATOR, Answer, Guest, Raw, Served, Site, caller, chip, tenant};
use claviger_tests::swtpm::Emulator;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

use crate::attestation::{URL, claims, refused};
use crate::attestation_wire::intel;
use crate::dcap::collateral;

/// PCRs without which the built-in policy does not affirm. The other ones are not quoted by these guests.
const APPROVED: [u32; 2] = [4, 7];

const PATH: &str = "/attest/AzureGuest?api-version=2020-10-01";

fn machine() -> Machine {
    Machine::on(Hardware::Snp(Box::new(SimulatedGuest::new(chip()))))
}

fn group(tee: &str, claim: &str, value: &[u8]) -> Group {
    let values = [(claim.to_owned(), HEXLOWER.encode(value).into())].into();
    Group { tee: tee.to_owned(), values }
}

/// A host that approves the paravisor, and what the machine started.
fn trusts(plan: &mut Plan, machine: &Machine, tee: &str) {
    plan.configured.push(group("az-snp", "measurement", &ReportTemplate::default().measurement));
    plan.configured.push(group("az-tdx", "mrtd", &[0x3d; 48]));
    for index in APPROVED {
        let value = &machine.tpm.pcrs[index as usize];
        plan.configured.push(group(tee, &format!("pcr{index}"), value));
    }
    let settings = json!({ "required_pcrs": APPROVED });
    let settings = settings.as_object().unwrap().clone();
    let policy = claviger::appraisal::TeePolicy { settings, ..Default::default() };
    plan.appraisal.insert(tee.to_owned(), policy);
    let bundled = ["kms-local", "verifier-snp", &format!("verifier-{tee}")];
    plan.bundled = Some(bundled.map(str::to_owned).into());
}

async fn site(machine: &Machine) -> Site {
    Site::with(|_, plan| trusts(plan, machine, "az-snp")).await
}

fn rules() -> AttestationRules {
    let vm_status = Some("azure-compliant-cvm".to_owned());
    AttestationRules { vm_status, ..AttestationRules::default() }
}

async fn attested(raw: &mut Raw, machine: &Machine) -> String {
    let answer = raw.post(PATH, &body(&machine.shows().info())).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    machine.open(answer.body()["token"].as_str().unwrap()).unwrap()
}

/// Makes a key that is released by this policy over the conditions; answers what releasing it comes to.
async fn released(raw: &mut Raw, served: &Served, name: &str, token: &str, all: Value) -> Answer {
    let (url, _) = served.address();
    served.vault_key(name, &url, all).await;
    let bearer = format!("authorization: Bearer {ADMINISTRATOR}\r\n");
    let target = json!({ "target": token }).to_string();
    raw.ask("POST", &format!("/keys/{name}/release?api-version=7.4"), &bearer, &target).await
}

/// A condition that every guest meets.
fn azurevm() -> Value {
    json!([{"claim": "x-ms-attestation-type", "equals": "azurevm"}])
}

/// `key_hsm` of a signed answer, in it the ciphertext.
fn wrapped(answer: &Answer) -> Vec<u8> {
    let said = claims(answer.body()["value"].as_str().unwrap());
    let held = said["response"]["key"]["key"]["key_hsm"].as_str().unwrap().to_owned();
    let held: Value =
        serde_json::from_slice(&BASE64URL_NOPAD.decode(held.as_bytes()).unwrap()).unwrap();
    assert_eq!(held["header"]["kid"], "TpmEphemeralEncryptionKey");
    BASE64URL_NOPAD.decode(held["ciphertext"].as_str().unwrap().as_bytes()).unwrap()
}

// invariants 1, 2, 4
#[tokio::test]
async fn a_guest_gets_a_sealed_token_of_what_is_proved_and_by_it_a_key_for_its_vtpm() {
    let machine = machine();
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let (url, _) = served.address();
    let mut raw = served.raw().await;
    let token = attested(&mut raw, &machine).await;
    let said = claims(&token);
    let runtime: Value = serde_json::from_slice(&machine.shows().runtime).unwrap();
    let isolation = &said["x-ms-isolation-tee"];
    let template = ReportTemplate::default();
    for (seen, wanted) in [
        (&said["iss"], json!(url)),
        (&said["x-ms-attestation-type"], json!("azurevm")),
        (&said["x-ms-azurevm-attestation-protocol-ver"], json!("2.0")),
        (&said["x-ms-azurevm-attested-pcrs"], json!([0, 1, 2, 3, 4, 5, 6, 7])),
        (&said["x-ms-azurevm-vmid"], json!("11111111-2222-3333-4444-555555555555")),
        (&said["secureboot"], json!(true)),
        (&said["x-claviger-freshness"], json!("recipient-key")),
        (&said["x-claviger-status"], json!("affirming")),
        (&said["x-ms-runtime"]["client-payload"], json!({"nonce": BASE64.encode(b"1234")})),
        (&said["x-ms-runtime"]["keys"][0]["kid"], json!("TpmEphemeralEncryptionKey")),
        (
            &said["x-ms-runtime"]["keys"][0]["n"],
            json!(BASE64URL_NOPAD.encode(&machine.ephemeral.modulus())),
        ),
        (&isolation["x-ms-attestation-type"], json!("sevsnpvm")),
        (&isolation["x-ms-compliance-status"], json!("azure-compliant-cvm")),
        (&isolation["x-ms-runtime"], runtime),
        (
            &isolation["x-ms-sevsnpvm-launchmeasurement"],
            json!(HEXLOWER.encode(&template.measurement)),
        ),
        (&isolation["x-ms-sevsnpvm-is-debuggable"], json!(false)),
        (&isolation["x-ms-sevsnpvm-vmpl"], json!(0)),
    ] {
        assert_eq!(*seen, wanted, "{said:#}");
    }
    // Nobody vouches for what a guest says of its operating system.
    assert!(!token.contains("Ubuntu"));
    assert!(said.as_object().unwrap().keys().all(|name| !name.contains("-os")), "{said:#}");
    let record = site.records().pop().unwrap();
    assert_eq!(
        (&record["event"], &record["freshness"]),
        (&json!("attested"), &json!("recipient-key"))
    );
    // By Microsoft's own policy for confidential machines.
    let all = json!([
        {"claim": "x-ms-isolation-tee.x-ms-attestation-type", "equals": "sevsnpvm"},
        {"claim": "x-ms-isolation-tee.x-ms-compliance-status", "equals": "azure-compliant-cvm"},
    ]);
    let answer = released(&mut raw, &served, "k", &token, all).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let wrapped = wrapped(&answer);
    assert_eq!(machine.unwrap(&wrapped), Some(vec![7; 32]));
    assert_eq!(self::machine().unwrap(&wrapped), None);
}

// attack 10
#[tokio::test]
async fn whoever_relays_a_guests_evidence_can_neither_read_the_token_nor_have_a_key() {
    let (machine, thief) = (machine(), machine());
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    let answer = raw.post(PATH, &body(&machine.shows().info())).await;
    let sealed = answer.body()["token"].as_str().unwrap().to_owned();
    assert_eq!(thief.open(&sealed), None);
    assert_eq!(sealed.split('.').count(), 1);
    let refused = released(&mut raw, &served, "k", &sealed, azurevm()).await;
    assert!(refused.status >= 400, "{}", refused.text);
    // His own key beside another's evidence, certified by himself or by nobody.
    let mut relayed = machine.shows();
    let own = thief.shows();
    relayed.key = own.key.clone();
    for (certificate, signature) in [
        (relayed.certificate.clone(), relayed.certificate_signature.clone()),
        (own.certificate.clone(), own.certificate_signature.clone()),
        (own.certificate, relayed.certificate_signature.clone()),
    ] {
        (relayed.certificate, relayed.certificate_signature) = (certificate, signature);
        let answer = raw.post(PATH, &body(&relayed.info())).await;
        assert_eq!(answer.body()["error"]["code"], "InvalidParameter", "{}", answer.text);
    }
    assert_eq!(site.records().pop().unwrap()["event"], "refused");
}

/// What is refused, and how the record calls it.
async fn code(site: &Site, raw: &mut Raw, shown: &Shown) -> String {
    let answer = raw.post(PATH, &body(&shown.info())).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.body()["error"]["code"], "InvalidParameter", "{}", answer.text);
    site.records().pop().unwrap()["code"].as_str().unwrap().to_owned()
}

// attacks 1, 14
#[tokio::test]
async fn a_quote_of_yesterday_does_not_stand_beside_a_key_of_today() {
    let machine = machine();
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    // The machine was started by something else since: its vTPM certifies a key that opens for that.
    let mut later = machine.quoted();
    later[4].1 = vec![0xbd; 32];
    let key = public(&machine.ephemeral.modulus(), ATTRIBUTES, &policy(&later), false);
    assert_eq!(code(&site, &mut raw, &machine.shows_key(key)).await, "evidence-untrusted");
    // Fewer PCRs than are quoted, and none.
    for fewer in [&machine.quoted()[..7], &[]] {
        let key = public(&machine.ephemeral.modulus(), ATTRIBUTES, &policy(fewer), false);
        assert_eq!(code(&site, &mut raw, &machine.shows_key(key)).await, "evidence-untrusted");
    }
    let key = public(&machine.ephemeral.modulus(), ATTRIBUTES, b"", false);
    assert_eq!(code(&site, &mut raw, &machine.shows_key(key)).await, "evidence-untrusted");
    // A password opens it; it may leave; it signs; others made it; it is a storage key.
    let policy = policy(&machine.quoted());
    for change in [1 << 6, 1 << 1, 1 << 4, 1 << 5, 1 << 16, 1 << 17, 1 << 18] {
        let key = public(&machine.ephemeral.modulus(), ATTRIBUTES ^ change, &policy, false);
        let refused = code(&site, &mut raw, &machine.shows_key(key)).await;
        assert_eq!(refused, "evidence-untrusted", "{change:#x}");
    }
    assert!(!attested(&mut raw, &machine).await.is_empty());
}

// attack 14
#[tokio::test]
async fn parts_of_two_guests_are_refused() {
    let (machine, other) = (machine(), machine());
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    let (mine, theirs) = (machine.shows(), other.shows());
    let mixed: [fn(&mut Shown, &Shown); 5] = [
        |mixed, other| mixed.runtime.clone_from(&other.runtime),
        |mixed, other| mixed.report.clone_from(&other.report),
        |mixed, other| mixed.attestation_key.clone_from(&other.attestation_key),
        |mixed, other| mixed.quote_signature.clone_from(&other.quote_signature),
        |mixed, other| {
            mixed.runtime.clone_from(&other.runtime);
            mixed.report.clone_from(&other.report);
        },
    ];
    for (number, mix) in mixed.iter().enumerate() {
        let mut mixed = mine.clone();
        mix(&mut mixed, &theirs);
        let refused = code(&site, &mut raw, &mixed).await;
        assert!(
            ["evidence-untrusted", "evidence-signature"].contains(&refused.as_str()),
            "{number}"
        );
    }
    // A log of another start, and one that is none.
    for log in [b"none".to_vec(), mine.log[..mine.log.len() - 1].to_vec()] {
        assert_eq!(
            code(&site, &mut raw, &Shown { log, ..mine.clone() }).await,
            "evidence-malformed"
        );
    }
    let mut log = mine.log.clone();
    let at = log.len() - 1;
    let digest = log.windows(32).position(|run| run == [0xc; 32]).unwrap();
    log[digest - 200..digest].fill(0);
    assert!(log.len() > at);
    let refused = code(&site, &mut raw, &Shown { log, ..mine }).await;
    assert!(refused.starts_with("evidence-"), "{refused}");
}

// attacks 16, 27, 35
#[tokio::test]
async fn no_field_of_what_a_guest_shows_may_be_another() {
    let machine = machine();
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    let info = machine.shows().info();
    let mut flipped = 0;
    for pointer in [
        "/IsolationInfo/Evidence/RunTimeData",
        "/TpmInfo/AikPub",
        "/TpmInfo/EncKeyCertifyInfo",
        "/TpmInfo/EncKeyCertifyInfoSignature",
        "/TpmInfo/EncKeyPub",
        "/TpmInfo/PCRs/0/Digest",
        "/TpmInfo/PCRs/7/Digest",
        "/TpmInfo/PcrQuote",
        "/TpmInfo/PcrSignature",
    ] {
        let bytes = BASE64.decode(info.pointer(pointer).unwrap().as_str().unwrap().as_bytes());
        let bytes = bytes.unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 24 + 1).chain([bytes.len() - 1]) {
            // What AikPub says but for the key nobody reads: attributes, policy and scheme.
            if pointer == "/TpmInfo/AikPub" && (6..26).contains(&at) {
                continue;
            }
            let mut other = bytes.clone();
            other[at] ^= 1 << (at % 8);
            let mut changed = info.clone();
            *changed.pointer_mut(pointer).unwrap() = BASE64.encode(&other).into();
            let answer = raw.post(PATH, &body(&changed)).await;
            assert_eq!(answer.status, 400, "{pointer} {at} {}", answer.text);
            flipped += 1;
        }
        let mut missing = info.clone();
        *missing.pointer_mut(pointer).unwrap() = "".into();
        let answer = raw.post(PATH, &body(&missing)).await;
        assert_eq!(answer.status, 400, "{pointer} {}", answer.text);
    }
    assert!(flipped > 150, "{flipped}");
    for (pointer, value) in [
        ("/AttestationProtocolVersion", json!("1.0")),
        ("/IsolationInfo/Type", json!("Tdx")),
        ("/IsolationInfo/Type", json!("sevsnp")),
        ("/IsolationInfo/Evidence", Value::Null),
        ("/IsolationInfo/Evidence/Proof", json!("e30=")),
        ("/TpmInfo/PcrSet", json!([0, 1, 2, 3, 4, 5, 6])),
        ("/TpmInfo/PcrSet", json!([1, 0, 2, 3, 4, 5, 6, 7])),
        ("/TpmInfo/PCRs/1/Index", json!(0)),
        ("/TpmInfo/PCRs/7/Index", json!(8)),
        ("/TpmInfo/PCRs", json!([])),
        ("/ClientPayload", json!({"nonce": "x".repeat(5000)})),
        ("/TcgLogs", json!("AAAA")),
    ] {
        let mut changed = info.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        let answer = raw.post(PATH, &body(&changed)).await;
        assert_eq!(answer.status, 400, "{pointer} {}", answer.text);
        assert_eq!(answer.body()["error"]["code"], "InvalidParameter", "{pointer}");
    }
    // The certificate of the attestation key is not what vouches for it; without a log nothing is said of
    // how the machine started.
    let mut less = info.clone();
    less["TpmInfo"]["AikCert"] = "".into();
    less["TcgLogs"] = "".into();
    less["ClientPayload"] = Value::Null;
    let answer = raw.post(PATH, &body(&less)).await;
    let said = claims(&machine.open(answer.body()["token"].as_str().unwrap()).unwrap());
    assert!(said.get("secureboot").is_none());
    for wrong in ["{}", "{\"AttestationInfo\": 1}", "{\"AttestationInfo\": \"e30\"}"] {
        assert_eq!(raw.post(PATH, wrong).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn a_machine_without_hardware_that_vouches_is_told_so() {
    let machine = machine();
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut info = machine.shows().info();
    info["IsolationInfo"] = json!({"Type": "TrustedLaunch"});
    let answer = served.raw().await.post(PATH, &body(&info)).await;
    let error = &answer.body()["error"];
    assert_eq!((answer.status, &error["code"]), (400, &json!("InvalidOperation")));
    assert!(error["message"].as_str().unwrap().contains("no hardware vouches"), "{error}");
}

// attack 17
#[tokio::test]
async fn only_an_affirmed_guest_is_called_compliant_and_a_debugged_one_gets_nothing() {
    let machine = machine();
    let site = site(&machine).await;
    // Without the operator's word nobody is.
    let served = site.serve_attestation(AttestationRules::default()).await;
    let said = claims(&attested(&mut served.raw().await, &machine).await);
    assert!(said["x-ms-isolation-tee"].get("x-ms-compliance-status").is_none());
    // A paravisor that nobody approved.
    let unknown = |plan: &mut Plan| {
        trusts(plan, &machine, "az-snp");
        plan.configured.retain(|group| !group.values.contains_key("measurement"));
    };
    let site = Site::with(|_, plan| unknown(plan)).await;
    let served = site.serve_attestation(rules()).await;
    let said = claims(&attested(&mut served.raw().await, &machine).await);
    assert_eq!(said["x-claviger-status"], "warning");
    assert!(said["x-ms-isolation-tee"].get("x-ms-compliance-status").is_none());
    let mut guest = SimulatedGuest::new(chip());
    guest.template.policy |= POLICY_DEBUG;
    let debugged = Machine::on(Hardware::Snp(Box::new(guest)));
    let answer = served.raw().await.post(PATH, &body(&debugged.shows().info())).await;
    assert_eq!(answer.body()["error"]["code"], "InvalidOperation", "{}", answer.text);
    assert_eq!(site.records().pop().unwrap()["code"], "not-affirming");
}

#[tokio::test]
async fn a_guest_on_tdx_is_attested_with_the_hosts_own_collateral() {
    let quote = |report_data| {
        let template = intel().quote_template(QuoteBody::Td4, report_data);
        (intel().quote(&template).unwrap(), Vec::new())
    };
    let machine = Machine::on(Hardware::Tdx(Box::new(quote)));
    let change = |plan: &mut Plan| {
        trusts(plan, &machine, "az-tdx");
        plan.simulated_roots.push(intel().root());
        let tcb = intel().tcb_info(&intel().tcb_template("TDX")).unwrap();
        let qe = intel().qe_identity(&intel().qe_template("TD_QE")).unwrap();
        plan.endorsements.push(collateral(intel(), &tcb, &qe));
    };
    let site = Site::with(|_, plan| change(plan)).await;
    site.ground.clock.set(SystemClock.now());
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    let said = claims(&attested(&mut raw, &machine).await);
    let isolation = &said["x-ms-isolation-tee"];
    assert_eq!(isolation["x-ms-attestation-type"], "tdxvm");
    assert_eq!(isolation["tdx_mrtd"], "3d".repeat(48));
    assert_eq!(isolation["attester_tcb_status"], "UpToDate");
    assert_eq!(isolation["x-ms-compliance-status"], "azure-compliant-cvm");
    assert_eq!((&said["tdx_mrtd"], &said["secureboot"]), (&Value::Null, &json!(true)));
    let mut changed = machine.shows();
    changed.report[48 + 136] ^= 1;
    let refused = code(&site, &mut raw, &changed).await;
    assert!(refused.starts_with("evidence-"), "{refused}");
}

/// Past the front door: what it would bring.
fn request(shown: &Shown, key: &[u8], runtime: &[u8]) -> MaaRequest {
    MaaRequest {
        kind: AttestationKind::AzureGuest,
        evidence: Evidence {
            tee: "az-snp".to_owned(),
            media_type: None,
            data: shown.evidence().to_string().into_bytes(),
            attachments: shown.certificates.clone(),
        },
        runtime: RuntimeData::default(),
        guest: Some(Vtpm {
            key: SealingKey::read(key).unwrap(),
            machine: RuntimeData {
                bytes: runtime.to_vec(),
                json: serde_json::from_slice(runtime).ok(),
            },
            payload: serde_json::Map::new(),
        }),
        initial: None,
        nonce: None,
        uvm: Vec::new(),
        draft: None,
    }
}

async fn attest(site: &Site, request: MaaRequest) -> Result<MaaAttested, MaaFailure> {
    let caller = caller(&tenant("default"));
    site.host.maa_attest(&caller, URL, request, &AttestationRules::default()).await
}

// invariants 1, 2
#[tokio::test]
async fn the_host_itself_compares_key_and_runtime_data_with_what_is_vouched_for() {
    let (machine, other) = (machine(), machine());
    let site = site(&machine).await;
    let (shown, theirs) = (machine.shows(), other.shows());
    let sound = request(&shown, &shown.key, &shown.runtime);
    assert!(machine.open(&attest(&site, sound.clone()).await.unwrap().token).is_some());
    // A key that the evidence is not of; runtime data that the report is not of.
    let key = request(&shown, &theirs.key, &shown.runtime);
    assert_eq!(refused(attest(&site, key).await), Code::EvidenceNotBound);
    let data = request(&shown, &shown.key, &theirs.runtime);
    assert_eq!(refused(attest(&site, data).await), Code::EvidenceNotBound);
    // As another type, or without what it is for.
    let kind = MaaRequest { kind: AttestationKind::SevSnpVm, ..sound.clone() };
    assert_eq!(refused(attest(&site, kind).await), Code::RequestMalformed);
    let nothing = MaaRequest { guest: None, ..sound.clone() };
    assert_eq!(refused(attest(&site, nothing).await), Code::RequestMalformed);
    let bare = MaaRequest {
        kind: AttestationKind::SevSnpVm,
        guest: None,
        runtime: RuntimeData { bytes: shown.key[2..].to_vec(), json: None },
        ..sound.clone()
    };
    assert_eq!(refused(attest(&site, bare).await), Code::EvidenceNotBound);
    // Hardware of a kind that has no vTPM.
    let guest = Guest::new();
    let mut padded = [0; 64];
    padded[..32].copy_from_slice(&sha256(&shown.key[2..]));
    let report = MaaRequest {
        evidence: Evidence {
            tee: "snp".to_owned(),
            media_type: None,
            data: guest.hardware.report(padded).to_vec(),
            attachments: guest.hardware.attachments.clone(),
        },
        ..sound
    };
    assert_eq!(refused(attest(&site, report).await), Code::EvidenceNotBound);
}

// invariants 2, 6
#[tokio::test]
async fn an_attester_that_the_service_does_not_know_is_bound_to_nothing_here() {
    let realm = cca::parts(1);
    let site = Site::with(|_, plan| {
        plan.anchors.push(AnchorPlan {
            set: "cca".to_owned(),
            key_id: Some(realm.instance.to_vec()),
            bytes: realm.enrolled(),
        });
        plan.bundled = Some(["kms-local", "verifier-cca"].map(str::to_owned).into());
    })
    .await;
    let runtime = br#"{"keys":[]}"#;
    let mut challenge = [0; 64];
    challenge[..32].copy_from_slice(&sha256(runtime));
    let request = MaaRequest {
        kind: AttestationKind::SevSnpVm,
        evidence: Evidence {
            tee: "cca".to_owned(),
            media_type: None,
            data: realm.token_of(0x3000, challenge),
            attachments: Vec::new(),
        },
        runtime: RuntimeData { bytes: runtime.to_vec(), json: None },
        guest: None,
        initial: None,
        nonce: None,
        uvm: Vec::new(),
        draft: None,
    };
    // Genuine, and its challenge is the digest: nobody said that realms are asked for that way.
    assert_eq!(refused(attest(&site, request).await), Code::EvidenceNotBound);
}

// attack 1
#[tokio::test]
async fn a_certified_key_answers_no_challenge() {
    let machine = machine();
    let site = site(&machine).await;
    let guest = Guest::new();
    let challenge = site.challenge(&guest);
    let shown = machine.shows();
    let mut answer = guest.answer_with(&challenge, shown.evidence().to_string().into_bytes());
    answer.evidence.tee = "az-snp".to_owned();
    answer.evidence.attachments = shown.certificates.into_iter().map(Base64Url).collect();
    let outcome =
        site.host.attest(&guest.caller(), Submission::from(answer), Wanted::default()).await;
    assert_eq!(outcome.unwrap_err().code, Code::EvidenceNotBound);
    let own = certificate(&machine.shows().key);
    assert_eq!(own, machine.shows().certificate);
}

/// All that a vTPM does is done by an emulator that others wrote: quote, certificate and policy are its, and
/// it alone can open what comes back, while its PCRs are what they were.
#[tokio::test]
async fn a_tpm_that_others_wrote_opens_token_and_key_until_a_pcr_changes() {
    const PCRS: &str = "sha256:0,1,2,3,4,5,6,7";
    let folder = tempfile::tempdir().unwrap();
    let Some(tpm) = Emulator::start(folder.path()) else { return };
    let log = Log::sound(true);
    for (pcr, digest) in log.entries() {
        tpm.tool(&format!("tpm2_pcrextend {pcr}:sha256={}", HEXLOWER.encode(&digest)));
    }
    let flush = || tpm.tool("tpm2_flushcontext -t");
    tpm.tool("tpm2_createprimary -Q -C o -G rsa2048:rsassa-sha256:null -a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign -c ak.ctx");
    tpm.tool("tpm2_readpublic -Q -c ak.ctx -o ak.pub");
    flush();
    tpm.tool(&format!("tpm2_createpolicy -Q --policy-pcr -l {PCRS} -L policy"));
    tpm.tool("tpm2_createprimary -Q -C n -G rsa2048 -a fixedtpm|fixedparent|sensitivedataorigin|decrypt|noda -L policy -c key.ctx");
    tpm.tool("tpm2_readpublic -Q -c key.ctx -o key.pub");
    flush();
    tpm.tool(&format!(
        "tpm2_quote -Q -c ak.ctx -l {PCRS} -m quote -s quote.sig -f plain -o pcrs -F values -g sha256"
    ));
    flush();
    tpm.tool(
        "tpm2_certify -Q -c key.ctx -C ak.ctx -g sha256 -o certificate -s certificate.sig -f plain",
    );
    flush();
    let attestation_key = tpm.file("ak.pub");
    let runtime = json!({"keys": [{
        "kid": "HCLAkPub", "key_ops": ["sign"], "kty": "RSA", "e": "AQAB",
        "n": BASE64URL_NOPAD.encode(&attestation_key[attestation_key.len() - 256..]),
    }]});
    let machine = machine().with_runtime(runtime.to_string().into_bytes());
    let (kind, report, certificates, runtime) = machine.isolation();
    let pcrs = tpm.file("pcrs");
    let pcrs = (0..8).map(|index| (index, pcrs[index as usize * 32..][..32].to_vec())).collect();
    let shown = Shown {
        kind,
        report,
        certificates,
        runtime,
        attestation_key,
        quote: tpm.file("quote"),
        quote_signature: tpm.file("quote.sig"),
        pcrs,
        key: tpm.file("key.pub"),
        certificate: tpm.file("certificate"),
        certificate_signature: tpm.file("certificate.sig"),
        log: log.bytes(),
    };
    let site = site(&machine).await;
    let served = site.serve_attestation(rules()).await;
    let mut raw = served.raw().await;
    let answer = raw.post(PATH, &body(&shown.info())).await;
    assert_eq!(answer.status, 200, "{} {:?}", answer.text, site.records().pop());
    let decrypt = |scheme: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join("encrypted"), bytes).unwrap();
        let _ = std::fs::remove_file(folder.path().join("decrypted"));
        tpm.tool("tpm2_startauthsession -Q --policy-session -S session");
        tpm.tool(&format!("tpm2_policypcr -Q -S session -l {PCRS}"));
        let done = tpm.run(&format!(
            "tpm2_rsadecrypt -Q -c key.ctx -s {scheme} -p session:session -o decrypted encrypted"
        ));
        tpm.tool("tpm2_flushcontext session");
        flush();
        done.status.success().then(|| tpm.file("decrypted"))
    };
    let sealed = answer.body()["token"].as_str().unwrap().to_owned();
    let token = open(&sealed, |inner| decrypt("rsaes", inner)).unwrap();
    let said = claims(&token);
    assert_eq!(
        (&said["secureboot"], &said["x-claviger-status"]),
        (&json!(true), &json!("warning"))
    );
    let answer = released(&mut raw, &served, "k", &token, azurevm()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let wrapped = wrapped(&answer);
    let (inner, material) = wrapped.split_at(256);
    let key = decrypt("oaep-sha1", inner).unwrap();
    assert_eq!(unwrapped(&key, material), Some(vec![7; 32]));
    tpm.tool(&format!("tpm2_pcrextend 4:sha256={}", "11".repeat(32)));
    assert_eq!(decrypt("oaep-sha1", inner), None);
    assert_eq!(open(&sealed, |inner| decrypt("rsaes", inner)), None);
    // A quote of now beside the key of before: the key is of no use to what runs now, nor is it believed.
    tpm.tool(&format!(
        "tpm2_quote -Q -c ak.ctx -l {PCRS} -m quote -s quote.sig -f plain -o pcrs -F values -g sha256"
    ));
    let now = tpm.file("pcrs");
    let pcrs = (0..8).map(|index| (index, now[index as usize * 32..][..32].to_vec())).collect();
    let (quote, quote_signature) = (tpm.file("quote"), tpm.file("quote.sig"));
    let later = Shown { quote, quote_signature, pcrs, log: Vec::new(), ..shown };
    assert_eq!(code(&site, &mut raw, &later).await, "evidence-untrusted");
}
