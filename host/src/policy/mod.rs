//! Policies in Rego: compiled once, shared by threads, and bounded.
//!
//! A policy sees its input and its data, and nothing else: no builtin reaches the network, the
//! environment, a clock or randomness, so the same documents give the same answer (invariant 11).
//! It is stopped after so many instructions, which is the same on every machine; a wall clock stands
//! behind that. What builds long texts or lists is bounded too, and a policy that could exhaust the
//! stack is not compiled. Whoever asks gets a value or an error; undefined is an error (invariant 6).
//! Inside a policy a function that fails, and a rule with two values, are undefined, as in the default
//! mode of the language: a policy should demand what must hold (`allow if x`), not deny what must not
//! (`allow if not x`).

mod builtins;
mod compile;
mod document;
mod error;
pub mod maa;
mod nesting;
mod position;
pub mod tester;

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use regorus::rvm::{Program, RegoVM};
use regorus::utils::limits::ExecutionTimerConfig;
use serde_json::Value as Json;

use crate::audit::Digest;

pub use document::Document;
pub use error::{Fault, PolicyError};
pub use position::Position;

/// The longest source of one policy, all modules together, in bytes.
pub const LONGEST_SOURCE: usize = 256 << 10;

/// How often the wall clock is looked at, in instructions.
const CLOCK_INTERVAL: NonZeroU32 = NonZeroU32::MIN.saturating_add(63);

/// One file of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Module {
    /// What errors and findings call it: the file's name.
    pub name: String,
    /// Its text.
    pub source: String,
}

impl Module {
    /// A file.
    #[must_use]
    pub fn new(name: impl Into<String>, source: impl Into<String>) -> Self {
        Self { name: name.into(), source: source.into() }
    }

    /// Whether it holds tests, by its name: `…_test.rego`.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.name.ends_with("_test.rego")
    }
}

/// What one evaluation may cost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// Instructions. The stack is the other reason for this bound: a value can nest no deeper than
    /// instructions nest it, and dropping it takes stack for each level.
    pub instructions: usize,
    /// Wall-clock time, for what instructions do not measure.
    pub time: Duration,
}

impl Default for Budget {
    /// Some 2 ms of work; the default policies need a twentieth of it.
    fn default() -> Self {
        Self { instructions: 20_000, time: Duration::from_millis(50) }
    }
}

/// A compiled policy. Clone is cheap.
#[derive(Clone, Debug)]
pub struct Policy {
    program: Arc<Program>,
    modules: Arc<[Module]>,
    digest: [u8; 32],
}

impl Policy {
    /// Compiles a policy of one file.
    pub fn compile(
        name: impl Into<String>,
        source: impl Into<String>,
    ) -> Result<Self, PolicyError> {
        Self::of_modules(vec![Module::new(name, source)])
    }

    /// Compiles a policy of several files. All of their rules are compiled, whether or not any other
    /// uses them: what is wrong with a rule shows now, not when it is needed.
    pub fn of_modules(modules: Vec<Module>) -> Result<Self, PolicyError> {
        let program = compile::compile(&modules)?;
        let digest = digest_of(&modules);
        Ok(Self { program, modules: modules.into(), digest })
    }

    /// SHA-256 of the source. Of several files: of their digests, in ascending order.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The files, as they were compiled.
    #[must_use]
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// Whether there is such a rule: `data.claviger.release.allow`.
    #[must_use]
    pub fn defines(&self, entry: &str) -> bool {
        self.program.get_entry_point(entry).is_some()
    }

    /// Whether the word stands anywhere in the source. What a policy does not mention, it cannot ask
    /// for by name.
    #[must_use]
    pub fn mentions(&self, word: &str) -> bool {
        let part_of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        self.modules.iter().any(|module| {
            let source = module.source.as_bytes();
            module.source.match_indices(word).any(|(at, _)| {
                let before = at.checked_sub(1).and_then(|at| source.get(at));
                let after = source.get(at + word.len());
                ![before, after].into_iter().flatten().any(|byte| part_of_word(*byte))
            })
        })
    }

    /// Whether this text stands anywhere in the source, be it as a part of a word.
    #[must_use]
    pub fn holds(&self, text: &str) -> bool {
        self.modules.iter().any(|module| module.source.contains(text))
    }

    /// Where a text first stands in the source, as a string: where a rule of that name is.
    #[must_use]
    pub fn position_of(&self, text: &str) -> Option<Position> {
        position::of_string(&self.modules, text)
    }

    /// Asks one rule by its full name: `data.claviger.release.allow`.
    pub fn evaluate(
        &self,
        entry: &str,
        input: &Document,
        data: &Document,
        budget: Budget,
    ) -> Result<Json, PolicyError> {
        if !self.defines(entry) {
            return Err(PolicyError::new(Fault::Undefined, format!("there is no rule {entry}")));
        }
        let mut machine = RegoVM::new();
        machine.set_strict_builtin_errors(true);
        machine.set_max_instructions(budget.instructions);
        machine.set_execution_timer_config(Some(ExecutionTimerConfig {
            limit: budget.time,
            check_interval: CLOCK_INTERVAL,
        }));
        machine.load_program(Arc::clone(&self.program));
        // The engine is not ours: should it panic, this request is refused and no other.
        let run = AssertUnwindSafe(|| {
            machine.set_data(data.0.clone())?;
            machine.set_input(input.0.clone());
            machine.execute_entry_point_by_name(entry)
        });
        let value = match catch_unwind(run) {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => return Err(PolicyError::of_machine(&error, &self.program)),
            Err(_) => return Err(PolicyError::new(Fault::Engine, "the policy engine panicked")),
        };
        document::to_json(&value)?.ok_or_else(|| {
            let error = PolicyError::new(Fault::Undefined, format!("{entry} is undefined"));
            let name = entry.rsplit('.').next().unwrap_or_default();
            error.at(position::of_rule(&self.modules, name))
        })
    }
}

fn digest_of(modules: &[Module]) -> [u8; 32] {
    let mut digests: Vec<_> =
        modules.iter().map(|module| Digest::of(module.source.as_bytes()).0).collect();
    digests.sort_unstable();
    match digests.as_slice() {
        [only] => *only,
        several => Digest::of(&several.concat()).0,
    }
}

#[cfg(test)]
mod tests;
