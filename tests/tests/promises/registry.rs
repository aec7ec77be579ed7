//! Plugins in a registry: a real one (Debian's docker-registry), on loopback, ended by the test. Where it
//! is not installed these tests say `SKIPPED`, and fail where `CI=true`.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use claviger::plugin::Package;
use claviger::plugin::registry::{Access, Reference, RegistryError, Repository};
use claviger::plugin::signature::key::SigningKey;
use claviger_tests::components::variant;
use tempfile::TempDir;

struct Registry {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Registry {
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let configuration = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: 127.0.0.1:{port}\n",
            folder.path().display()
        );
        let file = folder.path().join("config.yml");
        std::fs::write(&file, configuration).unwrap();
        let started = Command::new("docker-registry")
            .arg("serve")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = started else {
            let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!required, "docker-registry is not installed");
            println!("SKIPPED: docker-registry is not installed");
            return None;
        };
        let registry = Self { process, port, folder };
        for _ in 0..200 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return Some(registry);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("docker-registry does not listen");
    }

    fn repository(&self, rest: &str) -> Repository {
        let reference: Reference = format!("127.0.0.1:{}/{rest}", self.port).parse().unwrap();
        Repository::new(reference, Access::default()).unwrap()
    }

    /// Every file with the content of a blob.
    fn blob(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let place = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
        self.folder.path().join(place)
    }
}

fn signed(number: u8) -> Package {
    let key = SigningKey::read(&SigningKey::generate().unwrap()).unwrap();
    let component = variant("verifier-snp", number);
    let signatures = vec![key.sign(&component).unwrap()];
    Package { component, signatures }
}

#[tokio::test]
async fn what_is_pushed_is_pulled_with_its_signatures() {
    let Some(registry) = Registry::start().await else { return };
    let mut package = signed(1);
    let digest = registry.repository("team/verifier-snp:1.0.0").push(&package).await.unwrap();
    let (pulled, found) = registry.repository("team/verifier-snp:1.0.0").pull().await.unwrap();
    assert_eq!((pulled, found), (package.clone(), digest.clone()));
    // Another signer's signature comes beside the first; the component stays what it is.
    package.signatures.push(signed(1).signatures.remove(0));
    let again = registry.repository("team/verifier-snp:1.0.0").push(&package).await.unwrap();
    assert_eq!(again, digest);
    let by_digest = registry.repository(&format!("team/verifier-snp@{digest}"));
    assert_eq!(by_digest.pull().await.unwrap().0, package);
    let none = registry.repository("team/verifier-snp:2.0.0").pull().await;
    assert!(matches!(none, Err(RegistryError::Status { status: 404, .. })), "{none:?}");
}

// attack 48
#[tokio::test]
async fn a_tag_that_was_moved_does_not_move_what_is_pulled_by_digest() {
    let Some(registry) = Registry::start().await else { return };
    let (first, second) = (signed(1), signed(2));
    let digest = registry.repository("v:latest").push(&first).await.unwrap();
    registry.repository("v:latest").push(&second).await.unwrap();
    assert_eq!(registry.repository("v:latest").pull().await.unwrap().0, second);
    let pinned = registry.repository(&format!("v:latest@{digest}"));
    assert_eq!(pinned.pull().await.unwrap(), (first, digest));
}

// attack 48
#[tokio::test]
async fn content_that_a_registry_changed_or_says_is_giant_is_refused() {
    let Some(registry) = Registry::start().await else { return };
    let package = signed(1);
    let digest = registry.repository("v:1").push(&package).await.unwrap();
    let component = format!("sha256:{}", package.hex_digest());
    let replace = |path: &Path, old: &str, new: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(old));
        std::fs::write(path, text.replace(old, new)).unwrap();
    };
    // The component's last byte.
    let (blob, mut bytes) = (registry.blob(&component), package.component.clone());
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&blob, &bytes).unwrap();
    let changed = registry.repository("v:1").pull().await;
    assert!(matches!(changed, Err(RegistryError::Digest { .. })), "{changed:?}");
    std::fs::write(&blob, &package.component).unwrap();
    // A layer that is said to have 2 GB: refused before a byte of it is asked for.
    let manifest = registry.blob(&digest);
    let size = format!("\"size\":{}", package.component.len());
    replace(&manifest, &size, "\"size\":2147483648");
    let giant = registry.repository("v:1").pull().await;
    let refused = match giant {
        // Whether the registry itself notices depends on its version.
        Err(RegistryError::TooLarge { bytes, .. }) => bytes == 2_147_483_648,
        Err(RegistryError::Status { status, .. }) => status >= 400,
        _ => false,
    };
    assert!(refused);
    let pinned = registry.repository(&format!("v@{digest}")).pull().await;
    assert!(
        matches!(pinned, Err(RegistryError::Digest { .. } | RegistryError::Status { .. })),
        "{pinned:?}"
    );
}
