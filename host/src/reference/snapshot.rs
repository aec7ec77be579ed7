//! The values that are good at one moment, as the appraisal policy reads them.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::document::Group;
use crate::audit::Digest;

/// `{"snp": {"measurement": [{"value": "…", "id": "…"}]}}`, and its digest. A claim without a value is
/// not there, and what a policy asks of it is undefined: no.
///
/// Values with the same `id` belong together: it names the document, and the group in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    /// What a policy reads as `data.reference`.
    pub json: Json,
    /// SHA-256 over it: the same values in the same documents have the same.
    pub digest: [u8; 32],
}

impl Snapshot {
    /// Of groups with the identifiers of their documents. The order is that of the identifiers,
    /// whoever came first.
    pub fn of<'a>(documents: impl IntoIterator<Item = (&'a str, &'a [Group])>) -> Self {
        let documents: BTreeMap<_, _> = documents.into_iter().collect();
        let mut tees = Map::new();
        for (document, groups) in documents {
            for (place, group) in groups.iter().enumerate() {
                let id = format!("{document}/{place}");
                let claims = tees.entry(group.tee.as_str()).or_insert_with(|| json!({}));
                for (claim, value) in &group.values {
                    let Some(claims) = claims.as_object_mut() else { continue };
                    let values = claims.entry(claim.as_str()).or_insert_with(|| json!([]));
                    if let Some(values) = values.as_array_mut() {
                        values.push(json!({ "value": value, "id": id }));
                    }
                }
            }
        }
        let json = Json::Object(tees);
        let Digest(digest) = Digest::of(json.to_string().as_bytes());
        Self { json, digest }
    }

    /// The values of a claim, as JSON has them.
    pub fn values<'a>(&'a self, tee: &str, claim: &str) -> impl Iterator<Item = &'a Json> {
        let values = self.json.get(tee).and_then(|tee| tee.get(claim)).and_then(Json::as_array);
        values.into_iter().flatten().filter_map(|value| value.get("value"))
    }
}

impl Default for Snapshot {
    /// No value at all.
    fn default() -> Self {
        Self::of([])
    }
}
