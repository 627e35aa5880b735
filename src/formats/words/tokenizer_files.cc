#include "formats/words/tokenizer_files.h"

#include <filesystem>
#include <span>

#include "base/file.h"
#include "formats/config/config_ranges.h"
#include "formats/config/gguf_config.h"
#include "formats/in_file.h"
#include "formats/words/hf_tokenizer.h"
#include "formats/words/llama2c_tokenizer.h"
#include "formats/words/sentencepiece.h"

namespace quire {
namespace {

namespace fs = std::filesystem;

enum class Kind { kJson, kGguf, kLlama2c, kSentencePiece, kUnknown };

// A llama2.c file begins with a small int32; a SentencePiece model with the tag of its first piece
// (10) and that piece's size, which is never 0.
Kind kind_of(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string_view::npos && text[first] == '{') return Kind::kJson;
  if (text.starts_with("GGUF")) return Kind::kGguf;
  if (text.size() >= 4 && text.substr(1, 3) == std::string_view("\0\0\0", 3)) return Kind::kLlama2c;
  if (text.starts_with('\n')) return Kind::kSentencePiece;
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
    case Kind::kUnknown:
      break;
  }
  return error(StatusCode::kUnsupported,
               "not a tokenizer; known are tokenizer.json, SentencePiece models, llama2.c and GGUF "
               "vocabularies");
}

}  // namespace

Result<std::string> read_tokenizer_file(const std::string& path, int vocab) {
  QUIRE_ASSIGN_OR_RETURN(std::string text, read_file(path, kTokenizerFileSizeMax));
  Result<std::string> json = to_json(path, std::move(text), vocab);
  if (json.is_ok()) return json;
  return in_file(path, json.status());
}

Result<std::string> read_directory_tokenizer(const std::string& directory, int vocab) {
  for (const char* name : {"tokenizer.json", "tokenizer.model"}) {
    const fs::path path = fs::path(directory) / name;
    if (!fs::exists(path)) continue;
    QUIRE_ASSIGN_OR_RETURN(std::string json, read_tokenizer_file(path, vocab));
    return follow_tokenizer_class(std::move(json), directory);
  }
  return error(StatusCode::kNotFound,
               "'{}' has neither tokenizer.json nor tokenizer.model; name one with --tokenizer",
               directory);
}

}  // namespace quire
