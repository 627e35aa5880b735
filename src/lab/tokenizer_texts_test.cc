// Whole texts in vocabularies that are not GGUF: tiktoken files, Llama 2's SentencePiece model and
// GPT-2's vocab.json with merges.txt against ids that tiktoken and sentencepiece gave (their number
// and a hash, from tiktoken 0.14.0 and sentencepiece 0.2.3), and Qwen's ranks against published
// vectors. Needs ../shared; skips with a line without it.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "formats/testing/temp_folder.h"
#include "formats/words/tokenizer_files.h"
#include "text/tokenizer.h"

namespace quire {
namespace {

const std::string kShared = QUIRE_SOURCE_DIR "/../shared/";
const std::string kTokenizers = kShared + "tokenizers/";
const std::string kVectors = kTokenizers + "vectors-swift-transformers/";
constexpr const char* kInputs = "";  // all inputs of the multilingual vectors, a line each

#define SKIP_WITHOUT(path) \
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "not here: " << (path)

std::string contents_of(const std::string& path) {
  Result<std::string> text = read_file(path, std::size_t{64} << 20);
  QUIRE_CHECK(text.is_ok(), "{}", text.status().message());
  return std::move(text).value();
}

Json json_of(const std::string& path) {
  Result<Json> json = parse_json(contents_of(path));
  QUIRE_CHECK(json.is_ok(), "{}: {}", path, json.status().message());
  return std::move(json).value();
}

std::shared_ptr<const Tokenizer> tokenizer_of(const Result<std::string>& json) {
  QUIRE_CHECK(json.is_ok(), "{}", json.status().message());
  auto tokenizer = Tokenizer::from_json(*json);
  QUIRE_CHECK(tokenizer.is_ok(), "{}", tokenizer.status().message());
  return std::move(tokenizer).value();
}

std::vector<TokenId> ids_of(const Tokenizer& tokenizer, std::string_view text) {
  const auto ids = tokenizer.encode(text, {.add_special = false, .parse_special = false});
  EXPECT_TRUE(ids.is_ok()) << ids.status().message();
  return ids.is_ok() ? *ids : std::vector<TokenId>();
}

// FNV-1a over the bytes of the ids, little endian.
std::uint64_t hash_of(const std::vector<TokenId>& ids) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const TokenId id : ids) {
    for (int shift = 0; shift < 32; shift += 8) {
      hash = (hash ^ (static_cast<std::uint32_t>(id) >> shift & 0xFF)) * 0x100000001b3u;
    }
  }
  return hash;
}

std::string text_named(const std::string& name) {
  if (!name.empty()) return contents_of(kShared + "text/" + name);
  std::string all;
  const Json inputs = json_of(kVectors + "MultilingualConformance__inputs.json");
  for (const Json& item : inputs.items()) {
    all += (all.empty() ? "" : "\n") + item.find("text")->as_string();
  }
  return all;
}

struct WholeText {
  const char* file;
  const char* text;
  std::size_t tokens;
  std::uint64_t hash;
};
constexpr WholeText kWholeTexts[] = {
    {"llama2/tokenizer.model", "frankenstein.txt", 101630, 0x3acbfb16cdb82a99u},
    {"llama2/tokenizer.model", "tinyshakespeare.txt", 368633, 0xf8e5eec868d0ecb2u},
    {"llama2/tokenizer.model", kInputs, 2592, 0x208b48f0064acf80u},
    {"tiktoken/cl100k_base.tiktoken", "frankenstein.txt", 90833, 0xd850a66776dfbbb3u},
    {"tiktoken/cl100k_base.tiktoken", "tinyshakespeare.txt", 301829, 0x87bea6dcec9f8709u},
    {"tiktoken/cl100k_base.tiktoken", kInputs, 2268, 0x7f6b58d620679b50u},
    {"tiktoken/o200k_base.tiktoken", "frankenstein.txt", 90470, 0x834805a9efe00e73u},
    {"tiktoken/o200k_base.tiktoken", "tinyshakespeare.txt", 297606, 0x4516caa36bf34be2u},
    {"tiktoken/o200k_base.tiktoken", kInputs, 1755, 0x44fee1bbbb44c9f9u},
    {"tiktoken/p50k_base.tiktoken", "frankenstein.txt", 93554, 0xc3ebfec5c2e8b83au},
    {"tiktoken/p50k_base.tiktoken", "tinyshakespeare.txt", 338022, 0x2f234bab8e87d82eu},
    {"tiktoken/p50k_base.tiktoken", kInputs, 2964, 0x4cef6411a3f3d746u},
    {"tiktoken/r50k_base.tiktoken", "frankenstein.txt", 93562, 0xbaeacb6f5c7dc8a6u},
    {"tiktoken/r50k_base.tiktoken", "tinyshakespeare.txt", 338025, 0xe22fcd868ca90167u},
    {"tiktoken/r50k_base.tiktoken", kInputs, 2989, 0xa75c2feb2d7d94c9u},
};

