//! A verdict, and what the host checks in one before it believes that a verifier gave it: that it
//! stands on statements of this call, points inside them, and says nothing in the host's name.

use std::collections::HashSet;

use wasmtime::component::ResourceTable;

use super::bindings::claviger::plugin::types;
use super::bindings::exports::claviger::plugin::verifier as wit;
use crate::claim::{Claim, Value};
use crate::quote::{DigestAlgorithm, NATIVE, Span, Statement};

/// What a verifier found out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What it rests on; at least one.
    pub statements: Vec<Statement>,
    /// Where the signed bytes carry what the host expects; each must hold. Of evidence that carries
    /// nothing there are none, and nobody is bound by it.
    pub bindings: Vec<Binding>,
    /// What the plugin says; quoted values are already read from the statements.
    pub claims: Vec<Claim>,
    /// The plugin's judgement.
    pub trustworthiness: Trustworthiness,
}

/// A span of a statement that carries something to compare.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Binding {
    /// An index into [`Verdict::statements`], inside it.
    pub statement: usize,
    /// A span inside the statement, where it may bind.
    pub at: Span,
    /// What stands there.
    pub carries: Carries,
}

/// What a bound span carries.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Carries {
    /// The digest over challenge, recipient key and purpose, by this algorithm.
    ChallengeDigest(DigestAlgorithm),
    /// The challenge's nonce alone.
    Nonce,
    /// The recipient key's thumbprint.
    RecipientKey,
    /// The recipient key, a DER SubjectPublicKeyInfo.
    RecipientSpki,
}

/// Tiers of AR4SI (draft-ietf-rats-ar4si-09), by its numbers; none is "no claim".
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[allow(missing_docs)] // The names are the draft's.
pub struct Trustworthiness {
    pub instance_identity: Option<i8>,
    pub configuration: Option<i8>,
    pub executables: Option<i8>,
    pub file_system: Option<i8>,
    pub hardware: Option<i8>,
    pub runtime_opaque: Option<i8>,
    pub storage_opaque: Option<i8>,
    pub sourced_data: Option<i8>,
}

/// What a verdict may not be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Lie {
    /// A binding's span is outside its statement, or where the format does not carry the challenge.
    #[error("binding {0} points where a challenge cannot stand")]
    Binding(usize),
    /// A claim's name is not `[a-z0-9_.-]+`, or longer than 128 bytes.
    #[error("claim {0} has no acceptable name")]
    ClaimName(usize),
    /// A claim's value is larger than one may be.
    #[error("the claim `{0}` is too large")]
    ClaimSize(String),
    /// A claim is in the name space of a format that the host reads itself.
    #[error("the claim `{0}` is the host's to make")]
    HostsClaim(String),
    /// No statement at all.
    #[error("it rests on nothing")]
    NoStatement,
    /// A quoted value is outside its statement.
    #[error("the claim `{0}` quotes what is not there")]
    Quote(String),
    /// More of something than one may have.
    #[error("more {0} than a verdict may have")]
    TooMany(&'static str),
    /// Two claims of one name.
    #[error("the claim `{0}` is made twice")]
    Twice(String),
    /// A handle that is none of this call's statements.
    #[error("a statement is not one of this call")]
    UnknownStatement,
}

const MAX_STATEMENTS: usize = 16;
const MAX_BINDINGS: usize = 16;
const MAX_CLAIMS: usize = 256;
/// Bytes of one claim's value, and texts in one.
const MAX_VALUE: usize = 16 << 10;
const MAX_TEXTS: usize = 256;
/// Bytes of a claim's name.
const MAX_NAME: usize = 128;
/// Bytes of a register's index, in decimal.
const DIGITS: usize = 2;

