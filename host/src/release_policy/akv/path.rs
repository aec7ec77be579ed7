//! A dotted path to a claim. Members of results have dots in their own names (`snp.measurement`),
//! so that one text can be read in several ways; it finds a claim where exactly one of them does.

use std::fmt;

use serde_json::Value as Json;

/// The longest path, in bytes.
const LONGEST: usize = 512;

/// The most segments of a path.
const MOST: usize = 32;

/// `x-ms-isolation-tee.x-ms-compliance-status`, `submods.snp.ear_status`.
#[derive(Debug)]
pub(super) struct ClaimPath(String);

impl ClaimPath {
    /// A path of segments with dots between them; none of them empty.
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        if text.len() > LONGEST || text.split('.').count() > MOST {
            return Err("a path has at most 512 bytes in 32 segments");
        }
        if text.split('.').any(str::is_empty) {
            return Err("a path is one segment or several, with single dots between them");
        }
        Ok(Self(text.to_owned()))
    }

    /// The claim; none where there is none, and where two readings find one each: a policy does not
    /// choose between them by luck.
    pub(super) fn find<'a>(&self, claims: &'a Json) -> Option<&'a Json> {
        let mut found = Vec::new();
        collect(claims, &self.0, &mut found);
        match found.as_slice() {
            [claim] => Some(claim),
            _ => None,
        }
    }
}

/// Every reading of `rest` below `value`. Each value of the tree is reached in one way at most, so
/// that this is bounded by the size of the claims.
fn collect<'a>(value: &'a Json, rest: &str, found: &mut Vec<&'a Json>) {
    let Json::Object(members) = value else { return };
    if let Some(claim) = members.get(rest) {
        found.push(claim);
    }
    for (at, _) in rest.match_indices('.') {
        if let (Some(name), Some(rest)) = (rest.get(..at), rest.get(at.saturating_add(1)..))
            && let Some(member) = members.get(name)
        {
            collect(member, rest, found);
        }
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
