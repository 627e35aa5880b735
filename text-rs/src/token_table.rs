//! What each token id is: its name in the vocabulary and the raw bytes that it stands for.
//!
//! A decoder of `tokenizers` turns whole lists of names into text, which is no use for a stream: a
//! token may be half a character. But every decoder in use is a byte-wise map per token, plus at
//! most one space dropped at the start of a text. That map is found here once from the decoder's
//! description, so that a text is the concatenation of its tokens' bytes.

use std::sync::LazyLock;

use serde_json::Value;
use tokenizers::Tokenizer;

use crate::buffer::QuireBuffer;
use crate::Fault;

pub const SPECIAL: u8 = 1;
pub const ADDED: u8 = 2;
pub const PRESENT: u8 = 4;
pub const BYTE: u8 = 8;

/// Ids beyond this are a broken file, not a vocabulary: the table is an array over ids.
const IDS_MAX: u32 = 4 << 20;

pub struct TokenTable {
    pub names: Vec<String>,
    pub bytes: Vec<Vec<u8>>,
    pub flags: Vec<u8>,
    strips_leading_space: bool,
}

/// The per-token part of a decoder.
#[derive(Default)]
struct Decoder {
    byte_level: bool,
    byte_fallback: bool,
    replacements: Vec<(String, String)>,
    word_piece_prefix: Option<String>,
    word_end_suffix: Option<String>,
    strips_leading_space: bool,
}

impl Decoder {
    fn of(tokenizer: &Tokenizer) -> Result<Self, Fault> {
        let mut decoder = Decoder::default();
        let description = serde_json::to_value(tokenizer.get_decoder()).map_err(Fault::invalid)?;
        decoder.add(&description)?;
        Ok(decoder)
    }

    fn add(&mut self, step: &Value) -> Result<(), Fault> {
        let text = |key: &str| step[key].as_str().unwrap_or_default().to_string();
        match step["type"].as_str() {
            None | Some("Fuse") => {}
            Some("Sequence") => {
                for inner in step["decoders"].as_array().into_iter().flatten() {
                    self.add(inner)?;
                }
            }
            Some("ByteLevel") => self.byte_level = true,
            Some("ByteFallback") => self.byte_fallback = true,
            Some("Replace") => {
                let from = step["pattern"]["String"].as_str().ok_or_else(|| {
                    Fault::invalid("tokenizer.json: decoder.Replace with a regex is not supported")
                })?;
                self.replacements.push((from.to_string(), text("content")));
            }
            Some("Metaspace") => {
                self.replacements.push((text("replacement"), " ".into()));
                self.strips_leading_space = step["prepend_scheme"] != "never";
            }
            Some("Strip") => {
                self.strips_leading_space |= step["content"] == " " && step["start"] != 0;
            }
            Some("WordPiece") => {
                self.word_piece_prefix = Some(text("prefix"));
                self.strips_leading_space = true;
            }
            Some("BPEDecoder") => self.word_end_suffix = Some(text("suffix")),
            Some(kind) => {
                return Err(Fault::Invalid(format!(
                    "tokenizer.json: decoder type '{kind}' is not supported; known are ByteLevel, \
                     ByteFallback, Fuse, Replace, Metaspace, Strip, WordPiece, BPEDecoder, Sequence"
                )))
            }
        }
        Ok(())
    }

    /// The bytes of an ordinary token, and whether it is a byte-fallback token.
    fn bytes_of(&self, name: &str) -> (Vec<u8>, bool) {
        if self.byte_fallback {
            if let Some(byte) = fallback_byte(name) {
                return (vec![byte], true);
            }
        }
        if self.byte_level {
            let bytes: Option<Vec<u8>> = name.chars().map(byte_level_byte).collect();
            return (bytes.unwrap_or_else(|| name.as_bytes().to_vec()), false);
        }
        if let Some(prefix) = &self.word_piece_prefix {
            let bytes = match name.strip_prefix(prefix.as_str()) {
                Some(rest) => rest.as_bytes().to_vec(),
                None => format!(" {name}").into_bytes(),
            };
            return (bytes, false);
        }
        let mut text = name.to_string();
        for (from, to) in &self.replacements {
            text = text.replace(from.as_str(), to);
        }
        if let Some(suffix) = &self.word_end_suffix {
            text = text.replace(suffix.as_str(), " ");
        }
        (text.into_bytes(), false)
    }
}

