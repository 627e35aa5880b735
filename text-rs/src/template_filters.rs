//! What of Jinja2's filters, tests and functions minijinja leaves out or does otherwise: the list
//! of our own, and builtins behind a small change.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{filters, Environment, Error, State, Value};

use crate::template_texts;
use crate::template_value::{failure, Args};

pub fn add_all(environment: &mut Environment<'static>) {
    for (name, filter) in template_texts::FILTERS {
        environment.add_filter(
            *name,
            move |args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
                let args = args.into_values();
                let (subject, rest) = args
                    .split_first()
                    .ok_or_else(|| failure(format!("{name}: nothing to filter")))?;
                filter(subject, &Args::new(name, rest)?)
            },
        );
    }
    // Places that minijinja takes by name only.
    by_name(
        environment,
        "dictsort",
        &["case_sensitive", "by", "reverse"],
        Value::from_function(filters::dictsort),
    );
    by_name(
        environment,
        "unique",
        &["case_sensitive", "attribute"],
        Value::from_function(filters::unique),
    );
    // What these do of no value at all.
    or_empty(
        environment,
        "length",
        Value::from_function(filters::length),
        0.into(),
    );
    or_empty(
        environment,
        "count",
        Value::from_function(filters::length),
        0.into(),
    );
    or_empty(
        environment,
        "first",
        Value::from_function(filters::first),
        Value::UNDEFINED,
    );
    or_empty(
        environment,
        "last",
        Value::from_function(filters::last),
        Value::UNDEFINED,
    );
    or_empty(
        environment,
        "attr",
        Value::from_function(filters::attr),
        Value::UNDEFINED,
    );
    comparing(environment, "sort", Value::from_function(filters::sort));
    comparing(environment, "min", Value::from_function(filters::min));
    comparing(environment, "max", Value::from_function(filters::max));
    // Not Jinja2's; a short chain of the first two is an endless sequence.
    for name in ["chain", "zip", "split", "lines", "bool"] {
        environment.remove_filter(name);
    }
    environment.add_function("joiner", |separator: Option<Value>| {
        Value::from_object(Joiner {
            separator: separator.unwrap_or_else(|| ", ".into()),
            is_begun: AtomicBool::new(false),
        })
    });
    environment.add_function("cycler", |items: Rest<Value>| -> Result<Value, Error> {
        if items.is_empty() {
            return Err(failure("cycler: at least one item has to be provided"));
        }
        Ok(Value::from_object(Cycler {
            items: items.to_vec(),
            place: AtomicUsize::new(0),
        }))
    });
    environment.add_test("mapping", |value: &Value| {
        value.kind() == ValueKind::Map && !is_namespace(value)
    });
    environment.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    environment.add_test("sequence", |value: &Value| {
        value.as_str().is_some()
            || value.is_undefined()
            || matches!(value.kind(), ValueKind::Seq | ValueKind::Map)
            || (value.kind() == ValueKind::Iterable && value.len().is_some())
    });
}

fn by_name(
    environment: &mut Environment<'static>,
    name: &'static str,
    places: &'static [&'static str],
    builtin: Value,
) {
    environment.add_filter(
        name,
        move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            let given = Args::new(name, args.get(1..).unwrap_or_default())?;
            let mut named = Vec::new();
            for (place, name) in places.iter().enumerate() {
                if let Some(value) = given.some(place, name)? {
                    named.push((*name, value));
                }
            }
            given.check(places.len())?;
            let mut passed: Vec<Value> = args.first().cloned().into_iter().collect();
            passed.push(
                named
                    .into_iter()
                    .collect::<minijinja::value::Kwargs>()
                    .into(),
            );
            builtin.call(state, &passed)
        },
    );
}

fn or_empty(
    environment: &mut Environment<'static>,
    name: &'static str,
    builtin: Value,
    otherwise: Value,
) {
    environment.add_filter(
        name,
        move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            let subject = args.first().cloned().unwrap_or_default();
            // A dict's members are no attributes.
            let is_empty = subject.is_undefined()
                || (name == "attr" && subject.kind() == ValueKind::Map && !is_namespace(&subject));
            if is_empty {
                return Ok(otherwise.clone());
            }
            builtin.call(state, &args)
        },
    );
}

fn is_namespace(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|object| object.type_name().contains("Namespace"))
}

/// Python does not order a number and a text.
pub fn check_order(left: &Value, right: &Value) -> Result<(), Error> {
    let class = |value: &Value| match value.kind() {
        ValueKind::Bool | ValueKind::Number => 1,
        ValueKind::String => 2,
        ValueKind::Seq if value.is_tuple() => 3,
        ValueKind::Seq | ValueKind::Iterable => 4,
        _ => 0,
    };
    if class(left) == class(right) && class(left) != 0 {
        return Ok(());
    }
    Err(failure(format!(
        "{} and {} have no order",
        left.kind(),
        right.kind()
    )))
}

/// Without an attribute the items themselves are compared.
fn comparing(environment: &mut Environment<'static>, name: &'static str, builtin: Value) {
    environment.add_filter(
        name,
        move |state: &mut State, args: Rest<ValueOrKwargs>| -> Result<Value, Error> {
            let args = args.into_values();
            let has_attribute = match args.last() {
                Some(last) if last.is_kwargs() => !last.get_attr("attribute")?.is_undefined(),
                _ => false,
            };
            let subject = args.first().cloned().unwrap_or_default();
            if !has_attribute && subject.kind() == ValueKind::Seq {
                let items: Vec<Value> = subject.try_iter()?.collect();
                for pair in items.windows(2) {
                    check_order(&pair[0], &pair[1])?;
                }
            }
            builtin.call(state, &args)
        },
    );
}

/// Nothing at its first call, then the separator.
#[derive(Debug)]
struct Joiner {
    separator: Value,
    is_begun: AtomicBool,
}

impl Object for Joiner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        Args::new("joiner", args)?.check(0)?;
        Ok(match self.is_begun.swap(true, Ordering::Relaxed) {
            true => self.separator.clone(),
            false => "".into(),
        })
    }
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    place: AtomicUsize,
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let place = self.place.load(Ordering::Relaxed);
        (key.as_str() == Some("current")).then(|| self.items[place % self.items.len()].clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        Args::new(method, args)?.check(0)?;
        match method {
            "next" => {
                let place = self.place.fetch_add(1, Ordering::Relaxed);
                Ok(self.items[place % self.items.len()].clone())
            }
            "reset" => {
                self.place.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(failure(format!("cycler has no method '{method}'"))),
        }
    }
}
