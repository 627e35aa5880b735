//! The methods of Python's str. Places in a text are counted in characters. Methods that can make a
//! long text out of a short one are charged before they do.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, Value};

use crate::budget;
use crate::template_unicode as unicode;
use crate::template_value::{failure, Args};

/// No width in a template needs more.
const WIDTH_MAX: i64 = 10_000;

/// None where there is no such method here.
pub fn call(text: &str, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let given = Args::new(name, args)?;
    if let Some(value) = question(text, name) {
        given.check(0)?;
        return Ok(Some(value.into()));
    }
    if let Some(changed) = changed_case(text, name) {
        given.check(0)?;
        return Ok(Some(changed.into()));
    }
    let value = match name {
        "center" | "ljust" | "rjust" => padded(text, name, &given)?,
        "zfill" => zero_filled(text, &given)?,
        "expandtabs" => expanded(text, &given)?,
        "strip" | "lstrip" | "rstrip" => stripped(text, name, &given)?,
        "find" | "rfind" | "index" | "rindex" | "count" => sought(text, name, &given)?,
        "startswith" | "endswith" => is_edge(text, name, &given)?,
        "partition" | "rpartition" => parted(text, name == "partition", &given)?,
        "split" => split(text, &given)?,
        "rsplit" => split_from_right(text, &given)?,
        "splitlines" => lines(text, &given)?,
        "removeprefix" => {
            let prefix = given.needed_text(0, "prefix")?;
            given.check(1)?;
            text.strip_prefix(prefix.as_str()).unwrap_or(text).into()
        }
        "removesuffix" => {
            let suffix = given.needed_text(0, "suffix")?;
            given.check(1)?;
            text.strip_suffix(suffix.as_str()).unwrap_or(text).into()
        }
        "translate" => translated(text, &given)?,
        "encode" => {
            given.find(0, "encoding")?;
            given.find(1, "errors")?;
            given.check(2)?;
            Value::from_bytes(text.as_bytes().to_vec())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn is_cased(symbol: char) -> bool {
    symbol.is_lowercase() || symbol.is_uppercase()
}

fn question(text: &str, name: &str) -> Option<bool> {
    let all = |is_one: fn(char) -> bool| !text.is_empty() && text.chars().all(is_one);
    let has_cased = || text.chars().any(is_cased);
    Some(match name {
        "isalnum" => all(|symbol| symbol.is_alphanumeric() || unicode::is_numeric(symbol)),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(unicode::is_decimal),
        "isdigit" => all(unicode::is_digit),
        "isnumeric" => all(unicode::is_numeric),
        "isspace" => all(is_space),
        "isprintable" => text.chars().all(unicode::is_printable),
        "islower" => has_cased() && !text.chars().any(char::is_uppercase),
        "isupper" => has_cased() && !text.chars().any(char::is_lowercase),
        "istitle" => is_title(text),
        "isidentifier" => {
            let is_part = |symbol: char| symbol.is_alphanumeric() || symbol == '_';
            text.chars().all(is_part)
                && text.chars().next().is_some_and(|first| !first.is_numeric())
        }
        _ => return None,
    })
}

/// Upper case begins words only, lower case only goes on, and there is a word.
fn is_title(text: &str) -> bool {
    let mut is_inside = false;
    let mut has_word = false;
    for symbol in text.chars() {
        if symbol.is_uppercase() == is_inside && is_cased(symbol) {
            return false;
        }
        is_inside = is_cased(symbol);
        has_word |= is_inside;
    }
    has_word
}

fn is_space(symbol: char) -> bool {
    symbol.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&symbol)
}

/// The first letter of a word: one upper case letter, and lower case for what else it becomes.
fn push_title(symbol: char, out: &mut String) {
    for (index, upper) in symbol.to_uppercase().enumerate() {
        if index == 0 {
            out.push(upper);
        } else {
            out.extend(upper.to_lowercase());
        }
    }
}

fn changed_case(text: &str, name: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    match name {
        "upper" => out = text.to_uppercase(),
        "lower" => out = text.to_lowercase(),
        "casefold" => {
            for symbol in text.chars() {
                if symbol == 'ı' {
                    out.push(symbol);
                    continue;
                }
                for upper in symbol.to_uppercase() {
                    out.extend(upper.to_lowercase());
                }
            }
        }
        "swapcase" => {
            for symbol in text.chars() {
                if symbol.is_uppercase() {
                    out.extend(symbol.to_lowercase());
                } else {
                    out.extend(symbol.to_uppercase());
                }
            }
        }
        "capitalize" => {
            for (index, symbol) in text.chars().enumerate() {
                if index == 0 {
                    push_title(symbol, &mut out);
                } else {
                    out.extend(symbol.to_lowercase());
                }
            }
        }
        "title" => {
            let mut is_inside = false;
            for symbol in text.chars() {
                if is_inside {
                    out.extend(symbol.to_lowercase());
                } else {
                    push_title(symbol, &mut out);
                }
                is_inside = is_cased(symbol);
            }
        }
        _ => return None,
    }
    Some(out)
}

fn width_of(given: &Args) -> Result<usize, Error> {
    let width = given.integer(0, "width")?.unwrap_or(0);
    if width > WIDTH_MAX {
        return Err(failure(format!("the width {width} is beyond {WIDTH_MAX}")));
    }
    Ok(width.max(0) as usize)
}

pub fn centered(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let missing = width.saturating_sub(text.chars().count());
    budget::charge(missing * fill.len_utf8())?;
    // An odd cell goes to the left where the width is odd, as in CPython.
    let left = missing / 2 + (missing & width & 1);
    let pad = |count: usize| fill.to_string().repeat(count);
    Ok(format!("{}{text}{}", pad(left), pad(missing - left)))
}

fn padded(text: &str, name: &str, given: &Args) -> Result<Value, Error> {
    let width = width_of(given)?;
    let fill = given.text(1, "fillchar")?.unwrap_or_else(|| " ".into());
    given.check(2)?;
    let mut symbols = fill.chars();
    let (Some(fill), None) = (symbols.next(), symbols.next()) else {
        return Err(failure(format!("{name}: the fill is one character")));
    };
    let missing = width.saturating_sub(text.chars().count());
    budget::charge(missing * fill.len_utf8())?;
    let pad = fill.to_string().repeat(missing);
    Ok(match name {
        "center" => centered(text, width, fill)?.into(),
        "ljust" => format!("{text}{pad}").into(),
        _ => format!("{pad}{text}").into(),
    })
}

fn zero_filled(text: &str, given: &Args) -> Result<Value, Error> {
    let width = width_of(given)?;
    given.check(1)?;
    let missing = width.saturating_sub(text.chars().count());
    budget::charge(missing)?;
    let sign_size = usize::from(text.starts_with(['+', '-']));
    let (sign, digits) = text.split_at(sign_size);
    Ok(format!("{sign}{}{digits}", "0".repeat(missing)).into())
}

fn expanded(text: &str, given: &Args) -> Result<Value, Error> {
    let size = given.integer(0, "tabsize")?.unwrap_or(8);
    given.check(1)?;
    if size > WIDTH_MAX {
        return Err(failure(format!("expandtabs: {size} is beyond {WIDTH_MAX}")));
    }
    let size = size.max(0) as usize;
    budget::charge(text.matches('\t').count().saturating_mul(size))?;
    let mut out = String::new();
    let mut column = 0;
    for symbol in text.chars() {
        match symbol {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                out.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\t' => {}
            other => {
                out.push(other);
                column = if other == '\n' || other == '\r' {
                    0
                } else {
                    column + 1
                };
            }
        }
    }
    Ok(out.into())
}

pub fn trimmed<'a>(text: &'a str, set: Option<&str>, from_left: bool, from_right: bool) -> &'a str {
    let is_gone = |symbol: char| match set {
        Some(set) => set.contains(symbol),
        None => is_space(symbol),
    };
    let text = if from_left {
        text.trim_start_matches(is_gone)
    } else {
        text
    };
    if from_right {
        text.trim_end_matches(is_gone)
    } else {
        text
    }
}

