//! Who was refused for want of a permission stands in the audit log, and nobody can fill it so.

use claviger_tests::site::Site;
use serde_json::Value;

use crate::keeping::{new_secret, refused};

// attack 7
#[tokio::test]
async fn a_refused_permission_is_recorded_at_a_bounded_rate_and_a_strangers_try_is_not() {
    let site = Site::new().await;
    let served = site.serve().await;
    let auditor = served.auditor();
    auditor.list_keys(None).await.unwrap();
    assert_eq!(refused(auditor.set_secret("s", &new_secret("x")).await), "forbidden");
    let forbidden = || {
        let records = site.records();
        let of = |record: &&Value| record["event"] == "refused" && record["code"] == "forbidden";
        records.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    let [record] = &forbidden()[..] else { panic!("{:?}", forbidden()) };
    assert_eq!((&record["principal"], &record["tenant"]), (&"auditor".into(), &"default".into()));
    assert!(record["reason"].as_str().unwrap().contains("secrets/set"), "{record}");
    for _ in 0..60 {
        assert_eq!(refused(auditor.purge_key("k").await), "forbidden");
    }
    assert_eq!(forbidden().len(), 20);
    site.at(30);
    assert_eq!(refused(auditor.purge_key("k").await), "forbidden");
    let told = forbidden().last().unwrap()["detail"].as_str().unwrap().to_owned();
    assert_eq!((forbidden().len(), told.as_str()), (21, "41 more before it were not recorded"));

    let lines = site.records().len();
    let stranger = served.stranger();
    for _ in 0..5 {
        assert!(stranger.list_keys(None).await.is_err());
    }
    assert_eq!(site.records().len(), lines);
}
