//! Keys of Vault and OpenBao: the whole way from evidence to the wrapped key over TLS, and everything
//! that the server, its answers and its credentials can do wrong.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use claviger::assemble::PluginPlan;
use claviger::credentials::{
    CredentialKind, CredentialPlan, EndpointPlan, HeaderPlan, SecretSource, VaultLogin, VaultPlan,
};
use claviger::egress::{EgressLimits, TargetPlan, TlsPlan};
use claviger::error::{Code, Refusal};
use claviger::flow::{NewKey, NewReleasePolicy};
use claviger::http::ChallengeRequest;
use claviger::release_policy::Language;
use claviger::secret::Secret;
use claviger::tenant::Tenant;
use claviger_tests::fake_vault::FakeVault;
use claviger_tests::server::Asked;
use claviger_tests::service::Reply;
use claviger_tests::site::{Ground, Guest, Site, caller, code, new_key, tenant, with_evidence};
use data_encoding::{BASE64, HEXLOWER};

const TOKEN: &str = "hvs.static-t0ken";

/// A host whose keys are in a fake of Vault.
pub(super) struct World {
    pub(super) vault: FakeVault,
    pub(super) site: Site,
}

impl World {
    pub(super) async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(settings, token, |_| ()).await
    }

    pub(super) async fn with(
        settings: &[(&str, &str)],
        credential: impl FnOnce(&Path, &EndpointPlan) -> CredentialKind,
        change: impl FnOnce(&mut PluginPlan),
    ) -> Self {
        Self::beside("kms-vault", settings, credential, change).await
    }

    /// A host whose keys are held by this connector at first.
    pub(super) async fn beside(
        kms: &str,
        settings: &[(&str, &str)],
        credential: impl FnOnce(&Path, &EndpointPlan) -> CredentialKind,
        change: impl FnOnce(&mut PluginPlan),
    ) -> Self {
        Self::over(Ground::new(), kms, settings, credential, change).await
    }

    /// The same on this ground.
    pub(super) async fn over(
        ground: Ground,
        kms: &str,
        settings: &[(&str, &str)],
        credential: impl FnOnce(&Path, &EndpointPlan) -> CredentialKind,
        change: impl FnOnce(&mut PluginPlan),
    ) -> Self {
        let folder = ground.path().join("vault");
        std::fs::create_dir(&folder).unwrap();
        let vault = FakeVault::start(&folder).await;
        vault.state().tokens.push(TOKEN.to_owned());
        let (url, ca) = (vault.server.url.clone(), vault.server.ca.clone());
        let site = connected(
            ground,
            (&url, &ca),
            kms,
            settings,
            |endpoint| credential(&folder, endpoint),
            change,
        );
        Self { site: site.await, vault }
    }

    /// Makes a key known that is in the server.
    pub(super) async fn adopt(&self, name: &str) -> Result<(), Refusal> {
        self.adopt_for(&Tenant::default(), name).await
    }

    async fn adopt_for(&self, tenant: &Tenant, name: &str) -> Result<(), Refusal> {
        let created = self.site.host.create_key(&caller(tenant), "tests", new_key(name)).await;
        created.map(drop)
    }

    pub(super) async fn released(&self, name: &str) -> Result<(Vec<u8>, String), Refusal> {
        let guest = Guest::new();
        let released = self.site.release(&guest, name).await?;
        Ok((guest.open(&released.jwe), released.version))
    }

    async fn released_version(&self, name: &str, version: &str) -> Result<Vec<u8>, Refusal> {
        let guest = Guest::new();
        let challenge = self.site.challenge_for(&guest, name);
        let (submission, version) = (guest.answer(&challenge).into(), Some(version));
        let caller = guest.caller();
        let released = self.site.host.release_with_evidence(&caller, name, version, submission);
        Ok(guest.open(&released.await?.jwe))
    }
}

