//! Filters that make a value or a text out of one value. Those that can make a long text out of a
//! short one are charged before they do.

use minijinja::value::ValueKind;
use minijinja::{Error, Value};

use crate::budget;
use crate::template_strings::{centered, trimmed};
use crate::template_value::{failure, repr_of, text_of, Args};

const WIDTH_MAX: i64 = 10_000;

pub type Filter = fn(&Value, &Args) -> Result<Value, Error>;

/// By the names that templates use.
pub const FILTERS: &[(&str, Filter)] = &[
    ("center", center),
    ("d", default),
    ("default", default),
    ("e", escape),
    ("escape", escape),
    ("filesizeformat", file_size),
    ("float", float),
    ("forceescape", force_escape),
    ("int", int),
    ("pprint", pprint),
    ("random", random),
    ("string", string),
    ("striptags", strip_tags),
    ("trim", trim),
    ("truncate", truncate),
    ("urlencode", url_encode),
    ("urlize", urlize),
    ("wordcount", word_count),
    ("wordwrap", word_wrap),
    ("xmlattr", xml_attributes),
];

fn width(given: &Args, place: usize, name: &str, fallback: i64) -> Result<usize, Error> {
    let width = given.integer(place, name)?.unwrap_or(fallback);
    if width > WIDTH_MAX {
        return Err(failure(format!("{name} {width} is beyond {WIDTH_MAX}")));
    }
    Ok(width.max(0) as usize)
}

fn center(value: &Value, given: &Args) -> Result<Value, Error> {
    let width = width(given, 0, "width", 80)?;
    given.check(1)?;
    Ok(centered(&text_of(value)?, width, ' ')?.into())
}

fn default(value: &Value, given: &Args) -> Result<Value, Error> {
    let otherwise = given.find(0, "default_value")?.unwrap_or_else(|| "".into());
    let is_any_false = given.boolean(1, "boolean")?;
    given.check(2)?;
    let is_missing = value.is_undefined() || (is_any_false && !value.is_true());
    Ok(if is_missing { otherwise } else { value.clone() })
}

fn escaped(text: &str) -> Result<String, Error> {
    budget::charge(text.len().saturating_mul(6))?;
    let mut out = String::with_capacity(text.len());
    for symbol in text.chars() {
        match symbol {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&#39;"),
            '"' => out.push_str("&#34;"),
            other => out.push(other),
        }
    }
    Ok(out)
}

fn escape(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    if value.is_safe() {
        return Ok(value.clone());
    }
    Ok(Value::from_safe_string(escaped(&text_of(value)?)?))
}

fn force_escape(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    Ok(Value::from_safe_string(escaped(&text_of(value)?)?))
}

fn file_size(value: &Value, given: &Args) -> Result<Value, Error> {
    let is_binary = given.boolean(0, "binary")?;
    given.check(1)?;
    let bytes = number_of(value).ok_or_else(|| failure("filesizeformat: no number"))?;
    let base = if is_binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok("1 Byte".into());
    }
    if bytes < base {
        return Ok(format!("{} Bytes", bytes.trunc()).into());
    }
    let mut unit = base;
    let mut prefix = 'k';
    for next in ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] {
        prefix = next;
        if bytes < unit * base || next == 'Y' {
            break;
        }
        unit *= base;
    }
    let unit_name = match (is_binary, prefix) {
        (true, prefix) => format!("{}iB", prefix.to_ascii_uppercase()),
        (false, prefix) => format!("{prefix}B"),
    };
    Ok(format!("{:.1} {unit_name}", bytes / unit).into())
}

/// What Python's float() makes of a value.
fn number_of(value: &Value) -> Option<f64> {
    if let Some(text) = value.as_str() {
        let text = trimmed(text, None, true, true).replace('_', "");
        return text.parse().ok();
    }
    match value.kind() {
        ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        _ => None,
    }
}

fn float(value: &Value, given: &Args) -> Result<Value, Error> {
    let otherwise = given.find(0, "default")?.unwrap_or_else(|| 0.0.into());
    given.check(1)?;
    Ok(number_of(value).map_or(otherwise, Value::from))
}

/// The digits of a whole number in a base, with what int(text, base) allows around them.
fn parsed_integer(text: &str, base: u32) -> Option<i128> {
    let text = trimmed(text, None, true, true).to_lowercase();
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let prefix = match base {
        16 => "0x",
        8 => "0o",
        2 => "0b",
        _ => "",
    };
    let digits = text.strip_prefix(prefix).unwrap_or(text);
    let is_odd = digits.starts_with('_') || digits.ends_with('_') || digits.contains("__");
    let plain = digits.replace('_', "");
    if is_odd || plain.starts_with(['+', '-']) || !(2..=36).contains(&base) {
        return None;
    }
    let number = i128::from_str_radix(&plain, base).ok()?;
    Some(if is_negative { -number } else { number })
}

