#include "text/testing/byte_tokenizer.h"

#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"

namespace quire {
namespace {

// GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on.
std::string byte_name(int byte, int& next) {
  const bool is_itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const int point = is_itself ? byte : 256 + next++;
  std::string name;
  if (point < 128) {
    name = static_cast<char>(point);
  } else {
    name = static_cast<char>(0xC0 | point >> 6);
    name += static_cast<char>(0x80 | (point & 0x3F));
  }
  return name;
}

Json added_token(TokenId id, std::string_view text) {
  return Json::object({{"id", id}, {"content", text}, {"single_word", false}, {"lstrip", false},
                       {"rstrip", false}, {"normalized", false}, {"special", true}});
}

}  // namespace

std::shared_ptr<const Tokenizer> make_test_tokenizer(std::span<const std::string> controls) {
  std::vector<Json> added = {added_token(kTestImStart, "<|im_start|>"),
                             added_token(kTestImEnd, "<|im_end|>")};
  for (const std::string& control : controls) {
    added.push_back(added_token(static_cast<TokenId>(256 + added.size()), control));
  }
  Json vocab = Json::object();
  int next = 0;
  for (int byte = 0; byte < 256; ++byte) vocab.set(byte_name(byte, next), byte);
  const Json byte_level = Json::object({{"type", "ByteLevel"}, {"add_prefix_space", false},
                                        {"trim_offsets", false}, {"use_regex", false}});
  const Json json = Json::object(
      {{"version", "1.0"}, {"truncation", Json()}, {"padding", Json()},
       {"added_tokens", Json::array(std::move(added))},
       {"normalizer", Json()}, {"pre_tokenizer", byte_level}, {"post_processor", Json()},
       {"decoder", byte_level},
       {"model", Json::object({{"type", "BPE"}, {"dropout", Json()}, {"unk_token", Json()},
                               {"continuing_subword_prefix", Json()},
                               {"end_of_word_suffix", Json()}, {"fuse_unk", false},
                               {"byte_fallback", false}, {"vocab", std::move(vocab)},
                               {"merges", Json::array()}})}});
  auto tokenizer = Tokenizer::from_json(dump(json));
  QUIRE_CHECK(tokenizer.is_ok(), "the test tokenizer: {}", tokenizer.status().message());
  return *tokenizer;
}

}  // namespace quire
