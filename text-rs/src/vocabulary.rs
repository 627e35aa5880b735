//! The vocabulary as llguidance wants it: a trie of all tokens' bytes, special tokens behind a
//! marker byte, and the tokenizer, which says how a text that a grammar forces is written in
//! tokens: as it would write it in the middle of a text. Where it cannot say (half a character, a
//! vocabulary that changes its text) the longest tokens come first.

use toktrie::{TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::token_table::{TokenTable, PRESENT, SPECIAL};
use crate::tokenizer::QuireTokenizer;
use crate::Fault;

/// Stands in front of a text so that it is not the beginning of one.
const GUARD: &str = "\u{2}";

pub struct Vocabulary {
    trie: TokTrie,
    tokenizer: *const QuireTokenizer,
}

// The tokenizer is immutable, and its owner keeps it alive as long as the factory.
unsafe impl Send for Vocabulary {}
unsafe impl Sync for Vocabulary {}

impl Vocabulary {
    /// `tokenizer` outlives the vocabulary.
    pub fn new(tokenizer: &QuireTokenizer, eos: &[u32]) -> Result<Self, Fault> {
        let table = &tokenizer.table;
        let size = table.flags.len();
        if eos.is_empty() {
            return Err(Fault::invalid("a grammar needs a token that ends a text"));
        }
        if let Some(id) = eos.iter().find(|id| **id as usize >= size) {
            return Err(Fault::Invalid(format!("eos {id} is not in the vocabulary")));
        }
        let words: Vec<Vec<u8>> = (0..size).map(|id| word(table, id)).collect();
        let trie = TokTrie::from(&TokRxInfo::new(size as u32, eos[0]), &words).with_eos_tokens(eos);
        Ok(Vocabulary { trie, tokenizer })
    }

    fn tokens_of(&self, text: &str) -> Option<Vec<TokenId>> {
        let tokenizer = unsafe { &*self.tokenizer };
        let table = &tokenizer.table;
        let ids = tokenizer.encode(text, false, false).ok()?;
        if is_spelled(table, &ids, text.as_bytes()) {
            return Some(ids);
        }
        let guarded = tokenizer.encode(&format!("{GUARD}{text}"), false, false).ok()?;
        let mut front = Vec::new();
        for (index, id) in guarded.iter().enumerate() {
            front.extend_from_slice(table.bytes.get(*id as usize)?);
            if front.ends_with(GUARD.as_bytes()) {
                let rest = &guarded[index + 1..];
                return is_spelled(table, rest, text.as_bytes()).then(|| rest.to_vec());
            }
        }
        None
    }
}

fn word(table: &TokenTable, id: usize) -> Vec<u8> {
    if table.flags[id] & SPECIAL != 0 {
        let mut word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
        word.extend_from_slice(table.names[id].as_bytes());
        word
    } else if table.flags[id] & PRESENT != 0 {
        table.bytes[id].clone()
    } else {
        Vec::new()
    }
}

fn is_spelled(table: &TokenTable, ids: &[u32], text: &[u8]) -> bool {
    let mut at = 0;
    for id in ids {
        let bytes = &table.bytes[*id as usize];
        if table.flags[*id as usize] & SPECIAL != 0 || !text[at..].starts_with(bytes) {
            return false;
        }
        at += bytes.len();
    }
    at == text.len()
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, text: &[u8]) -> Vec<TokenId> {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| self.tokens_of(text))
            .unwrap_or_else(|| self.trie.greedy_tokenize(text))
    }
}