fn int(value: &Value, given: &Args) -> Result<Value, Error> {
    let otherwise = given.find(0, "default")?.unwrap_or_else(|| 0.into());
    let base = given.integer(1, "base")?.unwrap_or(10);
    given.check(2)?;
    if value.is_integer() {
        return Ok(value.clone());
    }
    if let Some(text) = value.as_str() {
        if let Some(number) = parsed_integer(text, base.clamp(0, 99) as u32) {
            return Ok(Value::from(number));
        }
    }
    let whole = number_of(value).filter(|number| number.abs() < 1e38);
    Ok(whole.map_or(otherwise, |number| Value::from(number.trunc() as i128)))
}

fn pprint(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    Ok(repr_of(value)?.into())
}

/// Chance would make two renderings of one conversation differ: the first is as good as any.
fn random(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    if let Some(text) = value.as_str() {
        return Ok(text.chars().next().map_or(Value::UNDEFINED, Value::from));
    }
    Ok(value.try_iter()?.next().unwrap_or(Value::UNDEFINED))
}

fn string(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    if value.as_str().is_some() {
        return Ok(value.clone());
    }
    Ok(text_of(value)?.into())
}

fn strip_tags(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    let text = text_of(value)?;
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('<') {
        let (open, close) = if rest[at..].starts_with("<!--") {
            (4, "-->")
        } else {
            (1, ">")
        };
        let Some(end) = rest[at + open..].find(close) else {
            break;
        };
        out.push_str(&rest[..at]);
        rest = &rest[at + open + end + close.len()..];
    }
    out.push_str(rest);
    let words: Vec<&str> = out.split_whitespace().collect();
    let mut plain = words.join(" ");
    for (name, symbol) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", "\u{a0}"),
        ("&amp;", "&"),
    ] {
        plain = plain.replace(name, symbol);
    }
    Ok(plain.into())
}

fn trim(value: &Value, given: &Args) -> Result<Value, Error> {
    let set = given.text(0, "chars")?;
    given.check(1)?;
    let text = text_of(value)?;
    let plain = trimmed(&text, set.as_deref(), true, true);
    Ok(if value.is_safe() {
        Value::from_safe_string(plain.into())
    } else {
        plain.into()
    })
}

fn truncate(value: &Value, given: &Args) -> Result<Value, Error> {
    let length = given.integer(0, "length")?.unwrap_or(255);
    let kills_words = given.boolean(1, "killwords")?;
    let end = given.text(2, "end")?.unwrap_or_else(|| "...".into());
    let leeway = given.integer(3, "leeway")?.unwrap_or(5);
    given.check(4)?;
    let text = text_of(value)?;
    let end_count = end.chars().count() as i64;
    if length < end_count || leeway < 0 {
        return Err(failure(format!(
            "truncate: length {length}, leeway {leeway}, an end of {end_count} characters"
        )));
    }
    if text.chars().count() as i64 <= length + leeway {
        return Ok(text.into());
    }
    let kept: String = text.chars().take((length - end_count) as usize).collect();
    let kept = match kept.rsplit_once(' ') {
        Some((words, _)) if !kills_words => words,
        _ => kept.as_str(),
    };
    Ok(format!("{kept}{end}").into())
}

