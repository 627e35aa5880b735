//! Constrained output through `llguidance`: a JSON schema becomes a parser over the vocabulary that
//! says, token by token, which ids may come next.

use std::sync::Arc;

use llguidance::api::TopLevelGrammar;
use llguidance::{Matcher, ParserFactory};
use toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::token_table::{PRESENT, SPECIAL};
use crate::tokenizer::QuireTokenizer;
use crate::{bytes_of, guard, Fault, QuireTextStatus};

pub struct QuireGrammarFactory(ParserFactory);

pub struct QuireGrammar(Matcher);

/// The vocabulary as llguidance wants it. Tokenization is the trie's greedy one: it is used only to
/// guess forced tokens, which we do not ask for.
struct Vocabulary(TokTrie);

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.0
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        self.0.greedy_tokenize(text)
    }

    fn tokenize_is_canonical(&self) -> bool {
        false
    }
}

fn trie_of(tokenizer: &QuireTokenizer, eos: u32) -> TokTrie {
    let table = &tokenizer.table;
    let words: Vec<Vec<u8>> = (0..table.flags.len())
        .map(|id| {
            if table.flags[id] & SPECIAL != 0 {
                let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
                word.extend_from_slice(table.names[id].as_bytes());
                word
            } else if table.flags[id] & PRESENT != 0 {
                table.bytes[id].clone()
            } else {
                Vec::new()
            }
        })
        .collect();
    TokTrie::from(&TokRxInfo::new(words.len() as u32, eos), &words)
}

/// # Safety
/// See `quire_tokenizer_new`; this holds for every function below.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_factory_new(
    tokenizer: *const QuireTokenizer,
    eos: i32,
    out: *mut *mut QuireGrammarFactory,
) -> QuireTextStatus {
    guard(|| {
        let tokenizer = &*tokenizer;
        let table = &tokenizer.table;
        if eos < 0 || eos as usize >= table.flags.len() {
            return Err(Fault::Invalid(format!(
                "eos {eos} is not in the vocabulary"
            )));
        }
        // Without a way to write `{` every mask would be empty.
        if !table.bytes.iter().any(|bytes| bytes == b"{") {
            return Err(Fault::invalid(
                "the vocabulary cannot write '{', so no JSON",
            ));
        }
        let environment: TokEnv = Arc::new(Vocabulary(trie_of(tokenizer, eos as u32)));
        let mut factory = ParserFactory::new_simple(&environment).map_err(Fault::invalid)?;
        factory.quiet();
        *out = Box::into_raw(Box::new(QuireGrammarFactory(factory)));
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
/// See `quire_tokenizer_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_from_schema(
    factory: *const QuireGrammarFactory,
    schema: *const u8,
    schema_size: usize,
    out: *mut *mut QuireGrammar,
) -> QuireTextStatus {
    guard(|| {
        let schema = serde_json::from_slice(bytes_of(schema, schema_size))
            .map_err(|error| Fault::Invalid(format!("the schema is not JSON: {error}")))?;
        let parser = (*factory)
            .0
            .create_parser(TopLevelGrammar::from_json_schema(schema));
        let matcher = Matcher::new(parser);
        if let Some(error) = matcher.get_error() {
            return Err(Fault::Invalid(format!(
                "the schema cannot be used: {error}"
            )));
        }
        *out = Box::into_raw(Box::new(QuireGrammar(matcher)));
        Ok(())
    })
}

/// # Safety
/// Null, or from `quire_grammar_from_schema`, once.
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
/// `words` is writable for `words_count` values.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_mask(
    grammar: *mut QuireGrammar,
    words: *mut u32,
    words_count: usize,
) -> QuireTextStatus {
    guard(|| {
        let mask = (*grammar).0.compute_mask_or_eos().map_err(Fault::invalid)?;
        let target = std::slice::from_raw_parts_mut(words, words_count);
        let source = mask.as_slice();
        if source.len() < target.len() {
            return Err(Fault::invalid("the mask is shorter than the vocabulary"));
        }
        target.copy_from_slice(&source[..target.len()]);
        Ok(())
    })
}

/// # Safety
/// See `quire_tokenizer_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_grammar_accept(
    grammar: *mut QuireGrammar,
    token: i32,
) -> QuireTextStatus {
    guard(|| {
        let token = u32::try_from(token).map_err(Fault::invalid)?;
        (*grammar).0.consume_token(token).map_err(Fault::invalid)
    })
}