/// The byte of `<0x0A>`.
fn fallback_byte(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() != 2 {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

/// The byte that GPT-2's printable alphabet writes as `symbol`: printable Latin-1 stands for
/// itself, the other 68 bytes are U+0100 and up, in order.
fn byte_level_byte(symbol: char) -> Option<u8> {
    static UNPRINTABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (0..=255)
            .filter(|byte| !is_printable(*byte as u32))
            .collect()
    });
    let code = symbol as u32;
    if is_printable(code) {
        return Some(code as u8);
    }
    UNPRINTABLE.get(code.checked_sub(0x100)? as usize).copied()
}

fn is_printable(code: u32) -> bool {
    matches!(code, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff)
}

impl TokenTable {
    pub fn new(tokenizer: &Tokenizer) -> Result<Self, Fault> {
        let decoder = Decoder::of(tokenizer)?;
        let vocabulary = tokenizer.get_vocab(true);
        let id_max = match vocabulary.values().max() {
            None => return Err(Fault::invalid("tokenizer.json: the vocabulary is empty")),
            Some(id) if *id >= IDS_MAX => {
                return Err(Fault::Invalid(format!(
                    "tokenizer.json: token id {id} is beyond {IDS_MAX}"
                )))
            }
            Some(id) => *id as usize,
        };
        let mut table = TokenTable {
            names: vec![String::new(); id_max + 1],
            bytes: vec![Vec::new(); id_max + 1],
            flags: vec![0; id_max + 1],
            strips_leading_space: decoder.strips_leading_space,
        };
        for (name, id) in vocabulary {
            let (bytes, is_byte) = decoder.bytes_of(&name);
            table.bytes[id as usize] = bytes;
            table.flags[id as usize] = PRESENT | if is_byte { BYTE } else { 0 };
            table.names[id as usize] = name;
        }
        for (id, token) in tokenizer.get_added_tokens_decoder() {
            let id = id as usize;
            table.flags[id] |= ADDED | if token.special { SPECIAL } else { 0 };
            if table.flags[id] & BYTE == 0 {
                table.bytes[id] = token.content.clone().into_bytes();
            }
        }
        Ok(table)
    }

    /// A copy as the C header shows it.
    pub fn flat(&self) -> Result<QuireTokenTable, Fault> {
        let (names, name_offsets) = concatenated(&self.names)?;
        let (bytes, byte_offsets) = concatenated(&self.bytes)?;
        Ok(QuireTokenTable {
            count: self.flags.len() as u32,
            strips_leading_space: self.strips_leading_space as u8,
            names,
            name_offsets,
            bytes,
            byte_offsets,
            flags: self.flags.clone().into(),
        })
    }
}

#[repr(C)]
pub struct QuireTokenTable {
    count: u32,
    strips_leading_space: u8,
    names: QuireBuffer,
    name_offsets: QuireBuffer,
    bytes: QuireBuffer,
    byte_offsets: QuireBuffer,
    flags: QuireBuffer,
}

/// All pieces in one buffer, and where each begins.
fn concatenated<T: AsRef<[u8]>>(pieces: &[T]) -> Result<(QuireBuffer, QuireBuffer), Fault> {
    let mut bytes = Vec::new();
    let mut offsets = vec![0u32];
    for piece in pieces {
        bytes.extend_from_slice(piece.as_ref());
        let end = u32::try_from(bytes.len())
            .map_err(|_| Fault::Limit("tokenizer.json: over 4 GiB of token text".into()))?;
        offsets.push(end);
    }
    Ok((bytes.into(), QuireBuffer::of_words(offsets.iter())))
}
