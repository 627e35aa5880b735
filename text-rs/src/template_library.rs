//! What a chat template can call: operators, filters and functions whose cost depends on numbers
//! or sizes are written here with limits; the rest is minijinja's, whose results are charged by the
//! rewritten program.

use std::cmp::Ordering;
use std::fmt::Write;

use jiff::{tz::Offset, Timestamp};
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{filters, Environment, Error, Output, State, UndefinedBehavior, Value};

use crate::budget::{self, Metered};
use crate::template_filters::{self, check_order};
use crate::template_format::{format_method, printf, printf_operator};
use crate::template_program as program;
use crate::template_value::{failure, text_of, Args};
use crate::{template_json, template_mutable, template_strings};

/// No count, width or padding in a template needs more.
const NUMBER_MAX: i64 = 10_000;
const ITEMS_MAX: usize = 100_000;
const ITEM_SIZE: usize = std::mem::size_of::<Value>();
const DATE_FORMAT_SIZE_MAX: usize = 64;

pub fn environment(unix_seconds: i64, utc_offset_seconds: i32) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_formatter(emit);
    environment.set_unknown_method_callback(call_method);
    environment.add_function(program::CONCATENATE, concatenate);
    environment.add_function(program::ADD, add);
    environment.add_function(program::MULTIPLY, multiply);
    environment.add_function(program::CHARGE, charged);
    environment.add_function(program::CHANGEABLE, template_mutable::changeable);
    environment.add_function(program::REMAINDER, remainder);
    environment.add_function(program::LESS, |a: &Value, b: &Value| {
        ordered(a, b, Ordering::is_lt)
    });
    environment.add_function(program::LESS_EQUAL, |a: &Value, b: &Value| {
        ordered(a, b, Ordering::is_le)
    });
    environment.add_function(program::GREATER, |a: &Value, b: &Value| {
        ordered(a, b, Ordering::is_gt)
    });
    environment.add_function(program::GREATER_EQUAL, |a: &Value, b: &Value| {
        ordered(a, b, Ordering::is_ge)
    });
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("strftime_now", move |format: &str| {
        strftime(unix_seconds, utc_offset_seconds, format)
    });
    environment.add_filter("tojson", template_json::to_json);
    environment.add_filter("join", join);
    environment.add_filter(
        "replace",
        |text: &Value, from: &Value, to: &Value, count: Option<i64>| {
            replace(
                &text_of(text)?,
                &text_of(from)?,
                &text_of(to)?,
                count.unwrap_or(-1),
            )
        },
    );
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
    environment.add_filter(
        "format",
        |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            printf(state, &args.into_values())
        },
    );
    template_filters::add_all(&mut environment);
    bound_numbers(
        &mut environment,
        "round",
        Value::from_function(filters::round),
    );
    // None is iterable to minijinja, but not to Python.
    environment.add_test("iterable", |value: &Value| {
        !value.is_none() && value.try_iter().is_ok()
    });
    environment
}

fn emit(output: &mut Output, _: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => {
            budget::charge(text.len())?;
            output.write_str(text)?;
        }
        None => output.write_str(&text_of(value)?)?,
    }
    Ok(())
}

// --- operators ---

fn concatenate(left: &Value, right: &Value) -> Result<Value, Error> {
    let mut text = text_of(left)?;
    text.push_str(&text_of(right)?);
    Ok(Value::from(text))
}

/// `%`: printf behind a text, else the remainder with the sign of the divisor.
fn remainder(state: &mut State, left: &Value, right: &Value) -> Result<Value, Error> {
    if left.as_str().is_some() {
        return printf_operator(state, left, right);
    }
    let of_integers = |a: i64, b: i64| {
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) {
            rest + b
        } else {
            rest
        })
    };
    let of_floats = |a: f64, b: f64| {
        let rest = a % b;
        if rest != 0.0 && (rest < 0.0) != (b < 0.0) {
            rest + b
        } else {
            rest
        }
    };
    arithmetic(left, right, "%", of_integers, of_floats)
}

fn ordered(left: &Value, right: &Value, is_so: fn(Ordering) -> bool) -> Result<bool, Error> {
    if !left.is_undefined() && !right.is_undefined() {
        check_order(left, right)?;
    }
    Ok(is_so(left.cmp(right)))
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

/// Local time, as datetime.now() of Python has it: it knows no zone, and writes none.
fn strftime(unix_seconds: i64, utc_offset_seconds: i32, format: &str) -> Result<Value, Error> {
    if format.len() > DATE_FORMAT_SIZE_MAX {
        return Err(failure("strftime_now: the format is too long"));
    }
    let wrong = |error: jiff::Error| failure(error.to_string());
    let offset = Offset::from_seconds(utc_offset_seconds).map_err(wrong)?;
    let now = offset.to_datetime(Timestamp::from_second(unix_seconds).map_err(wrong)?);
    let format = format.replace("%Z", "").replace("%z", "");
    let mut text = Metered(String::new());
    write!(text, "{}", now.strftime(&format))
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

/// Jinja's indent: minijinja's drops a newline at the end of the text. The width may be a text.
fn indent(text: &Value, rest: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let given = Args::new("indent", &rest.into_values())?;
    let margin = match given.find(0, "width")? {
        Some(width) if width.as_str().is_some() => text_of(&width)?,
        _ => {
            let width = given.integer(0, "width")?.unwrap_or(4);
            " ".repeat(width.clamp(0, NUMBER_MAX) as usize)
        }
    };
    let first = given.boolean(1, "first")?;
    let blank = given.boolean(2, "blank")?;
    given.check(3)?;
    let mut indented = Metered(String::new());
    for (index, line) in text_of(text)?.split('\n').enumerate() {
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
        budget::append(&mut text, text_of(&item)?)?;
    }
    Ok(Value::from(text.0))
}

/// Methods of Python's values, in the order in which somebody knows them: ours, then the contrib
/// crate's. What changes a value in place is unknown, as in transformers' sandbox.
fn call_method(
    state: &mut State,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return call_text_method(state, text, value, name, args);
    }
    if is_list(value) && name == "index" {
        let given = Args::new(name, args)?;
        let wanted = given.find(0, "value")?.unwrap_or_default();
        given.check(1)?;
        let place = value.try_iter()?.position(|item| item == wanted);
        return place
            .map(Value::from)
            .ok_or_else(|| failure("index: the value is not in the list"));
    }
    if name == "copy" && (is_list(value) || value.kind() == ValueKind::Map) {
        Args::new(name, args)?.check(0)?;
        return Ok(value.clone());
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}

fn call_text_method(
    state: &mut State,
    text: &str,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match name {
        "replace" => {
            let given = Args::new(name, args)?;
            let from = given.needed_text(0, "old")?;
            let to = given.needed_text(1, "new")?;
            let count = given.integer(2, "count")?.unwrap_or(-1);
            given.check(3)?;
            return replace(text, &from, &to, count);
        }
        "join" => {
            let (items,): (&Value,) = minijinja::value::from_args(args)?;
            for item in items.try_iter()? {
                if item.as_str().is_none() {
                    return Err(failure("join: an item is no text"));
                }
            }
            let no_options: Kwargs = std::iter::empty::<(&str, Value)>().collect();
            return join(items, Some(value.clone()), None, no_options);
        }
        "format" | "format_map" => return format_method(state, value, name == "format_map", args),
        _ => {
            if let Some(result) = template_strings::call(text, name, args)? {
                return Ok(result);
            }
        }
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, name, args)
}