fn push_quoted(text: &str, keeps: &str, out: &mut String) {
    for byte in text.bytes() {
        let symbol = byte as char;
        if symbol.is_ascii_alphanumeric() || "_.-~".contains(symbol) || keeps.contains(symbol) {
            out.push(symbol);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

/// A text, or the pairs of a query.
fn url_encode(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    let mut out = String::new();
    let is_pairs = matches!(
        value.kind(),
        ValueKind::Map | ValueKind::Seq | ValueKind::Iterable
    );
    if !is_pairs {
        let text = text_of(value)?;
        budget::charge(text.len().saturating_mul(3))?;
        push_quoted(&text, "/", &mut out);
        return Ok(out.into());
    }
    for item in value.try_iter()? {
        let (key, value) = if value.kind() == ValueKind::Map {
            let inner = value.get_item(&item)?;
            (item, inner)
        } else {
            (item.get_item_by_index(0)?, item.get_item_by_index(1)?)
        };
        if !out.is_empty() {
            out.push('&');
        }
        for (index, part) in [key, value].iter().enumerate() {
            if index > 0 {
                out.push('=');
            }
            let text = text_of(part)?;
            budget::charge(text.len().saturating_mul(3))?;
            push_quoted(&text, " ", &mut out);
        }
    }
    Ok(out.replace(' ', "+").into())
}

/// Words that begin as an address do become links.
fn urlize(value: &Value, given: &Args) -> Result<Value, Error> {
    let limit = given.integer(0, "trim_url_limit")?;
    let is_nofollow = given.boolean(1, "nofollow")?;
    let target = given.text(2, "target")?;
    let rel = given.text(3, "rel")?;
    given.check(4)?;
    let mut rels: Vec<String> = vec!["noopener".into()];
    rels.extend(is_nofollow.then(|| "nofollow".to_string()));
    rels.extend(rel.iter().flat_map(|rel| rel.split(' ')).map(String::from));
    rels.sort();
    rels.dedup();
    let mut extra = format!(" rel=\"{}\"", rels.join(" "));
    if let Some(target) = target {
        extra.push_str(&format!(" target=\"{}\"", escaped(&target)?));
    }
    let mut out = String::new();
    for piece in escaped(&text_of(value)?)?.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let core = word
            .trim_start_matches('(')
            .trim_end_matches(['.', ',', ')', '\n']);
        let has_scheme = core.starts_with("http://") || core.starts_with("https://");
        if !has_scheme && !core.starts_with("www.") {
            out.push_str(piece);
            continue;
        }
        let shown: String = match limit {
            Some(limit) if core.chars().count() as i64 > limit => core
                .chars()
                .take(limit.max(0) as usize)
                .chain("...".chars())
                .collect(),
            _ => core.into(),
        };
        let scheme = if has_scheme { "" } else { "https://" };
        budget::charge(2 * core.len() + extra.len() + 32)?;
        let link = format!("<a href=\"{scheme}{core}\"{extra}>{shown}</a>");
        out.push_str(&piece.replacen(core, &link, 1));
    }
    Ok(Value::from_safe_string(out))
}

fn word_count(value: &Value, given: &Args) -> Result<Value, Error> {
    given.check(0)?;
    let text = text_of(value)?;
    let is_outside = |symbol: char| !symbol.is_alphanumeric() && symbol != '_';
    let words = text.split(is_outside).filter(|word| !word.is_empty());
    Ok(words.count().into())
}

fn word_wrap(value: &Value, given: &Args) -> Result<Value, Error> {
    let width = width(given, 0, "width", 79)?;
    let cuts_words = given
        .find(1, "break_long_words")?
        .map_or(true, |value| value.is_true());
    let end = given.text(2, "wrapstring")?.unwrap_or_else(|| "\n".into());
    given.find(3, "break_on_hyphens")?;
    given.check(4)?;
    if width == 0 {
        return Err(failure("wordwrap: the width is 0"));
    }
    let text = text_of(value)?;
    budget::charge(text.len().saturating_mul(1 + end.len()))?;
    let lines: Vec<String> = text
        .lines()
        .map(|line| wrapped(line, width, cuts_words).join(&end))
        .collect();
    Ok(lines.join(&end).into())
}

fn wrapped(line: &str, width: usize, cuts_words: bool) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    let mut row = String::new();
    let mut row_count = 0;
    for word in line.split(' ') {
        let mut symbols: Vec<char> = word.chars().collect();
        let fits = row_count > 0 && row_count + 1 + symbols.len() <= width;
        if fits {
            row.push(' ');
            row_count += 1;
        } else if row_count > 0 {
            rows.push(std::mem::take(&mut row));
            row_count = 0;
        }
        while cuts_words && symbols.len() > width {
            rows.push(symbols.drain(..width).collect());
        }
        row_count += symbols.len();
        row.extend(symbols);
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows
}

fn xml_attributes(value: &Value, given: &Args) -> Result<Value, Error> {
    let has_space = given
        .find(0, "autospace")?
        .map_or(true, |value| value.is_true());
    given.check(1)?;
    let mut out = String::new();
    for key in value.try_iter()? {
        let inner = value.get_item(&key)?;
        if inner.is_none() || inner.is_undefined() {
            continue;
        }
        if has_space || !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&escaped(&text_of(&key)?)?);
        out.push_str(&format!("=\"{}\"", escaped(&text_of(&inner)?)?));
    }
    Ok(Value::from_safe_string(out))
}