/// Takes the statements out of the call's table and checks the rest against them.
pub(super) fn accept(table: &mut ResourceTable, verdict: wit::Verdict) -> Result<Verdict, Lie> {
    bounded("statements", verdict.statements.len(), MAX_STATEMENTS)?;
    bounded("bindings", verdict.bindings.len(), MAX_BINDINGS)?;
    bounded("claims", verdict.claims.len(), MAX_CLAIMS)?;
    let statements = verdict
        .statements
        .into_iter()
        .map(|handle| table.delete(handle).map_err(|_| Lie::UnknownStatement))
        .collect::<Result<Vec<_>, _>>()?;
    if statements.is_empty() {
        return Err(Lie::NoStatement);
    }
    let bindings = verdict
        .bindings
        .into_iter()
        .enumerate()
        .map(|(index, bound)| binding(&statements, index, bound))
        .collect::<Result<_, _>>()?;
    Ok(Verdict {
        bindings,
        claims: claims(&statements, verdict.claims)?,
        trustworthiness: verdict.trustworthiness.into(),
        statements,
    })
}

fn bounded(what: &'static str, count: usize, limit: usize) -> Result<(), Lie> {
    if count > limit {
        return Err(Lie::TooMany(what));
    }
    Ok(())
}

fn binding(statements: &[Statement], index: usize, bound: wit::Binding) -> Result<Binding, Lie> {
    let at = Span::from(bound.at);
    let (position, statement) = find(statements, bound.statement).ok_or(Lie::Binding(index))?;
    let carried = statement.read(at).map_err(|_| Lie::Binding(index))?;
    if carried.is_empty() || !statement.may_bind(at) {
        return Err(Lie::Binding(index));
    }
    Ok(Binding {
        statement: position,
        at,
        carries: match bound.carries {
            wit::Carries::ChallengeDigest(digest) => Carries::ChallengeDigest(digest.into()),
            wit::Carries::Nonce => Carries::Nonce,
            wit::Carries::RecipientKey => Carries::RecipientKey,
            wit::Carries::RecipientSpki => Carries::RecipientSpki,
        },
    })
}

fn claims(statements: &[Statement], said: Vec<types::Claim>) -> Result<Vec<Claim>, Lie> {
    let mut claims = Vec::with_capacity(said.len());
    for (index, types::Claim { name, value }) in said.into_iter().enumerate() {
        let longest = match value {
            types::Value::Registers(_) => MAX_NAME - DIGITS,
            _ => MAX_NAME,
        };
        let format = format_of(&name, longest).ok_or(Lie::ClaimName(index))?;
        // Whatever the host reads itself it reads in a format of its own, under that one's name.
        if NATIVE.contains(&format) {
            return Err(Lie::HostsClaim(name));
        }
        add(&mut claims, statements, name, value)?;
        bounded("claims", claims.len(), MAX_CLAIMS)?;
    }
    let mut names = HashSet::with_capacity(claims.len());
    let twice = claims.iter().find(|claim| !names.insert(claim.name.as_ref()));
    match twice.map(|claim| claim.name.to_string()) {
        Some(name) => Err(Lie::Twice(name)),
        None => Ok(claims),
    }
}

/// Makes a claim of each register.
fn add_registers(
    claims: &mut Vec<Claim>,
    statements: &[Statement],
    name: &str,
    bank: types::Registers,
) -> Result<(), Lie> {
    let indexes = (0..u32::BITS).filter(|index| bank.indexes >> index & 1 == 1);
    for (place, index) in (0..).zip(indexes) {
        let name = numbered(name, index);
        let start = bank.size.checked_mul(place).and_then(|from| bank.start.checked_add(from));
        let start = start.ok_or_else(|| Lie::Quote(name.clone()))?;
        let at = Span { start, length: bank.size };
        let value = sized(&name, quoted(statements, &name, bank.statement, at)?)?;
        claims.push(Claim::new(name, value));
    }
    Ok(())
}

/// The name of a register's claim.
fn numbered(name: &str, index: u32) -> String {
    let digit = |number: u32| char::from_digit(number % 10, 10);
    let mut numbered = String::with_capacity(name.len() + DIGITS);
    numbered.push_str(name);
    numbered.extend(digit(index / 10).filter(|_| index > 9));
    numbered.extend(digit(index));
    numbered
}

