//! `tojson` as transformers has it: what Python's json.dumps(ensure_ascii=False) writes, bounded in
//! depth and metered in bytes. No HTML escapes, unlike Jinja's own.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, Value};

use crate::budget::{self, Metered};
use crate::template_value::{failure, float_text};

const DEPTH_MAX: usize = 128;
const INDENT_MAX: usize = 32;

pub fn to_json(value: &Value, options: Kwargs) -> Result<Value, Error> {
    // The defaults of transformers' own tojson; sort_keys and separators are accepted as there.
    let indent = match options.get::<Option<Value>>("indent")? {
        Some(indent) if indent.is_number() => indent.as_usize(),
        _ => None,
    };
    let ensure_ascii = options
        .get::<Option<bool>>("ensure_ascii")?
        .unwrap_or(false);
    let sort_keys = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    options.assert_all_used()?;
    if indent.is_some_and(|indent| indent > INDENT_MAX) {
        return Err(failure(format!("tojson: indent is beyond {INDENT_MAX}")));
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
        if depth > DEPTH_MAX {
            return Err(failure(format!("tojson: nested deeper than {DEPTH_MAX}")));
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
            float_text(number)
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
