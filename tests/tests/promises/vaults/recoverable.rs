//! How long what was deleted can be recovered: as the operator says, for each tenant.

use claviger::flow::vault::Recoverable;
use claviger_tests::site::{Site, tenant};

use crate::keeping::{DAY, new_secret, refused};

#[tokio::test]
async fn what_is_deleted_can_be_recovered_for_as_long_as_its_tenant_has() {
    let team = tenant("team-7");
    let site = Site::with(|_, plan| {
        plan.recoverable = Recoverable { days: 30, of: [(tenant("team-7"), 7)].into() };
    });
    let site = site.await;
    let served = site.serve().await;
    let (client, other) = (served.administrator(), served.administrator_of(&team));
    site.key("k").await;
    site.key_of(&team, "k").await;
    for client in [&client, &other] {
        client.set_secret("s", &new_secret("one")).await.unwrap();
    }
    assert_eq!(client.key_details("k", None).await.unwrap().recoverable_days, 30);
    assert_eq!(other.key_details("k", None).await.unwrap().recoverable_days, 7);
    assert_eq!(client.soft_delete_key("k").await.unwrap().purge, "2026-12-24T04:00:00Z");
    assert_eq!(other.soft_delete_key("k").await.unwrap().purge, "2026-12-01T04:00:00Z");
    assert_eq!(client.delete_secret("s").await.unwrap().purge, "2026-12-24T04:00:00Z");
    assert_eq!(other.delete_secret("s").await.unwrap().secret.recoverable_days, 7);
    site.at(7 * DAY);
    let purged = site.host.vault_upkeep().await.unwrap().purged;
    assert_eq!(purged, ["team-7/k", "team-7/s"]);
    assert_eq!(refused(other.recover_key("k").await), "key-not-found");
    // What is deleted already keeps its date, whatever is configured then.
    drop(served);
    let site = site.again(|_, plan| plan.recoverable.days = 90).await;
    let served = site.serve().await;
    let client = served.administrator();
    assert_eq!(client.deleted_keys(None).await.unwrap().keys[0].key.recoverable_days, 30);
    // To the second, and whether or not the upkeep came by.
    site.at(30 * DAY - 1);
    client.recover_secret("s").await.unwrap();
    assert_eq!(client.delete_secret("s").await.unwrap().secret.recoverable_days, 90);
    site.at(30 * DAY);
    assert_eq!(refused(client.recover_key("k").await), "key-not-found");
    site.at(120 * DAY - 1);
    assert_eq!(refused(client.recover_secret("s").await), "secret-not-found");
    client.set_secret("s", &new_secret("two")).await.unwrap();
    assert_eq!(client.secret_versions("s").await.unwrap().versions.len(), 1);
}
