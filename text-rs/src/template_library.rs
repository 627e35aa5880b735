//! What a chat template can call: operators, filters and functions whose cost depends on numbers
//! or sizes are written here with limits; the rest is minijinja's, whose results are charged by the
//! rewritten program.

use std::fmt::Write;

use jiff::Timestamp;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{filters, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::budget::{self, Metered};
use crate::template_json;
use crate::template_program as program;

/// No count, width or padding in a template needs more.
const NUMBER_MAX: i64 = 10_000;
const ITEMS_MAX: usize = 100_000;
const ITEM_SIZE: usize = std::mem::size_of::<Value>();
const DATE_FORMAT_SIZE_MAX: usize = 64;

fn failure(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

pub fn environment(unix_seconds: i64) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_formatter(emit);
    environment.set_unknown_method_callback(call_method);
    environment.add_function(program::CONCATENATE, concatenate);
    environment.add_function(program::ADD, add);
    environment.add_function(program::MULTIPLY, multiply);
    environment.add_function(program::CHARGE, charged);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: &str| {
        strftime(unix_seconds, format)
    });
    environment.add_filter("tojson", template_json::to_json);
    environment.add_filter("join", join);
    environment.add_filter("replace", |text: Value, from: &str, to: &str| {
        replace(&budget::text_of(text)?, from, to, -1)
    });
    environment.add_filter("indent", indent);
    bound_numbers(
        &mut environment,
        "batch",
        Value::from_function(filters::batch),
    );
    bound_numbers(
        &mut environment,
        "slice",
        Value::from_function(filters::slice),
    );
    bound_numbers(
        &mut environment,
        "format",
        Value::from_function(filters::format),
    );
    bound_numbers(
        &mut environment,
        "round",
        Value::from_function(filters::round),
    );
    // None is iterable to minijinja, but not to Python.
    environment.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    // Not Jinja's, and a short chain of them is an endless sequence.
    environment.remove_filter("chain");
    environment.remove_filter("zip");
    environment
}

fn emit(output: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => {
            budget::charge(text.len())?;
            output.write_str(text)?;
        }
        None => output.write_str(&budget::text_of(value)?)?,
    }
    Ok(())
}

// --- operators ---

fn concatenate(left: &Value, right: &Value) -> Result<Value, Error> {
    let mut text = Metered(String::new());
    budget::append(&mut text, left)?;
    budget::append(&mut text, right)?;
    Ok(Value::from(text.0))
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn items_of(values: &[&Value]) -> Result<Vec<Value>, Error> {
    let mut items = Vec::new();
    for value in values {
        for item in value.try_iter()? {
            if items.len() == ITEMS_MAX {
                budget::charge(usize::MAX)?;
            }
            items.push(item);
        }
    }
    budget::charge(items.len() * ITEM_SIZE)?;
    Ok(items)
}

fn add(left: &Value, right: &Value) -> Result<Value, Error> {
    if left.as_str().is_some() && right.as_str().is_some() {
        return concatenate(left, right);
    }
    if is_list(left) && is_list(right) {
        return Ok(Value::from(items_of(&[left, right])?));
    }
    arithmetic(left, right, "+", i64::checked_add, |a, b| a + b)
}

fn multiply(left: &Value, right: &Value) -> Result<Value, Error> {
    let (repeated, count) = if left.is_number() {
        (right, left)
    } else {
        (left, right)
    };
    let count = count.as_i64().map(|count| count.max(0) as usize);
    match (repeated.as_str(), count) {
        (Some(text), Some(count)) => {
            budget::charge(text.len().saturating_mul(count))?;
            return Ok(Value::from(text.repeat(count)));
        }
        (None, Some(count)) if is_list(repeated) => {
            let items = items_of(&[repeated])?;
            budget::charge(items.len().saturating_mul(count).saturating_mul(ITEM_SIZE))?;
            return Ok(Value::from(repeated_items(&items, count)));
        }
        _ => {}
    }
    arithmetic(left, right, "*", i64::checked_mul, |a, b| a * b)
}

fn repeated_items(items: &[Value], count: usize) -> Vec<Value> {
    items
        .iter()
        .cycle()
        .take(items.len() * count)
        .cloned()
        .collect()
}

fn arithmetic(
    left: &Value,
    right: &Value,
    operator: &str,
    of_integers: fn(i64, i64) -> Option<i64>,
    of_floats: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let is_numeric = |value: &Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool);
    if is_numeric(left) && is_numeric(right) {
        let integer = |value: &Value| {
            if value.kind() == ValueKind::Bool {
                return Some(value.is_true() as i64);
            }
            if value.is_integer() {
                value.as_i64()
            } else {
                None
            }
        };
        if let (Some(a), Some(b)) = (integer(left), integer(right)) {
            return of_integers(a, b)
                .map(Value::from)
                .ok_or_else(|| failure(format!("integer overflow in {operator}")));
        }
        if let (Ok(a), Ok(b)) = (f64::try_from(left.clone()), f64::try_from(right.clone())) {
            return Ok(Value::from(of_floats(a, b)));
        }
    }
    Err(failure(format!(
        "unsupported operand types for {operator}: {} and {}",
        left.kind(),
        right.kind()
    )))
}

/// Charges for what a filter, method, slice or capture has just made, and passes it on.
fn charged(value: Value) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        budget::charge(text.len())?;
    } else if let Some(count) = value.len() {
        budget::charge(count.saturating_mul(ITEM_SIZE))?;
    }
    Ok(value)
}

// --- functions and filters ---

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(failure(message))
}

