//! Chat templates: Jinja as `transformers` renders it (trim_blocks, lstrip_blocks, Python methods,
//! tojson, raise_exception, strftime_now), bounded in steps, bytes and depth. A template comes from
//! a model file, so it is not trusted: it reaches no file (its environment
//! has no loader, so include and import find nothing), no object but its JSON context, and it ends.
//!
//! Parsing and rendering run on a thread of their own with a large stack: values may nest as
//! deep as the step limit allows and are dropped recursively. The stack is reserved, not touched.

use minijinja::machinery::CompiledTemplate;
use minijinja::{AutoEscape, Environment, ErrorKind, Value};

use crate::buffer::QuireBuffer;
use crate::template_source::without_generation_tags;
use crate::{
    budget, bytes_of, guard, panic_message, template_library, template_program, text_of, Fault,
    QuireTextStatus,
};

const STACK_SIZE: usize = 512 << 20;
/// Nested calls of macros and loops; each takes real stack in the interpreter.
const DEPTH_MAX: usize = 100;
const SOURCE_SIZE_MAX: usize = 1 << 20;
/// Every text created while rendering is charged; legitimate templates copy a conversation a few
/// times, not hundreds of times.
const WORK_PER_OUTPUT: usize = 16;
const WORK_MIN: usize = 16 << 20;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct QuireRenderLimits {
    steps_max: u64,
    output_size_max: u64,
    unix_seconds: i64,
    utc_offset_seconds: i32,
}

pub struct QuireTemplate {
    // `compiled` borrows from `source`; fields drop in this order.
    compiled: CompiledTemplate<'static>,
    variables: String,
    #[allow(dead_code)]
    source: Box<str>,
}

// SAFETY: nothing in it is changed after creation, and `compiled` holds only names and constants
// made from the source; minijinja shares the same type between threads in its environment.
unsafe impl Send for QuireTemplate {}
unsafe impl Sync for QuireTemplate {}

/// Runs `body` on a thread with a deep stack and waits for it.
fn on_deep_stack<T: Send>(body: impl FnOnce() -> Result<T, Fault> + Send) -> Result<T, Fault> {
    std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("template".into())
            .stack_size(STACK_SIZE)
            .spawn_scoped(scope, body)
            .map_err(|error| Fault::Limit(format!("no thread for a template: {error}")))?
            .join()
            .unwrap_or_else(|cause| Err(Fault::Panic(panic_message(&*cause))))
    })
}

impl QuireTemplate {
    fn compile(source: &str) -> Result<Self, Fault> {
        if source.len() > SOURCE_SIZE_MAX {
            return Err(Fault::Limit(format!(
                "chat template: {} bytes are more than {SOURCE_SIZE_MAX}",
                source.len()
            )));
        }
        let source: Box<str> = without_generation_tags(source).into();
        // SAFETY: the boxed text does not move with the struct and is dropped after `compiled`.
        let borrowed: &'static str = unsafe { &*(&*source as *const str) };
        let (compiled, variables) = template_program::compile(borrowed)
            .map_err(|error| Fault::Invalid(format!("chat template: {}", described(&error))))?;
        Ok(QuireTemplate {
            compiled,
            variables,
            source,
        })
    }

    fn render(&self, context: &[u8], limits: QuireRenderLimits) -> Result<String, Fault> {
        let context: serde_json::Value = serde_json::from_slice(context)
            .map_err(|error| Fault::Invalid(format!("chat template context: {error}")))?;
        if !context.is_object() {
            return Err(Fault::invalid("chat template context: not a JSON object"));
        }
        let output_max = usize::try_from(limits.output_size_max).unwrap_or(usize::MAX);
        budget::start(output_max.saturating_mul(WORK_PER_OUTPUT).max(WORK_MIN));
        let mut environment: Environment<'static> =
            template_library::environment(limits.unix_seconds, limits.utc_offset_seconds);
        environment.set_fuel(Some(limits.steps_max));
        environment.set_recursion_limit(DEPTH_MAX);
        let mut text = String::new();
        let mut output = minijinja::machinery::make_string_output(&mut text);
        minijinja::machinery::eval(
            &environment,
            &self.compiled.instructions,
            Value::from(minijinja::value::Serde(&context)),
            &self.compiled.blocks,
            &mut output,
            AutoEscape::None,
        )
        .map_err(|error| fault_of(&error))?;
        drop(output);
        if text.len() > output_max {
            return Err(Fault::Limit(format!(
                "chat template: the prompt has {} bytes, at most {output_max} are allowed",
                text.len()
            )));
        }
        Ok(text)
    }
}

fn fault_of(error: &minijinja::Error) -> Fault {
    let message = format!("chat template: {}", described(error));
    if budget::is_spent() || error.kind() == ErrorKind::OutOfFuel {
        Fault::Limit(message)
    } else {
        Fault::Invalid(message)
    }
}

/// The error and what caused it, in one line.
fn described(error: &minijinja::Error) -> String {
    let mut message = error.detail().unwrap_or("").to_string();
    if message.is_empty() {
        message = error.kind().to_string();
    }
    if let Some(line) = error.line() {
        message.push_str(&format!(" (line {line})"));
    }
    let mut source = std::error::Error::source(error);
    for _ in 0..4 {
        let Some(cause) = source else { break };
        message.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    message
}

/// # Safety
/// See `quire_tokenizer_new`; this holds for every function below.
#[no_mangle]
pub unsafe extern "C" fn quire_template_new(
    source: *const u8,
    source_size: usize,
    out: *mut *mut QuireTemplate,
) -> QuireTextStatus {
    guard(|| {
        let source = text_of("the chat template", source, source_size)?;
        let template = on_deep_stack(|| QuireTemplate::compile(source))?;
        *out = Box::into_raw(Box::new(template));
        Ok(())
    })
}

/// # Safety
/// Null, or from `quire_template_new`, once.
#[no_mangle]
pub unsafe extern "C" fn quire_template_free(template: *mut QuireTemplate) {
    guard(|| {
        if !template.is_null() {
            drop(Box::from_raw(template));
        }
        Ok(())
    });
}

/// # Safety
/// See `quire_template_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_template_render(
    template: *const QuireTemplate,
    context: *const u8,
    context_size: usize,
    limits: QuireRenderLimits,
    out: *mut QuireBuffer,
) -> QuireTextStatus {
    guard(|| {
        let template = &*template;
        let context = bytes_of(context, context_size);
        let text = on_deep_stack(|| template.render(context, limits))?;
        *out = text.into_bytes().into();
        Ok(())
    })
}

/// # Safety
/// See `quire_template_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_template_variables(
    template: *const QuireTemplate,
    out: *mut QuireBuffer,
) -> QuireTextStatus {
    guard(|| {
        *out = (*template).variables.clone().into_bytes().into();
        Ok(())
    })
}
