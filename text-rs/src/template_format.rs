//! The printf operator and str.format: minijinja's, behind a check of widths, and with what it does
//! not know of Python's conversions.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{filters, Error, State, Value};

use crate::template_value::{as_float, failure, repr_of, text_of};

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

fn from_argument() -> Error {
    failure("format: a width that is an argument is not available")
}

fn named(map: &Value) -> Result<Value, Error> {
    let mut members = Vec::new();
    for key in map.try_iter()? {
        members.push((text_of(&key)?, map.get_item(&key)?));
    }
    Ok(members.into_iter().collect::<Kwargs>().into())
}

/// Python writes anything with %r and cuts floats for %d: such arguments are made what %s and %d
/// take, and `format` likewise.
fn adapt(format: &str, args: &mut [Value]) -> Result<String, Error> {
    let mut out = String::with_capacity(format.len());
    let mut place = 0;
    let mut symbols = format.chars();
    while let Some(symbol) = symbols.next() {
        out.push(symbol);
        if symbol != '%' {
            continue;
        }
        let conversion = loop {
            match symbols.next() {
                Some(flag) if "#0- +.".contains(flag) || flag.is_ascii_digit() => out.push(flag),
                other => break other,
            }
        };
        let Some(conversion) = conversion else { break };
        let arg = args.get_mut(place);
        if conversion != '%' {
            place += 1;
        }
        match (conversion, arg) {
            ('r' | 'a', Some(arg)) => {
                *arg = repr_of(arg)?.into();
                out.push('s');
            }
            ('d' | 'i' | 'u', Some(arg)) => {
                if let Some(number) = as_float(arg).filter(|number| number.abs() < 1e38) {
                    *arg = Value::from(number.trunc() as i128);
                }
                out.push('d');
            }
            ('s', Some(arg)) if arg.as_str().is_none() => {
                *arg = text_of(arg)?.into();
                out.push('s');
            }
            (other, _) => out.push(other),
        }
    }
    Ok(out)
}

/// `args[0]` is the format.
pub fn printf(state: &mut State, args: &[Value]) -> Result<Value, Error> {
    let format = args.first().and_then(Value::as_str).unwrap_or_default();
    check_widths(format)?;
    if format.contains('*') {
        return Err(from_argument());
    }
    let is_named = args.get(1).is_some_and(Value::is_kwargs);
    let mut args = args.to_vec();
    if !is_named && !args.is_empty() {
        let format = format.to_string();
        args[0] = adapt(&format, &mut args[1..])?.into();
    }
    Value::from_function(filters::format).call(state, &args)
}

/// The % operator behind a text.
pub fn printf_operator(state: &mut State, format: &Value, right: &Value) -> Result<Value, Error> {
    let mut args = vec![format.clone()];
    match right.kind() {
        ValueKind::Map => args.push(named(right)?),
        _ if right.is_tuple() => args.extend(right.try_iter()?),
        _ => args.push(right.clone()),
    }
    printf(state, &args)
}

/// str.format, and with a map in place of arguments str.format_map.
pub fn format_method(
    state: &mut State,
    value: &Value,
    is_map: bool,
    args: &[Value],
) -> Result<Value, Error> {
    let format = value.as_str().unwrap_or_default();
    check_widths(format)?;
    let opens_twice = |at: usize| {
        let rest = &format[at + 1..];
        rest.find(['{', '}'])
            .is_some_and(|next| next > 0 && rest.as_bytes()[next] == b'{')
    };
    if format.match_indices('{').any(|(at, _)| opens_twice(at)) {
        return Err(from_argument());
    }
    if !is_map {
        return minijinja_contrib::pycompat::unknown_method_callback(state, value, "format", args);
    }
    let (map,): (&Value,) = minijinja::value::from_args(args)?;
    let args = [named(map)?];
    minijinja_contrib::pycompat::unknown_method_callback(state, value, "format", &args)
}
