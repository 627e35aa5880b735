#include "formats/words/tokenizer_files.h"

#include <filesystem>
#include <span>

#include "base/file.h"
#include "formats/config/config_ranges.h"
#include "formats/config/gguf_config.h"
#include "formats/in_file.h"
#include "formats/words/class_words.h"
#include "formats/words/hf_tokenizer.h"
#include "formats/words/llama2c_tokenizer.h"
#include "formats/words/piece_classes.h"
#include "formats/words/ranked_words.h"
#include "formats/words/sentencepiece.h"
#include "formats/words/word_files.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

enum class Kind { kJson, kTekken, kTiktoken, kGguf, kLlama2c, kSentencePiece, kUnknown };

// A llama2.c file begins with a small int32; a SentencePiece model with the tag of its first piece
// (10) and that piece's size, which is never 0.
Kind kind_of(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') {
    return is_tekken(text) ? Kind::kTekken : Kind::kJson;
  }
  if (text.starts_with("GGUF")) return Kind::kGguf;
  if (text.size() >= 4 && text.substr(1, 3) == std::string_view("\0\0\0", 3)) return Kind::kLlama2c;
  if (text.starts_with('\n')) return Kind::kSentencePiece;
  if (is_tiktoken(text)) return Kind::kTiktoken;
  return Kind::kUnknown;
}

Result<std::string> to_json(const std::string& path, std::string text, int vocab) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  switch (kind_of(text)) {
    case Kind::kJson:
      return text;
    case Kind::kLlama2c:
      return llama2c_tokenizer_json(bytes, static_cast<std::size_t>(vocab));
    case Kind::kSentencePiece:
      return sentencepiece_to_json(bytes);
    case Kind::kGguf: {
      QUIRE_ASSIGN_OR_RETURN(const GgufFile file, GgufFile::open(path));
      return read_gguf_tokenizer(file);
    }
    case Kind::kTekken: {
      QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_tekken(text));
      return gguf_tokenizer_json(vocabulary);
    }
    case Kind::kTiktoken: {
      const ClassWords words = ClassWords::read(fs::path(path).parent_path());
      QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_tiktoken(text, words));
      return gguf_tokenizer_json(vocabulary);
    }
    case Kind::kUnknown:
      break;
  }
  return error(StatusCode::kUnsupported,
               "not a tokenizer; known are tokenizer.json, tekken.json, SentencePiece models, "
               "tiktoken files, llama2.c and GGUF vocabularies");
}

}  // namespace

Result<std::string> read_tokenizer_file(const std::string& path, int vocab) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, read_file(path, kTokenizerFileSizeMax));
  Result<std::string> json = to_json(path, std::move(text), vocab);
  if (json.is_ok()) return json;
  return in_file(path, json.status());
}

namespace {

// The bytes of a file of the directory; empty where there is none.
Result<std::string> text_of(const fs::path& path) {
  if (!fs::exists(path)) return std::string();
  return read_file(path.string(), kTokenizerFileSizeMax);
}

// Pieces as the class of the directory numbers them.
Result<std::string> pieces_to_json(const fs::path& path) {
  const fs::path folder = path.parent_path();
  QUIRE_ASSIGN_OR_RETURN(const std::string text, text_of(path));
  QUIRE_ASSIGN_OR_RETURN(GgufVocabulary pieces, read_sentencepiece(std::as_bytes(std::span(text))));
  QUIRE_ASSIGN_OR_RETURN(const std::string vocab, text_of(folder / "vocab.json"));
  QUIRE_ASSIGN_OR_RETURN(
      const GgufVocabulary vocabulary,
      follow_piece_class(std::move(pieces), ClassWords::read(folder), vocab));
  return gguf_tokenizer_json(vocabulary);
}

Result<std::string> words_to_json(const fs::path& folder) {
  const ClassWords words = ClassWords::read(folder);
  QUIRE_ASSIGN_OR_RETURN(const std::string vocab, text_of(folder / "vocab.json"));
  QUIRE_ASSIGN_OR_RETURN(const std::string merges, text_of(folder / "merges.txt"));
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary,
                         read_vocab_and_merges(vocab, merges, words));
  return gguf_tokenizer_json(vocabulary);
}

Result<std::string> list_to_json(const fs::path& path) {
  QUIRE_ASSIGN_OR_RETURN(const std::string list, text_of(path));
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary,
                         read_vocab_list(list, ClassWords::read(path.parent_path())));
  return gguf_tokenizer_json(vocabulary);
}

Result<std::string> file_to_json(const fs::path& path, int vocab) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, read_file(path.string(), kTokenizerFileSizeMax));
  if (kind_of(text) == Kind::kSentencePiece) return pieces_to_json(path);
  return to_json(path.string(), std::move(text), vocab);
}

// Names of one vocabulary in a file, the more telling first.
constexpr const char* kWholeFiles[] = {
    "tokenizer.json",          "tekken.json",   "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model", "source.spm",    "qwen.tiktoken",   "tiktoken.model",
    "spm.model"};

}  // namespace

Result<std::string> read_directory_tokenizer(const std::string& directory, int vocab) {
  const fs::path folder = directory;
  const auto told = [&](const char* name, Result<std::string> json) -> Result<std::string> {
    if (!json.is_ok()) return in_file((folder / name).string(), json.status());
    return follow_tokenizer_class(std::move(json).value(), directory);
  };
  for (const char* name : kWholeFiles) {
    if (fs::exists(folder / name)) return told(name, file_to_json(folder / name, vocab));
  }
  if (fs::exists(folder / "vocab.json") && fs::exists(folder / "merges.txt")) {
    return told("vocab.json", words_to_json(folder));
  }
  if (const fs::path list = folder / "vocab.txt"; fs::exists(list)) {
    return told("vocab.txt", list_to_json(list));
  }
  return error(StatusCode::kNotFound,
               "'{}' has neither tokenizer.json nor tokenizer.model nor another vocabulary that is "
               "known; name one with --tokenizer",
               directory);
}

}  // namespace quire