/// A host with a connector to the server at this address, whose certificate this authority issued.
pub(super) async fn connected(
    ground: Ground,
    (url, ca): (&str, &[u8]),
    kms: &str,
    settings: &[(&str, &str)],
    credential: impl FnOnce(&EndpointPlan) -> CredentialKind,
    change: impl FnOnce(&mut PluginPlan),
) -> Site {
    let tls = TlsPlan { roots: ca.to_vec(), identity: None };
    let addresses = vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let url = url.to_owned();
    let endpoint =
        EndpointPlan { url: url.clone(), tls: tls.clone(), addresses: addresses.clone() };
    let kind = credential(&endpoint);
    let target = TargetPlan {
        url: format!("{url}/v1/"),
        methods: ["GET", "POST"].map(str::to_owned).into(),
        tls,
        addresses,
        credential: Some(CredentialPlan { name: "vault".to_owned(), kind }),
        withhold: ["/data/data/*", "/data/value", "/data/keys/*", "/data/plaintext"]
            .map(|pointer| pointer.parse().unwrap())
            .into(),
        ..TargetPlan::default()
    };
    let address = ("address".to_owned(), url);
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let values: BTreeMap<_, _> = settings.iter().map(own).chain([address]).collect();
    let limits = claviger::plugin::Limits {
        deadline: Duration::from_secs(8),
        ..claviger::plugin::Limits::default()
    };
    let (name, targets) = ("kms-vault".to_owned(), vec![target]);
    let mut given = PluginPlan { name, values, targets, limits, ..PluginPlan::default() };
    change(&mut given);
    let site = Site::on(ground, |_, plan| {
        plan.kms = kms.to_owned();
        plan.bundled = Some([kms, "kms-vault", "verifier-snp"].map(str::to_owned).into());
        plan.plugins.push(given);
    });
    site.await
}

/// A token in a file.
pub(super) fn token(folder: &Path, _: &EndpointPlan) -> CredentialKind {
    let (header, prefix) = ("x-vault-token".to_owned(), String::new());
    let source = SecretSource::File(secret(folder, "token", TOKEN));
    CredentialKind::Header(HeaderPlan { header, prefix, source })
}

