//! A policy's own tests: rules called `test_…` in files called `…_test.rego`, as OPA has them. They
//! run in the language's interpreter, for they give input and data with `with`, which the compiled
//! form has not: what the host allows of the language is checked on the policy itself.

use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use super::Module;
use super::compile::on_a_long_stack;
use super::error::{Fault, PolicyError};

/// How long one test may take.
const LONGEST: Duration = Duration::from_secs(5);

/// One test.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// Why it failed; none: it passed.
    pub failure: Option<String>,
}

/// Runs the tests that stand in `modules`, each for itself.
///
/// # Errors
/// Where the modules cannot be read together.
pub fn run(modules: &[Module]) -> Result<Vec<Outcome>, PolicyError> {
    on_a_long_stack(|| {
        let mut engine = Engine::new();
        engine.set_strict_builtin_errors(true);
        let mut packages = Vec::with_capacity(modules.len());
        for module in modules {
            let added = engine.add_policy(module.name.clone(), module.source.clone());
            packages.push(added.map_err(|error| PolicyError::of_source(&error.to_string()))?);
        }
        let mut outcomes = Vec::new();
        for (module, package) in
            modules.iter().zip(&packages).filter(|(module, _)| module.is_test())
        {
            for (name, line) in tests(&module.source) {
                let failure = fails(&mut engine, &format!("{package}.{name}"));
                let (name, file) = (name.to_owned(), module.name.clone());
                outcomes.push(Outcome { name, file, line, failure });
            }
        }
        match outcomes.is_empty() {
            true => Err(PolicyError::new(
                Fault::Undefined,
                "there is no rule `test_…` in a `…_test.rego`",
            )),
            false => Ok(outcomes),
        }
    })
}

/// The names of the rules called `test_…`, and their lines.
fn tests(source: &str) -> impl Iterator<Item = (&str, u32)> {
    source.lines().zip(1..).filter_map(|(line, number)| {
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = line.get(..end.unwrap_or(line.len()))?;
        name.starts_with("test_").then_some((name, number))
    })
}

fn fails(engine: &mut Engine, rule: &str) -> Option<String> {
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit: LONGEST,
        check_interval: NonZeroU32::MIN.saturating_add(63),
    });
    match engine.eval_rule(rule.to_owned()) {
        Ok(Value::Bool(true)) => None,
        Ok(Value::Undefined) => Some("it is undefined".to_owned()),
        Ok(value) => Some(format!("it is {value}")),
        Err(error) => Some(error.to_string()),
    }
}
