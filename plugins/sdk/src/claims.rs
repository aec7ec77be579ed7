//! Claims, each of its type, all below one name.

use crate::verifier::types::{Claim, Quote, Registers, Span, Value};

/// Claims in the making: `Claims::of("acme").unsigned("version", 7)` claims `acme.version`.
#[derive(Debug)]
pub struct Claims {
    space: &'static str,
    claims: Vec<Claim>,
}

impl Claims {
    /// Claims below this name. `snp`, `tdx` and `sgx` are the host's own.
    #[must_use]
    pub fn of(space: &'static str) -> Self {
        Self { space, claims: Vec::new() }
    }

    /// True or false.
    #[must_use]
    pub fn flag(self, name: &str, value: bool) -> Self {
        self.with(name, Value::Flag(value))
    }

    /// A whole number from 0.
    #[must_use]
    pub fn unsigned(self, name: &str, value: u64) -> Self {
        self.with(name, Value::Unsigned(value))
    }

    /// A whole number.
    #[must_use]
    pub fn signed(self, name: &str, value: i64) -> Self {
        self.with(name, Value::Signed(value))
    }

    /// Text.
    #[must_use]
    pub fn text(self, name: &str, value: impl Into<String>) -> Self {
        self.with(name, Value::Text(value.into()))
    }

    /// Several texts.
    #[must_use]
    pub fn texts(self, name: &str, values: impl IntoIterator<Item = String>) -> Self {
        self.with(name, Value::Texts(values.into_iter().collect()))
    }

    /// Bytes. For what stands in a statement prefer [`Claims::quoted`].
    #[must_use]
    pub fn bytes(self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.with(name, Value::Bytes(value.into()))
    }

    /// Bytes that stand in a statement of the verdict, by its index: the host reads them from its own
    /// memory, and knows what the claim rests on.
    #[must_use]
    pub fn quoted(self, name: &str, statement: u32, at: Span) -> Self {
        self.with(name, Value::Quoted(Quote { statement, at }))
    }

    /// Registers of one bank that stand in a statement of the verdict: a claim each, with its index behind the
    /// name.
    #[must_use]
    pub fn registers(self, name: &str, registers: Registers) -> Self {
        self.with(name, Value::Registers(registers))
    }

    /// What a value has where there is one.
    #[must_use]
    pub fn maybe<T>(self, value: Option<T>, claim: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => claim(self, value),
            None => self,
        }
    }

    /// The claims, for a verdict.
    #[must_use]
    pub fn finish(self) -> Vec<Claim> {
        self.claims
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        let name = format!("{}.{name}", self.space);
        self.claims.push(Claim { name, value });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_stand_below_their_space_in_their_order() {
        let claims = Claims::of("acme")
            .flag("debug", false)
            .unsigned("version", 7)
            .maybe(None::<u64>, |claims, value| claims.unsigned("none", value))
            .maybe(Some("x"), |claims, value| claims.text("name", value))
            .quoted("measurement", 0, Span { start: 4, length: 48 })
            .finish();
        let names: Vec<_> = claims.iter().map(|claim| claim.name.as_str()).collect();
        assert_eq!(names, ["acme.debug", "acme.version", "acme.name", "acme.measurement"]);
        assert!(matches!(claims.first().map(|claim| &claim.value), Some(Value::Flag(false))));
    }
}
