//! Lists and dictionaries that a template changes, as Python has them: `names.append(x)`,
//! `waiting.pop(0)`, `facts.update(...)`. minijinja's own values never change, so in a template
//! that calls such a method every list and dictionary that it writes down is one of these. What
//! comes from the conversation cannot be changed, nor can what nobody would see again: a list that
//! no variable holds.
//!
//! A rendering has a thread of its own; the locks are there for the type system. None is held while
//! anything else is evaluated, and nothing can be put into itself, so that all of it is freed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use crate::budget;
use crate::template_value::{failure, Args};

/// Methods that change what they are called on.
pub const METHODS: [&str; 10] = [
    "append", "clear", "extend", "insert", "pop", "popitem", "remove", "reverse", "setdefault",
    "update",
];

const DEPTH_MAX: usize = 100;
const ITEM_SIZE: usize = std::mem::size_of::<Value>();

#[derive(Debug, Default)]
struct List(Mutex<Vec<Value>>);

/// In the order in which the keys came.
#[derive(Debug, Default, Clone)]
struct Map {
    next: u64,
    items: BTreeMap<Value, (u64, Value)>,
}

impl Map {
    fn insert(&mut self, key: Value, value: Value) {
        let place = self.items.get(&key).map_or(self.next, |(place, _)| *place);
        self.next = self.next.max(place + 1);
        self.items.insert(key, (place, value));
    }

    fn get(&self, key: &Value) -> Option<Value> {
        self.items.get(key).map(|(_, value)| value.clone())
    }

    fn remove(&mut self, key: &Value) -> Option<Value> {
        self.items.remove(key).map(|(_, value)| value)
    }

    fn keys(&self) -> Vec<Value> {
        let mut keys: Vec<_> = self.items.iter().collect();
        keys.sort_unstable_by_key(|(_, (place, _))| *place);
        keys.into_iter().map(|(key, _)| key.clone()).collect()
    }
}

#[derive(Debug, Default)]
struct Dictionary(Mutex<Map>);

/// Whether a constant is a list or a dictionary: those without variables in them are folded.
pub fn is_container(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Map)
        && !value.is_tuple()
        && !value.is_kwargs()
}

