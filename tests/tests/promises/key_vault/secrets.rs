//! A secret's life.

use serde_json::{Value, json};

use super::Vault;

#[tokio::test]
async fn a_secret_is_read_by_who_may_and_listed_without_its_value() {
    let vault = Vault::open().await;
    let body = json!({"value": "hunter2-hunter2", "contentType": "text/plain", "tags": {"a": "b"}});
    let set = vault.done("PUT", "/secrets/s", body).await;
    let id = set["id"].as_str().unwrap().to_owned();
    let path = id.strip_prefix(&vault.url()).unwrap();
    for path in [path, "/secrets/s", "/secrets/s/"] {
        let read = vault.ask("reader", "GET", path, Value::Null).await;
        assert_eq!(read.body()["value"], "hunter2-hunter2", "{path}");
        assert_eq!(read.body()["contentType"], "text/plain");
    }
    let second = vault.done("PUT", "/secrets/s", json!({"value": "second"})).await;
    assert_ne!(second["id"], set["id"]);
    for path in ["/secrets", "/secrets/s/versions"] {
        let listed = vault.ask("auditor", "GET", path, Value::Null).await;
        assert_eq!(listed.status, 200);
        assert!(!listed.text.contains("hunter2") && !listed.text.contains("second"), "{path}");
    }
    let versions = vault.done("GET", "/secrets/s/versions?maxresults=1", Value::Null).await;
    assert_eq!(versions["value"][0]["id"], set["id"]);
    assert!(versions["nextLink"].as_str().unwrap().contains("$skiptoken="));
    let changed = vault.done("PATCH", path, json!({"attributes": {"enabled": false}})).await;
    assert_eq!(changed["attributes"]["enabled"], false);
    let disabled = vault.refused("reader", "GET", path, Value::Null).await;
    assert_eq!(disabled, (403, "Forbidden".to_owned(), "KeyDisabled".to_owned()));
    let missing = vault.refused("reader", "GET", "/secrets/none", Value::Null).await;
    assert_eq!((missing.0, missing.1.as_str()), (404, "SecretNotFound"));
    // Reading is recorded, the value never.
    let records = vault.site.records();
    assert!(records.iter().filter(|record| record["event"] == "key-read").count() >= 3);
    assert!(!records.iter().any(|record| record.to_string().contains("hunter2")));
}

#[tokio::test]
async fn a_deleted_secret_is_gone_until_it_is_recovered_and_for_good_when_it_is_purged() {
    let vault = Vault::open().await;
    let set = vault.done("PUT", "/secrets/s", json!({"value": "v"})).await;
    let backup = vault.done("POST", "/secrets/s/backup", Value::Null).await;
    let gone = vault.done("DELETE", "/secrets/s", Value::Null).await;
    assert_eq!(gone["recoveryId"], json!(format!("{}/deletedsecrets/s", vault.url())));
    assert!(gone.get("value").is_none());
    assert_eq!(vault.refused("root", "GET", "/secrets/s", Value::Null).await.0, 404);
    let taken = vault.refused("root", "PUT", "/secrets/s", json!({"value": "w"})).await;
    assert_eq!(taken.2, "ObjectIsDeletedButRecoverable");
    vault.done("POST", "/deletedsecrets/s/recover", Value::Null).await;
    assert_eq!(vault.done("GET", "/secrets/s", Value::Null).await["id"], set["id"]);
    vault.done("DELETE", "/secrets/s", Value::Null).await;
    assert_eq!(vault.ask("root", "DELETE", "/deletedsecrets/s", Value::Null).await.status, 204);
    assert_eq!(vault.refused("root", "GET", "/deletedsecrets/s", Value::Null).await.0, 404);
    let restored = vault.done("POST", "/secrets/restore", backup.clone()).await;
    assert_eq!(restored["id"], set["id"]);
    assert_eq!(vault.done("GET", "/secrets/s", Value::Null).await["value"], "v");
    assert_eq!(vault.refused("root", "POST", "/secrets/restore", backup).await.0, 409);
}

#[tokio::test]
async fn random_octets_are_as_many_as_were_asked_for() {
    let vault = Vault::open().await;
    let first = vault.done("POST", "/rng", json!({"count": 32})).await;
    let second = vault.done("POST", "/rng", json!({"count": 32})).await;
    assert_ne!(first, second);
    assert_eq!(first["value"].as_str().unwrap().len(), 43);
    for count in [0, 129] {
        assert_eq!(vault.refused("root", "POST", "/rng", json!({"count": count})).await.0, 400);
    }
}
