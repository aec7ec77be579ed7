//! Implementations of others accept our results and refuse tampered ones: PyJWT, jwcrypto and
//! python-cwt in a virtual environment, and Veraison's crate `ear` in a process of its own (it would
//! bring OpenSSL into our dependencies). Both are made under the target directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use claviger::clock::{Clock, SystemClock, Timestamp};
use claviger::flow::Wanted;
use claviger::quote::snp::Product;
use claviger::result::Form;
use claviger::simulated::report::POLICY_DEBUG;
use claviger::simulated::{Family, SimulatedGuest};
pub(crate) use claviger_tests::python::made;
use claviger_tests::site::{Guest, Site};
use coset::{CoseSign1, TaggedCborSerializable};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde_json::{Value, json};

/// The interpreter of a virtual environment with these packages, which is made where it is not there.
pub(crate) fn python(environment: &str, requirements: &Path) -> Option<PathBuf> {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    claviger_tests::python::environment(base, environment, requirements)
}

/// The reader of claims that stands on the crate `ear`.
fn ear_reader() -> Option<PathBuf> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ear");
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("ear/Cargo.toml");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--locked", "--manifest-path"]).arg(manifest);
    cargo.arg("--target-dir").arg(&target);
    made(cargo, "crate `ear`")?;
    Some(target.join("debug/ear-reader"))
}

/// What each implementation says of each token: name, implementation, whether accepted, status.
fn ask(python: &Path, question: &Value) -> Vec<(String, String, bool, Value)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/results.py");
    let mut command = Command::new(python);
    command.arg(script);
    serde_json::from_str(&answer(command, &question.to_string())).unwrap()
}

