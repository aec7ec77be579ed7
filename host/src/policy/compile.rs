//! From source to a program: every rule is compiled, and what a policy may not do is refused here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::{Instruction, Program};
use regorus::{CompiledPolicy, Engine, Rc};

use super::error::{Fault, PolicyError};
use super::position::{self, Position};
use super::{LONGEST_SOURCE, Module, builtins, nesting};

/// Rules that one policy may have: each may call the next, and a call takes stack.
const MOST_RULES: usize = 200;

/// The engine wants a rule to begin with before it tells which ones there are: one of ours, which no
/// program has in it.
const BEGINNING: &str = "package claviger_beginning\n\nrule := true\n";
const BEGINNING_RULE: &str = "data.claviger_beginning.rule";

/// The compiler works its way down into expressions, however long their chains are; it gets a stack
/// that is enough for the longest source. Only what is touched takes memory.
const STACK: usize = 512 << 20;

/// Compiles the modules into a program whose entry points are all of their rules that take no
/// arguments.
pub(super) fn compile(modules: &[Module]) -> Result<Arc<Program>, PolicyError> {
    let length: usize = modules.iter().map(|module| module.source.len()).sum();
    if length > LONGEST_SOURCE {
        let message = format!("the policy is longer than {LONGEST_SOURCE} bytes");
        return Err(PolicyError::new(Fault::Compile, message));
    }
    if let Some(place) = modules.iter().find_map(nesting::too_deep) {
        let message = format!("brackets nest more than {} levels deep", nesting::DEEPEST);
        return Err(PolicyError::new(Fault::Compile, message).at(Some(place)));
    }
    on_a_long_stack(|| compile_modules(modules))
}

/// Runs what may recurse deeply, or panic.
pub(super) fn on_a_long_stack<T: Send>(
    work: impl FnOnce() -> Result<T, PolicyError> + Send,
) -> Result<T, PolicyError> {
    let failed = |message: String| PolicyError::new(Fault::Engine, message);
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("policy".to_owned()).stack_size(STACK);
        let running = builder
            .spawn_scoped(scope, work)
            .map_err(|error| failed(format!("no thread for the policy's compiler: {error}")))?;
        running.join().unwrap_or_else(|_| Err(failed("the policy's compiler panicked".to_owned())))
    })
}

fn compile_modules(modules: &[Module]) -> Result<Arc<Program>, PolicyError> {
    let mut engine = Engine::new();
    for module in modules {
        let added = engine.add_policy(module.name.clone(), module.source.clone());
        added.map_err(|error| PolicyError::of_source(&error.to_string()))?;
    }
    let policy = analysed(&mut engine)?;
    let mut rules: Vec<&str> = policy.get_rules().keys().map(String::as_str).collect();
    rules.retain(|rule| *rule != BEGINNING_RULE);
    rules.sort_unstable();
    if rules.len() > MOST_RULES {
        let message = format!("the policy has more than {MOST_RULES} rules");
        return Err(PolicyError::new(Fault::Compile, message));
    }
    // One by one: an entry point takes a register, of which there are few. A program for all then
    // serves every entry, by jumping to it.
    let mut entries = Vec::with_capacity(rules.len());
    for rule in rules {
        let alone = program(&policy, &[rule])?;
        let takes_arguments =
            alone.rule_infos.iter().any(|info| info.name == rule && info.function_info.is_some());
        check(&alone, modules)?;
        if !takes_arguments {
            entries.push(rule);
        }
    }
    let mut program = Arc::unwrap_or_clone(program(&policy, &entries)?);
    check(&program, modules)?;
    builtins::replace(&mut program);
    Ok(Arc::new(program))
}

/// Analyses what was parsed.
fn analysed(engine: &mut Engine) -> Result<CompiledPolicy, PolicyError> {
    let added = engine.add_policy("beginning.rego".to_owned(), BEGINNING.to_owned());
    let policy = added.and_then(|_| engine.compile_with_entrypoint(&Rc::from(BEGINNING_RULE)));
    policy.map_err(|error| PolicyError::of_source(&error.to_string()))
}

fn program(policy: &CompiledPolicy, entries: &[&str]) -> Result<Arc<Program>, PolicyError> {
    Compiler::compile_from_policy(policy, entries).map_err(|error| {
        let place = error.span.as_ref().map(|span| Position {
            file: span.source.get_path().clone(),
            line: span.line,
            column: Some(span.col),
        });
        PolicyError::new(Fault::Compile, error.error.to_string()).at(place)
    })
}

/// Refuses what a policy may not use.
fn check(program: &Program, modules: &[Module]) -> Result<(), PolicyError> {
    let forbidden = |name: &str| {
        let message = format!("{name} is not available to policies");
        let error = PolicyError::new(Fault::Compile, message);
        error.at(position::of_call(modules, name))
    };
    if program.needs_runtime_recursion_check {
        let message = "a policy may not look up its own rules by computed names";
        return Err(PolicyError::new(Fault::Compile, message));
    }
    if let Some(rule) = recursive(program) {
        let error = PolicyError::new(Fault::Compile, format!("{rule} depends on itself"));
        let name = rule.rsplit('.').next().unwrap_or_default();
        return Err(error.at(position::of_rule(modules, name)));
    }
    if program.has_host_await {
        return Err(forbidden("__builtin_host_await"));
    }
    match program.builtin_info_table.iter().find(|info| !builtins::is_allowed(&info.name)) {
        Some(info) => Err(forbidden(&info.name)),
        None => Ok(()),
    }
}

/// A rule that comes back to itself. The engine's own check misses some, and its stack is ours.
fn recursive(program: &Program) -> Option<&str> {
    // Where the code of each rule begins; it goes on to where the next one begins.
    let mut begins: Vec<(usize, usize)> = Vec::new();
    for (rule, info) in program.rule_infos.iter().enumerate() {
        let blocks = info.destructuring_blocks.iter().flatten();
        let starts = info.definitions.iter().flatten().chain(blocks);
        begins.extend(starts.filter_map(|start| Some((usize::try_from(*start).ok()?, rule))));
    }
    begins.sort_unstable();
    let mut calls: BTreeSet<(usize, usize)> = BTreeSet::new();
    for (counter, instruction) in program.instructions.iter().enumerate() {
        let called = match instruction {
            Instruction::CallRule { rule_index, .. } => Some(*rule_index),
            Instruction::FunctionCall { params_index } => {
                let params = program.instruction_data.get_function_call_params(*params_index);
                params.map(|params| params.func_rule_index)
            }
            _ => None,
        };
        let before = begins.partition_point(|(start, _)| *start <= counter);
        let owner = before.checked_sub(1).and_then(|at| begins.get(at));
        if let (Some(called), Some((_, owner))) = (called, owner) {
            calls.insert((*owner, called.into()));
        }
    }
    // What calls nothing that is left cannot come back; take those away until none is left.
    loop {
        let callers: BTreeSet<usize> = calls.iter().map(|(caller, _)| *caller).collect();
        let before = calls.len();
        calls.retain(|(_, called)| callers.contains(called));
        if calls.len() == before {
            let (rule, _) = calls.first()?;
            return program.rule_infos.get(*rule).map(|info| info.name.as_str());
        }
    }
}
