//! Constrained output through `llguidance`: a JSON schema, a Lark grammar or a regular expression
//! becomes a parser over the vocabulary that says, token by token, which ids may come next and
//! which must.
//!
//! A grammar is compiled once and shared. Its states are clones that keep the automaton of the
//! lexer in common; so that two threads do not wait for each other there, a grammar has a few of
//! them, which states take in turns.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use llguidance::api::{ParserLimits, StopReason, TopLevelGrammar};
use llguidance::{Matcher, ParserFactory};
use toktrie::TokEnv;

use crate::buffer::QuireBuffer;
use crate::open_text::{OpenText, OpenTextTables};
use crate::tokenizer::QuireTokenizer;
use crate::vocabulary::Vocabulary;
use crate::{bytes_of, guard, text_of, Fault, QuireTextStatus};

/// Lexers that states of one grammar share, at most.
const LEXERS: usize = 2;

/// What a grammar may cost. Fuel is what building automata takes, of about 50,000 a millisecond
/// when a grammar is compiled and 14,000 while tokens are drawn; a state has 1 to 2 KB.
fn limits() -> ParserLimits {
    ParserLimits {
        max_items_in_row: 2_000,
        initial_lexer_fuel: 1_000_000,
        step_lexer_fuel: 500_000,
        step_max_items: 100_000,
        max_lexer_states: 30_000,
        max_grammar_size: 500_000,
        precompute_large_lexemes: true,
        verbose_errors: false,
    }
}

pub struct QuireGrammarFactory {
    parsers: ParserFactory,
    open_text: Arc<OpenTextTables>,
}

pub struct QuireGrammar {
    originals: Vec<Mutex<Matcher>>,
    begun: AtomicUsize,
}

pub struct QuireGrammarState(Matcher);

impl QuireGrammar {
    fn compile(factory: &QuireGrammarFactory, grammar: TopLevelGrammar) -> Result<Self, Fault> {
        let parsers = &factory.parsers;
        let parser = parsers.create_parser(grammar).map(|mut parser| {
            let tables = factory.open_text.clone();
            parser.bias_computer = Arc::new(OpenText::new(tables, parsers.slicer()));
            parser
        });
        let mut first = Matcher::new(parser);
        fail_if_broken(&first)?;
        // The automaton's first states are made now and not while somebody waits for a token.
        let has_begun = first.is_stopped() || first.compute_mask().is_ok();
        if !has_begun && first.stop_reason() == StopReason::NoExtensionBias {
            return Err(Fault::invalid("no token of this vocabulary may come first"));
        }
        fail_if_broken(&first)?;
        let mut originals = vec![];
        for _ in 1..LEXERS {
            originals.push(Mutex::new(first.deep_clone()));
        }
        originals.push(Mutex::new(first));
        Ok(QuireGrammar {
            originals,
            begun: AtomicUsize::new(0),
        })
    }

    fn begin(&self) -> Matcher {
        let turn = self.begun.fetch_add(1, Ordering::Relaxed) % self.originals.len();
        let original = self.originals[turn].lock();
        original.unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

fn fail_if_broken(matcher: &Matcher) -> Result<(), Fault> {
    match matcher.get_error() {
        Some(error) => Err(spoken(error)),
        None => Ok(()),
    }
}

/// What the library says, as one line: the rest is its own inside.
fn spoken(error: impl std::fmt::Display) -> Fault {
    let text = error.to_string();
    let text = text.split("\n<").next().unwrap_or_default();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_limit = ["fuel", "too many", "too complex", "too large", "exceeded", "limit"]
        .iter()
        .any(|word| line.contains(word));
    if is_limit {
        Fault::Limit(line)
    } else {
        Fault::Invalid(line)
    }
}

fn top_level(kind: i32, text: &[u8]) -> Result<TopLevelGrammar, Fault> {
    let utf8 = || {
        std::str::from_utf8(text).map_err(|error| {
            Fault::Invalid(format!("not valid UTF-8 at byte {}", error.valid_up_to()))
        })
    };
    match kind {
        0 => {
            let schema = serde_json::from_slice(text)
                .map_err(|error| Fault::Invalid(format!("the schema is not JSON: {error}")))?;
            Ok(TopLevelGrammar::from_json_schema(schema))
        }
        1 => Ok(TopLevelGrammar::from_lark(utf8()?.to_string())),
        2 => Ok(TopLevelGrammar::from_regex(utf8()?)),
        _ => Err(Fault::Invalid(format!("no kind {kind} of grammar"))),
    }
}

/// # Safety
/// See `quire_tokenizer_new`; this holds for every function below. The tokenizer outlives the
/// factory, its grammars and their states.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_factory_new(
    tokenizer: *const QuireTokenizer,
    eos: *const u32,
    eos_count: usize,
    out: *mut *mut QuireGrammarFactory,
) -> QuireTextStatus {
    guard(|| {
        let eos = if eos_count == 0 {
            &[]
        } else {
            std::slice::from_raw_parts(eos, eos_count)
        };
        let environment: TokEnv = Arc::new(Vocabulary::new(&*tokenizer, eos)?);
        let mut factory = ParserFactory::new_simple(&environment).map_err(Fault::invalid)?;
        factory.quiet();
        *factory.limits_mut() = limits();
        *out = Box::into_raw(Box::new(QuireGrammarFactory {
            parsers: factory,
            open_text: Arc::new(OpenTextTables::new(&environment)),
        }));
        Ok(())
    })
}

/// # Safety
/// Null, or from `quire_grammar_factory_new`, once.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_factory_free(factory: *mut QuireGrammarFactory) {
    guard(|| {
        if !factory.is_null() {
            drop(Box::from_raw(factory));
        }
        Ok(())
    });
}

