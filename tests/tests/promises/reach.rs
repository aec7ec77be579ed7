//! Where a hostile connector gets in the network of a whole host: to what the operator granted, and to
//! nothing else, by whatever name, address, redirection or change of a name.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use claviger::assemble::Plan;
use claviger::egress::{Looked, Resolver, TargetPlan, TlsPlan};
use claviger::error::Code;
use claviger_tests::hostile::{REMOTE, REMOTE_IMPORTS};
use claviger_tests::server::Server;
use claviger_tests::service::Reply;
use claviger_tests::site::{Ground, Guest, Site};
use tempfile::TempDir;
use tokio::net::TcpListener;

/// Answers one look-up after the other with these lists, and then with the last one for ever.
struct Changing(Mutex<Vec<Vec<IpAddr>>>);

impl Changing {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parse = |list: &&[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        Arc::new(Self(Mutex::new(answers.iter().rev().map(parse).collect())))
    }
}

impl Resolver for Changing {
    fn look_up<'a>(&'a self, _: &'a str) -> Looked<'a> {
        let mut answers = self.0.lock().unwrap();
        let last = answers.len() == 1;
        let answer = if last { answers[0].clone() } else { answers.pop().unwrap() };
        Box::pin(async move { Ok(answer) })
    }
}

/// A service that is granted, and a place on this machine that is not, and counts who knocks.
struct World {
    granted: Server,
    _folder: TempDir,
    inside: u16,
    knocks: Arc<Mutex<usize>>,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // On all addresses of loopback, IPv6 among them.
        let inside = TcpListener::bind(("::", 0)).await.unwrap();
        let port = inside.local_addr().unwrap().port();
        let knocks = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&knocks);
        tokio::spawn(async move {
            while inside.accept().await.is_ok() {
                *counted.lock().unwrap() += 1;
            }
        });
        let granted = Server::start(folder.path(), move |asked| match asked.path() {
            "/v1/elsewhere" => {
                let place = format!("https://localhost:{port}/");
                Reply { headers: vec![("location", place)], ..Reply::status(307) }
            }
            _ => Reply { headers: vec![("connection", "close".to_owned())], ..Reply::status(200) },
        });
        Self { granted: granted.await, _folder: folder, inside: port, knocks }
    }

    fn target(&self) -> TargetPlan {
        TargetPlan {
            url: format!("{}/v1/", self.granted.url),
            methods: ["GET".to_owned()].into(),
            tls: TlsPlan { roots: self.granted.ca.clone(), identity: None },
            addresses: vec!["127.0.0.1".parse().unwrap()],
            ..TargetPlan::default()
        }
    }

    fn plan(&self, ground: &Ground, plan: &mut Plan, target: TargetPlan, urls: &[String]) {
        let mut plugin = ground.plugin("kms-hostile-remote", REMOTE);
        plugin.targets = vec![target];
        plugin.imports = Some(REMOTE_IMPORTS.map(str::to_owned).into());
        plugin.values.insert("urls".to_owned(), urls.join("\n"));
        plan.plugins.push(plugin);
        plan.kms = "kms-hostile-remote".to_owned();
        plan.resolver = Changing::new(&[&["127.0.0.1"]]);
    }

    fn knocks(&self) -> usize {
        *self.knocks.lock().unwrap()
    }
}

/// What the connector says of the address with this number.
async fn fetched(site: &Site, number: usize) -> (Code, String) {
    let name = format!("fetch-{number}");
    let _ = site.host.delete_key(&Guest::new().caller(), "tests", &name).await;
    site.key(&name).await;
    let refusal = site.release(&Guest::new(), &name).await.unwrap_err();
    (refusal.code, refusal.reason)
}