fn stripped(text: &str, name: &str, given: &Args) -> Result<Value, Error> {
    let set = given.text(0, "chars")?;
    given.check(1)?;
    Ok(trimmed(text, set.as_deref(), name != "rstrip", name != "lstrip").into())
}

/// The part between the arguments `start` and `end`, and how many characters stand before it. None
/// where it begins behind the end of the text.
fn window<'a>(text: &'a str, given: &Args) -> Result<Option<(&'a str, usize)>, Error> {
    let count = text.chars().count() as i64;
    let place = |value: Option<i64>, fallback: i64| {
        let value = value.unwrap_or(fallback);
        if value < 0 {
            (value + count).max(0)
        } else {
            value
        }
    };
    let start = place(given.integer(1, "start")?, 0);
    let end = place(given.integer(2, "end")?, count).min(count);
    if start > count || start > end {
        return Ok(None);
    }
    let offset = |characters: i64| {
        text.char_indices()
            .nth(characters as usize)
            .map_or(text.len(), |(at, _)| at)
    };
    Ok(Some((&text[offset(start)..offset(end)], start as usize)))
}

fn sought(text: &str, name: &str, given: &Args) -> Result<Value, Error> {
    let wanted = given.needed_text(0, "sub")?;
    given.check(3)?;
    let part = window(text, given)?;
    if name == "count" {
        let count = part.map_or(0, |(part, _)| match wanted.is_empty() {
            true => part.chars().count() + 1,
            false => part.matches(wanted.as_str()).count(),
        });
        return Ok(count.into());
    }
    let found = part.and_then(|(part, before)| {
        let at = if name.starts_with('r') {
            part.rfind(wanted.as_str())
        } else {
            part.find(wanted.as_str())
        };
        at.map(|at| before + part[..at].chars().count())
    });
    match found {
        Some(at) => Ok(at.into()),
        None if name.ends_with("index") => Err(failure("substring not found")),
        None => Ok((-1).into()),
    }
}