pub(super) fn secret(folder: &Path, name: &str, text: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join(name);
    std::fs::write(&path, format!("{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

// invariants 4 and 10
#[tokio::test]
async fn a_key_of_vault_gets_to_the_attested_recipient_and_the_connector_reads_none_of_it() {
    let key = [7; 32];
    for (engine, path) in [("kv-v2", "claviger/default/k"), ("kv-v1", "claviger/default/k")] {
        let mount = if engine == "kv-v1" { "kv1" } else { "secret" };
        let world = World::new(&[("engine", engine), ("mount", mount)]).await;
        world.vault.put(path, &key);
        world.adopt("k").await.unwrap();
        assert_eq!(world.released("k").await.unwrap().0, key, "{engine}");
        let records = world.site.records();
        let record = records.iter().find(|record| record["event"] == "released").unwrap();
        assert_eq!(record["connector"]["name"], "kms-vault", "{record}");
        assert_eq!(record["reads_key_material"], serde_json::Value::Null);
        assert_eq!(record["wrapped_by_connector"], serde_json::Value::Null);
        let asked = world.vault.server.asked();
        assert!(asked.iter().all(|asked| asked.header("x-vault-token") == Some(TOKEN)));
    }
}

#[tokio::test]
async fn the_version_that_is_asked_for_is_the_one_that_is_released() {
    let world = World::new(&[("namespace", "team")]).await;
    world.vault.put("claviger/default/k", &[1; 32]);
    world.adopt("k").await.unwrap();
    world.vault.put("claviger/default/k", &[2; 32]);
    assert_eq!(world.released("k").await.unwrap(), (vec![2; 32], "2".to_owned()));
    assert_eq!(world.released_version("k", "1").await.unwrap(), [1; 32]);
    for version in ["3", "01", "0", "latest"] {
        assert_eq!(code(world.released_version("k", version).await), Code::KeyNotFound);
    }
    // Deleted there is disabled here.
    world.vault.state().secrets.get_mut("claviger/default/k").unwrap()[0] = None;
    assert_eq!(code(world.released_version("k", "1").await), Code::KeyDisabled);
    let asked = world.vault.server.asked();
    assert!(asked.iter().all(|asked| asked.header("x-vault-namespace") == Some("team")));
}

#[tokio::test]
async fn exportable_keys_and_data_keys_of_transit_are_released() {
    let world = World::new(&[("engine", "transit-export")]).await;
    let versions = vec![vec![3; 32], vec![4; 32]];
    world.vault.state().keys.insert("claviger.default.k".to_owned(), versions);
    world.adopt("k").await.unwrap();
    assert_eq!(world.released("k").await.unwrap(), (vec![4; 32], "2".to_owned()));
    assert_eq!(world.released_version("k", "1").await.unwrap(), [3; 32]);

    let world = World::new(&[("engine", "transit-datakey")]).await;
    world.adopt("k").await.unwrap();
    let (first, version) = world.released("k").await.unwrap();
    assert_eq!((first.len(), version.as_str()), (32, "1"));
    let caller = caller(&Tenant::default());
    world.site.host.rotate_key(&caller, "tests", "k").await.unwrap();
    let (second, version) = world.released("k").await.unwrap();
    assert_eq!(version, "2");
    assert_ne!(first, second);
    assert_eq!(world.released_version("k", "1").await.unwrap(), first);
    world.site.host.set_key_enabled(&caller, "tests", "k", Some("1"), false).await.unwrap();
    assert_eq!(code(world.released_version("k", "1").await), Code::KeyDisabled);
    world.site.host.delete_key(&caller, "tests", "k").await.unwrap();
    assert_eq!(code(world.released("k").await), Code::KeyNotFound);
}

// attacks 6 and 51
#[tokio::test]
async fn the_same_name_in_two_tenants_is_two_secrets() {
    let world = World::new(&[]).await;
    let (a, b) = (tenant("a"), tenant("b"));
    world.vault.put("claviger/a/k", &[1; 32]);
    world.adopt_for(&a, "k").await.unwrap();
    assert_eq!(code(world.adopt_for(&b, "k").await), Code::KeyNotFound);
    world.vault.put("claviger/b/k", &[2; 32]);
    world.adopt_for(&b, "k").await.unwrap();
    for (tenant, key) in [(&a, [1; 32]), (&b, [2; 32])] {
        let guest = Guest::new().of(tenant);
        let released = world.site.release(&guest, "k").await.unwrap();
        assert_eq!(guest.open(&released.jwe), key);
    }
}

// attack 50
#[tokio::test]
async fn whatever_vault_answers_wrongly_has_its_code_and_releases_nothing() {
    let json = |status: u16, body: &str| {
        let headers = vec![("content-type", "application/json".to_owned())];
        Reply { headers, body: body.into(), ..Reply::status(status) }
    };
    let secret = |value: &str| {
        let metadata = r#""metadata":{"version":1}"#;
        format!(r#"{{"data":{{"data":{{"value":{value}}},{metadata}}}}}"#)
    };
    let cut = |body: &str| {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("content-length", "4000".to_owned()),
        ];
        Reply { headers, body: body.into(), ..Reply::status(200) }
    };
    let good = secret("\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"");
    let page = Reply {
        headers: vec![("content-type", "text/html".to_owned())],
        body: good.clone().into(),
        ..Reply::status(200)
    };
    for (what, reply, wanted) in [
        ("denied", json(403, r#"{"errors":["permission denied"]}"#), Code::KmsDenied),
        ("not found", json(404, r#"{"errors":[]}"#), Code::KeyNotFound),
        ("malformed", json(400, r#"{"errors":["x"]}"#), Code::RequestMalformed),
        ("busy", json(429, ""), Code::KmsUnavailable),
        ("failed", json(500, "{}"), Code::KmsUnavailable),
        ("sealed", json(503, r#"{"errors":["Vault is sealed"]}"#), Code::KmsUnavailable),
        ("redirected", json(307, ""), Code::KmsMisconfigured),
        ("slow", Reply { after: Duration::from_secs(3), ..json(200, &good) }, Code::KmsUnavailable),
        ("truncated", cut(&good), Code::KmsUnavailable),
        ("oversized", json(200, &"x".repeat(20_000)), Code::KmsUnavailable),
        ("not JSON", json(200, "<html>"), Code::KmsUnavailable),
        ("a page", page, Code::KmsUnavailable),
        ("a member twice", json(200, r#"{"data":{},"data":{}}"#), Code::KmsUnavailable),
        ("no field", json(200, &good.replace("value", "other")), Code::RequestMalformed),
        ("an object", json(200, &secret("{\"a\":\"b\"}")), Code::RequestMalformed),
        ("not base64", json(200, &secret("\"key!\"")), Code::RequestMalformed),
        ("too short", json(200, &secret("\"BwcHBwcHBwcHBwcHBwcHBw==\"")), Code::RequestMalformed),
        ("empty", json(200, &secret("\"\"")), Code::RequestMalformed),
        ("version 1's", json(200, r#"{"data":{"value":"BwcH"}}"#), Code::KmsMisconfigured),
    ] {
        let world = World::with(&[], token, |given| {
            given.egress = EgressLimits {
                first_byte: Duration::from_millis(500),
                answer_bytes: 10_000,
                ..EgressLimits::default()
            };
        });
        let world = world.await;
        world.vault.put("claviger/default/k", &[7; 32]);
        world.adopt("k").await.unwrap();
        world.vault.state().instead = Some(reply);
        let refusal = world.released("k").await.unwrap_err();
        assert_eq!(refusal.code, wanted, "{what}: {refusal}");
        assert!(!refusal.reason.contains(TOKEN), "{what}");
        assert_eq!(world.site.releases(), 0, "{what}");
        let records = world.site.records();
        assert_eq!(records.last().unwrap()["event"], "refused", "{what}");
    }
}

// attack 50, invariant 10
#[tokio::test]
async fn a_token_that_the_server_repeats_is_neither_in_answer_nor_record() {
    let world = World::new(&[]).await;
    world.vault.put("claviger/default/k", &[7; 32]);
    world.adopt("k").await.unwrap();
    world.vault.state().tokens.clear();
    let refusal = world.released("k").await.unwrap_err();
    assert_eq!(refusal.code, Code::KmsDenied);
    let records = serde_json::to_string(&world.site.records()).unwrap();
    assert!(!format!("{refusal:?}").contains("t0ken") && !records.contains("t0ken"));
}

// invariant 10
#[tokio::test]
async fn without_the_grant_to_withhold_the_key_it_is_not_released() {
    let world = World::with(&[], token, |given| given.targets[0].withhold.clear()).await;
    world.vault.put("claviger/default/k", &[7; 32]);
    let refusal = world.adopt("k").await.unwrap_err();
    assert_eq!(refusal.code, Code::KmsMisconfigured);
    assert!(refusal.reason.contains("does not withhold /data/data/value"), "{refusal}");
}

#[tokio::test]
async fn a_token_file_that_was_changed_is_used_without_a_restart() {
    let world = World::new(&[]).await;
    world.vault.put("claviger/default/k", &[7; 32]);
    world.adopt("k").await.unwrap();
    world.vault.state().tokens = vec!["hvs.another".to_owned()];
    assert_eq!(code(world.released("k").await), Code::KmsDenied);
    secret(&world.site.ground.path().join("vault"), "token", "hvs.another");
    assert_eq!(world.released("k").await.unwrap().0, [7; 32]);
}

#[tokio::test]
async fn a_login_lasts_and_is_made_anew_when_its_token_ends_or_is_taken_back() {
    let login = |folder: &Path, endpoint: &EndpointPlan| {
        let secret_id = Some(SecretSource::File(secret(folder, "secret-id", "s3cret-id")));
        CredentialKind::Vault(VaultPlan {
            endpoint: endpoint.clone(),
            mount: "approle".to_owned(),
            namespace: None,
            login: VaultLogin::AppRole { role_id: "role".to_owned(), secret_id },
        })
    };
    let world = World::with(&[], login, |_| ()).await;
    world.vault.state().approle = Some(("role".to_owned(), "s3cret-id".to_owned()));
    world.vault.put("claviger/default/k", &[7; 32]);
    world.adopt("k").await.unwrap();
    for _ in 0..3 {
        world.released("k").await.unwrap();
    }
    assert_eq!(world.vault.logins(), 1);
    // Near its end.
    world.site.at(550);
    world.released("k").await.unwrap();
    assert_eq!(world.vault.logins(), 2);
    // Taken back there, noticed here, and no request fails for it.
    world.site.at(600);
    world.vault.state().tokens.clear();
    world.released("k").await.unwrap();
    assert_eq!(world.vault.logins(), 3);
    // The secret is another: the login is refused by name, without the secret, until it is changed.
    world.site.at(700);
    world.vault.state().tokens.clear();
    world.vault.state().approle = Some(("role".to_owned(), "n3w-secret".to_owned()));
    let refusal = world.released("k").await.unwrap_err();
    assert_eq!(refusal.code, Code::KmsMisconfigured);
    assert!(refusal.reason.contains("credential vault"), "{refusal}");
    assert!(!refusal.reason.contains("s3cret-id"), "{refusal}");
    secret(&world.site.ground.path().join("vault"), "secret-id", "n3w-secret");
    world.site.at(710);
    assert_eq!(world.released("k").await.unwrap().0, [7; 32]);
}

#[tokio::test]
async fn a_host_logs_in_with_a_token_of_its_platform() {
    for mount in ["jwt", "kubernetes"] {
        let login = |folder: &Path, endpoint: &EndpointPlan| {
            let token = SecretSource::Projected(secret(folder, "jwt", "header.claims.signature"));
            CredentialKind::Vault(VaultPlan {
                endpoint: endpoint.clone(),
                mount: mount.to_owned(),
                namespace: None,
                login: VaultLogin::Jwt { role: "claviger".to_owned(), token },
            })
        };
        let world = World::with(&[], login, |_| ()).await;
        world.vault.state().jwt = Some(("claviger".into(), "header.claims.signature".into()));
        world.vault.put("claviger/default/k", &[7; 32]);
        world.adopt("k").await.unwrap();
        assert_eq!(world.released("k").await.unwrap().0, [7; 32], "{mount}");
    }
}

#[tokio::test]
async fn a_host_knows_whether_its_vault_is_there() {
    let world = World::new(&[]).await;
    assert!(world.site.host.health().await.healthy);
    world.vault.state().instead = Some(Reply::status(503));
    assert!(!world.site.host.health().await.healthy);
}

/// A key with this material, made through the connector.
async fn given(world: &World, name: &str, material: &[u8]) -> Result<(), Refusal> {
    let material = Some(Secret::new(material.to_vec()));
    let key = NewKey { material, ..new_key(name) };
    let made = world.site.host.create_key(&caller(&Tenant::default()), "tests", key).await;
    made.map(drop)
}

// invariants 7 and 10
#[tokio::test]
async fn a_given_key_gets_into_the_server_and_the_connector_reads_none_of_it() {
    let kv_v1 = [("engine", "kv-v1"), ("mount", "kv1"), ("encoding", "hex")];
    let material = [0x5a; 32];
    for (settings, text) in [
        (&[][..], BASE64.encode(&material)),
        (&kv_v1[..], HEXLOWER.encode(&material)),
        (&[("engine", "transit-datakey")], BASE64.encode(&material)),
    ] {
        let world = World::with(settings, token, |plugin| plugin.targets[0].takes_keys = true);
        let world = world.await;
        given(&world, "k", &material).await.unwrap();
        assert_eq!(world.released("k").await.unwrap().0, material, "{settings:?}");
        let sent = world.vault.server.asked();
        let with = |asked: &&Asked| String::from_utf8_lossy(&asked.body).contains(&text);
        assert_eq!(sent.iter().filter(with).count(), 1, "{settings:?}");
        let record = world.site.records().pop().unwrap();
        assert_eq!(record["reads_key_material"], serde_json::Value::Null);
        // A name that is taken, here or there, stays as it is.
        assert_eq!(code(given(&world, "k", &[1; 32]).await), Code::Conflict);
        if settings.first() != Some(&("engine", "transit-datakey")) {
            world.vault.put("claviger/default/taken", &[2; 32]);
            assert_eq!(code(given(&world, "taken", &[1; 32]).await), Code::Conflict);
            assert_eq!(world.vault.state().secrets["claviger/default/taken"].len(), 1);
            // What is known here and gone there is not put there anew.
            world.vault.state().secrets.remove("claviger/default/k");
            assert_eq!(code(given(&world, "k", &[1; 32]).await), Code::Conflict);
            assert!(!world.vault.state().secrets.contains_key("claviger/default/k"));
        }
        assert_eq!(code(given(&world, "short", &[1; 31]).await), Code::RequestMalformed);
    }
}

// invariants 6, 7 and 10
#[tokio::test]
async fn a_given_key_goes_nowhere_without_the_grant_and_in_no_form_that_is_none() {
    let world = World::new(&[]).await;
    assert_eq!(code(given(&world, "k", &[0x5a; 32]).await), Code::KmsMisconfigured);
    let text = BASE64.encode(&[0x5a; 32]);
    let sent = world.vault.server.asked();
    assert!(sent.iter().all(|asked| !String::from_utf8_lossy(&asked.body).contains(&text)));
    assert_eq!(code(world.released("k").await), Code::KeyNotFound);
    for settings in [[("engine", "transit-export")], [("encoding", "raw")]] {
        let world = World::with(&settings, token, |plugin| plugin.targets[0].takes_keys = true);
        let world = world.await;
        assert_eq!(code(given(&world, "k", &[0x5a; 32]).await), Code::KmsUnsupported);
    }
}

// attack 49, invariant 8
#[tokio::test(flavor = "multi_thread")]
async fn keys_go_from_the_embedded_connector_to_vault_and_back_under_load() {
    let world = World::beside("kms-local", &[], token, |_| ()).await;
    let material = world.site.key("k").await;
    world.vault.put("claviger/default/k", &material);
    let served = world.site.serve().await;
    let administrator = served.administrator();
    // In each connector the key is made known under a policy of its own.
    administrator.choose_connector("kms-vault").await.unwrap();
    assert_eq!(code(world.released("k").await), Code::KeyNotFound);
    world.adopt("k").await.unwrap();
    administrator.choose_connector("kms-local").await.unwrap();
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut guests = Vec::new();
    for _ in 0..4 {
        let (client, done, material) = (served.client(), done.clone(), material.clone());
        guests.push(tokio::spawn(async move {
            let (guest, mut released) = (Guest::new(), 0_usize);
            let wanted = ChallengeRequest::Release { key: "k".to_owned() };
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let challenge = client.challenge(&wanted).await.unwrap();
                let asked = with_evidence(guest.answer(&challenge));
                let release = client.release("k", &asked).await.unwrap();
                assert_eq!(guest.open(&release.jwe), material);
                released += 1;
            }
            released
        }));
    }
    let mut chosen = Vec::new();
    for connector in ["kms-vault", "kms-local"].into_iter().cycle().take(10) {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let plugin = administrator.choose_connector(connector).await.unwrap();
        assert_eq!((plugin.name.as_str(), plugin.state.as_str()), (connector, "serving"));
        chosen.push(connector);
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut released = 0;
    for guest in guests {
        released += guest.await.unwrap();
    }
    // A connector that is not there, and a verifier: nothing changes.
    for wrong in ["kms-azure", "verifier-snp"] {
        assert!(administrator.choose_connector(wrong).await.is_err(), "{wrong}");
    }
    assert!(released > 20, "{released}");
    let records = world.site.records();
    let by = |name: &str| {
        let ours = |record: &&serde_json::Value| {
            record["event"] == "released" && record["connector"]["name"] == name
        };
        records.iter().filter(ours).count()
    };
    assert!(by("kms-vault") > 0 && by("kms-local") > 0);
    assert_eq!(by("kms-vault") + by("kms-local"), released);
    let changes = records
        .iter()
        .filter(|record| record["event"] == "connector-chosen" && record["outcome"] == "allowed");
    assert_eq!(changes.count(), chosen.len() + 2);
}

// invariant 4
#[tokio::test]
async fn an_immutable_policy_is_not_got_round_by_way_of_another_connector() {
    let world = World::beside("kms-local", &[], token, |_| ()).await;
    let served = world.site.serve().await;
    let administrator = served.administrator();
    let text = "package claviger.release\n\nallow if input.submods.tdx".to_owned();
    let release_policy = NewReleasePolicy { language: Language::Rego, text, immutable: true };
    let strict = NewKey { release_policy, ..new_key("k") };
    let tenant = caller(&Tenant::default());
    world.site.host.create_key(&tenant, "tests", strict).await.unwrap();
    assert_eq!(code(world.released("k").await), Code::ReleaseDenied);
    world.vault.put("claviger/default/k", &[7; 32]);
    // A key of that name elsewhere has a laxer policy, is deleted and made again.
    administrator.choose_connector("kms-vault").await.unwrap();
    world.adopt("k").await.unwrap();
    assert_eq!(world.released("k").await.unwrap().0, [7; 32]);
    world.site.host.delete_key(&tenant, "tests", "k").await.unwrap();
    world.adopt("k").await.unwrap();
    administrator.choose_connector("kms-local").await.unwrap();
    assert_eq!(code(world.released("k").await), Code::ReleaseDenied);
    let policy = world.site.host.release_policy(&tenant, "k").unwrap();
    assert!(policy.policy.immutable);
}
