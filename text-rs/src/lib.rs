//! The C face of three libraries: `tokenizers`, `minijinja` and `llguidance`. Nothing else is
//! written here: what they need to be safe in a server (limits, raw token bytes) and the boundary.
//!
//! Invariants: no function unwinds into C (`guard`), every error is an owned sentence, no handle is
//! changed after its creation except the state of a grammar. The header is `include/quire_text.h`.

mod budget;
mod buffer;
mod grammar;
mod open_text;
mod template;
mod template_filters;
mod template_format;
mod template_json;
mod template_library;
mod template_mutable;
mod template_program;
mod template_source;
mod template_strings;
mod template_texts;
mod template_unicode;
mod template_value;
mod token_table;
mod tokenizer;
mod vocabulary;

use std::fmt;
use std::panic::{catch_unwind, AssertUnwindSafe};

use buffer::QuireBuffer;

/// What went wrong below the boundary; the discriminants are those of the header.
#[derive(Debug)]
pub enum Fault {
    Invalid(String),
    Limit(String),
    Panic(String),
}

impl Fault {
    pub fn invalid(message: impl fmt::Display) -> Self {
        Fault::Invalid(message.to_string())
    }
}

#[repr(C)]
pub struct QuireTextStatus {
    code: i32,
    message: QuireBuffer,
}

impl From<Result<(), Fault>> for QuireTextStatus {
    fn from(result: Result<(), Fault>) -> Self {
        let (code, message) = match result {
            Ok(()) => (0, String::new()),
            Err(Fault::Invalid(message)) => (1, message),
            Err(Fault::Limit(message)) => (2, message),
            Err(Fault::Panic(message)) => (3, message),
        };
        QuireTextStatus {
            code,
            message: QuireBuffer::from(message.into_bytes()),
        }
    }
}

/// Runs one extern function's body; a panic becomes a status.
pub fn guard(body: impl FnOnce() -> Result<(), Fault>) -> QuireTextStatus {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|cause| Err(Fault::Panic(panic_message(&*cause))))
        .into()
}

pub fn panic_message(cause: &(dyn std::any::Any + Send)) -> String {
    let text = cause
        .downcast_ref::<&str>()
        .map(|text| text.to_string())
        .or_else(|| cause.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_string());
    format!("text library: {text}")
}

/// The bytes of a C argument. A null pointer is allowed for an empty text.
///
/// # Safety
/// `data` must be readable for `size` bytes during the call.
pub unsafe fn bytes_of<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() || size == 0 {
        return &[];
    }
    std::slice::from_raw_parts(data, size)
}

/// The same as text; an error names the first byte that is no UTF-8.
///
/// # Safety
/// As `bytes_of`.
pub unsafe fn text_of<'a>(what: &str, data: *const u8, size: usize) -> Result<&'a str, Fault> {
    std::str::from_utf8(bytes_of(data, size)).map_err(|error| {
        Fault::Invalid(format!(
            "{what} is not valid UTF-8 at byte {}",
            error.valid_up_to()
        ))
    })
}