/// A list or a dictionary as one that can be changed; anything else as it is.
pub fn changeable(value: &Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq => Ok(Value::from_object(List(Mutex::new(
            value.try_iter()?.collect(),
        )))),
        ValueKind::Map => {
            let mut map = Map::default();
            for key in value.try_iter()? {
                let item = value.get_item(&key)?;
                map.insert(key, item);
            }
            Ok(Value::from_object(Dictionary(Mutex::new(map))))
        }
        _ => Ok(value.clone()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Whether somebody holds it beside the call.
fn is_held<T>(container: &Arc<T>) -> bool {
    Arc::strong_count(container) > 1
}

fn unknown() -> Error {
    Error::from(ErrorKind::UnknownMethod)
}

/// A place in a sequence of `count`, from its end where it is negative.
fn place_of(index: i64, count: usize) -> Option<usize> {
    let count = i64::try_from(count).ok()?;
    let place = if index < 0 { index + count } else { index };
    (0..count).contains(&place).then_some(place as usize)
}

/// An error where `value` is or holds what is at `address`.
fn check_apart(value: &Value, address: *const (), depth: usize) -> Result<(), Error> {
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Map) {
        return Ok(());
    }
    if depth > DEPTH_MAX {
        return Err(failure("a value is nested too deep"));
    }
    budget::charge(ITEM_SIZE)?;
    let list = value.downcast_object::<List>();
    let map = value.downcast_object::<Dictionary>();
    let own = match (&list, &map) {
        (Some(list), _) => Arc::as_ptr(list) as *const (),
        (_, Some(map)) => Arc::as_ptr(map) as *const (),
        _ => std::ptr::null(),
    };
    if own == address {
        return Err(failure("a value cannot be put into itself"));
    }
    for item in value.try_iter()? {
        let item = match value.kind() {
            ValueKind::Map => value.get_item(&item)?,
            _ => item,
        };
        check_apart(&item, address, depth + 1)?;
    }
    Ok(())
}

impl List {
    fn admit(self: &Arc<Self>, value: &Value) -> Result<Value, Error> {
        budget::charge(ITEM_SIZE)?;
        check_apart(value, Arc::as_ptr(self) as *const (), 0)?;
        Ok(value.clone())
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let items = locked(&self.0);
        items.get(place_of(key.as_i64()?, items.len())?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).clone())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(locked(&self.0).len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !locked(&self.0).is_empty()
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        name: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let is_known = name == "copy" || (METHODS.contains(&name) && is_held(self));
        if !is_known {
            return Err(unknown());
        }
        let given = Args::new(name, args)?;
        let needed = |place: usize, what: &str| {
            given
                .find(place, what)?
                .ok_or_else(|| failure(format!("{name}: {what} is missing")))
        };
        match name {
            "append" => {
                let item = self.admit(&needed(0, "object")?)?;
                given.check(1)?;
                locked(&self.0).push(item);
            }
            "extend" => {
                let mut items = vec![];
                for item in needed(0, "iterable")?.try_iter()? {
                    items.push(self.admit(&item)?);
                }
                given.check(1)?;
                locked(&self.0).append(&mut items);
            }
            "insert" => {
                let index = given.integer(0, "index")?.unwrap_or(0);
                let item = self.admit(&needed(1, "object")?)?;
                given.check(2)?;
                let mut items = locked(&self.0);
                let count = items.len() as i64;
                let place = if index < 0 { index.saturating_add(count) } else { index };
                items.insert(place.clamp(0, count) as usize, item);
            }
            "pop" => {
                let index = given.integer(0, "index")?.unwrap_or(-1);
                given.check(1)?;
                let mut items = locked(&self.0);
                let place = place_of(index, items.len())
                    .ok_or_else(|| failure("pop: the list has no such item"))?;
                return Ok(items.remove(place));
            }
            "remove" => {
                let wanted = needed(0, "value")?;
                given.check(1)?;
                let items = locked(&self.0).clone();
                let place = items
                    .iter()
                    .position(|item| *item == wanted)
                    .ok_or_else(|| failure("remove: the value is not in the list"))?;
                locked(&self.0).remove(place);
            }
            "clear" => {
                given.check(0)?;
                locked(&self.0).clear();
            }
            "reverse" => {
                given.check(0)?;
                locked(&self.0).reverse();
            }
            "copy" => {
                given.check(0)?;
                let items = locked(&self.0).clone();
                budget::charge(items.len().saturating_mul(ITEM_SIZE))?;
                return Ok(Value::from_object(List(Mutex::new(items))));
            }
            _ => return Err(unknown()),
        }
        Ok(Value::from(()))
    }
}

impl Dictionary {
    fn put(self: &Arc<Self>, key: Value, value: &Value) -> Result<(), Error> {
        budget::charge(2 * ITEM_SIZE)?;
        if matches!(key.kind(), ValueKind::Seq | ValueKind::Map) {
            return Err(failure("a list or a dictionary is no key"));
        }
        check_apart(value, Arc::as_ptr(self) as *const (), 0)?;
        locked(&self.0).insert(key, value.clone());
        Ok(())
    }

    fn update(self: &Arc<Self>, args: &[Value]) -> Result<(), Error> {
        for source in args {
            if source.kind() == ValueKind::Map {
                for key in source.try_iter()? {
                    let item = source.get_item(&key)?;
                    self.put(key, &item)?;
                }
                continue;
            }
            for pair in source.try_iter()? {
                let parts: Vec<Value> = pair.try_iter()?.collect();
                let [key, item] = &parts[..] else {
                    return Err(failure("update: expected pairs of a key and a value"));
                };
                self.put(key.clone(), item)?;
            }
        }
        Ok(())
    }
}

impl Object for Dictionary {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        locked(&self.0).get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(locked(&self.0).keys())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(locked(&self.0).items.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !locked(&self.0).items.is_empty()
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        name: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if name != "copy" && !is_held(self) {
            return Err(unknown());
        }
        if name == "update" {
            self.update(args)?;
            return Ok(Value::from(()));
        }
        if !matches!(name, "setdefault" | "pop" | "popitem" | "clear" | "copy") {
            return Err(unknown());
        }
        let given = Args::new(name, args)?;
        let key = || {
            given
                .find(0, "key")?
                .ok_or_else(|| failure(format!("{name}: key is missing")))
        };
        match name {
            "setdefault" => {
                let key = key()?;
                let value = given.find(1, "default")?.unwrap_or_else(|| Value::from(()));
                given.check(2)?;
                if self.get_value(&key).is_none() {
                    self.put(key.clone(), &value)?;
                }
                Ok(self.get_value(&key).unwrap_or(value))
            }
            "pop" => {
                let key = key()?;
                let default = given.find(1, "default")?;
                given.check(2)?;
                let taken = locked(&self.0).remove(&key);
                taken
                    .or(default)
                    .ok_or_else(|| failure("pop: the dictionary has no such key"))
            }
            "popitem" => {
                given.check(0)?;
                let mut map = locked(&self.0);
                let key = map.keys().pop();
                let key = key.ok_or_else(|| failure("popitem: the dictionary is empty"))?;
                let value = map.remove(&key).unwrap_or_default();
                Ok(Value::from(vec![key, value]))
            }
            "clear" => {
                given.check(0)?;
                *locked(&self.0) = Map::default();
                Ok(Value::from(()))
            }
            _ => {
                given.check(0)?;
                let items = locked(&self.0).clone();
                budget::charge(items.items.len().saturating_mul(2 * ITEM_SIZE))?;
                Ok(Value::from_object(Dictionary(Mutex::new(items))))
            }
        }
    }
}