/// What a program writes to what it is told.
pub(crate) fn answer(mut command: Command, told: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(told.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The other implementations read the system's clock, so this host and its hardware live now.
async fn site_of_today(change: impl FnOnce(&mut claviger::assemble::Plan)) -> (Site, Guest) {
    let now = SystemClock.now();
    let family = Family::mint(Product::Genoa, now).unwrap();
    let site = Site::with(|ground, plan| {
        ground.clock.set(now);
        plan.simulated_roots = vec![family.ark().to_vec()];
        let lists = family.crl(&family.crl_template());
        plan.endorsements = vec![family.ask().to_vec(), lists];
        change(plan);
    })
    .await;
    let chip = family.chip(&family.chip_template()).unwrap();
    (site, Guest::on(SimulatedGuest::new(chip)))
}

// attack 52
#[tokio::test]
async fn other_implementations_accept_our_results_and_refuse_tampered_ones() {
    let requirements = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/requirements.txt");
    let Some(python) = python("python", &requirements) else { return };
    for algorithm in ["ES256", "ES384"] {
        let algorithm = serde_json::from_value(json!(algorithm)).unwrap();
        let (site, guest) = site_of_today(|plan| plan.token.algorithm = algorithm).await;
        let now = SystemClock.now();
        site.ground.clock.set(Timestamp(now.0 - 1_000));
        let old = site.attest(&guest).await.unwrap().token;
        site.ground.clock.set(now);
        let jwt = site.attest(&guest).await.unwrap();
        assert_eq!(jwt.status, "affirming");
        let cwt = site.attest_as(&guest, Wanted { form: Form::Cwt, trust_path: true }).await;
        let cwt = cwt.unwrap().token;
        // Signed by a key that is retired meanwhile, and published still.
        let caller = guest.caller();
        site.host.rotate_token_key(&caller, "tests", false).await.unwrap();
        let mut tokens =
            vec![json!(["sound jwt", "jwt", jwt.token]), json!(["sound cwt", "cwt", cwt])];
        let parts: Vec<&str> = jwt.token.split('.').collect();
        let altered = |part: &str, at: usize| {
            let mut octets = BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
            octets[at] ^= 1;
            BASE64URL_NOPAD.encode(&octets)
        };
        let claims = altered(parts[1], 40);
        tokens.push(json!([
            "altered claims",
            "jwt",
            format!("{}.{claims}.{}", parts[0], parts[2])
        ]));
        let signature = altered(parts[2], 3);
        tokens.push(json!([
            "altered signature",
            "jwt",
            format!("{}.{}.{signature}", parts[0], parts[1])
        ]));
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none","kid":"x"}"#);
        tokens.push(json!(["no signature", "jwt", format!("{none}.{}.", parts[1])]));
        let length = BASE64URL_NOPAD.decode(cwt.as_bytes()).unwrap().len();
        for (name, at) in [("altered cwt claims", 300), ("altered cwt signature", length - 2)] {
            tokens.push(json!([name, "cwt", altered(&cwt, at)]));
        }
        // Another tenant's, and one that has expired.
        let stranger = Guest::on(guest.hardware.clone()).of(&claviger_tests::site::tenant("other"));
        let other = site.attest(&stranger).await.unwrap().token;
        tokens.push(json!(["other audience", "jwt", other]));
        tokens.push(json!(["expired jwt", "jwt", old]));
        let question = json!({
            "jwks": site.host.jwks(),
            "issuer": "https://claviger.test",
            "audience": "https://claviger.test/t/default",
            "tokens": tokens,
        });
        let answers = ask(&python, &question);
        assert_eq!(answers.len(), 2 * 6 + 3, "{answers:?}");
        for (name, implementation, accepted, said) in &answers {
            let sound = name.starts_with("sound");
            assert_eq!(*accepted, sound, "{name}, {implementation}: {said}");
            if sound {
                assert!([json!("affirming"), json!(2)].contains(said), "{implementation}: {said}");
            }
        }
    }
}

/// It looks at its own clock, so the expiry is left out.
#[tokio::test]
async fn the_crate_ear_reads_what_this_host_says_in_either_form() {
    let Some(reader) = ear_reader() else { return };
    let site = Site::new().await;
    let lines = async |guest: &Guest, change: &dyn Fn(&mut Value)| {
        let jwt = site.attest(guest).await.unwrap().token;
        let claims = jwt.split('.').nth(1).unwrap();
        let mut json: Value =
            serde_json::from_slice(&BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap()).unwrap();
        json.as_object_mut().unwrap().remove("exp");
        change(&mut json);
        let cwt = site.attest_as(guest, Wanted { form: Form::Cwt, trust_path: false }).await;
        let cwt = BASE64URL_NOPAD.decode(cwt.unwrap().token.as_bytes()).unwrap();
        let payload = CoseSign1::from_tagged_slice(&cwt).unwrap().payload.unwrap();
        let mut cbor: ciborium::Value = ciborium::from_reader(payload.as_slice()).unwrap();
        cbor.as_map_mut().unwrap().retain(|(key, _)| *key != ciborium::Value::from(4));
        let mut bytes = Vec::new();
        ciborium::into_writer(&cbor, &mut bytes).unwrap();
        let json = HEXLOWER.encode(json.to_string().as_bytes());
        format!("json {json}\ncbor {}\n", HEXLOWER.encode(&bytes))
    };
    let mut told = lines(&Guest::new(), &|_| ()).await;
    told += &lines(&Guest::whose(|report| report.policy |= POLICY_DEBUG), &|_| ()).await;
    // It is no friend of everything: it refuses what the draft forbids.
    let empty = |json: &mut Value| {
        json["submods"]["snp"]["ear_trustworthiness_vector"] = json!({});
    };
    told += &lines(&Guest::new(), &empty).await;
    let read = answer(Command::new(reader), &told);
    let read: Vec<&str> = read.lines().collect();
    assert_eq!(read.len(), 6, "{read:?}");
    for (index, status) in
        [(0, "affirming"), (1, "affirming"), (2, "contraindicated"), (3, "contraindicated")]
    {
        assert!(read[index].starts_with(&format!("{status} \"claviger ")), "{read:?}");
        assert!(read[index].contains("sha256:"), "{read:?}");
    }
    assert!(read[4].starts_with("refused: ") && read[5].starts_with("affirming"), "{read:?}");
}