/// The first of a name's segments; none where it is not made of dotted segments in lower case, none of them
/// empty, or has more than so many bytes.
fn format_of(name: &str, longest: usize) -> Option<&str> {
    let (mut first, mut empty) = (None, true);
    for (place, byte) in name.bytes().enumerate() {
        empty = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => false,
            b'.' if !empty => {
                first.get_or_insert(place);
                true
            }
            _ => return None,
        };
    }
    let acceptable = !empty && name.len() <= longest;
    name.get(..first.unwrap_or(name.len())).filter(|_| acceptable)
}

/// Adds the value as the host keeps it; a quoted one is read from the host's own copy of the statement.
fn add(
    claims: &mut Vec<Claim>,
    statements: &[Statement],
    name: String,
    value: types::Value,
) -> Result<(), Lie> {
    let value = match value {
        types::Value::Bytes(bytes) => Value::Bytes(bytes),
        types::Value::Flag(flag) => Value::Flag(flag),
        types::Value::Signed(number) => Value::Signed(number),
        types::Value::Text(text) => Value::Text(text),
        types::Value::Texts(texts) => Value::Texts(texts),
        types::Value::Unsigned(number) => Value::Unsigned(number),
        types::Value::Quoted(quote) => quoted(statements, &name, quote.statement, quote.at.into())?,
        types::Value::Registers(bank) => return add_registers(claims, statements, &name, bank),
    };
    let value = sized(&name, value)?;
    claims.push(Claim::new(name, value));
    Ok(())
}

/// The bytes that stand there.
fn quoted(statements: &[Statement], name: &str, statement: u32, at: Span) -> Result<Value, Lie> {
    let bytes = find(statements, statement).and_then(|(_, statement)| statement.read(at).ok());
    Ok(Value::Bytes(bytes.ok_or_else(|| Lie::Quote(name.into()))?.to_vec()))
}

fn sized(name: &str, value: Value) -> Result<Value, Lie> {
    let size = match &value {
        Value::Bytes(bytes) => bytes.len(),
        Value::Text(text) => text.len(),
        Value::Texts(texts) if texts.len() > MAX_TEXTS => usize::MAX,
        Value::Texts(texts) => texts.iter().map(String::len).sum(),
        Value::Flag(_) | Value::Signed(_) | Value::Unsigned(_) => 0,
    };
    if size > MAX_VALUE {
        return Err(Lie::ClaimSize(name.into()));
    }
    Ok(value)
}

fn find(statements: &[Statement], index: u32) -> Option<(usize, &Statement)> {
    let index = usize::try_from(index).ok()?;
    statements.get(index).map(|statement| (index, statement))
}

impl From<wit::Trustworthiness> for Trustworthiness {
    fn from(vector: wit::Trustworthiness) -> Self {
        Self {
            instance_identity: vector.instance_identity,
            configuration: vector.configuration,
            executables: vector.executables,
            file_system: vector.file_system,
            hardware: vector.hardware,
            runtime_opaque: vector.runtime_opaque,
            storage_opaque: vector.storage_opaque,
            sourced_data: vector.sourced_data,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registers_claim_has_its_index_behind_the_name() {
        for (index, name) in [(0, "a.pcr0"), (9, "a.pcr9"), (10, "a.pcr10"), (31, "a.pcr31")] {
            assert_eq!(numbered("a.pcr", index), name);
        }
    }

    #[test]
    fn a_claims_name_is_dotted_segments_in_lower_case() {
        for (name, format) in
            [("snp", "snp"), ("snp.a", "snp"), ("az-snp.tpm_0.b", "az-snp"), ("7.-._", "7")]
        {
            assert_eq!(format_of(name, MAX_NAME), Some(format));
        }
        let (longest, longer) = ("a".repeat(MAX_NAME), "a".repeat(MAX_NAME + 1));
        assert_eq!(format_of(&longest, MAX_NAME), Some(longest.as_str()));
        for name in ["", ".", ".a", "a.", "a..b", "A", "a.B", "a b", "a\0", "é", "a/b", &longer] {
            assert_eq!(format_of(name, MAX_NAME), None, "{name:?}");
        }
    }
}