TEST(TokenizerTexts, WholeTextsHaveTheIdsOfTheLibraries) {
  SKIP_WITHOUT(kTokenizers + "tiktoken/cl100k_base.tiktoken");
  std::string file;
  std::shared_ptr<const Tokenizer> tokenizer;
  for (const WholeText& row : kWholeTexts) {
    if (file != row.file) tokenizer = tokenizer_of(read_tokenizer_file(kTokenizers + row.file, 0));
    file = row.file;
    const auto ids = ids_of(*tokenizer, text_named(row.text));
    EXPECT_EQ(ids.size(), row.tokens) << row.file << " " << row.text;
    EXPECT_EQ(hash_of(ids), row.hash) << row.file << " " << row.text;
  }
}

// The same ranks once more, as vocab.json and merges.txt.
TEST(TokenizerTexts, Gpt2FromVocabAndMerges) {
  SKIP_WITHOUT(kTokenizers + "gpt2-hf/gpt2_vocab.json");
  const testing::TempFolder folder;
  folder.write("vocab.json", contents_of(kTokenizers + "gpt2-hf/gpt2_vocab.json"));
  folder.write("merges.txt", contents_of(kTokenizers + "gpt2-hf/gpt2_merges.txt"));
  folder.write("config.json", R"({"model_type":"gpt2"})");
  const auto tokenizer = tokenizer_of(read_directory_tokenizer(folder.path(), 0));
  std::size_t compared = 0;
  for (const WholeText& row : kWholeTexts) {
    if (std::string_view(row.file) != "tiktoken/r50k_base.tiktoken") continue;
    EXPECT_EQ(hash_of(ids_of(*tokenizer, text_named(row.text))), row.hash) << row.text;
    ++compared;
  }
  EXPECT_EQ(compared, 3u);
}

TEST(TokenizerTexts, QwenFromItsRanks) {
  SKIP_WITHOUT(kTokenizers + "qwen/Qwen_7b_vocab.txt");
  std::string ranked;
  const std::string lines = contents_of(kTokenizers + "qwen/Qwen_7b_vocab.txt");
  std::size_t rank = 0;
  for (std::size_t at = 0; at < lines.size(); ++rank) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    ranked += lines.substr(at, end - at) + " " + std::to_string(rank) + "\n";
    at = end + 1;
  }
  ASSERT_EQ(rank, 151643u);
  const testing::TempFolder folder;
  folder.write("qwen.tiktoken", ranked);
  const auto tokenizer = tokenizer_of(read_directory_tokenizer(folder.path(), 0));
  EXPECT_EQ(tokenizer->find("<|im_start|>"), 151644);
  EXPECT_EQ(tokenizer->find("<|extra_204|>"), 151850);
  const Json inputs = json_of(kVectors + "MultilingualConformance__inputs.json");
  const Json vector = json_of(kVectors + "MultilingualConformance__qwen2_5_multilingual.json");
  const std::vector<Json>& entries = vector.find("entries")->items();
  ASSERT_EQ(entries.size(), inputs.items().size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    ASSERT_EQ(*entries[i].find("id"), *inputs.items()[i].find("id"));
    std::vector<TokenId> expected;
    for (const Json& id : entries[i].find("input_ids")->items()) {
      expected.push_back(static_cast<TokenId>(id.as_int()));
    }
    EXPECT_EQ(ids_of(*tokenizer, inputs.items()[i].find("text")->as_string()), expected) << i;
  }
}

}  // namespace
}  // namespace quire
