//! The gate to the network: what a plugin's request reaches, and what it does not, whatever a name
//! resolves to and whatever a server answers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use claviger::clock::{Clock, FixedClock};
use claviger::credentials::{CredentialKind, CredentialPlan, HeaderPlan, SecretSource};
use claviger::egress::{
    Answer, EgressError, EgressLimits, Gate, Looked, Outgoing, Resolver, TargetPlan, TlsPlan,
};
use claviger::secret::Secret;
use claviger_tests::server::{Asked, Server};
use claviger_tests::service::Reply;
use claviger_tests::site::NOW;
use tempfile::TempDir;

/// Answers each look-up with the next of these lists, and then with the last one for ever.
struct Scripted {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        let answers = Mutex::new(answers.iter().rev().map(parse).collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

impl Resolver for Scripted {
    fn look_up<'a>(&'a self, _: &'a str) -> Looked<'a> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop().unwrap(),
        };
        Box::pin(async move { Ok(answer) })
    }
}

/// A server, and a gate to it.
struct World {
    server: Server,
    folder: TempDir,
    resolver: Arc<Scripted>,
}

impl World {
    async fn new(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::resolving(&[&["127.0.0.1"]], answers).await
    }

    async fn resolving(
        names: &[&[&str]],
        answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), answers).await;
        Self { server, folder, resolver: Scripted::new(names) }
    }

    fn target(&self) -> TargetPlan {
        TargetPlan {
            url: format!("{}/v1/", self.server.url),
            methods: ["GET", "POST"].map(str::to_owned).into(),
            tls: TlsPlan { roots: self.server.ca.clone(), identity: None },
            addresses: vec!["127.0.0.1".parse().unwrap()],
            ..TargetPlan::default()
        }
    }

    fn gate(&self, target: TargetPlan) -> Gate {
        self.gate_within(target, EgressLimits::default())
    }

    fn gate_within(&self, target: TargetPlan, limits: EgressLimits) -> Gate {
        let resolver: Arc<dyn Resolver> = self.resolver.clone();
        let clock: Arc<dyn Clock> = Arc::new(FixedClock::new(NOW));
        Gate::new(vec![target], limits, &resolver, &clock).unwrap()
    }

    fn token(&self, token: &str) -> CredentialPlan {
        let path = self.folder.path().join("token");
        std::fs::write(&path, token).unwrap();
        private(&path);
        let (header, prefix) = ("x-vault-token".to_owned(), String::new());
        let source = SecretSource::File(path);
        let kind = CredentialKind::Header(HeaderPlan { header, prefix, source });
        CredentialPlan { name: "token".to_owned(), kind }
    }

    async fn get(&self, gate: &Gate, path: &str) -> Result<Answer, EgressError> {
        send(gate, "GET", &format!("{}{path}", self.server.url), &[]).await
    }
}

