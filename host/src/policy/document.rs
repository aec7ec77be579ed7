//! What goes into a policy and what comes out of it.

use regorus::Value;
use serde_json::{Map, Number, Value as Json};

use super::error::{Fault, PolicyError};

/// Values that one answer may have at most, and bytes of text in them. A value may share its parts, so
/// an answer can be much longer than what made it.
const MOST_VALUES: usize = 10_000;
const MOST_TEXT: usize = 256 << 10;
const DEEPEST: usize = 64;

/// A document for policies: input, or data. Clone is cheap.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document(pub(super) Value);

impl Document {
    /// An object of such members.
    #[must_use]
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, Self)>) -> Self {
        let mut object = Value::new_object();
        if let Ok(object) = object.as_object_mut() {
            for (name, Self(value)) in members {
                object.insert(Value::from(name), value);
            }
        }
        Self(object)
    }

    /// The object with one more member.
    #[must_use]
    pub fn with(mut self, name: &str, Self(value): Self) -> Self {
        if let Ok(object) = self.0.as_object_mut() {
            object.insert(Value::from(name), value);
        }
        self
    }

    /// Text.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self(Value::from(text))
    }

    /// Yes or no.
    #[must_use]
    pub fn flag(flag: bool) -> Self {
        Self(Value::from(flag))
    }

    /// A whole number from zero.
    #[must_use]
    pub fn unsigned(number: u64) -> Self {
        Self(Value::from(number))
    }

    /// A whole number.
    #[must_use]
    pub fn signed(number: i64) -> Self {
        Self(Value::from(number))
    }

    /// Values in order.
    #[must_use]
    pub fn array(values: impl IntoIterator<Item = Self>) -> Self {
        Self(Value::from(values.into_iter().map(|Self(value)| value).collect::<Vec<_>>()))
    }
}

impl From<&Json> for Document {
    fn from(json: &Json) -> Self {
        match json {
            Json::Null => Self(Value::Null),
            Json::Bool(flag) => Self::flag(*flag),
            Json::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => Self::unsigned(number),
                (None, Some(number)) => Self::signed(number),
                (None, None) => Self(Value::from(number.as_f64().unwrap_or(f64::NAN))),
            },
            Json::String(text) => Self::text(text),
            Json::Array(values) => Self::array(values.iter().map(Self::from)),
            Json::Object(members) => {
                Self::object(members.iter().map(|(name, value)| (name.as_str(), value.into())))
            }
        }
    }
}

/// What a policy answered: none where it is undefined. Sets become arrays.
pub(super) fn to_json(value: &Value) -> Result<Option<Json>, PolicyError> {
    if *value == Value::Undefined {
        return Ok(None);
    }
    Reader { values: MOST_VALUES, text: MOST_TEXT }.read(value, DEEPEST).map(Some)
}

struct Reader {
    values: usize,
    text: usize,
}

impl Reader {
    fn read(&mut self, value: &Value, depth: usize) -> Result<Json, PolicyError> {
        self.values = self.values.checked_sub(1).ok_or_else(too_long)?;
        let depth = depth.checked_sub(1).ok_or_else(too_long)?;
        Ok(match value {
            Value::Null => Json::Null,
            Value::Bool(flag) => Json::Bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64()) {
                (Some(number), _) => number.into(),
                (None, Some(number)) => number.into(),
                (None, None) => {
                    let fraction = number.as_f64().and_then(Number::from_f64);
                    let wrong = || wrong("a number that JSON cannot hold");
                    Json::Number(fraction.ok_or_else(wrong)?)
                }
            },
            Value::String(text) => Json::String(self.text(text)?),
            Value::Array(values) => Json::Array(
                values.iter().map(|value| self.read(value, depth)).collect::<Result<_, _>>()?,
            ),
            Value::Set(values) => {
                let sorted = values.iter_sorted().map(|value| self.read(value, depth));
                Json::Array(sorted.collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let mut object = Map::new();
                for (name, value) in members.iter_sorted() {
                    let Value::String(name) = name else {
                        return Err(wrong("an object with a name that is not text"));
                    };
                    object.insert(self.text(name)?, self.read(value, depth)?);
                }
                Json::Object(object)
            }
            Value::Undefined => return Err(wrong("a value with an undefined part")),
        })
    }

    fn text(&mut self, text: &str) -> Result<String, PolicyError> {
        self.text = self.text.checked_sub(text.len()).ok_or_else(too_long)?;
        Ok(text.to_owned())
    }
}

fn too_long() -> PolicyError {
    PolicyError::new(Fault::Exhausted, "the policy's answer is too long")
}

fn wrong(what: &str) -> PolicyError {
    PolicyError::new(Fault::WrongType, format!("the policy's answer holds {what}"))
}
