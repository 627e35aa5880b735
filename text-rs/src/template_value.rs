//! Values as Python writes them: str() and repr(), metered, and the arguments of a call as Python
//! passes them.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use crate::budget::{self, Metered};

const DEPTH_MAX: usize = 200;

pub fn failure(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// repr() of a Python float: shortest digits, an exponent from 1e16 on and below 1e-4.
pub fn float_text(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.into();
    }
    let magnitude = number.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let mut text = number.to_string();
    if !text.contains('.') {
        text.push_str(".0");
    }
    text
}

/// The float in `value`, if it is one and no integer.
pub fn as_float(value: &Value) -> Option<f64> {
    let is_float = value.kind() == ValueKind::Number && !value.is_integer();
    if is_float {
        f64::try_from(value.clone()).ok()
    } else {
        None
    }
}

/// str(value).
pub fn text_of(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        budget::charge(text.len())?;
        return Ok(text.to_string());
    }
    let mut out = Metered(String::new());
    write_repr(value, 0, &mut out)?;
    Ok(out.0)
}

/// repr(value).
pub fn repr_of(value: &Value) -> Result<String, Error> {
    let mut out = Metered(String::new());
    write_repr(value, 0, &mut out)?;
    Ok(out.0)
}

fn write_repr(value: &Value, depth: usize, out: &mut Metered) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(failure(format!(
            "a value is nested deeper than {DEPTH_MAX}"
        )));
    }
    if let Some(text) = value.as_str() {
        return budget::append(out, quoted(text));
    }
    if let Some(number) = as_float(value) {
        return budget::append(out, float_text(number));
    }
    match value.kind() {
        ValueKind::None => budget::append(out, "None"),
        ValueKind::Seq | ValueKind::Iterable => write_list(value, depth, out),
        ValueKind::Map => write_map(value, depth, out),
        _ => budget::append(out, value),
    }
}

fn write_list(value: &Value, depth: usize, out: &mut Metered) -> Result<(), Error> {
    let is_tuple = value.is_tuple();
    budget::append(out, if is_tuple { "(" } else { "[" })?;
    let mut count = 0;
    for item in value.try_iter()? {
        if count > 0 {
            budget::append(out, ", ")?;
        }
        write_repr(&item, depth + 1, out)?;
        count += 1;
    }
    let end = match (is_tuple, count) {
        (true, 1) => ",)",
        (true, _) => ")",
        _ => "]",
    };
    budget::append(out, end)
}

fn write_map(value: &Value, depth: usize, out: &mut Metered) -> Result<(), Error> {
    budget::append(out, "{")?;
    for (index, key) in value.try_iter()?.enumerate() {
        if index > 0 {
            budget::append(out, ", ")?;
        }
        write_repr(&key, depth + 1, out)?;
        budget::append(out, ": ")?;
        write_repr(&value.get_item(&key)?, depth + 1, out)?;
    }
    budget::append(out, "}")
}

/// repr() of a text: single quotes unless there are only single ones in it.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for symbol in text.chars() {
        match symbol {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other == quote => {
                out.push('\\');
                out.push(quote);
            }
            other if crate::template_unicode::is_printable(other) => out.push(other),
            other => {
                let code = other as u32;
                out.push_str(&match code {
                    0..=0xff => format!("\\x{code:02x}"),
                    0x100..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
        }
    }
    out.push(quote);
    out
}

/// The arguments of one call: by place or by name.
pub struct Args {
    name: String,
    places: Vec<Value>,
    named: Kwargs,
}

impl Args {
    pub fn new(name: &str, args: &[Value]) -> Result<Self, Error> {
        let (places, named) = match args.split_last() {
            Some((last, rest)) if last.is_kwargs() => {
                (rest.to_vec(), Kwargs::try_from(last.clone())?)
            }
            _ => (args.to_vec(), std::iter::empty::<(&str, Value)>().collect()),
        };
        Ok(Args {
            name: name.into(),
            places,
            named,
        })
    }

    /// The argument at a place or of a name; None where it is left out.
    pub fn find(&self, place: usize, name: &str) -> Result<Option<Value>, Error> {
        match self.places.get(place) {
            Some(value) => Ok(Some(value.clone())),
            None => self.named.get::<Option<Value>>(name),
        }
    }

    /// The same where Python's None means that it is left out.
    pub fn some(&self, place: usize, name: &str) -> Result<Option<Value>, Error> {
        Ok(self.find(place, name)?.filter(|value| !value.is_none()))
    }

    pub fn text(&self, place: usize, name: &str) -> Result<Option<String>, Error> {
        let Some(value) = self.some(place, name)? else {
            return Ok(None);
        };
        match value.as_str() {
            Some(text) => Ok(Some(text.to_string())),
            None => Err(failure(format!("{}: {name} is no text", self.name))),
        }
    }

    pub fn needed_text(&self, place: usize, name: &str) -> Result<String, Error> {
        self.text(place, name)?
            .ok_or_else(|| failure(format!("{}: {name} is missing", self.name)))
    }

    pub fn integer(&self, place: usize, name: &str) -> Result<Option<i64>, Error> {
        let Some(value) = self.some(place, name)? else {
            return Ok(None);
        };
        let is_integer = value.is_integer() || value.kind() == ValueKind::Bool;
        let number = if is_integer { value.as_i64() } else { None };
        number
            .or((value.kind() == ValueKind::Bool).then(|| value.is_true() as i64))
            .map(Some)
            .ok_or_else(|| failure(format!("{}: {name} is no integer", self.name)))
    }

    pub fn boolean(&self, place: usize, name: &str) -> Result<bool, Error> {
        Ok(self.find(place, name)?.is_some_and(|value| value.is_true()))
    }

    /// At most `count` by place, and none by a name that nobody asked for.
    pub fn check(&self, count: usize) -> Result<(), Error> {
        if self.places.len() > count {
            return Err(failure(format!(
                "{} takes at most {count} arguments, got {}",
                self.name,
                self.places.len()
            )));
        }
        self.named.assert_all_used()
    }
}
