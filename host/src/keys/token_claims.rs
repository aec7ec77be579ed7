//! The registered claims of a token (RFC 7519, section 4.1) that are always checked.

use serde_json::{Map, Value};

use super::token::TokenError;
use crate::clock::Timestamp;

/// What a token must say to be accepted.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// `iss`, exactly.
    pub issuer: &'a str,
    /// `aud`, exactly and alone.
    pub audience: &'a str,
    /// `typ` of the header, exactly.
    pub typ: &'a str,
    /// The present moment.
    pub at: Timestamp,
    /// Seconds by which the issuer's clock may be ahead; never added to `exp`.
    pub skew: u64,
}

impl Expected<'_> {
    /// Checks `iss`, `aud`, `iat`, `exp` and, where it is there, `nbf`. The moments are whole
    /// seconds.
    pub(super) fn check(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        for (name, wanted) in [("iss", self.issuer), ("aud", self.audience)] {
            if claims.get(name).and_then(Value::as_str) != Some(wanted) {
                return Err(TokenError::Claim(name));
            }
        }
        let issued = moment(claims, "iat")?;
        let expires = moment(claims, "exp")?;
        let valid_from = match claims.contains_key("nbf") {
            true => moment(claims, "nbf")?.max(issued),
            false => issued,
        };
        self.check_times(valid_from, expires)
    }

    /// The same of claims that were read into types.
    pub(crate) fn check_read(
        &self,
        issuer: &str,
        audience: &str,
        issued: Timestamp,
        expires: Timestamp,
    ) -> Result<(), TokenError> {
        for (name, said, wanted) in [("iss", issuer, self.issuer), ("aud", audience, self.audience)]
        {
            if said != wanted {
                return Err(TokenError::Claim(name));
            }
        }
        self.check_times(issued, expires)
    }

    fn check_times(&self, valid_from: Timestamp, expires: Timestamp) -> Result<(), TokenError> {
        if expires <= self.at {
            return Err(TokenError::Expired);
        }
        if valid_from > self.at.plus(self.skew) {
            return Err(TokenError::NotYetValid);
        }
        Ok(())
    }
}

fn moment(claims: &Map<String, Value>, name: &'static str) -> Result<Timestamp, TokenError> {
    let seconds = claims.get(name).and_then(Value::as_u64);
    seconds.map(Timestamp).ok_or(TokenError::Claim(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: Timestamp = Timestamp(1_000_000);

    fn with(name: &str, value: Value) -> Map<String, Value> {
        let mut claims = json!({"iss": "https://host.example", "aud": "default", "iat": 999_990,
            "exp": 1_000_300});
        claims[name] = value;
        claims.as_object().unwrap().clone()
    }

    fn without(name: &str) -> Map<String, Value> {
        let mut claims = with(name, json!(0));
        claims.remove(name);
        claims
    }

    fn outcome(claims: &Map<String, Value>) -> Result<(), TokenError> {
        let expected = Expected {
            issuer: "https://host.example",
            audience: "default",
            typ: "eat+jwt",
            at: AT,
            skew: 30,
        };
        expected.check(claims)
    }

    // attack 52
    #[test]
    fn moments_that_are_not_whole_numbers_are_refused() {
        for name in ["exp", "iat", "nbf"] {
            for value in [
                json!("1000300"),
                json!(-1),
                json!(true),
                json!([1_000_300]),
                json!(1_000_300.5),
                json!(1e300),
                json!(null),
            ] {
                assert_eq!(outcome(&with(name, value)), Err(TokenError::Claim(name)));
            }
        }
        for name in ["exp", "iat"] {
            assert_eq!(outcome(&without(name)), Err(TokenError::Claim(name)));
        }
    }

    #[test]
    fn a_token_is_accepted_only_in_its_time() {
        let at = |name, moment: u64| outcome(&with(name, json!(moment)));
        assert_eq!(at("exp", AT.0), Err(TokenError::Expired));
        assert_eq!(at("exp", AT.0 + 1), Ok(()));
        assert_eq!(at("iat", AT.0 + 30), Ok(()));
        assert_eq!(at("iat", AT.0 + 31), Err(TokenError::NotYetValid));
        assert_eq!(at("nbf", AT.0 + 30), Ok(()));
        assert_eq!(at("nbf", AT.0 + 31), Err(TokenError::NotYetValid));
    }

    // attack 52
    #[test]
    fn issuer_and_audience_must_be_the_expected_text() {
        for name in ["iss", "aud"] {
            for value in [
                json!("https://evil.example"),
                json!(["https://host.example"]),
                json!(["default"]),
                json!({"default": true}),
                json!(""),
            ] {
                assert_eq!(outcome(&with(name, value)), Err(TokenError::Claim(name)));
            }
            assert_eq!(outcome(&without(name)), Err(TokenError::Claim(name)));
        }
    }
}
