// A vocabulary as plain values, and its tokenizer.json: one tokenizer implementation serves every
// file format. GGUF files state a vocabulary as `tokenizer.ggml.*` keys; SentencePiece models and
// llama2.c files are turned into the same struct (sentencepiece.h, llama2c_tokenizer.h).
//
// Four models are known. "llama" is SentencePiece BPE: scores say which pair merges first, which
// becomes a merge list (spm_merges.h). "t5" is SentencePiece unigram: the cut whose scores sum to
// most. "gpt2" is byte-level BPE: `pre` names how text is cut first (pre_tokenizers.h). "bert" is
// WordPiece.
// Nothing in the struct is trusted: every id and length is checked, errors name the GGUF key.
// Pure functions; any thread. Called by the loaders of formats and by store.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"

namespace quire {

// tokenizer.ggml.token_type
enum class GgufTokenType : std::int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,      // never from text, unless the text may spell special tokens
  kUserDefined = 4,  // matched as a whole before anything else
  kUnused = 5,
  kByte = 6,  // <0x0A>
};

// Ids around a text and around two of them, where a class has an opinion of its own.
struct Surroundings {
  std::vector<std::uint64_t> before;
  std::vector<std::uint64_t> after;
  std::vector<std::uint64_t> between;  // beside `after` of the first text, before the second
};

struct GgufVocabulary {
  std::string model;                      // tokenizer.ggml.model: "llama", "t5", "gpt2", "bert"
  std::string pre;                        // tokenizer.ggml.pre; empty where absent
  std::vector<std::string> tokens;        // tokenizer.ggml.tokens [vocab]
  std::vector<float> scores;              // tokenizer.ggml.scores [vocab] or empty
  std::vector<std::int32_t> token_types;  // tokenizer.ggml.token_type [vocab] or empty
  std::vector<std::string> merges;        // tokenizer.ggml.merges: "left right"

  std::optional<std::uint64_t> bos;        // tokenizer.ggml.bos_token_id
  std::optional<std::uint64_t> eos;        // tokenizer.ggml.eos_token_id
  std::optional<std::uint64_t> unknown;    // tokenizer.ggml.unknown_token_id
  std::optional<std::uint64_t> cls;        // tokenizer.ggml.cls_token_id
  std::optional<std::uint64_t> separator;  // tokenizer.ggml.seperator_token_id (spelt so)
  std::optional<std::uint64_t> padding;    // tokenizer.ggml.padding_token_id
  std::optional<std::uint64_t> mask;       // tokenizer.ggml.mask_token_id

  std::optional<bool> add_bos;           // tokenizer.ggml.add_bos_token
  std::optional<bool> add_eos;           // tokenizer.ggml.add_eos_token
  std::optional<bool> add_space_prefix;  // tokenizer.ggml.add_space_prefix
  std::string character_map;  // tokenizer.ggml.precompiled_charsmap: a SentencePiece normalization
  bool removes_extra_spaces = false;  // tokenizer.ggml.remove_extra_whitespaces

  // What only other files than GGUF say.
  std::optional<Surroundings> around;  // instead of BOS and EOS by the switches
  std::string pattern;                 // how text is cut, instead of `pre`
  bool takes_whole_pieces = false;     // BPE: a piece that is a token is taken whole
  bool has_bert_names = false;         // WordPiece: "##" marks continuations
  bool lowercases = true;              // WordPiece
  std::optional<bool> strips_accents;  // WordPiece; absent: as lowercases
  bool splits_chinese = true;          // WordPiece
};

// The token with exactly that text.
std::optional<std::uint64_t> id_of(const GgufVocabulary& vocabulary, std::string_view text);

// Whether a prompt begins with BOS: what the file says, else the habit of its kind.
bool adds_bos(const GgufVocabulary& vocabulary);

// What the file does not say although token ids depend on it, each with the guess that stands in:
// sentences that name the key.
std::vector<std::string> vocabulary_warnings(const GgufVocabulary& vocabulary);

// The bytes of a tokenizer.json.
Result<std::string> gguf_tokenizer_json(const GgufVocabulary& vocabulary);

}  // namespace quire
