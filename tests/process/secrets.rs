//! What is secret stands in no log, at no level, whatever goes wrong.

use std::fs;

use claviger::http::{ChallengeRequest, NewKeyRequest, ReleaseRequest, SecretBytes};
use claviger::secret::Secret;
use claviger::simulated::report::POLICY_DEBUG;
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};

use crate::support::{Guest, Host, Raw, State, TOKEN, block_on};

/// Key material that is known when it is seen, in any spelling.
const MATERIAL: &[u8; 32] = b"known-key-material-of-32-bytes.!";

// attack 62, invariant 9
#[test]
fn neither_token_nor_key_material_is_ever_logged() {
    let state = compiled();
    let mut launch = state.launch();
    launch.command.env("CLAVIGER_LOG", "trace");
    let host = launch.serving();
    let (answers, made) = block_on(async {
        let mut answers = work(&host).await;
        answers.push(over_http2(&host).await);
        (answers, generated(&host).await)
    });
    let (code, log) = host.stop();
    assert_eq!(code, Some(0));
    assert!(
        log.contains(" TRACE ") && log.contains("/v1/keys/{name}/release"),
        "nothing is logged"
    );
    let audit = fs::read_to_string(state.path().join("audit/audit.jsonl")).unwrap();
    let master = fs::read(state.path().join("master.key")).unwrap();
    let pem = fs::read_to_string(state.path().join("server-key.pem")).unwrap();
    let tls_key = pem.lines().find(|line| !line.starts_with("-----")).unwrap();
    let secrets =
        [TOKEN.as_bytes(), MATERIAL, made.expose(), master.as_slice(), tls_key.as_bytes()];
    for secret in secrets {
        for (place, text) in [("log", &log), ("audit log", &audit), ("answers", &answers.concat())]
        {
            for spelling in spellings(secret) {
                assert!(!text.contains(&spelling), "{spelling:?} stands in the {place}");
            }
        }
    }
}

// attack 62
#[test]
fn a_token_from_the_command_line_is_not_logged_either() {
    let state = compiled();
    let mut launch = state.launch();
    let token = "a-token-from-the-command-line";
    launch.command.env_remove("CLAVIGER_DEV_TOKEN").args(["--dev-token", token]);
    launch.command.env("CLAVIGER_LOG", "trace");
    let host = launch.serving();
    block_on(host.administrator_with(token).list_keys(None)).unwrap();
    let (code, log) = host.stop();
    assert_eq!(code, Some(0));
    assert!(log.contains(" TRACE "));
    assert!(!log.contains(token));
}

/// A state in which the plugins are compiled already: the compiler traces every instruction.
fn compiled() -> State {
    let state = State::new();
    assert_eq!(state.start().stop().0, Some(0));
    state
}

/// Everything that is done with keys, and what goes wrong with it. Answers the refusals' bodies.
async fn work(host: &Host) -> Vec<String> {
    let administrator = host.administrator();
    let import = |name: &str, kind: &str, material: &[u8]| NewKeyRequest {
        name: name.to_owned(),
        kind: kind.to_owned(),
        material: Some(SecretBytes(Secret::new(material.to_vec()))),
        release_policy: "affirming".into(),
    };
    administrator.create_key(&import("known", "oct-256", MATERIAL)).await.unwrap();
    let mut refused = Vec::new();
    for (name, kind, material) in [
        ("known", "oct-256", MATERIAL.to_vec()),
        ("long", "oct-256", [MATERIAL.as_slice(), b"!"].concat()),
        ("other", "ec-p256", MATERIAL.to_vec()),
        ("odd", "no-such-kind", MATERIAL.to_vec()),
        ("../../etc", "oct-256", MATERIAL.to_vec()),
    ] {
        let error = administrator.create_key(&import(name, kind, &material)).await.unwrap_err();
        refused.push(format!("{error} {error:?}"));
    }
    for body in unreadable() {
        refused.push(post(host, TOKEN, &body).await);
    }
    for token in [format!("{TOKEN}x"), format!("x{TOKEN}"), TOKEN.to_uppercase()] {
        refused.push(post(host, &token, "{}").await);
    }
    let guest = Guest::new();
    let client = host.client();
    let purpose = ChallengeRequest::Release { key: "known".to_owned() };
    let answer = guest.answer(&client.challenge(&purpose).await.unwrap());
    let release = client.release("known", &answer).await.unwrap();
    assert_eq!(guest.open(&release).secret.expose(), MATERIAL);
    refused.push(client.release("known", &answer).await.unwrap_err().to_string());
    let mut debugged = Guest::new();
    debugged.hardware.template.policy |= POLICY_DEBUG;
    let answer = debugged.answer(&client.challenge(&purpose).await.unwrap());
    refused.push(client.release("known", &answer).await.unwrap_err().to_string());
    administrator.rotate_key("known").await.unwrap();
    administrator.set_key_enabled("known", None, false).await.unwrap();
    let answer = guest.answer(&client.challenge(&purpose).await.unwrap());
    refused.push(client.release("known", &answer).await.unwrap_err().to_string());
    administrator.delete_key("known").await.unwrap();
    refused
}

