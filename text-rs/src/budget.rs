//! What one rendering may still spend. Interpreter steps are counted by minijinja's fuel; this
//! counts bytes: each text that an operation creates is charged, so that neither doubling a string
//! nor `center(10**9)` gets far. It is a thread local because the hooks of minijinja carry no state
//! of ours; a rendering has a thread of its own.

use std::cell::Cell;
use std::fmt;

use minijinja::{Error, ErrorKind};

/// A write costs at least this, because time is spent on it however short it is.
const WRITE_SIZE_MIN: usize = 32;

thread_local! {
    static BYTES_LEFT: Cell<usize> = const { Cell::new(0) };
    static IS_SPENT: Cell<bool> = const { Cell::new(false) };
}

pub fn start(bytes: usize) {
    BYTES_LEFT.set(bytes);
    IS_SPENT.set(false);
}

pub fn is_spent() -> bool {
    IS_SPENT.get()
}

/// Takes `bytes` off the budget before they are allocated.
pub fn charge(bytes: usize) -> Result<(), Error> {
    match BYTES_LEFT.get().checked_sub(bytes) {
        Some(left) => {
            BYTES_LEFT.set(left);
            Ok(())
        }
        None => {
            IS_SPENT.set(true);
            Err(Error::new(
                ErrorKind::InvalidOperation,
                "the template's text grows beyond its limit",
            ))
        }
    }
}

/// A string whose growth is charged.
pub struct Metered(pub String);

impl fmt::Write for Metered {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        charge(text.len().max(WRITE_SIZE_MIN)).map_err(|_| fmt::Error)?;
        self.0.push_str(text);
        Ok(())
    }
}

pub fn append(target: &mut Metered, value: impl fmt::Display) -> Result<(), Error> {
    use fmt::Write;
    match write!(target, "{value}") {
        Ok(()) => Ok(()),
        // charge() again for its error: it was swallowed by the fmt interface.
        Err(_) => charge(usize::MAX),
    }
}
