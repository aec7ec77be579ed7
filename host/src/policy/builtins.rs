//! What policies may call. Of the language's functions those that work on their arguments alone;
//! none that can make something long out of something short, except these three, which are ours and
//! bounded.

use std::fmt::{self, Write as _};

use regorus::Value;
use regorus::rvm::Program;

/// The longest text that a policy may build, in bytes.
const LONGEST_TEXT: usize = 64 << 10;

/// The longest list that a policy may build by joining two.
const LONGEST_LIST: usize = 16 << 10;

/// Deeper than any document is.
const DEEPEST: usize = 64;

const ALLOWED: &[&str] = &[
    "__builtin_sets.intersection",
    "__builtin_sets.union",
    "abs",
    "array.concat",
    "array.reverse",
    "array.slice",
    "bits.and",
    "bits.negate",
    "bits.or",
    "bits.xor",
    "ceil",
    "concat",
    "contains",
    "count",
    "endswith",
    "floor",
    "format_int",
    "indexof",
    "intersection",
    "is_array",
    "is_boolean",
    "is_null",
    "is_number",
    "is_object",
    "is_set",
    "is_string",
    "lower",
    "max",
    "min",
    "object.filter",
    "object.get",
    "object.keys",
    "object.remove",
    "object.subset",
    "object.union",
    "object.union_n",
    "regex.is_valid",
    "regex.match",
    "round",
    "semver.compare",
    "semver.is_valid",
    "sort",
    "split",
    "sprintf",
    "startswith",
    "strings.any_prefix_match",
    "strings.any_suffix_match",
    "strings.count",
    "strings.reverse",
    "substring",
    "sum",
    "to_number",
    "trim",
    "trim_left",
    "trim_prefix",
    "trim_right",
    "trim_space",
    "trim_suffix",
    "type_name",
    "union",
    "upper",
];

/// Whether a policy may call it.
pub(super) fn is_allowed(name: &str) -> bool {
    ALLOWED.binary_search(&name).is_ok()
}

/// Puts the bounded functions in place of the engine's own, which are not.
pub(super) fn replace(program: &mut Program) {
    for (info, resolved) in
        program.builtin_info_table.iter().zip(program.resolved_builtins.iter_mut())
    {
        // The engine does not name the type of its functions: closures take it from their place.
        match info.name.as_str() {
            "array.concat" => resolved.0 = |_, _, values, _| Ok(array_concat(values)?),
            "concat" => resolved.0 = |_, _, values, _| Ok(concat(values)?),
            "sprintf" => resolved.0 = |_, _, values, _| Ok(sprintf(values)?),
            _ => {}
        }
    }
}

/// Why one of ours does not work.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("{0}: the result would be too long")]
    TooLong(&'static str),
    #[error("{0}: {1}")]
    Unfit(&'static str, &'static str),
}

fn array_concat(values: &[Value]) -> Result<Value, CallError> {
    let [Value::Array(first), Value::Array(second)] = values else {
        return Err(CallError::Unfit("array.concat", "wanted are two arrays"));
    };
    if first.len() + second.len() > LONGEST_LIST {
        return Err(CallError::TooLong("array.concat"));
    }
    Ok(Value::from(first.iter().chain(second.iter()).cloned().collect::<Vec<_>>()))
}

fn concat(values: &[Value]) -> Result<Value, CallError> {
    const UNFIT: CallError =
        CallError::Unfit("concat", "wanted are a delimiter and a collection of texts");
    let (delimiter, parts): (_, Vec<&Value>) = match values {
        [Value::String(delimiter), Value::Array(parts)] => (delimiter, parts.iter().collect()),
        [Value::String(delimiter), Value::Set(parts)] => (delimiter, parts.iter_sorted().collect()),
        _ => return Err(UNFIT),
    };
    let mut text = Text::default();
    for (index, part) in parts.into_iter().enumerate() {
        let Value::String(part) = part else { return Err(UNFIT) };
        let between = if index == 0 { "" } else { delimiter };
        let written = text.write_str(between).and_then(|()| text.write_str(part));
        written.map_err(|_| CallError::TooLong("concat"))?;
    }
    Ok(Value::from(text.0))
}

/// The verbs that policies need: `%s`, `%v`, `%d` and `%%`, without widths.
fn sprintf(values: &[Value]) -> Result<Value, CallError> {
    let unfit = |why| CallError::Unfit("sprintf", why);
    let [Value::String(format), Value::Array(arguments)] = values else {
        return Err(unfit("wanted are a text and an array"));
    };
    let (mut text, mut arguments) = (Text::default(), arguments.iter());
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        let written = match character {
            '%' => match characters.next() {
                Some('%') => text.write_char('%'),
                Some('d' | 's' | 'v') => {
                    let Some(value) = arguments.next() else {
                        return Err(unfit("there are more verbs than arguments"));
                    };
                    text.value(value, DEEPEST, true)
                }
                _ => return Err(unfit("the verbs are %s, %v, %d and %%")),
            },
            character => text.write_char(character),
        };
        written.map_err(|_| CallError::TooLong("sprintf"))?;
    }
    match arguments.next() {
        None => Ok(Value::from(text.0)),
        Some(_) => Err(unfit("there are more arguments than verbs")),
    }
}

/// Text that does not grow beyond its bound.
#[derive(Default)]
struct Text(String);

impl fmt::Write for Text {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.0.len() + part.len() > LONGEST_TEXT {
            return Err(fmt::Error);
        }
        self.0.push_str(part);
        Ok(())
    }
}

impl Text {
    /// A value as JSON, but for a text by itself, which stands as it is.
    fn value(&mut self, value: &Value, depth: usize, alone: bool) -> fmt::Result {
        let depth = depth.checked_sub(1).ok_or(fmt::Error)?;
        match value {
            Value::String(text) if alone => self.write_str(text),
            Value::String(text) => write!(self, "{}", serde_json::Value::from(&**text)),
            Value::Null => self.write_str("null"),
            Value::Bool(flag) => write!(self, "{flag}"),
            Value::Number(number) => self.write_str(&number.format_decimal()),
            Value::Undefined => self.write_str("undefined"),
            Value::Array(values) => self.listed('[', ']', values.iter(), depth),
            Value::Set(values) => self.listed('{', '}', values.iter_sorted(), depth),
            Value::Object(members) => {
                for (index, (name, value)) in members.iter_sorted().enumerate() {
                    self.write_str(if index == 0 { "{" } else { ", " })?;
                    self.value(name, depth, false)?;
                    self.write_str(": ")?;
                    self.value(value, depth, false)?;
                }
                self.write_str(if members.is_empty() { "{}" } else { "}" })
            }
        }
    }

    fn listed<'a>(
        &mut self,
        open: char,
        close: char,
        values: impl Iterator<Item = &'a Value>,
        depth: usize,
    ) -> fmt::Result {
        self.write_char(open)?;
        for (index, value) in values.enumerate() {
            self.write_str(if index == 0 { "" } else { ", " })?;
            self.value(value, depth, false)?;
        }
        self.write_char(close)
    }
}