/// Bodies with the material in them that are no requests.
fn unreadable() -> Vec<String> {
    let material = BASE64URL_NOPAD.encode(MATERIAL);
    let request = |material: &str, rest: &str| {
        format!(
            r#"{{"name": "known", "kind": "oct-256", "release_policy": "affirming", "material": {material}{rest}"#
        )
    };
    vec![
        request(&format!("\"{material}\""), r#", "surprise": true}"#),
        request(&format!("\"{material}\""), ""),
        request(&format!("\"{}\"", BASE64.encode(MATERIAL)), "}"),
        request(&format!("\"{}\"", HEXLOWER.encode(MATERIAL)), ", }"),
        request(&format!("{MATERIAL:?}"), "}"),
        request(&format!("\"{}\"", String::from_utf8_lossy(MATERIAL)), "}"),
        request(&format!("{{\"{material}\": 1}}"), "}"),
        request(&format!("\"{material}\""), &format!(r#", "material": "{material}"}}"#)),
    ]
}

/// Asks for a key as the bearer of `token`; answers the refusal, head and body.
async fn post(host: &Host, token: &str, body: &str) -> String {
    let mut connection = Raw::connect(host, host.admin(), b"http/1.1").await;
    let request = format!(
        "POST /v1/keys HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    connection.write(request.as_bytes()).await;
    let answer = connection.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    answer
}

/// The same on HTTP/2, whose headers go through other hands.
async fn over_http2(host: &Host) -> String {
    let stream = Raw::connect(host, host.admin(), b"h2").await.into_stream();
    let connection = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, driver) = connection.unwrap();
    let driver = tokio::spawn(driver);
    let unreadable = unreadable().swap_remove(0);
    let request = Request::post("https://localhost/v1/keys")
        .header("authorization", format!("Bearer {TOKEN}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(unreadable)))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!(answer.status(), 400);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    driver.abort();
    String::from_utf8(body.to_vec()).unwrap()
}

/// Material that the host made, as the guest got it.
async fn generated(host: &Host) -> Secret {
    let key = NewKeyRequest {
        name: "made".to_owned(),
        kind: "oct-256".to_owned(),
        material: None,
        release_policy: "affirming".into(),
    };
    host.administrator().create_key(&key).await.unwrap();
    let (guest, client) = (Guest::new(), host.client());
    let purpose = ChallengeRequest::Release { key: "made".to_owned() };
    let answer: ReleaseRequest = guest.answer(&client.challenge(&purpose).await.unwrap());
    guest.open(&client.release("made", &answer).await.unwrap()).secret
}

/// How bytes may be written: as they are, in hexadecimal, in base64, as a list of numbers.
fn spellings(secret: &[u8]) -> Vec<String> {
    let head = &secret[..secret.len() / 3 * 3];
    let list = format!("{:?}", &secret[..8]);
    let mut spellings = vec![
        HEXLOWER.encode(head),
        HEXUPPER.encode(head),
        BASE64.encode(head),
        BASE64URL_NOPAD.encode(head),
        list.trim_matches(['[', ']']).to_owned(),
    ];
    spellings.extend(std::str::from_utf8(secret).map(str::to_owned));
    spellings
}
