// Two tiny vocabularies for the tests of this folder: a byte-level one and a SentencePiece-like
// one. Every byte can be written in both. The byte-level file asks for truncation, which Tokenizer
// ignores. Tests of this folder only.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <string>

#include "text/tokenizer.h"

namespace quire {

// The character by which GPT-2's alphabet writes a byte.
inline std::string byte_level_symbol(unsigned byte) {
  const auto is_printable = [](unsigned b) {
    return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
  };
  unsigned code = byte;
  if (!is_printable(byte)) {
    code = 0x100;
    for (unsigned b = 0; b < byte; ++b) code += is_printable(b) ? 0 : 1;
  }
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
}

inline std::string quoted(const std::string& text) {
  const bool is_escaped = text == "\"" || text == "\\";
  return (is_escaped ? "\"\\" : "\"") + text + "\"";
}

inline std::shared_ptr<const Tokenizer> tokenizer_of(const std::string& json) {
  Result<std::shared_ptr<const Tokenizer>> tokenizer = Tokenizer::from_json(json);
  QUIRE_CHECK(tokenizer.is_ok(), "{}", tokenizer.status().message());
  return std::move(tokenizer).value();
}

// Ids 0 to 255 are the bytes; 256 is "he", 257 "<|end|>" (special), 258 "<tool>" (added, not
// special).
inline std::shared_ptr<const Tokenizer> byte_level_tokenizer() {
  std::string vocab;
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocab += fmt::format("{}:{},", quoted(byte_level_symbol(byte)), byte);
  }
  const auto added = [](int id, const char* text, bool is_special) {
    return fmt::format(R"({{"id":{},"content":"{}","single_word":false,"lstrip":false,)"
                       R"("rstrip":false,"normalized":false,"special":{}}})",
                       id, text, is_special);
  };
  return tokenizer_of(fmt::format(
      R"({{"version":"1.0","added_tokens":[{},{}],"normalizer":null,"post_processor":null,)"
      R"("pre_tokenizer":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,)"
      R"("use_regex":true}},)"
      R"("decoder":{{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true}},)"
      R"("truncation":{{"direction":"Right","max_length":4,)"
      R"("strategy":"LongestFirst","stride":0}},)"
      R"("model":{{"type":"BPE","vocab":{{{}"he":256}},"merges":["h e"]}}}})",
      added(257, "<|end|>", true), added(258, "<tool>", false), vocab));
}

// 0 <unk>, 1 <s>, 2 to 257 the byte tokens, 258 "▁", 259 "▁hi", 260 "h", 261 "i", 262 "hi".
inline std::shared_ptr<const Tokenizer> sentencepiece_tokenizer() {
  std::string vocab;
  for (unsigned byte = 0; byte < 256; ++byte)
    vocab += fmt::format("\"<0x{:02X}>\":{},", byte, byte + 2);
  return tokenizer_of(
      R"({"version":"1.0","added_tokens":[{"id":1,"content":"<s>","single_word":false,)"
      R"("lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":)"
      R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace",)"
      R"("pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,"post_processor":)"
      R"({"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},)"
      R"({"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":)"
      R"({"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},"decoder":{"type":"Sequence",)"
      R"("decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},)"
      R"({"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,)"
      R"("stop":0}]},"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,)"
      R"("byte_fallback":true,"vocab":{"<unk>":0,"<s>":1,)" +
      vocab + R"("▁":258,"▁hi":259,"h":260,"i":261,"hi":262},"merges":["h i","▁ hi"]}})");
}

}  // namespace quire
