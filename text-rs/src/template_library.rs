//! What a chat template can call: the operators, filters and functions whose cost depends on numbers
//! or sizes are written here with limits; the rest is minijinja's, whose results are charged by the
//! rewritten program. `tojson` writes what Python's json.dumps(ensure_ascii=False) writes.

use std::fmt::Write;

use jiff::Timestamp;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{filters, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::budget::{self, Metered};
use crate::template_program as program;

/// No count, width or padding in a template needs more.
const NUMBER_MAX: i64 = 10_000;
const ITEMS_MAX: usize = 100_000;
const ITEM_SIZE: usize = std::mem::size_of::<Value>();
const JSON_DEPTH_MAX: usize = 128;
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
    environment.add_filter("tojson", to_json);
    environment.add_filter("join", join);
    environment.add_filter("replace", |text: Value, from: &str, to: &str| {
        replace(&budget::text_of(text)?, from, to, -1)
    });
    bound_numbers(
        &mut environment,
        "indent",
        Value::from_function(filters::indent),
    );
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

/// Puts a builtin filter behind a check of its integer arguments: none is huge, and the text or list
/// times the largest of them is charged, for that is how far these filters can blow it up.
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
    let largest = numbers.iter().filter_map(Value::as_i64).map(i64::saturating_abs).max();
    match largest {
        Some(number) if number > NUMBER_MAX => {
            Err(failure(format!("{name}: the number {number} is beyond {NUMBER_MAX}")))
        }
        other => Ok(other.unwrap_or(0)),
    }
}

/// A printf-like format may hold widths; four digits are enough for any.
fn check_widths(format: &str) -> Result<(), Error> {
    let mut digits = 0;
    for symbol in format.chars() {
        digits = if symbol.is_ascii_digit() { digits + 1 } else { 0 };
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
    let width = width.or(options.get("width")?).unwrap_or(4).min(NUMBER_MAX as usize);
    let first = first.or(options.get("first")?).unwrap_or(false);
    let blank = blank.or(options.get("blank")?).unwrap_or(false);
    options.assert_all_used()?;
    let margin = " ".repeat(width);
    let mut indented = Metered(String::new());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            budget::append(&mut indented, "\n")?;
        }
        let has_margin = if index == 0 { first } else { blank || !line.is_empty() };
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

/// Methods of Python's values: those that can grow are bounded here, the rest is the contrib crate's.
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

// --- tojson ---

fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    // The defaults of transformers' own tojson; sort_keys and separators are accepted as there.
    let indent = match options.get::<Option<Value>>("indent")? {
        Some(indent) if indent.is_number() => indent.as_usize(),
        _ => None,
    };
    let ensure_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    options.assert_all_used()?;
    if indent.is_some_and(|indent| indent > 32) {
        return Err(failure("tojson: indent is beyond 32"));
    }
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(failure("tojson: separators are two texts")),
        None if indent.is_some() => (",".into(), ": ".into()),
        None => (", ".into(), ": ".into()),
    };
    let mut writer = JsonWriter {
        text: Metered(String::new()),
        indent,
        item_separator: item,
        key_separator: key,
        sort_keys,
        ensure_ascii,
    };
    writer.write(value, 0)?;
    Ok(Value::from(writer.text.0))
}

struct JsonWriter {
    text: Metered,
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    ensure_ascii: bool,
}

impl JsonWriter {
    fn put(&mut self, text: &str) -> Result<(), Error> {
        budget::append(&mut self.text, text)
    }

    fn new_line(&mut self, depth: usize) -> Result<(), Error> {
        match self.indent {
            Some(indent) => self.put(&format!("\n{}", " ".repeat(indent * depth))),
            None => Ok(()),
        }
    }

    fn write(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > JSON_DEPTH_MAX {
            return Err(failure(format!(
                "tojson: nested deeper than {JSON_DEPTH_MAX}"
            )));
        }
        match value.kind() {
            ValueKind::None => self.put("null"),
            ValueKind::Bool => self.put(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.write_number(value),
            ValueKind::String => self.write_string(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => self.write_list(value, depth),
            ValueKind::Map => self.write_map(value, depth),
            kind => Err(failure(format!(
                "tojson: a value of kind {kind} has no JSON"
            ))),
        }
    }

    fn write_number(&mut self, value: &Value) -> Result<(), Error> {
        if value.is_integer() {
            return budget::append(&mut self.text, value);
        }
        let number = f64::try_from(value.clone())?;
        let text = if number.is_nan() {
            "NaN".to_string()
        } else if number.is_infinite() {
            if number > 0.0 {
                "Infinity".into()
            } else {
                "-Infinity".into()
            }
        } else {
            python_float(number)
        };
        self.put(&text)
    }

    fn write_string(&mut self, text: &str) -> Result<(), Error> {
        let mut quoted = String::with_capacity(text.len() + 2);
        quoted.push('"');
        for symbol in text.chars() {
            match symbol {
                '"' => quoted.push_str("\\\""),
                '\\' => quoted.push_str("\\\\"),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                '\u{8}' => quoted.push_str("\\b"),
                '\u{c}' => quoted.push_str("\\f"),
                control if (control as u32) < 0x20 => {
                    quoted.push_str(&format!("\\u{:04x}", control as u32))
                }
                other if self.ensure_ascii && !other.is_ascii() => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        quoted.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                other => quoted.push(other),
            }
        }
        quoted.push('"');
        self.put(&quoted)
    }

    fn write_list(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.put("[")?;
        let mut count = 0;
        for item in value.try_iter()? {
            self.separate(count, depth + 1)?;
            self.write(&item, depth + 1)?;
            count += 1;
        }
        self.close("]", count, depth)
    }

    fn write_map(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.put("{")?;
        let mut keys: Vec<Value> = value.try_iter()?.collect();
        if self.sort_keys {
            keys.sort();
        }
        let count = keys.len();
        for (index, key) in keys.iter().enumerate() {
            self.separate(index, depth + 1)?;
            match key.as_str() {
                Some(text) => self.write_string(text)?,
                None => {
                    self.put("\"")?;
                    self.write(key, depth + 1)?;
                    self.put("\"")?;
                }
            }
            let separator = self.key_separator.clone();
            self.put(&separator)?;
            self.write(&value.get_item(key)?, depth + 1)?;
        }
        self.close("}", count, depth)
    }

    fn separate(&mut self, index: usize, depth: usize) -> Result<(), Error> {
        if index > 0 {
            let separator = self.item_separator.clone();
            self.put(&separator)?;
        }
        self.new_line(depth)
    }

    fn close(&mut self, bracket: &str, count: usize, depth: usize) -> Result<(), Error> {
        if count > 0 {
            self.new_line(depth)?;
        }
        self.put(bracket)
    }
}

/// repr() of a finite Python float: shortest digits, an exponent from 1e16 and below 1e-4.
fn python_float(number: f64) -> String {
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
