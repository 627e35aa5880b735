//! Text to token ids through `tokenizers`, from the bytes of a tokenizer.json.
//!
//! Two instances are kept because whether text may spell a special token is a setting of the
//! library's object and not of a call: `parsing` follows the vocabulary, `literal` never turns text
//! into a special token. Truncation and padding that a file asks for are switched off: how long a
//! prompt may be is the server's decision, and it says so instead of cutting.

use tokenizers::models::ModelWrapper;
use tokenizers::Tokenizer;

use crate::buffer::QuireBuffer;
use crate::token_table::{QuireTokenTable, TokenTable};
use crate::{bytes_of, guard, text_of, Fault, QuireTextStatus};

pub struct QuireTokenizer {
    parsing: Tokenizer,
    literal: Tokenizer,
    pub table: TokenTable,
}

impl QuireTokenizer {
    fn from_json(json: &[u8]) -> Result<Self, Fault> {
        let mut parsing = Tokenizer::from_bytes(json)
            .map_err(|error| Fault::Invalid(format!("tokenizer.json: {error}")))?;
        parsing.with_padding(None);
        parsing
            .with_truncation(None)
            .map_err(|error| Fault::Invalid(format!("tokenizer.json: truncation: {error}")))?;
        let table = TokenTable::new(&parsing)?;
        let mut literal = parsing.clone();
        literal.set_encode_special_tokens(true);
        if let Some(model) = unigram_without_specials(&parsing)? {
            literal.with_model(model);
        }
        Ok(QuireTokenizer {
            parsing,
            literal,
            table,
        })
    }

    pub fn encode(&self, text: &str, add: bool, parse: bool) -> Result<Vec<u32>, Fault> {
        let tokenizer = if parse { &self.parsing } else { &self.literal };
        let encoding = tokenizer
            .encode_fast(text, add)
            .map_err(|error| Fault::Invalid(format!("the text cannot be tokenized: {error}")))?;
        Ok(encoding.get_ids().to_vec())
    }
}

/// A unigram model finds every piece of its vocabulary in a text, special ones as well. Here those
/// have names with a space in front, which no text has once its spaces are marks. None: not needed.
fn unigram_without_specials(tokenizer: &Tokenizer) -> Result<Option<ModelWrapper>, Fault> {
    if !matches!(tokenizer.get_model(), ModelWrapper::Unigram(_)) {
        return Ok(None);
    }
    let mut model = serde_json::to_value(tokenizer.get_model()).map_err(Fault::invalid)?;
    for (id, token) in tokenizer.get_added_tokens_decoder() {
        let piece = model["vocab"].get_mut(id as usize);
        if let (true, Some(piece)) = (token.special, piece) {
            piece[0] = format!(" {}", token.content).into();
        }
    }
    serde_json::from_value(model).map(Some).map_err(Fault::invalid)
}

/// # Safety
/// Pointers are readable or writable as the header says; this holds for every function below.
#[no_mangle]
pub unsafe extern "C" fn quire_tokenizer_new(
    json: *const u8,
    json_size: usize,
    out: *mut *mut QuireTokenizer,
) -> QuireTextStatus {
    guard(|| {
        let tokenizer = QuireTokenizer::from_json(bytes_of(json, json_size))?;
        *out = Box::into_raw(Box::new(tokenizer));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` is null or came from `quire_tokenizer_new` and is freed once.
#[no_mangle]
pub unsafe extern "C" fn quire_tokenizer_free(tokenizer: *mut QuireTokenizer) {
    guard(|| {
        if !tokenizer.is_null() {
            drop(Box::from_raw(tokenizer));
        }
        Ok(())
    });
}

/// # Safety
/// See `quire_tokenizer_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_tokenizer_encode(
    tokenizer: *const QuireTokenizer,
    text: *const u8,
    text_size: usize,
    add_special: i32,
    parse_special: i32,
    out: *mut QuireBuffer,
) -> QuireTextStatus {
    guard(|| {
        let text = text_of("the text", text, text_size)?;
        let ids = (*tokenizer).encode(text, add_special != 0, parse_special != 0)?;
        *out = QuireBuffer::of_words(ids.iter());
        Ok(())
    })
}

/// # Safety
/// See `quire_tokenizer_new`.
#[no_mangle]
pub unsafe extern "C" fn quire_tokenizer_table(
    tokenizer: *const QuireTokenizer,
    out: *mut QuireTokenTable,
) -> QuireTextStatus {
    guard(|| {
        *out = (*tokenizer).table.flat()?;
        Ok(())
    })
}
