//! From text to a compiled policy. Every fault names its place as a JSON path.

use serde_json::{Map, Value as Json};

use super::path::ClaimPath;
use super::{Akv, Authority, Condition, text, without_slash};
use crate::json::{self, Limits};
use crate::release_policy::PolicyFault;

/// The shape of a policy's text.
const LIMITS: Limits = Limits {
    bytes: 64 << 10,
    depth: 24,
    name: 64,
    members: 8,
    text: 8 << 10,
    values: 2048,
    floats: false,
    nulls: false,
};

/// The one version of the grammar.
const VERSION: &str = "1.0.0";

type Compiled<T> = Result<T, PolicyFault>;

impl Akv {
    pub(in crate::release_policy) fn compile(text: &str) -> Compiled<Self> {
        let policy: Json = json::parse(text.as_bytes(), LIMITS)
            .map_err(|error| PolicyFault::new("$", error.to_string()))?;
        let top = At("$".to_owned());
        let members = top.object(&policy)?;
        match members.get("version").map(|version| (version, version.as_str())) {
            None => return top.fault("the member `version` is missing"),
            Some((_, Some(VERSION))) => {}
            Some(_) => return top.under("version").fault("only \"1.0.0\" is known"),
        }
        if members.contains_key("allOf") {
            let reason = "authorities stand in `anyOf`: a result has one issuer";
            return top.under("allOf").fault(reason);
        }
        top.only(members, &["version", "anyOf"])?;
        let Some(authorities) = members.get("anyOf") else {
            return top.fault("the member `anyOf` is missing");
        };
        let any_of = top.under("anyOf").each(authorities, authority)?;
        Ok(Self { any_of })
    }
}

fn authority(at: &At, authority: &Json) -> Compiled<Authority> {
    let members = at.object(authority)?;
    at.only(members, &["authority", "allOf", "anyOf"])?;
    let Some(url) = members.get("authority") else {
        return at.fault("the member `authority` is missing");
    };
    let issuer = url.as_str().and_then(issuer).map(ToOwned::to_owned);
    let Some(issuer) = issuer else {
        return at.under("authority").fault("wanted is an https URL without query or fragment");
    };
    Ok(Authority { issuer, condition: group(at, members)? })
}

fn condition(at: &At, condition: &Json) -> Compiled<Condition> {
    let members = at.object(condition)?;
    if !members.contains_key("claim") && !members.contains_key("equals") {
        at.only(members, &["allOf", "anyOf"])?;
        return group(at, members);
    }
    at.only(members, &["claim", "equals"])?;
    let (Some(claim), Some(value)) = (members.get("claim"), members.get("equals")) else {
        return at.fault("`claim` and `equals` go together");
    };
    let claim = match claim.as_str().map(ClaimPath::new) {
        Some(Ok(claim)) => claim,
        Some(Err(reason)) => return at.under("claim").fault(reason),
        None => return at.under("claim").fault("wanted is a string"),
    };
    match text(value) {
        Some(value) => Ok(Condition::Equals { claim, value }),
        None => at.under("equals").fault("wanted is a string, a boolean or a whole number"),
    }
}

/// `allOf` or `anyOf`, and not both.
fn group(at: &At, members: &Map<String, Json>) -> Compiled<Condition> {
    match (members.get("allOf"), members.get("anyOf")) {
        (Some(all), None) => at.under("allOf").each(all, condition).map(Condition::All),
        (None, Some(any)) => at.under("anyOf").each(any, condition).map(Condition::Any),
        _ => at.fault("wanted is one of `allOf` and `anyOf`"),
    }
}

/// An authority as it is compared.
fn issuer(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = rest.split('/').next().unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\\"".contains(&byte));
    (plain && !host.is_empty() && !host.contains('@')).then(|| without_slash(url))
}

/// Where in the policy.
struct At(String);

impl At {
    fn under(&self, member: &str) -> Self {
        Self(format!("{}.{member}", self.0))
    }

    fn fault<T>(&self, message: impl Into<String>) -> Compiled<T> {
        Err(PolicyFault::new(self.0.as_str(), message))
    }

    fn object<'a>(&self, value: &'a Json) -> Compiled<&'a Map<String, Json>> {
        match value {
            Json::Object(members) => Ok(members),
            _ => self.fault("wanted is an object"),
        }
    }

    fn only(&self, members: &Map<String, Json>, known: &[&str]) -> Compiled<()> {
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let known = known.join("`, `");
                self.fault(format!("the member {unknown:?} is unknown; known are `{known}`"))
            }
        }
    }

    /// A list that is not empty: nothing at all would hold of an empty one, or everything.
    fn each<T>(&self, list: &Json, compile: fn(&Self, &Json) -> Compiled<T>) -> Compiled<Vec<T>> {
        let Some(list) = list.as_array().filter(|list| !list.is_empty()) else {
            return self.fault("wanted is a list that is not empty");
        };
        let item =
            |(index, item): (usize, &Json)| compile(&Self(format!("{}[{index}]", self.0)), item);
        list.iter().enumerate().map(item).collect()
    }
}