fn is_edge(text: &str, name: &str, given: &Args) -> Result<Value, Error> {
    let wanted = given
        .find(0, "prefix")?
        .ok_or_else(|| failure(format!("{name}: what to look for is missing")))?;
    given.check(3)?;
    let Some((part, _)) = window(text, given)? else {
        return Ok(false.into());
    };
    let is_at_edge = |edge: &str| match name {
        "startswith" => part.starts_with(edge),
        _ => part.ends_with(edge),
    };
    if let Some(edge) = wanted.as_str() {
        return Ok(is_at_edge(edge).into());
    }
    if wanted.kind() != ValueKind::Seq {
        return Err(failure(format!("{name}: a text or several are expected")));
    }
    let mut has_one = false;
    for edge in wanted.try_iter()? {
        has_one |= edge.as_str().is_some_and(is_at_edge);
    }
    Ok(has_one.into())
}

fn tuple(items: [&str; 3]) -> Value {
    let items: Vec<Value> = items.iter().map(|item| Value::from(*item)).collect();
    Value::from(Tuple::from(items))
}

fn needed_separator(given: &Args) -> Result<String, Error> {
    let separator = given.needed_text(0, "sep")?;
    if separator.is_empty() {
        return Err(failure("empty separator"));
    }
    Ok(separator)
}

fn parted(text: &str, is_first: bool, given: &Args) -> Result<Value, Error> {
    let separator = needed_separator(given)?;
    given.check(1)?;
    let parts = if is_first {
        text.split_once(separator.as_str())
    } else {
        text.rsplit_once(separator.as_str())
    };
    Ok(match parts {
        Some((before, after)) => tuple([before, &separator, after]),
        None if is_first => tuple([text, "", ""]),
        None => tuple(["", "", text]),
    })
}

