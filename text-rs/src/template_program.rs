//! Compiles a template and rewrites its program so that everything which can create text passes
//! through code of ours that charges for it (`budget`):
//!
//! - `~`, `+`, `*`, `%` and comparisons become calls of functions that no template can name;
//! - raw text becomes a constant that is emitted, because only emitted values meet the formatter;
//! - the result of every filter, method, slice and capture is charged;
//! - in a program that changes lists or dictionaries, those that it writes down can be changed.
//!
//! One instruction becomes one or two, so jump targets are moved along.

use minijinja::machinery::{CompiledTemplate, Instruction, Instructions, TemplateConfig};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, Value};
use std::sync::Arc;

use crate::template_mutable;

pub const CONCATENATE: &str = "~";
pub const ADD: &str = "+";
pub const MULTIPLY: &str = "*";
pub const CHARGE: &str = "$";
pub const CHANGEABLE: &str = "[]";
pub const REMAINDER: &str = "%";
pub const LESS: &str = "<";
pub const LESS_EQUAL: &str = "<=";
pub const GREATER: &str = ">";
pub const GREATER_EQUAL: &str = ">=";

const NAME: &str = "chat_template";

fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
}

/// The program and the names of the variables that it reads, one a line.
pub fn compile(source: &'static str) -> Result<(CompiledTemplate<'static>, String), Error> {
    let config = TemplateConfig {
        syntax_config: syntax()?,
        default_auto_escape: Arc::new(|_| AutoEscape::None),
    };
    let mut compiled = CompiledTemplate::new(NAME, source, &config)?;
    let changes = changes_values(&compiled.instructions)
        || compiled.blocks.values().any(|block| changes_values(block));
    compiled.instructions = metered(&compiled.instructions, changes);
    for block in compiled.blocks.values_mut() {
        *block = metered(block, changes);
    }
    Ok((compiled, variables_of(source)?))
}

fn variables_of(source: &'static str) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(syntax()?);
    let template = environment.template_from_str(source)?;
    let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
    names.sort();
    Ok(names.join("\n"))
}

fn changes_values(program: &Instructions<'static>) -> bool {
    (0..).map_while(|at| program.get(at)).any(|step| match step {
        Instruction::CallMethod(name, _) => template_mutable::METHODS.contains(name),
        _ => false,
    })
}

fn metered(program: &Instructions<'static>, changes: bool) -> Instructions<'static> {
    let replacement = |step: &Instruction<'static>| replacement(step, changes);
    let steps: Vec<Instruction<'static>> = (0..).map_while(|at| program.get(at).cloned()).collect();
    let mut moved_to = Vec::with_capacity(steps.len() + 1);
    let mut next = 0u32;
    for step in &steps {
        moved_to.push(next);
        next += replacement(step).1.is_some() as u32 + 1;
    }
    moved_to.push(next);

    let mut result = Instructions::new(program.name(), program.source());
    for (at, step) in steps.iter().enumerate() {
        let line = program
            .get_line(at as u32)
            .unwrap_or(0)
            .min(u16::MAX as usize) as u16;
        let (mut first, second) = replacement(step);
        if let Some(target) = jump_target(&mut first) {
            *target = moved_to[*target as usize];
        }
        result.add_with_line(first, line);
        if let Some(second) = second {
            result.add_with_line(second, line);
        }
    }
    result
}

fn replacement(
    step: &Instruction<'static>,
    changes: bool,
) -> (Instruction<'static>, Option<Instruction<'static>>) {
    use Instruction::*;
    match step {
        StringConcat => (CallFunction(CONCATENATE, Some(2)), None),
        Add => (CallFunction(ADD, Some(2)), None),
        Mul => (CallFunction(MULTIPLY, Some(2)), None),
        Rem => (CallFunction(REMAINDER, Some(2)), None),
        Lt => (CallFunction(LESS, Some(2)), None),
        Lte => (CallFunction(LESS_EQUAL, Some(2)), None),
        Gt => (CallFunction(GREATER, Some(2)), None),
        Gte => (CallFunction(GREATER_EQUAL, Some(2)), None),
        EmitRaw(text) => (LoadConst(Value::from(*text)), Some(Emit)),
        ApplyFilter(..) | CallMethod(..) | CallObject(..) | Slice | EndCapture => {
            (step.clone(), Some(CallFunction(CHARGE, Some(1))))
        }
        BuildList(Some(_)) | BuildMap(_) if changes => {
            (step.clone(), Some(CallFunction(CHANGEABLE, Some(1))))
        }
        LoadConst(value) if changes && template_mutable::is_container(value) => {
            (step.clone(), Some(CallFunction(CHANGEABLE, Some(1))))
        }
        _ => (step.clone(), None),
    }
}

fn jump_target<'a>(step: &'a mut Instruction<'static>) -> Option<&'a mut u32> {
    use Instruction::*;
    match step {
        Iterate(target)
        | Jump(target)
        | JumpIfFalse(target)
        | JumpIfFalseOrPop(target)
        | JumpIfTrueOrPop(target) => Some(target),
        BuildMacro(_, target, _) => Some(target),
        _ => None,
    }
}