// attack 42, invariant 7
#[tokio::test]
async fn a_connector_reaches_no_host_that_is_not_granted_in_whatever_spelling() {
    let world = World::new().await;
    let (port, inside) = (world.granted.port, world.inside);
    let hosts = [
        "evil.example",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "127.000.000.001",
        "0.0.0.0",
        "localhost.",
        "localhost.localdomain",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:7f00:0001]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1%25lo]",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "2852039166",
        "[fd00:ec2::254]",
    ];
    let mut urls: Vec<_> = hosts
        .iter()
        .flat_map(|host| {
            [format!("https://{host}:{inside}/v1/a"), format!("https://{host}:{port}/v1/a")]
        })
        .collect();
    urls.extend([
        format!("https://localhost:{inside}/v1/a"),
        format!("https://localhost:{port}@127.0.0.1:{inside}/v1/a"),
        format!("https://127.0.0.1:{inside}#@localhost:{port}/v1/a"),
        format!("https://127.0.0.1:{inside}\\@localhost:{port}/v1/a"),
        format!("http://localhost:{port}/v1/a"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
        format!("gopher://127.0.0.1:{inside}/"),
        "file:///etc/passwd".to_owned(),
        format!("//127.0.0.1:{inside}/"),
    ]);
    let site = Site::with(|ground, plan| world.plan(ground, plan, world.target(), &urls)).await;
    for (number, url) in urls.iter().enumerate() {
        let (code, words) = fetched(&site, number).await;
        assert_eq!(code, Code::KmsMisconfigured, "{url}: {words}");
    }
    assert_eq!((world.knocks(), world.granted.connections()), (0, 0));
    site.still_serves("after").await;
}

// attack 42, invariant 7
#[tokio::test]
async fn a_grant_for_an_odd_spelling_of_an_address_opens_no_address() {
    let world = World::new().await;
    for host in [
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
    ] {
        let url = format!("https://{host}:{}/", world.inside);
        let target = TargetPlan { url: url.clone(), addresses: Vec::new(), ..world.target() };
        let ground = Ground::new();
        let mut plan = ground.plan();
        world.plan(&ground, &mut plan, target, std::slice::from_ref(&url));
        // As the system's own resolver may take them.
        plan.resolver = Changing::new(&[&["127.0.0.1"]]);
        // Either the grant is refused, or the address that it comes to is.
        let Ok(host) = ground.try_build(plan).await else { continue };
        let site = Site { ground, host: Arc::new(host) };
        let (code, words) = fetched(&site, 0).await;
        assert_eq!(code, Code::KmsMisconfigured, "{url}: {words}");
    }
    assert_eq!(world.knocks(), 0);
}

// attack 42, invariant 7
#[tokio::test]
async fn a_redirection_leads_a_connector_nowhere() {
    let world = World::new().await;
    let urls = [
        format!("{}/v1/elsewhere", world.granted.url),
        format!("https://localhost:{}/", world.inside),
    ];
    let site = Site::with(|ground, plan| world.plan(ground, plan, world.target(), &urls)).await;
    // It hears of the other place, and is refused there.
    let (code, words) = fetched(&site, 0).await;
    assert_eq!(code, Code::KmsUnavailable, "{words}");
    assert!(words.contains("heard 307"), "{words}");
    assert_eq!(fetched(&site, 1).await.0, Code::KmsMisconfigured);
    assert_eq!((world.knocks(), world.granted.asked().len()), (0, 1));
}

// attack 42, invariant 7
#[tokio::test]
async fn a_name_that_changes_to_another_address_is_not_followed_there() {
    let world = World::new().await;
    let urls = [format!("{}/v1/a", world.granted.url)];
    for second in [
        &["127.0.0.2"][..],
        &["::1"],
        &["::ffff:127.0.0.2"],
        &["10.0.0.1"],
        &["169.254.169.254"],
        // One good address does not make the others good, in whatever order.
        &["127.0.0.1", "127.0.0.2"],
        &["127.0.0.2", "127.0.0.1"],
    ] {
        let site = Site::with(|ground, plan| {
            world.plan(ground, plan, world.target(), &urls);
            plan.resolver = Changing::new(&[&["127.0.0.1"], second]);
        });
        let site = site.await;
        let before = world.granted.connections();
        // One look-up for check and connection: with a second one it would have gone elsewhere.
        let (code, words) = fetched(&site, 0).await;
        assert_eq!(code, Code::KmsUnavailable, "{words}");
        assert!(words.contains("heard 200"), "{words}");
        let (code, words) = fetched(&site, 0).await;
        assert_eq!(code, Code::KmsMisconfigured, "{second:?}: {words}");
        assert_eq!(world.granted.connections(), before + 1, "{second:?}");
    }
}
