use std::thread;

use serde_json::json;

use super::*;

const ENTRY: &str = "data.test.answer";

fn compile(rules: &str) -> Result<Policy, PolicyError> {
    Policy::compile("test.rego", format!("package test\n\n{rules}\n"))
}

/// `answer` of a policy with these rules, for this input.
fn ask(rules: &str, input: Json) -> Result<Json, PolicyError> {
    let data = Document::from(&json!({ "list": [1, 2, 3] }));
    compile(rules)?.evaluate(ENTRY, &Document::from(&input), &data, Budget::default())
}

fn fault(rules: &str, input: Json) -> Fault {
    match ask(rules, input) {
        Err(error) => error.fault,
        Ok(value) => panic!("{rules} answered {value}"),
    }
}

/// Runs what may exhaust the stack on one of the size that the host's threads have.
fn on_a_worker(work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn an_answer_comes_from_input_and_data() {
    let rules = r#"answer := {"sum": input.a + sum(data.list), "set": {x | some x in data.list}}"#;
    assert_eq!(ask(rules, json!({ "a": 4 })).unwrap(), json!({ "sum": 10, "set": [1, 2, 3] }));
    for value in
        [json!(null), json!([true, -7, u64::MAX, "é\n"]), json!({ "a": { "b": [] }, "c": 1.5 })]
    {
        assert_eq!(ask("answer := input", value.clone()).unwrap(), value);
    }
}

// attack 54, invariant 6
#[test]
fn undefined_is_an_error_and_so_is_a_rule_that_is_not_there() {
    let undefined = ask("default other := 1\nanswer := 1 if input.a", json!({})).unwrap_err();
    assert_eq!(undefined.fault, Fault::Undefined);
    assert_eq!((undefined.file.as_deref(), undefined.line), (Some("test.rego"), Some(4)));
    assert_eq!(fault("other := 1", json!({})), Fault::Undefined);
    assert_eq!(fault("answer(x) := x", json!({})), Fault::Undefined);
    // As part of an answer it would be taken for a value.
    let inside = r#"answer := {k: input[k] | some k in ["a", "b"]}"#;
    assert!(ask(inside, json!({ "a": 1 })).is_err());
}

// attack 54
#[test]
fn a_rule_that_fails_is_undefined_and_so_refused() {
    let two =
        ask("answer := 1 if input.a\nanswer := 2 if input.a", json!({ "a": true })).unwrap_err();
    assert_eq!((two.fault, two.file.as_deref()), (Fault::Undefined, Some("test.rego")));
    assert_eq!(fault("answer := to_number(input.a)", json!({ "a": "x" })), Fault::Undefined);
    assert_eq!(fault("answer if not to_number(input.a)", json!({ "a": "x" })), Fault::Undefined);
    // As the language has it: whose `not` asks another rule takes its failure for a no.
    let denied = "deny := to_number(input.a)\nanswer if not deny";
    assert_eq!(ask(denied, json!({ "a": "x" })).unwrap(), true);
    // The built-in policy's do not: what is negated is the proof that a rule holds.
    let built_in = crate::appraisal::kind("snp").unwrap().source;
    let negated: Vec<_> = built_in.lines().filter(|line| line.trim().starts_with("not ")).collect();
    assert_eq!(negated, ["\tnot rule.rule in holds", "\tnot new_enough(tcb)"]);
}

#[test]
fn an_error_in_the_source_has_its_place() {
    for (rules, line, column, message) in [
        ("answer := ", 4, 1, "expecting"),
        ("answer := x", 3, 11, "x"),
        ("answer := 1\nunused := nosuch(1)", 4, 17, "Unknown function: 'nosuch'"),
    ] {
        let error = compile(rules).unwrap_err();
        assert_eq!(error.fault, Fault::Compile, "{error}");
        assert_eq!(error.file.as_deref(), Some("test.rego"), "{error}");
        assert_eq!((error.line, error.column), (Some(line), Some(column)), "{error}");
        assert!(error.to_string().starts_with(&format!("test.rego:{line}:{column}: ")), "{error}");
        assert!(error.message.contains(message), "{error}");
    }
}

// attack 54
#[test]
fn a_policy_cannot_call_itself() {
    for rules in [
        "answer := other\nother := answer",
        "f(x) := f(x)\nanswer := f(1)",
        "f(x) := g(x)\ng(x) := h(x) + 1\nh(x) := f(x)\nanswer := f(1)",
        "answer contains x if some x in other\nother := [x | some x in answer]",
        "answer if not answer",
        "answer := data.test[input.name]",
        "default answer := 1\nanswer := 2 if { some x in [1]; f([x]) }\nf([x]) if answer == x",
    ] {
        let error = compile(rules).unwrap_err();
        assert_eq!(error.fault, Fault::Compile, "{rules}: {error}");
    }
}

// invariant 11
#[test]
fn nothing_outside_the_documents_is_in_reach() {
    for call in [
        "time.now_ns()",
        "rand.intn(\"x\", 10)",
        "uuid.rfc4122(\"x\")",
        "http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1/\"})",
        "net.lookup_ip_addr(\"localhost\")",
        "opa.runtime()",
        "io.jwt.decode(\"x\")",
        "trace(\"x\")",
        "print(\"x\")",
        "numbers.range(1, 1000000000)",
        "replace(\"aaaa\", \"a\", \"aaaa\")",
        "bits.lsh(1, 1000000000)",
        "json.marshal(1)",
        "walk([1])",
        "__builtin_host_await(1, 2)",
    ] {
        for rules in [format!("answer := {call}"), format!("answer := 1\nunused if {call}")] {
            let error = compile(&rules).unwrap_err();
            assert_eq!(error.fault, Fault::Compile, "{rules}: {error}");
        }
    }
}

// attack 54
#[test]
fn an_endless_policy_is_stopped_at_the_same_place_each_time() {
    let rules = "answer := count([1 | some a in input; some b in input; some c in input])";
    let input = json!((0..100).collect::<Vec<_>>());
    let first = ask(rules, input.clone()).unwrap_err();
    assert_eq!(first.fault, Fault::Exhausted);
    assert_eq!(ask(rules, input), Err(first));
}

// attack 54
#[test]
fn the_clock_stops_what_instructions_do_not_measure() {
    let policy = compile("answer := count([1 | some a in input; some b in input])").unwrap();
    let input = Document::from(&json!((0..100).collect::<Vec<_>>()));
    let budget = Budget { instructions: usize::MAX, time: Duration::ZERO };
    let stopped = policy.evaluate(ENTRY, &input, &input, budget).unwrap_err();
    assert_eq!(stopped.fault, Fault::Exhausted);
}

// attack 54
#[test]
fn nothing_long_is_made_of_something_short() {
    let doubled = |first: &str, next: &dyn Fn(usize) -> String| {
        let mut rules = format!("x0 := {first}\n");
        for step in 1..60 {
            rules.push_str(&format!("x{step} := {}\n", next(step - 1)));
        }
        rules + "answer := count(x59)"
    };
    for rules in [
        doubled("\"ab\"", &|x| format!("concat(x{x}, [x{x}, x{x}])")),
        doubled("\"ab\"", &|x| format!("sprintf(\"%s%s\", [x{x}, x{x}])")),
        doubled("[1, 2]", &|x| format!("array.concat(x{x}, x{x})")),
    ] {
        assert_eq!(fault(&rules, json!({})), Fault::Undefined);
    }
    // Values share their parts; a text or an answer does not.
    let shared = doubled("[1]", &|x| format!("[x{x}, x{x}]"));
    assert_eq!(ask(&shared, json!({})).unwrap(), 2);
    for (last, expected) in
        [("x59", Fault::Exhausted), ("sprintf(\"%v\", [x59])", Fault::Undefined)]
    {
        assert_eq!(fault(&shared.replace("count(x59)", last), json!({})), expected, "{last}");
    }
}

// attack 54
#[test]
fn no_policy_exhausts_the_stack() {
    on_a_worker(|| {
        // A chain of rules, each asking the one before it.
        let chain = |rules: usize| {
            let mut text = "x0 := 1\n".to_owned();
            for rule in 1..rules {
                text.push_str(&format!("x{rule} := x{} + 1\n", rule - 1));
            }
            text + &format!("answer := x{}", rules - 1)
        };
        assert_eq!(ask(&chain(190), json!({})).unwrap(), 190);
        assert_eq!(fault(&chain(1000), json!({})), Fault::Compile);
        // A value as deep as instructions can make it, by functions that call each other twice.
        let mut deep = format!("f0(x) := {}x{}\n", "[".repeat(8), "]".repeat(8));
        for step in 1..16 {
            deep.push_str(&format!("f{step}(x) := f{0}(f{0}(x))\n", step - 1));
        }
        assert_eq!(fault(&(deep + "answer := count(f15(1))"), json!({})), Fault::Exhausted);
        // Expressions that nest, and expressions that are long.
        for (open, close) in [("[", "]"), ("{", "}"), ("(", ")"), ("f([", "])")] {
            for depth in [9, 9000] {
                let nested = format!("answer := {}1{}", open.repeat(depth), close.repeat(depth));
                let error = compile(&nested).unwrap_err();
                assert_eq!((error.fault, error.line), (Fault::Compile, Some(3)), "{open} {depth}");
            }
        }
        let quoted = "answer := \"[[[[[[[[[[[[\\\"[\" # [[[[[[[[[[[[[\ntext := `[[[[[[[[[[`";
        assert_eq!(ask(quoted, json!({})).unwrap(), "[[[[[[[[[[[[\"[");
        let long = format!("answer := 1{}", "\n+ 1".repeat(9000));
        assert!(ask(&long, json!({})).is_err());
        let not = format!("answer if {} true", "not ".repeat(9000));
        assert!(ask(&not, json!({})).is_err());
    });
}

#[test]
fn the_bounded_functions_work_like_the_languages_own() {
    for (expression, answer) in [
        (r#"concat(", ", ["a", "b", "c"])"#, json!("a, b, c")),
        (r#"concat("/", {"b", "a"})"#, json!("a/b")),
        (r#"concat("/", [])"#, json!("")),
        (
            r#"sprintf("%s is %d, not %v (100%%)", ["x", 7, ["y", null, {"z": true}]])"#,
            json!("x is 7, not [\"y\", null, {\"z\": true}] (100%)"),
        ),
        ("array.concat([1], [2, 3])", json!([1, 2, 3])),
    ] {
        assert_eq!(ask(&format!("answer := {expression}"), json!({})).unwrap(), answer);
    }
    for unfit in [
        r#"concat(", ", [1])"#,
        r#"concat(1, ["a"])"#,
        r#"sprintf("%s", [])"#,
        r#"sprintf("x", [1])"#,
        r#"sprintf("%9d", [1])"#,
        r#"sprintf("%²d", [1])"#,
        r#"sprintf("%", [1])"#,
        r#"array.concat([1], "a")"#,
    ] {
        assert_eq!(fault(&format!("answer := {unfit}"), json!({})), Fault::Undefined, "{unfit}");
    }
}

#[test]
fn a_digest_is_of_the_content_alone() {
    let module = |name: &str, source: &str| Module::new(name, format!("package {source}"));
    let digest = |modules| Policy::of_modules(modules).unwrap().digest();
    let (a, b) = (module("a.rego", "a\nx := 1"), module("b.rego", "b\nx := 1"));
    let one = digest(vec![a.clone()]);
    assert_eq!(one, digest(vec![Module::new("c.rego", a.source.clone())]));
    assert_ne!(one, digest(vec![b.clone()]));
    let both = digest(vec![a.clone(), b.clone()]);
    assert_eq!(both, digest(vec![b, a]));
    assert_ne!(both, one);
}

#[test]
fn what_a_source_mentions_is_found_as_a_word() {
    let policy = compile("# known, nowhere\nanswer := input.claims[\"x.report_data\"]").unwrap();
    assert!(policy.mentions("report_data") && policy.mentions("known"));
    assert!(!policy.mentions("now") && !policy.mentions("data") && !policy.mentions("report"));
    let place = policy.position_of("x.report_data").unwrap();
    assert_eq!((place.file.as_str(), place.line), ("test.rego", 4));
    assert_eq!(policy.position_of("known"), None);
}

#[test]
fn a_policy_is_shared_by_threads() {
    let policy = compile("answer := input.n + 1").unwrap();
    let ask = |n: u64| {
        let input = Document::from(&json!({ "n": n }));
        policy.evaluate(ENTRY, &input, &Document::object([]), Budget::default()).unwrap()
    };
    thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || assert_eq!(ask(n), n + 1));
        }
    });
}

#[test]
fn the_built_in_policy_passes_its_own_tests() {
    let modules = [
        Module::new("snp.rego", crate::appraisal::kind("snp").unwrap().source),
        Module::new("snp_test.rego", include_str!("../../policies/snp_test.rego")),
    ];
    let outcomes = tester::run(&modules).unwrap();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| outcome.failure.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert_eq!(outcomes.len(), 10);
}

#[test]
fn a_test_that_fails_is_told_with_its_place() {
    let modules = [
        Module::new("p.rego", "package p\n\nallow if input.a"),
        Module::new(
            "p_test.rego",
            "package p\n\ntest_yes if allow with input as {\"a\": true}\n\ntest_no if allow\n",
        ),
    ];
    let outcomes = tester::run(&modules).unwrap();
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.name.as_str(), outcome.line, outcome.failure.is_none()))
        .collect();
    assert_eq!(told, [("test_yes", 3, true), ("test_no", 5, false)]);
    assert!(tester::run(&modules[..1]).is_err());
}