/// # Safety
/// See `quire_grammar_factory_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_compile(
    factory: *const QuireGrammarFactory,
    kind: i32,
    text: *const u8,
    text_size: usize,
    out: *mut *mut QuireGrammar,
) -> QuireTextStatus {
    guard(|| {
        let grammar = top_level(kind, bytes_of(text, text_size))?;
        let compiled = QuireGrammar::compile(&*factory, grammar)?;
        *out = Box::into_raw(Box::new(compiled));
        Ok(())
    })
}

/// # Safety
/// Null, or from `quire_grammar_compile`, once.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_free(grammar: *mut QuireGrammar) {
    guard(|| {
        if !grammar.is_null() {
            drop(Box::from_raw(grammar));
        }
        Ok(())
    });
}

/// # Safety
/// `grammar` came from `quire_grammar_compile`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_begin(
    grammar: *const QuireGrammar,
    out: *mut *mut QuireGrammarState,
) -> QuireTextStatus {
    guard(|| {
        *out = Box::into_raw(Box::new(QuireGrammarState((*grammar).begin())));
        Ok(())
    })
}

/// # Safety
/// Null, or from `quire_grammar_begin`, once.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_free(state: *mut QuireGrammarState) {
    guard(|| {
        if !state.is_null() {
            drop(Box::from_raw(state));
        }
        Ok(())
    });
}

/// # Safety
/// `words` is writable for `words_count` values.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_mask(
    state: *mut QuireGrammarState,
    words: *mut u32,
    words_count: usize,
) -> QuireTextStatus {
    guard(|| {
        let matcher = &mut (*state).0;
        let target = std::slice::from_raw_parts_mut(words, words_count);
        target.fill(0);
        let mask = match matcher.compute_mask_or_eos() {
            Ok(mask) => mask,
            // Nothing may follow and the text may not end: an empty mask, not a fault.
            Err(_) if matcher.stop_reason() == StopReason::NoExtensionBias => return Ok(()),
            Err(error) => return Err(spoken(error)),
        };
        let source = mask.as_slice();
        let count = source.len().min(target.len());
        target[..count].copy_from_slice(&source[..count]);
        Ok(())
    })
}

/// # Safety
/// See `quire_grammar_begin`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_accept(
    state: *mut QuireGrammarState,
    token: i32,
) -> QuireTextStatus {
    guard(|| {
        let token = u32::try_from(token).map_err(Fault::invalid)?;
        (*state).0.consume_token(token).map_err(spoken)
    })
}

/// # Safety
/// See `quire_grammar_begin`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_roll_back(
    state: *mut QuireGrammarState,
    tokens: usize,
) -> QuireTextStatus {
    guard(|| (*state).0.rollback(tokens).map_err(spoken))
}

/// # Safety
/// See `quire_grammar_begin`; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_forced(
    state: *mut QuireGrammarState,
    out: *mut QuireBuffer,
) -> QuireTextStatus {
    guard(|| {
        let matcher = &mut (*state).0;
        let tokens = if matcher.is_stopped() {
            vec![]
        } else {
            matcher.compute_ff_tokens()
        };
        fail_if_broken(matcher)?;
        *out = QuireBuffer::of_words(tokens.iter());
        Ok(())
    })
}

/// # Safety
/// See `quire_grammar_begin`; `is_over` and `may_end` are writable.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_end(
    state: *mut QuireGrammarState,
    is_over: *mut u8,
    may_end: *mut u8,
) -> QuireTextStatus {
    guard(|| {
        let matcher = &mut (*state).0;
        fail_if_broken(matcher)?;
        let over = matcher.is_stopped();
        *is_over = over as u8;
        *may_end = (over || matcher.is_accepting().map_err(spoken)?) as u8;
        Ok(())
    })
}

/// Whether a text, or the beginning of one, is of the grammar: 2, 1, or 0; for tests.
///
/// # Safety
/// See `quire_grammar_compile`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_state_accepts_text(
    state: *mut QuireGrammarState,
    text: *const u8,
    text_size: usize,
    out: *mut u8,
) -> QuireTextStatus {
    guard(|| {
        let matcher = &mut (*state).0;
        let environment = matcher.tok_env().map_err(spoken)?;
        let text = text_of("the text", text, text_size)?;
        let tokens = environment.tok_trie().greedy_tokenize(text.as_bytes());
        let taken = matcher.try_consume_tokens(&tokens).map_err(spoken)?;
        let may_end = matcher.is_stopped() || matcher.is_accepting().map_err(spoken)?;
        *out = if taken < tokens.len() { 0 } else { 1 + may_end as u8 };
        Ok(())
    })
}