fn strftime(unix_seconds: i64, format: &str) -> Result<Value, Error> {
    if format.len() > DATE_FORMAT_SIZE_MAX {
        return Err(failure("strftime_now: the format is too long"));
    }
    let now = Timestamp::from_second(unix_seconds).map_err(|error| failure(error.to_string()))?;
    let mut text = Metered(String::new());
    write!(text, "{}", now.strftime(format))
        .map_err(|_| failure("strftime_now: the format is not understood"))?;
    Ok(Value::from(text.0))
}

/// Puts a builtin filter behind a check of its integer arguments: none is huge, and the text or
/// list times the largest of them is charged, for that is how far these filters can blow it up.
fn bound_numbers(environment: &mut Environment<'static>, name: &'static str, builtin: Value) {
    environment.add_filter(
        name,
        move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            let number_max = largest_number(name, &args)?;
            let size = args.first().map_or(0, |subject| match subject.as_str() {
                Some(text) => text.len(),
                None => subject.len().unwrap_or(0),
            });
            budget::charge(size.saturating_mul(number_max as usize))?;
            if name == "format" {
                check_widths(args.first().and_then(Value::as_str).unwrap_or_default())?;
            }
            builtin.call(state, &args)
        },
    );
}

fn largest_number(name: &str, args: &[Value]) -> Result<i64, Error> {
    let mut numbers: Vec<Value> = Vec::new();
    for value in args.iter().skip(1) {
        match value.kind() {
            ValueKind::Map => {
                for key in value.try_iter()? {
                    numbers.push(value.get_item(&key)?);
                }
            }
            _ => numbers.push(value.clone()),
        }
    }
    let largest = numbers
        .iter()
        .filter_map(Value::as_i64)
        .map(i64::saturating_abs)
        .max();
    match largest {
        Some(number) if number > NUMBER_MAX => Err(failure(format!(
            "{name}: the number {number} is beyond {NUMBER_MAX}"
        ))),
        other => Ok(other.unwrap_or(0)),
    }
}

/// A printf-like format may hold widths; four digits are enough for any.
fn check_widths(format: &str) -> Result<(), Error> {
    let mut digits = 0;
    for symbol in format.chars() {
        digits = if symbol.is_ascii_digit() {
            digits + 1
        } else {
            0
        };
        if digits > 4 {
            return Err(failure("format: a width is beyond 9999"));
        }
    }
    Ok(())
}

fn replace(text: &str, from: &str, to: &str, count: i64) -> Result<Value, Error> {
    let places = if from.is_empty() {
        text.len() + 1
    } else {
        text.matches(from).count()
    };
    let places = if count < 0 {
        places
    } else {
        places.min(count as usize)
    };
    budget::charge(text.len().saturating_add(places.saturating_mul(to.len())))?;
    Ok(Value::from(text.replacen(from, to, places)))
}

/// Jinja's indent: minijinja's drops a newline at the end of the text.
fn indent(
    text: &str,
    width: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<Value, Error> {
    let width = width
        .or(options.get("width")?)
        .unwrap_or(4)
        .min(NUMBER_MAX as usize);
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let margin = " ".repeat(width);
    let mut indented = Metered(String::new());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            budget::append(&mut indented, "\n")?;
        }
        let has_margin = if index == 0 {
            first
        } else {
            blank || !line.is_empty()
        };
        if has_margin {
            budget::append(&mut indented, &margin)?;
        }
        budget::append(&mut indented, line)?;
    }
    Ok(Value::from(indented.0))
}

fn join(
    value: &Value,
    separator: Option<Value>,
    attribute: Option<String>,
    options: Kwargs,
) -> Result<Value, Error> {
    let separator = match separator {
        Some(separator) => Some(separator),
        None => options.get::<Option<Value>>("d")?,
    };
    let attribute = match attribute {
        Some(attribute) => Some(attribute),
        None => options.get::<Option<String>>("attribute")?,
    };
    options.assert_all_used()?;
    let mut text = Metered(String::new());
    if value.is_undefined() || value.is_none() {
        return Ok(Value::from(text.0));
    }
    for (index, item) in value.try_iter()?.enumerate() {
        if let (true, Some(separator)) = (index > 0, &separator) {
            budget::append(&mut text, separator)?;
        }
        let item = match &attribute {
            Some(attribute) => item.get_attr(attribute)?,
            None => item,
        };
        budget::charge(1)?;
        budget::append(&mut text, item)?;
    }
    Ok(Value::from(text.0))
}

/// Methods of Python's values: those that can grow are bounded here, the rest is the contrib
/// crate's.
fn call_method(
    state: &mut State,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        match name {
            "replace" => {
                let (from, to, count): (&str, &str, Option<i64>) =
                    minijinja::value::from_args(args)?;
                return replace(text, from, to, count.unwrap_or(-1));
            }
            "join" => {
                let (items,): (&Value,) = minijinja::value::from_args(args)?;
                let no_options: Kwargs = std::iter::empty::<(&str, Value)>().collect();
                return join(items, Some(value.clone()), None, no_options);
            }
            // Its format specifications hold widths, and nobody uses it.
            "format" | "format_map" => {
                return Err(failure("str.format is not available in templates"))
            }
            "removeprefix" => {
                let (prefix,): (&str,) = minijinja::value::from_args(args)?;
                return Ok(Value::from(text.strip_prefix(prefix).unwrap_or(text)));
            }
            "removesuffix" => {
                let (suffix,): (&str,) = minijinja::value::from_args(args)?;
                return Ok(Value::from(text.strip_suffix(suffix).unwrap_or(text)));
            }
            _ => {}
        }
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}