fn private(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn send(
    gate: &Gate,
    method: &str,
    url: &str,
    headers: &[(String, String)],
) -> Result<Answer, EgressError> {
    let ends = Instant::now() + Duration::from_secs(10);
    let (credential, tenant, body) = (None, Some("default"), Vec::new());
    gate.send(Outgoing { method, url, headers, body, credential, tenant, ends }).await
}

fn json(body: &str) -> Reply {
    let headers = vec![("content-type", "application/json".to_owned())];
    Reply { headers, body: body.into(), ..Reply::status(200) }
}

// attack 42
#[tokio::test]
async fn a_name_that_resolves_to_this_machine_or_a_metadata_service_is_not_reached() {
    for addresses in [
        &["127.0.0.1"][..],
        &["169.254.169.254"],
        &["::ffff:127.0.0.1"],
        &["::ffff:169.254.169.254"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::"],
        &["::1"],
        &["10.0.0.1"],
        &["fd00:ec2::254"],
        // One good address does not make the others good.
        &["1.1.1.1", "127.0.0.1"],
    ] {
        let world = World::resolving(&[addresses], |_| json("{}")).await;
        let target = TargetPlan { addresses: Vec::new(), ..world.target() };
        let refused = world.get(&world.gate(target), "/v1/a").await.unwrap_err();
        assert!(matches!(refused, EgressError::Denied(_)), "{addresses:?}: {refused}");
        assert_eq!(world.server.connections(), 0);
    }
    // With the very address granted it is.
    let world = World::new(|_| json("{}")).await;
    assert_eq!(world.get(&world.gate(world.target()), "/v1/a").await.unwrap().status, 200);
}

// attack 42
#[tokio::test]
async fn a_name_that_changes_after_it_was_checked_changes_nothing() {
    let names: &[&[&str]] = &[&["127.0.0.1"], &["169.254.169.254"]];
    let world = World::resolving(names, |asked| match asked.path() {
        "/v1/close" => {
            let headers = vec![("connection", "close".to_owned())];
            Reply { headers, ..Reply::status(200) }
        }
        _ => json("{}"),
    });
    let world = world.await;
    let gate = world.gate(world.target());
    assert!(world.get(&gate, "/v1/a").await.is_ok());
    // One look-up for check and connection; and the connection is kept, to the address that it has.
    assert!(world.get(&gate, "/v1/close").await.is_ok());
    assert_eq!(world.resolver.asked.load(Ordering::SeqCst), 1);
    // The next connection is another look-up, and another check.
    let refused = world.get(&gate, "/v1/a").await.unwrap_err();
    assert!(matches!(refused, EgressError::Denied(_)), "{refused}");
    assert_eq!((world.server.connections(), world.server.asked().len()), (1, 2));
}

// attack 42
#[tokio::test]
async fn a_redirection_is_an_answer_and_is_not_followed() {
    let world = World::new(|_| {
        let headers = vec![("location", "http://169.254.169.254/latest/meta-data".to_owned())];
        Reply { headers, ..Reply::status(302) }
    });
    let world = world.await;
    let answer = world.get(&world.gate(world.target()), "/v1/a").await.unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(world.server.asked().len(), 1);
}

// attacks 40, 42 and 50
#[tokio::test]
async fn what_no_grant_covers_does_not_leave_this_process() {
    let world = World::new(|_| json("{}")).await;
    let gate = world.gate(world.target());
    for url in [
        format!("{}/v2/a", world.server.url),
        format!("{}/v1/../v2/a", world.server.url),
        format!("{}/v1/%2e%2e/v2/a", world.server.url),
        format!("{}/v1/..%2fv2/a", world.server.url),
        format!("{}/v1/a%0d%0aX-Vault-Token:%20t", world.server.url),
        format!("https://user@localhost:{}/v1/a", world.server.port),
        format!("https://localhost:{}/v1/a", world.server.port.wrapping_add(1)),
        format!("http://localhost:{}/v1/a", world.server.port),
        format!("https://127.0.0.1:{}/v1/a", world.server.port),
        "https://localhost/v1/a".to_owned(),
        "https://evil.example/v1/a".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let refused = send(&gate, "GET", &url, &[]).await.unwrap_err();
        assert!(matches!(refused, EgressError::Denied(_)), "{url}: {refused}");
    }
    let url = format!("{}/v1/a", world.server.url);
    for method in ["DELETE", "get", "CONNECT", "GET / HTTP/1.1\r\n"] {
        let refused = send(&gate, method, &url, &[]).await.unwrap_err();
        assert!(matches!(refused, EgressError::Denied(_)), "{method}: {refused}");
    }
    for (name, value) in [("host", "evil"), ("x-a", "b\r\nx-vault-token: t"), ("te", "trailers")] {
        let headers = [(name.to_owned(), value.to_owned())];
        let refused = send(&gate, "GET", &url, &headers).await.unwrap_err();
        assert!(matches!(refused, EgressError::Denied(_)), "{name}: {refused}");
    }
    assert_eq!(world.server.connections(), 0);
}

// attack 51
#[tokio::test]
async fn a_plugin_gets_no_credential_but_its_targets_own() {
    let world = World::new(|_| json("{}")).await;
    let target = TargetPlan { credential: Some(world.token("t0ken-of-one")), ..world.target() };
    let gate = world.gate(target);
    let url = format!("{}/v1/a", world.server.url);
    let ask = |credential| Outgoing {
        method: "GET",
        url: &url,
        headers: &[],
        body: Vec::new(),
        credential,
        tenant: None,
        ends: Instant::now() + Duration::from_secs(5),
    };
    let refused = gate.send(ask(Some("other"))).await.unwrap_err();
    assert!(matches!(refused, EgressError::Denied(_)), "{refused}");
    assert!(world.server.asked().is_empty());
    assert!(gate.send(ask(Some("token"))).await.is_ok());
    assert!(gate.send(ask(None)).await.is_ok());
    let sent = world.server.asked();
    assert!(sent.iter().all(|asked| asked.header("x-vault-token") == Some("t0ken-of-one")));
    // A plugin that was granted none has none.
    assert!(world.gate(world.target()).send(ask(Some("token"))).await.is_err());
}

// attack 50, invariant 10
#[tokio::test]
async fn a_service_that_repeats_the_credential_does_not_give_it_to_the_plugin() {
    let world = World::new(|asked| {
        let token = asked.header("x-vault-token").unwrap_or_default().to_owned();
        let headers = vec![("content-type", "text/plain".into()), ("x-echo", token.clone())];
        Reply { headers, body: format!("bad {token}!").into(), ..Reply::status(400) }
    });
    let world = world.await;
    let credential = Some(world.token("t0ken-of-one\n"));
    let gate = world.gate(TargetPlan { credential, ..world.target() });
    let answer = world.get(&gate, "/v1/a").await.unwrap();
    assert_eq!(answer.body.as_slice(), b"bad [withheld]!");
    assert!(answer.headers.iter().all(|(name, _)| name != "x-echo"));
    assert!(!format!("{answer:?}").contains("t0ken"));
}

// attack 50, invariants 7 and 10
#[tokio::test]
async fn key_material_goes_only_where_the_grant_says_so_and_does_not_come_back() {
    let world = World::new(|asked| {
        let headers = vec![("x-echo", String::from_utf8_lossy(&asked.body).into_owned())];
        let body = format!("not taken: {}", String::from_utf8_lossy(&asked.body));
        Reply { headers, body: body.into(), ..Reply::status(400) }
    });
    let world = world.await;
    let url = format!("{}/v1/a", world.server.url);
    let sent = async |gate: &Gate| {
        let outgoing = Outgoing {
            method: "POST",
            url: &url,
            headers: &[],
            body: b"key: a-key-of-some-length".to_vec(),
            credential: None,
            tenant: None,
            ends: Instant::now() + Duration::from_secs(5),
        };
        gate.send_with(outgoing, vec![Secret::new(b"a-key-of-some-length".to_vec())]).await
    };
    let refused = sent(&world.gate(world.target())).await.unwrap_err();
    assert!(matches!(refused, EgressError::Denied(_)), "{refused}");
    assert_eq!(world.server.connections(), 0);
    let answer =
        sent(&world.gate(TargetPlan { takes_keys: true, ..world.target() })).await.unwrap();
    assert_eq!(answer.body.as_slice(), b"not taken: key: [withheld]");
    assert!(answer.headers.iter().all(|(name, _)| name != "x-echo"));
    assert_eq!(world.server.asked()[0].body, b"key: a-key-of-some-length");
}

// invariant 10
#[tokio::test]
async fn what_is_withheld_is_not_in_the_answer_that_the_plugin_gets() {
    let world = World::new(|asked| match asked.path() {
        "/v1/key" => json(r#"{"data":{"value":"c2VjcmV0","name":"k"}}"#),
        "/v1/page" => json("<html>c2VjcmV0</html>"),
        _ => Reply { body: b"c2VjcmV0 failed".to_vec(), ..Reply::status(500) },
    });
    let world = world.await;
    let withhold = vec!["/data/value".parse().unwrap()];
    let gate = world.gate(TargetPlan { withhold, ..world.target() });
    let answer = world.get(&gate, "/v1/key").await.unwrap();
    assert_eq!(answer.body.as_slice(), br#"{"data":{"value":null,"name":"k"}}"#);
    let (pointer, secret) = &answer.withheld[0];
    assert_eq!(pointer, "/data/value");
    assert!(secret.matches(b"c2VjcmV0"));
    let refused = world.get(&gate, "/v1/page").await.unwrap_err();
    assert!(matches!(refused, EgressError::Protocol(_)), "{refused}");
    let failed = world.get(&gate, "/v1/other").await.unwrap();
    assert_eq!((failed.status, failed.body.len()), (500, 0));
}

// attacks 43 and 50
#[tokio::test]
async fn a_server_that_is_slow_endless_or_breaks_off_has_its_named_error() {
    let world = World::new(|asked| match asked.path() {
        "/v1/slow" => Reply { after: Duration::from_secs(5), ..json("{}") },
        "/v1/large" => json(&"x".repeat(2_000)),
        "/v1/cut" => {
            let headers = vec![("content-length", "100".to_owned())];
            Reply { headers, body: b"{\"half".to_vec(), ..Reply::status(200) }
        }
        "/v1/packed" => Reply { headers: vec![("content-encoding", "gzip".into())], ..json("") },
        "/v1/headers" => Reply { headers: vec![("x-a", "b".repeat(20_000))], ..json("{}") },
        _ => json("{}"),
    });
    let world = world.await;
    let limits = EgressLimits {
        first_byte: Duration::from_millis(200),
        idle: Duration::from_millis(200),
        answer_bytes: 1_000,
        head_bytes: 8 << 10,
        ..EgressLimits::default()
    };
    let gate = world.gate_within(world.target(), limits);
    let began = Instant::now();
    assert_eq!(world.get(&gate, "/v1/slow").await.unwrap_err(), EgressError::Timeout);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(world.get(&gate, "/v1/large").await.unwrap_err(), EgressError::TooLarge);
    let cut = world.get(&gate, "/v1/cut").await.unwrap_err();
    assert!(matches!(cut, EgressError::Protocol(_)), "{cut:?}");
    let packed = world.get(&gate, "/v1/packed").await.unwrap_err();
    assert!(matches!(packed, EgressError::Protocol(_)), "{packed:?}");
    let headers = world.get(&gate, "/v1/headers").await.unwrap_err();
    assert!(matches!(headers, EgressError::TooLarge | EgressError::Protocol(_)), "{headers:?}");
    assert!(world.get(&gate, "/v1/good").await.is_ok());
    // Another authority's certificate.
    let other = tempfile::tempdir().unwrap();
    let other = Server::start(other.path(), |_| json("{}")).await;
    let tls = TlsPlan { roots: other.ca.clone(), identity: None };
    let gate = world.gate(TargetPlan { tls, ..world.target() });
    let untrusted = world.get(&gate, "/v1/good").await.unwrap_err();
    assert!(matches!(untrusted, EgressError::Tls(_)), "{untrusted:?}");
}

// attack 43
#[tokio::test]
async fn a_server_that_does_not_answer_is_left_alone_and_asked_again_later() {
    let world = World::new(|asked| match asked.path() {
        "/v1/busy" => Reply { headers: vec![("retry-after", "9".into())], ..Reply::status(429) },
        _ => Reply::status(503),
    });
    let world = world.await;
    let gate = world.gate(world.target());
    for _ in 0..5 {
        assert_eq!(world.get(&gate, "/v1/a").await.unwrap().status, 503);
    }
    let left = world.get(&gate, "/v1/a").await.unwrap_err();
    assert!(matches!(left, EgressError::Unreachable(_)), "{left}");
    assert_eq!(world.server.asked().len(), 5);
    // And where it says for how long.
    let gate = world.gate(world.target());
    assert_eq!(world.get(&gate, "/v1/busy").await.unwrap().status, 429);
    let left = world.get(&gate, "/v1/a").await.unwrap_err();
    assert!(left.to_string().contains("seconds"), "{left}");
    assert_eq!(world.server.asked().len(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_kept_and_requests_at_once_are_bounded() {
    let world = World::new(|_| Reply { after: Duration::from_millis(30), ..json("{}") }).await;
    let limits = EgressLimits { at_once: 3, ..EgressLimits::default() };
    let gate = Arc::new(world.gate_within(world.target(), limits));
    let url = Arc::new(format!("{}/v1/a", world.server.url));
    let sent: Vec<_> = (0..12)
        .map(|_| {
            let (gate, url) = (Arc::clone(&gate), Arc::clone(&url));
            tokio::spawn(async move { send(&gate, "GET", &url, &[]).await.map(|it| it.status) })
        })
        .collect();
    for one in sent {
        assert_eq!(one.await.unwrap(), Ok(200));
    }
    assert!(world.server.connections() <= 3, "{}", world.server.connections());
    assert_eq!(world.server.asked().len(), 12);
}
