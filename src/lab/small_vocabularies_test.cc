// Golden tests of tokenizers: tiny vocabularies of every kind of file, as directories of Hugging
// Face have them, against the ids of their own libraries (tools/words). The directory is written,
// read by the public path and every text compared; what is written in the tables below is where we
// differ, and why. No fixture is passed over in silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "formats/testing/temp_folder.h"
#include "formats/words/gguf_tokenizer.h"
#include "formats/words/pre_tokenizers.h"
#include "formats/words/tokenizer_files.h"
#include "text/tokenizer_for_tests.h"

namespace quire {
namespace {

const std::string kFolder = QUIRE_SOURCE_DIR "/tests/golden/words";
constexpr std::size_t kFixturesMin = 19;

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  }
  std::sort(names.begin(), names.end());
  return names;
}

const Json& member(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  QUIRE_CHECK(found != nullptr, "no '{}'", name);
  return *found;
}

std::string from_base64(std::string_view text) {
  static constexpr std::string_view kSymbols =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(kSymbols.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

// Texts of which the ids are others than the library's.
struct Different {
  const char* fixture;
  const char* text;
  const char* reason;
};
constexpr const char* kTrimmed = "spaces at the end go, as in sentencepiece; the class keeps them";
constexpr Different kDifferent[] = {
    {"mbart", "naïve \u2460 \uFB01ne", "the class leaves the file's character map out"},
    {"mbart50", "the ", kTrimmed},
    {"mbart50", "  two  spaces  ", kTrimmed},
    {"pegasus", "the ", kTrimmed},
    {"pegasus", "  two  spaces  ", kTrimmed},
    {"unigram_bare", "a <sep> b<sep>c", "spaces beside a user's piece go"},
};

bool is_different(const std::string& fixture, const std::string& text) {
  return std::any_of(std::begin(kDifferent), std::end(kDifferent), [&](const Different& row) {
    return fixture == row.fixture && text == row.text;
  });
}

class WordsTest : public ::testing::TestWithParam<std::string> {};

TEST_P(WordsTest, IdsAreThoseOfTheLibrary) {
  const auto text = read_file(kFolder + "/" + GetParam() + ".json", std::size_t{1} << 20);
  ASSERT_TRUE(text.is_ok()) << text.status().message();
  const auto fixture = parse_json(*text);
  ASSERT_TRUE(fixture.is_ok()) << fixture.status().message();
  const testing::TempFolder folder;
  for (const auto& [name, bytes] : member(*fixture, "files").members()) {
    folder.write(name, from_base64(bytes.as_string()));
  }
  const auto json = read_directory_tokenizer(folder.path(), 0);
  ASSERT_TRUE(json.is_ok()) << json.status().message();
  const auto tokenizer = Tokenizer::from_json(*json);
  ASSERT_TRUE(tokenizer.is_ok()) << tokenizer.status().message();
  const EncodeOptions options = {.add_special = member(*fixture, "add_special").as_bool(),
                                 .parse_special = member(*fixture, "parse_special").as_bool()};
  std::size_t equal = 0;
  for (const Json& item : member(*fixture, "cases").items()) {
    const std::string& input = member(item, "text").as_string();
    const auto ids = (*tokenizer)->encode(input, options);
    ASSERT_TRUE(ids.is_ok()) << ids.status().message();
    std::vector<TokenId> expected;
    for (const Json& id : member(item, "ids").items()) {
      expected.push_back(static_cast<TokenId>(id.as_int()));
    }
    equal += *ids == expected;
    if (is_different(GetParam(), input)) {
      EXPECT_NE(*ids, expected) << "take it out of kDifferent: '" << input << "'";
    } else {
      EXPECT_EQ(*ids, expected) << "'" << input << "'";
    }
  }
  std::printf("FIGURE %s: %zu of %zu texts equal to %s\n", GetParam().c_str(), equal,
              member(*fixture, "cases").items().size(),
              member(*fixture, "source").as_string().c_str());
}

std::string name_of(const ::testing::TestParamInfo<std::string>& info) { return info.param; }

INSTANTIATE_TEST_SUITE_P(Golden, WordsTest, ::testing::ValuesIn(names()), name_of);

// --- how text is cut first ---

// All bytes, then a letter and the first byte of a Chinese character as one token.
GgufVocabulary byte_vocabulary(std::string_view pre) {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocabulary.tokens.push_back(byte_level_symbol(byte));
  }
  vocabulary.tokens.push_back("a" + byte_level_symbol(0xE6));
  vocabulary.merges = {"a " + byte_level_symbol(0xE6)};
  return vocabulary;
}

Result<std::vector<TokenId>> ids_with(std::string_view pre, std::string_view text) {
  QUIRE_ASSIGN_OR_RETURN(const std::string json, gguf_tokenizer_json(byte_vocabulary(pre)));
  QUIRE_ASSIGN_OR_RETURN(const auto tokenizer, Tokenizer::from_json(json));
  return tokenizer->encode(text, {.add_special = false});
}

TEST(PreTokenizersTest, EveryRuleIsOneThatTheLibraryCanFollow) {
  const std::string message = find_pre_tokenizer("none").status().message();
  std::string_view names = message;
  names.remove_prefix(message.find("known are ") + 10);
  std::size_t rules = 0;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(", "), names.size());
    const std::string_view name = names.substr(0, end);
    const std::string text = "It's 1,234 \u6c49\u5b57 a\u6c49! \n\n  x";
    const auto ids = ids_with(name, text);
    ASSERT_TRUE(ids.is_ok()) << name << ": " << ids.status().message();
    EXPECT_GE(ids->size(), text.size() - 1) << name;  // nothing is lost
    names.remove_prefix(std::min(end + 2, names.size()));
    ++rules;
  }
  EXPECT_GE(rules, 50u);
}

TEST(PreTokenizersTest, KimiCutsBeforeChinese) {
  const auto kimi = ids_with("kimi-k2", "a\u6c49"), other = ids_with("gpt-4o", "a\u6c49");
  ASSERT_TRUE(kimi.is_ok() && other.is_ok());
  EXPECT_EQ(kimi->size(), 4u);
  EXPECT_EQ(other->size(), 3u);
}

TEST(PreTokenizersTest, AnUnknownRuleIsRefusedByName) {
  const auto ids = ids_with("of-tomorrow", "a");
  ASSERT_FALSE(ids.is_ok());
  EXPECT_TRUE(ids.status().message().starts_with(
      "tokenizer.ggml.pre: 'of-tomorrow' is not known; known are default, "));
}

TEST(WordsTablesTest, FixturesAreThere) { EXPECT_GE(names().size(), kFixturesMin); }

}  // namespace
}  // namespace quire
