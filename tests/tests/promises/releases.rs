//! First of all it works.

use claviger_tests::site::{Guest, Site};

#[tokio::test]
async fn a_sound_guest_gets_its_key() {
    let site = Site::new().await;
    let (guest, material) = (Guest::new(), site.key("k").await);
    let released = site.release(&guest, "k").await.unwrap();
    assert_eq!(guest.open(&released.jwe), material);
}
