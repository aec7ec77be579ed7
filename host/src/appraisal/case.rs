//! What is to be judged: genuine evidence, as the host read it and a verifier understood it.

use data_encoding::HEXLOWER;

use super::facts::Facts;
use super::vector::{Trust, Vector};
use crate::audit::Digest;
use crate::claim::{Claim, Value};
use crate::clock::Timestamp;
use crate::policy::Document;

/// Facts and verifiers' claims that differ with each request of one guest, each with a part of its name. A
/// policy in whose source and settings that part stands nowhere cannot see them, and its results hold for
/// all requests of a guest.
const PER_REQUEST: [(&str, &str); 11] = [
    ("az-snp.tpm_clock", "clock"),
    ("az-snp.tpm_nonce", "nonce"),
    ("az-tdx.tpm_clock", "clock"),
    ("az-tdx.tpm_nonce", "nonce"),
    ("cca.realm_challenge", "realm_challenge"),
    ("nvidia.nonce", "nonce"),
    ("sgx.report_data", "report_data"),
    ("snp.report_data", "report_data"),
    ("tdx.report_data", "report_data"),
    ("tpm.clock", "clock"),
    ("tpm.nonce", "nonce"),
];

/// One attester's evidence. Challenge and recipient key were bound by it before it comes here.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The attester's kind.
    pub tee: &'a str,
    /// What the host read itself.
    pub facts: &'a [Claim],
    /// What the verifier says beyond that.
    pub claims: &'a [Claim],
    /// What the verifier at most affirmed.
    pub vector: &'a Vector,
    /// The verifier's name and the digest of its component.
    pub verifier: (&'a str, &'a str),
    /// Whether it rests on simulated hardware.
    pub simulated: bool,
    /// From this moment something behind it is out of date.
    pub expires: Timestamp,
    /// The moment of the judgement.
    pub at: Timestamp,
}

/// What a policy looks at beyond what stays the same between two requests of one guest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    now: bool,
    per_request: [bool; PER_REQUEST.len()],
}

impl Sight {
    /// By the words that the policy mentions, and by the parts of words that stand in its source or in its
    /// settings: a name that it puts together has them.
    pub(super) fn of(mentions: impl Fn(&str) -> bool, holds: impl Fn(&str) -> bool) -> Self {
        Self { now: mentions("now"), per_request: PER_REQUEST.map(|(_, part)| holds(part)) }
    }

    /// Whether the policy can see a fact or claim of this name.
    pub(super) fn sees(&self, name: &str) -> bool {
        let mut hidden = PER_REQUEST.iter().zip(self.per_request);
        !hidden.any(|((one, _), seen)| !seen && name == *one)
    }
}

impl Case<'_> {
    /// What a policy reads as `input`.
    pub(super) fn input(&self, sight: &Sight) -> Document {
        // Of a fact that stands twice nobody knows which is meant: it counts as absent.
        let once =
            |fact: &&Claim| self.facts.iter().filter(|other| other.name == fact.name).count() == 1;
        let facts = self.facts.iter().filter(|fact| sight.sees(&fact.name)).filter(once);
        let claims = self.claims.iter().filter(|claim| sight.sees(&claim.name));
        let (name, digest) = self.verifier;
        let submod = Document::object([
            ("claims", object(facts)),
            ("plugin_claims", object(claims)),
            ("vector", vector(self.vector)),
            (
                "verifier",
                Document::object([
                    ("name", Document::text(name)),
                    ("digest", Document::text(digest)),
                ]),
            ),
        ]);
        let endorsements = Document::object([
            ("revocation", Document::text(self.revocation())),
            ("expires", Document::unsigned(self.expires.0)),
        ]);
        let bindings = ["challenge", "recipient"].map(Document::text);
        let now = sight.now.then(|| ("now", Document::unsigned(self.at.0)));
        let members = [
            ("tee", Document::text(self.tee)),
            ("submods", Document::object([(self.tee, submod)])),
            ("bindings", Document::array(bindings)),
            ("endorsements", endorsements),
            ("simulated", Document::flag(self.simulated)),
        ];
        Document::object(members.into_iter().chain(now))
    }

    /// The digest of all that [`Case::input`] holds: each part with its kind and its length.
    pub(super) fn key(&self, sight: &Sight, references: &[u8; 32]) -> [u8; 32] {
        let mut key = Key(Vec::with_capacity(4096));
        key.bytes(b'r', references);
        key.text(self.tee);
        key.text(self.verifier.0);
        key.text(self.verifier.1);
        key.number(u64::from(self.simulated));
        key.number(self.expires.0);
        key.number(if sight.now { self.at.0 } else { 0 });
        for trust in Trust::ALL {
            key.number(self.vector.value(trust).map_or(0, |value| 256 + u64::from(value as u8)));
        }
        key.claims(self.facts.iter().filter(|fact| sight.sees(&fact.name)));
        key.claims(self.claims.iter().filter(|claim| sight.sees(&claim.name)));
        Digest::of(&key.0).0
    }

    /// A claim's value: what the host read, or where it read nothing of that name, what the verifier
    /// says. None where the name stands there twice.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        let of = |claims| Facts::new(claims).value(name);
        of(self.facts).or_else(|| of(self.claims))
    }

    /// The same of a byte string.
    pub(super) fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let of = |claims| Facts::new(claims).bytes(name);
        of(self.facts).or_else(|| of(self.claims))
    }

    fn revocation(&self) -> &str {
        let fact = self.facts.iter().find(|fact| fact.name.ends_with(".revocation"));
        match fact.map(|fact| &fact.value) {
            Some(Value::Text(said)) => said,
            _ => "unknown",
        }
    }
}

struct Key(Vec<u8>);

impl Key {
    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.push(kind);
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(b't', text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.push(b'n');
        self.0.extend_from_slice(&number.to_be_bytes());
    }

    fn claims<'a>(&mut self, claims: impl Iterator<Item = &'a Claim>) {
        self.0.push(b'{');
        for claim in claims {
            self.text(&claim.name);
            self.value(&claim.value);
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Bytes(bytes) => self.bytes(b'b', bytes),
            Value::Flag(flag) => self.0.extend_from_slice(&[b'f', u8::from(*flag)]),
            Value::Signed(number) => {
                self.0.push(b's');
                self.0.extend_from_slice(&number.to_be_bytes());
            }
            Value::Text(text) => self.text(text),
            Value::Texts(texts) => {
                self.0.push(b'[');
                self.number(texts.len() as u64);
                texts.iter().for_each(|text| self.text(text));
            }
            Value::Unsigned(number) => self.number(*number),
        }
    }
}

fn object<'a>(claims: impl Iterator<Item = &'a Claim>) -> Document {
    Document::object(claims.map(|claim| (claim.name.as_ref(), document(&claim.value))))
}

fn document(value: &Value) -> Document {
    match value {
        Value::Bytes(bytes) => Document::text(&HEXLOWER.encode(bytes)),
        Value::Flag(flag) => Document::flag(*flag),
        Value::Signed(number) => Document::signed(*number),
        Value::Text(text) => Document::text(text),
        Value::Texts(texts) => Document::array(texts.iter().map(|text| Document::text(text))),
        Value::Unsigned(number) => Document::unsigned(*number),
    }
}

fn vector(vector: &Vector) -> Document {
    let said = Trust::ALL.into_iter().filter_map(|trust| {
        let value = vector.value(trust)?;
        Some((trust.name(), Document::signed(value.into())))
    });
    Document::object(said)
}
