//! Credentials that the host fetches for a plugin's requests: asked for as their services want to be
//! asked, kept, renewed, and attached.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use claviger::clock::{Clock, FixedClock};
use claviger::credentials::{
    AwsKeys, AwsPlan, CredentialKind, CredentialPlan, EndpointPlan, GooglePlan, MetadataPlan,
    OAuthPlan, OAuthProof, SecretSource,
};
use claviger::egress::{
    EgressError, EgressLimits, Gate, Outgoing, Resolver, SystemResolver, TargetPlan, TlsPlan,
};
use claviger_tests::server::{Asked, Server};
use claviger_tests::service::Reply;
use claviger_tests::site::NOW;
use data_encoding::{BASE64_MIME, BASE64URL_NOPAD};
use tempfile::TempDir;

/// A server that gives credentials and takes them, and a gate to it.
struct World {
    server: Server,
    clock: Arc<FixedClock>,
    folder: TempDir,
}

impl World {
    async fn new(answers: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(folder.path(), answers).await;
        Self { server, clock: Arc::new(FixedClock::new(NOW)), folder }
    }

    fn endpoint(&self) -> EndpointPlan {
        EndpointPlan {
            url: self.server.url.clone(),
            tls: TlsPlan { roots: self.server.ca.clone(), identity: None },
            addresses: vec!["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
        }
    }

    fn gate(&self, kind: CredentialKind) -> Gate {
        let EndpointPlan { url, tls, addresses } = self.endpoint();
        let target = TargetPlan {
            url: format!("{url}/kms/"),
            methods: ["GET", "POST"].map(str::to_owned).into(),
            tls,
            addresses,
            credential: Some(CredentialPlan { name: "it".to_owned(), kind }),
            ..TargetPlan::default()
        };
        let resolver: Arc<dyn Resolver> = Arc::new(SystemResolver);
        let clock: Arc<dyn Clock> = self.clock.clone();
        Gate::new(vec![target], EgressLimits::default(), &resolver, &clock).unwrap()
    }

    async fn get(&self, gate: &Gate) -> Result<u16, EgressError> {
        let url = format!("{}/kms/key?b=2&a=1", self.server.url);
        let answer = gate.send(Outgoing {
            method: "GET",
            url: &url,
            headers: &[],
            body: Vec::new(),
            credential: None,
            tenant: None,
            ends: Instant::now() + Duration::from_secs(9),
        });
        answer.await.map(|answer| answer.status)
    }

    /// The last request to the service behind the gate, and those to who gives credentials.
    fn asked(&self) -> (Asked, Vec<Asked>) {
        let (kms, given): (Vec<_>, Vec<_>) =
            self.server.asked().into_iter().partition(|asked| asked.target.starts_with("/kms/"));
        (kms.last().unwrap().clone(), given)
    }
}

fn secret(folder: &Path, text: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn json(body: &str) -> Reply {
    let headers = vec![("content-type", "application/json".to_owned())];
    Reply { headers, body: body.into(), ..Reply::status(200) }
}

fn form(asked: &Asked) -> String {
    String::from_utf8(asked.body.clone()).unwrap()
}

#[tokio::test]
async fn a_client_of_oauth_gets_its_token_with_a_secret_or_with_its_platforms_token() {
    for assertion in [false, true] {
        let world = World::new(|asked| match asked.path() {
            "/token" => json(r#"{"access_token":"t0ken-of-oauth","expires_in":100}"#),
            _ => Reply::status(200),
        });
        let world = world.await;
        let path = secret(world.folder.path(), "s3cret&x=y\n");
        let proof = match assertion {
            false => OAuthProof::Secret(SecretSource::File(path)),
            true => OAuthProof::Assertion(SecretSource::Projected(path)),
        };
        let gate = world.gate(CredentialKind::OAuth(OAuthPlan {
            endpoint: world.endpoint(),
            path: "/token".to_owned(),
            client_id: "me".to_owned(),
            scope: Some("kms/.default".to_owned()),
            proof,
        }));
        assert_eq!(world.get(&gate).await, Ok(200));
        assert_eq!(world.get(&gate).await, Ok(200));
        let (kms, given) = world.asked();
        assert_eq!(kms.header("authorization"), Some("Bearer t0ken-of-oauth"));
        assert_eq!(given.len(), 1);
        let sent = form(&given[0]);
        assert!(sent.starts_with("grant_type=client_credentials&client_id=me&"), "{sent}");
        assert!(sent.contains("scope=kms%2F.default"), "{sent}");
        let proof = if assertion { "client_assertion=" } else { "client_secret=" };
        assert!(sent.contains(&format!("{proof}s3cret%26x%3Dy")), "{sent}");
        world.clock.set(NOW.plus(90));
        assert_eq!(world.get(&gate).await, Ok(200));
        assert_eq!(world.asked().1.len(), 2);
    }
}

#[tokio::test]
async fn a_machines_identity_is_asked_for_as_its_cloud_wants_it() {
    let world = World::new(|asked| match asked.path() {
        // Azure writes numbers as text.
        "/metadata/identity/oauth2/token" if asked.header("metadata") == Some("true") => {
            json(r#"{"access_token":"t0ken-of-azure","expires_in":"86399"}"#)
        }
        "/computeMetadata/v1/instance/service-accounts/default/token"
            if asked.header("metadata-flavor") == Some("Google") =>
        {
            json(r#"{"access_token":"t0ken-of-gcp","expires_in":3599,"token_type":"Bearer"}"#)
        }
        path if path.starts_with("/kms/") => Reply::status(200),
        _ => Reply::status(404),
    });
    let world = world.await;
    let endpoint = Some(world.endpoint());
    let resource = "https://vault.azure.net".to_owned();
    let azure = MetadataPlan::Azure { resource, client_id: None, endpoint: endpoint.clone() };
    let gate = world.gate(CredentialKind::Metadata(azure));
    assert_eq!(world.get(&gate).await, Ok(200));
    let (kms, given) = world.asked();
    assert_eq!(kms.header("authorization"), Some("Bearer t0ken-of-azure"));
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
    assert_eq!(given[0].target, format!("/metadata/identity/oauth2/token?{query}"));
    let gate = world.gate(CredentialKind::Metadata(MetadataPlan::Gcp { endpoint }));
    assert_eq!(world.get(&gate).await, Ok(200));
    assert_eq!(world.asked().0.header("authorization"), Some("Bearer t0ken-of-gcp"));
}

#[tokio::test]
async fn a_google_service_account_signs_for_its_token_and_for_no_other_service() {
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeyPair, KeySize};
    use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    let world = World::new(|asked| match asked.path() {
        "/token" => json(r#"{"access_token":"t0ken-of-google","expires_in":3599}"#),
        _ => Reply::status(200),
    });
    let world = world.await;
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&key);
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----\n",
        BASE64_MIME.encode(der.unwrap().as_ref()).replace("\r\n", "\n")
    );
    let audience = format!("{}/token", world.server.url);
    let file = |token_uri: &str| {
        let text = serde_json::json!({
            "type": "service_account",
            "project_id": "project",
            "private_key_id": "key-1",
            "private_key": pem,
            "client_email": "claviger@project.iam.gserviceaccount.com",
            "token_uri": token_uri,
        });
        SecretSource::File(secret(world.folder.path(), &text.to_string()))
    };
    let plan = |key| {
        let scope = "https://www.googleapis.com/auth/cloud-platform".to_owned();
        CredentialKind::Google(GooglePlan { endpoint: world.endpoint(), key, scope })
    };
    let gate = world.gate(plan(file(&audience)));
    assert_eq!(world.get(&gate).await, Ok(200));
    let (kms, given) = world.asked();
    assert_eq!(kms.header("authorization"), Some("Bearer t0ken-of-google"));
    let sent = form(&given[0]);
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
    let assertion = sent.strip_prefix(grant).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
    let public = key.public_key().as_der().unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref())
        .verify(signed.as_bytes(), &signature)
        .unwrap();
    let claims = BASE64URL_NOPAD.decode(signed.split_once('.').unwrap().1.as_bytes()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], audience);
    assert_eq!(claims["iss"], "claviger@project.iam.gserviceaccount.com");
    assert_eq!(claims["exp"], NOW.plus(3600).0);

    // The key is shown to nobody whom the file alone names.
    let gate = world.gate(plan(file("https://tokens.example/token")));
    let refused = world.get(&gate).await.unwrap_err();
    assert!(refused.to_string().contains("another token service"), "{refused}");
    assert_eq!(world.asked().1.len(), 1);
}

#[tokio::test]
async fn a_request_to_aws_is_signed_with_keys_of_the_operator_the_instance_or_a_role() {
    let keys = r#""AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"s3cret-key""#;
    let world = World::new(move |asked| match asked.path() {
        "/latest/api/token" if asked.method == "PUT" => Reply::ok(b"imds-t0ken".to_vec()),
        path if path.starts_with("/latest/")
            && asked.header("x-aws-ec2-metadata-token") != Some("imds-t0ken") =>
        {
            Reply::status(401)
        }
        "/latest/meta-data/iam/security-credentials/" => Reply::ok(b"role".to_vec()),
        "/latest/meta-data/iam/security-credentials/role" => json(&format!(
            r#"{{{keys},"Token":"session-of-instance","Expiration":"2026-11-24T05:00:00Z"}}"#
        )),
        "/" => json(&format!(
            r#"{{"AssumeRoleWithWebIdentityResponse":{{"AssumeRoleWithWebIdentityResult":
            {{"Credentials":{{{keys},"SessionToken":"session-of-role","Expiration":1795496400.0}}}}}}}}"#
        )),
        _ => Reply::status(200),
    });
    let world = world.await;
    let plan = |keys| {
        let (region, service) = ("eu-central-1".to_owned(), "kms".to_owned());
        CredentialKind::Aws(AwsPlan { region, service, keys })
    };
    let path = secret(world.folder.path(), "wJalrXUtnFEMI");
    for (keys, id, session) in [
        (
            AwsKeys::Static {
                access_key_id: "AKIDEXAMPLE".to_owned(),
                secret: SecretSource::File(path.clone()),
            },
            "AKIDEXAMPLE",
            None,
        ),
        (
            AwsKeys::Instance { endpoint: Some(world.endpoint()) },
            "ASIAEXAMPLE",
            Some("session-of-instance"),
        ),
        (
            AwsKeys::WebIdentity {
                endpoint: world.endpoint(),
                role_arn: "arn:aws:iam::1:role/r".to_owned(),
                token: SecretSource::Projected(path.clone()),
            },
            "ASIAEXAMPLE",
            Some("session-of-role"),
        ),
    ] {
        let gate = world.gate(plan(keys));
        assert_eq!(world.get(&gate).await, Ok(200));
        let kms = world.asked().0;
        let authorization = kms.header("authorization").unwrap();
        let scope =
            format!("AWS4-HMAC-SHA256 Credential={id}/20261124/eu-central-1/kms/aws4_request");
        assert!(authorization.starts_with(&scope), "{authorization}");
        assert_eq!(kms.header("x-amz-date"), Some("20261124T040000Z"));
        assert_eq!(kms.header("x-amz-security-token"), session);
        assert!(kms.headers.iter().all(|(_, value)| !value.contains("s3cret-key")));
    }
}

// attack 50
#[tokio::test]
async fn who_gives_no_credential_is_named_and_the_request_does_not_go_out_without() {
    let world = World::new(|asked| match asked.path() {
        "/token" => Reply { body: form(asked).into_bytes(), ..Reply::status(401) },
        _ => Reply::status(200),
    });
    let world = world.await;
    let path = secret(world.folder.path(), "s3cret-of-mine");
    let gate = world.gate(CredentialKind::OAuth(OAuthPlan {
        endpoint: world.endpoint(),
        path: "/token".to_owned(),
        client_id: "me".to_owned(),
        scope: None,
        proof: OAuthProof::Secret(SecretSource::File(path)),
    }));
    let refused = world.get(&gate).await.unwrap_err();
    let EgressError::Denied(why) = &refused else { panic!("{refused}") };
    assert!(why.contains("the credential it") && why.contains("401"), "{why}");
    assert!(!why.contains("s3cret"), "{why}");
    assert!(world.server.asked().iter().all(|asked| asked.path() == "/token"));
}
