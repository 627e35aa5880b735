// llama2.c tokenizer files.
#include "formats/words/llama2c_tokenizer.h"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace quire {
namespace {

constexpr std::size_t kHeaderSize = 4;       // bytes: the longest token, which we do not need
constexpr std::size_t kTokenHeaderSize = 8;  // bytes: score and length
constexpr std::size_t kUnknown = 0;
constexpr std::size_t kBos = 1;
constexpr std::size_t kEos = 2;
constexpr std::size_t kFirstByte = 3;
constexpr std::size_t kByteTokens = 256;

std::string with_space_marks(std::string_view text) {
  std::string marked;
  for (const char c : text) {
    if (c == ' ') {
      marked += "\u2581";
    } else {
      marked += c;
    }
  }
  return marked;
}

GgufTokenType type_of(std::size_t id, std::string_view token) {
  if (id == kUnknown) return GgufTokenType::kUnknown;
  if (id == kBos || id == kEos) return GgufTokenType::kControl;
  const bool is_byte = id >= kFirstByte && id < kFirstByte + kByteTokens && token.size() == 6 &&
                       token.starts_with("<0x") && token.ends_with('>');
  return is_byte ? GgufTokenType::kByte : GgufTokenType::kNormal;
}

}  // namespace

Result<GgufVocabulary> read_llama2c_tokenizer(std::span<const std::byte> file,
                                              std::size_t vocab_size) {
  if (file.size() < kHeaderSize) {
    return error(StatusCode::kCorrupt, "llama2.c tokenizer: {} bytes, no header", file.size());
  }
  if (vocab_size <= kEos) {
    return error(StatusCode::kCorrupt, "llama2.c tokenizer: a vocabulary of {} tokens", vocab_size);
  }
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.bos = kBos;
  vocabulary.eos = kEos;
  vocabulary.unknown = kUnknown;
  std::size_t at = kHeaderSize;
  for (std::size_t id = 0; id < vocab_size; ++id) {
    float score = 0;
    std::int32_t size = 0;
    if (file.size() - at < kTokenHeaderSize) {
      return error(StatusCode::kCorrupt,
                   "llama2.c tokenizer: ends at offset {} before token {} of {}", at, id,
                   vocab_size);
    }
    std::memcpy(&score, file.data() + at, 4);
    std::memcpy(&size, file.data() + at + 4, 4);
    at += kTokenHeaderSize;
    if (size < 0 || static_cast<std::size_t>(size) > file.size() - at) {
      return error(StatusCode::kCorrupt, "llama2.c tokenizer: token {} has length {} at offset {}",
                   id, size, at - 4);
    }
    const std::string_view text(reinterpret_cast<const char*>(file.data()) + at,
                                static_cast<std::size_t>(size));
    at += text.size();
    vocabulary.tokens.push_back(with_space_marks(text));
    vocabulary.scores.push_back(score);
    vocabulary.token_types.push_back(static_cast<std::int32_t>(type_of(id, text)));
  }
  // The file writes "\n<s>\n", so that printing it shows; the name is what templates use.
  vocabulary.tokens[kBos] = "<s>";
  vocabulary.tokens[kEos] = "</s>";
  return vocabulary;
}

Result<std::string> llama2c_tokenizer_json(std::span<const std::byte> file,
                                           std::size_t vocab_size) {
  QUIRE_ASSIGN_OR_RETURN(const GgufVocabulary vocabulary, read_llama2c_tokenizer(file, vocab_size));
  return gguf_tokenizer_json(vocabulary);
}

}  // namespace quire