/// The separator, if one is given, and how many cuts are made at most.
fn split_options(given: &Args) -> Result<(Option<String>, usize), Error> {
    let separator = given.text(0, "sep")?;
    if separator.as_deref() == Some("") {
        return Err(failure("empty separator"));
    }
    let cuts_max = given.integer(1, "maxsplit")?.unwrap_or(-1);
    given.check(2)?;
    let cuts_max = usize::try_from(cuts_max).unwrap_or(usize::MAX - 1);
    Ok((separator, cuts_max))
}

fn split(text: &str, given: &Args) -> Result<Value, Error> {
    let (separator, cuts_max) = split_options(given)?;
    if let Some(separator) = separator {
        let parts = text.splitn(cuts_max.saturating_add(1), separator.as_str());
        return Ok(parts.map(Value::from).collect());
    }
    let mut words = Vec::new();
    let mut rest = text.trim_start_matches(is_space);
    while !rest.is_empty() {
        let end = match words.len() == cuts_max {
            true => rest.len(),
            false => rest.find(is_space).unwrap_or(rest.len()),
        };
        words.push(Value::from(&rest[..end]));
        rest = rest[end..].trim_start_matches(is_space);
    }
    Ok(words.into())
}

fn split_from_right(text: &str, given: &Args) -> Result<Value, Error> {
    let (separator, cuts_max) = split_options(given)?;
    let mut words = Vec::new();
    if let Some(separator) = separator {
        let parts = text.rsplitn(cuts_max.saturating_add(1), separator.as_str());
        words.extend(parts.map(Value::from));
    } else {
        let mut rest = text.trim_end_matches(is_space);
        while !rest.is_empty() {
            let begin = match words.len() == cuts_max {
                true => 0,
                false => rest
                    .char_indices()
                    .rev()
                    .find(|(_, symbol)| is_space(*symbol))
                    .map_or(0, |(at, symbol)| at + symbol.len_utf8()),
            };
            words.push(Value::from(&rest[begin..]));
            rest = rest[..begin].trim_end_matches(is_space);
        }
    }
    words.reverse();
    Ok(words.into())
}

fn lines(text: &str, given: &Args) -> Result<Value, Error> {
    let keeps_ends = given.boolean(0, "keepends")?;
    given.check(1)?;
    const OTHER_ENDS: &str = "\u{1c}\u{1d}\u{1e}\u{85}\u{2028}\u{2029}";
    let is_end = |symbol: char| matches!(symbol, '\n'..='\r') || OTHER_ENDS.contains(symbol);
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(is_end).unwrap_or(rest.len());
        let mark = &rest[end..];
        let mark_size = match mark.starts_with("\r\n") {
            true => 2,
            false => mark.chars().next().map_or(0, char::len_utf8),
        };
        let shown = if keeps_ends { end + mark_size } else { end };
        lines.push(Value::from(&rest[..shown]));
        rest = &rest[end + mark_size..];
    }
    Ok(lines.into())
}

fn translated(text: &str, given: &Args) -> Result<Value, Error> {
    let table = given
        .find(0, "table")?
        .ok_or_else(|| failure("translate: the table is missing"))?;
    given.check(1)?;
    let mut out = String::new();
    for symbol in text.chars() {
        let change = table.get_item(&Value::from(symbol as u32))?;
        if change.is_undefined() {
            out.push(symbol);
        } else if let Some(piece) = change.as_str() {
            budget::charge(piece.len())?;
            out.push_str(piece);
        } else if let Some(code) = change.as_i64() {
            let code = u32::try_from(code).ok().and_then(char::from_u32);
            out.push(code.ok_or_else(|| failure("translate: no such character"))?);
        } else if !change.is_none() {
            return Err(failure("translate: a text, a number or None is expected"));
        }
    }
    Ok(out.into())
}
