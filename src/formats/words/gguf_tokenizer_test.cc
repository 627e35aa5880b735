// Vocabularies to tokenizer.json: what is refused and by which name, and that merges made from
// scores say what SentencePiece says. That the JSON works is seen in lab/tokenizer_vectors_test.cc.
#include "formats/words/gguf_tokenizer.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <variant>

#include "base/json.h"
#include "formats/words/pre_tokenizers.h"
#include "formats/words/spm_merges.h"

namespace quire {
namespace {

GgufVocabulary spm_vocabulary() {
  GgufVocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.tokens = {"<unk>", "<s>", "</s>", "<0x0A>", "a", "b", "ab", "▁"};
  vocabulary.scores = {0, 0, 0, 0, -2, -3, -1, -4};
  vocabulary.token_types = {2, 3, 3, 6, 1, 1, 1, 1};
  vocabulary.bos = 1;
  vocabulary.eos = 2;
  vocabulary.unknown = 0;
  return vocabulary;
}

GgufVocabulary bpe_vocabulary() {
  GgufVocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = "gpt-2";
  vocabulary.tokens = {"a", "b", "ab", "<|end|>"};
  vocabulary.token_types = {1, 1, 1, 3};
  vocabulary.merges = {"a b"};
  vocabulary.bos = 3;
  return vocabulary;
}

Json json_of(const GgufVocabulary& vocabulary) {
  const Result<std::string> text = gguf_tokenizer_json(vocabulary);
  EXPECT_TRUE(text.is_ok()) << text.status().message();
  const Result<Json> json = text.is_ok() ? parse_json(*text) : text.status();
  EXPECT_TRUE(json.is_ok()) << json.status().message();
  return json.is_ok() ? *json : Json();
}

// The value behind keys and indices; null where there is none.
Json at(const Json& json, std::initializer_list<std::variant<int, std::string_view>> path) {
  const Json* value = &json;
  for (const auto& step : path) {
    if (const std::string_view* key = std::get_if<std::string_view>(&step)) {
      value = value->find(*key);
    } else {
      const auto i = static_cast<std::size_t>(std::get<int>(step));
      value = value->is_array() && i < value->items().size() ? &value->items()[i] : nullptr;
    }
    if (value == nullptr) return Json();
  }
  return *value;
}

TEST(GgufTokenizer, WritesSentencePiece) {
  const Json json = json_of(spm_vocabulary());
  EXPECT_EQ(at(json, {"model", "merges"}), Json::array({Json::array({"a", "b"})}));
  EXPECT_EQ(at(json, {"model", "vocab", "▁"}), 7);
  EXPECT_EQ(at(json, {"model", "byte_fallback"}), false);  // not all 256 bytes are there
  EXPECT_EQ(at(json, {"added_tokens"}).items().size(), 3u);
  EXPECT_EQ(at(json, {"post_processor", "single", 0, "SpecialToken", "id"}), "<s>");
  EXPECT_EQ(at(json, {"normalizer", "normalizers", 0, "type"}), "Prepend");
}

TEST(GgufTokenizer, FollowsTheSwitches) {
  GgufVocabulary vocabulary = spm_vocabulary();
  vocabulary.add_bos = false;
  vocabulary.add_eos = true;
  vocabulary.add_space_prefix = false;
  const Json json = json_of(vocabulary);
  EXPECT_EQ(at(json, {"normalizer", "normalizers"}).items().size(), 1u);
  EXPECT_EQ(at(json, {"post_processor", "single", 1, "SpecialToken", "id"}), "</s>");
  EXPECT_EQ(at(json, {"decoder", "decoders"}).items().size(), 3u);
}

// Gemma 4: the merges are in the file, and no text is cut before them.
TEST(GgufTokenizer, WritesSentencePieceWithMerges) {
  GgufVocabulary vocabulary = spm_vocabulary();
  vocabulary.model = "gemma4";
  vocabulary.scores.clear();
  vocabulary.merges = {"a b"};
  vocabulary.add_space_prefix = false;
  const Json json = json_of(vocabulary);
  EXPECT_EQ(at(json, {"model", "merges"}), Json::array({Json::array({"a", "b"})}));
  EXPECT_TRUE(at(json, {"pre_tokenizer"}).is_null());
  EXPECT_EQ(at(json, {"normalizer", "normalizers", 0, "content"}), "▁");
  EXPECT_EQ(at(json, {"post_processor", "single", 0, "SpecialToken", "id"}), "<s>");
}

TEST(GgufTokenizer, WritesByteLevelBpe) {
  GgufVocabulary vocabulary = bpe_vocabulary();
  Json json = json_of(vocabulary);
  EXPECT_TRUE(at(json, {"post_processor"}).is_null());
  EXPECT_TRUE(at(json, {"normalizer"}).is_null());
  EXPECT_EQ(at(json, {"model", "ignore_merges"}), false);
  vocabulary.pre = "llama-bpe";
  json = json_of(vocabulary);
  EXPECT_EQ(at(json, {"model", "ignore_merges"}), true);
  EXPECT_EQ(at(json, {"post_processor", "single", 0, "SpecialToken", "id"}), "<|end|>");
  vocabulary.pre = "qwen2";
  EXPECT_EQ(at(json_of(vocabulary), {"normalizer", "type"}), "NFC");
}

// Every guess that token ids depend on names the key that is missing.
TEST(GgufTokenizer, TellsWhatItGuesses) {
  EXPECT_TRUE(vocabulary_warnings(bpe_vocabulary()).empty());
  EXPECT_TRUE(vocabulary_warnings(spm_vocabulary()).empty());
  const auto warns = [](GgufVocabulary vocabulary, std::string_view key) {
    const std::vector<std::string> warnings = vocabulary_warnings(vocabulary);
    return warnings.size() == 1 && warnings[0].starts_with(key);
  };
  GgufVocabulary vocabulary = bpe_vocabulary();
  vocabulary.pre = "";
  EXPECT_TRUE(warns(vocabulary, "tokenizer.ggml.pre is missing"));
  vocabulary.pre = "default";
  EXPECT_TRUE(warns(vocabulary, "tokenizer.ggml.pre is 'default'"));
  vocabulary = bpe_vocabulary();
  vocabulary.token_types.clear();
  EXPECT_TRUE(warns(vocabulary, "tokenizer.ggml.token_type is missing"));
  vocabulary = bpe_vocabulary();
  vocabulary.merges.clear();
  EXPECT_TRUE(warns(vocabulary, "tokenizer.ggml.merges is missing"));
  vocabulary = spm_vocabulary();
  vocabulary.bos = std::nullopt;
  EXPECT_TRUE(warns(vocabulary, "tokenizer.ggml.bos_token_id is missing"));
}

TEST(GgufTokenizer, QuotesWhatJsonNeedsQuoted) {
  GgufVocabulary vocabulary = bpe_vocabulary();
  vocabulary.tokens = {"\"", "\\", "\n", "\x01"};
  vocabulary.merges.clear();
  const Json json = json_of(vocabulary);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(at(json, {"model", "vocab", vocabulary.tokens[static_cast<std::size_t>(i)]}), i);
  }
}

TEST(GgufTokenizer, NamesTheKeyThatIsWrong) {
  struct Case {
    const char* message;  // its beginning
    std::function<void(GgufVocabulary&)> spoil;
  };
  const Case of_spm[] = {
      {"tokenizer.ggml.tokens: the vocabulary is empty",
       [](auto& v) {
         v.tokens.clear();
         v.scores.clear();
         v.token_types.clear();
       }},
      {"tokenizer.ggml.scores: 3 values for 8 tokens", [](auto& v) { v.scores.resize(3); }},
      {"tokenizer.ggml.scores: missing", [](auto& v) { v.scores.clear(); }},
      {"tokenizer.ggml.token_type: 7 values", [](auto& v) { v.token_types.resize(7); }},
      {"tokenizer.ggml.token_type[2]: 99", [](auto& v) { v.token_types[2] = 99; }},
      {"tokenizer.ggml.tokens[3]: byte token '<0x123456>'",
       [](auto& v) { v.tokens[3] = "<0x123456>"; }},
      {"tokenizer.ggml.tokens[5]: 'a' is already token 4", [](auto& v) { v.tokens[5] = "a"; }},
      {"tokenizer.ggml.tokens[5]: not valid UTF-8 at byte 1",
       [](auto& v) { v.tokens[5] = "a\xFF"; }},
      {"tokenizer.ggml.tokens[5]: 1000 bytes", [](auto& v) { v.tokens[5].assign(1000, 'x'); }},
      {"tokenizer.ggml.bos_token_id: 4294967295", [](auto& v) { v.bos = 4294967295u; }},
      {"tokenizer.ggml.padding_token_id: 8", [](auto& v) { v.padding = 8; }},
      {"tokenizer.ggml.model: 'other' is not known; known are llama, gemma4, t5, gpt2, bert",
       [](auto& v) { v.model = "other"; }},
  };
  for (const Case& row : of_spm) {
    GgufVocabulary vocabulary = spm_vocabulary();
    row.spoil(vocabulary);
    const Result<std::string> json = gguf_tokenizer_json(vocabulary);
    ASSERT_FALSE(json.is_ok()) << row.message;
    EXPECT_TRUE(json.status().message().starts_with(row.message)) << json.status().message();
  }
  for (const char* merge : {"ab", "a b c", " a", "a ", "", "a  b", "a x", "b a"}) {
    GgufVocabulary vocabulary = bpe_vocabulary();
    vocabulary.merges = {"a b", merge};
    const Result<std::string> json = gguf_tokenizer_json(vocabulary);
    ASSERT_FALSE(json.is_ok()) << merge;
    EXPECT_TRUE(json.status().message().starts_with("tokenizer.ggml.merges[1]: "));
  }
}

TEST(GgufTokenizer, ListsThePreTokenizersItKnows) {
  GgufVocabulary vocabulary = bpe_vocabulary();
  vocabulary.pre = "of-next-year";
  const Result<std::string> json = gguf_tokenizer_json(vocabulary);
  ASSERT_FALSE(json.is_ok());
  EXPECT_EQ(json.status().code(), StatusCode::kUnsupported);
  for (const char* name : {"'of-next-year'", "gpt-2", "smollm", "qwen2", "llama-bpe", "falcon"}) {
    EXPECT_NE(json.status().message().find(name), std::string::npos) << name;
  }
}

// SentencePiece itself: merge the adjacent pair whose joined text has the best score, leftmost
// first.
std::vector<std::string> merged_by_score(std::vector<std::string> symbols,
                                         const std::map<std::string, float>& scores) {
  while (true) {
    std::size_t best = symbols.size();
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = scores.find(symbols[i] + symbols[i + 1]);
      if (found == scores.end()) continue;
      if (best == symbols.size() || found->second > best_score) {
        best = i;
        best_score = found->second;
      }
    }
    if (best == symbols.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

std::vector<std::string> merged_by_rank(std::vector<std::string> symbols,
                                        const std::vector<MergePair>& merges) {
  std::map<std::pair<std::string, std::string>, std::size_t> rank;
  for (std::size_t i = 0; i < merges.size(); ++i) rank.emplace(merges[i], i);
  while (true) {
    std::size_t best = symbols.size();
    std::size_t best_rank = merges.size();
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = rank.find({symbols[i], symbols[i + 1]});
      if (found == rank.end() || found->second >= best_rank) continue;
      best = i;
      best_rank = found->second;
    }
    if (best == symbols.size()) return symbols;
    symbols[best] += symbols[best + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Vocabularies as training makes them: each piece joins two earlier ones and scores below them.
TEST(SpmMerges, SayWhatSentencePieceSays) {
  std::mt19937 random(5);
  std::size_t different = 0;
  constexpr int kRounds = 3000;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::string> pieces = {"a", "b", "é"};
    while (pieces.size() < 14) {
      const std::string joined =
          pieces[random() % pieces.size()] + pieces[random() % pieces.size()];
      const bool is_new = std::find(pieces.begin(), pieces.end(), joined) == pieces.end();
      if (is_new) pieces.push_back(joined);
    }
    std::vector<float> scores;
    std::map<std::string, float> by_text;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      scores.push_back(-static_cast<float>(i));
      by_text[pieces[i]] = scores.back();
    }
    const auto merges = spm_merges(pieces, scores, std::vector<bool>(pieces.size(), true));
    std::vector<std::string> text;
    for (unsigned i = random() % 24; i > 0; --i) text.push_back(pieces[random() % 3]);
    different += merged_by_score(text, by_text) == merged_by_rank(text, merges) ? 0 : 1;
  }
  // They differ only where one piece can be made in two ways that overlap ("aa" + "a", "a" + "aa").
  EXPECT_LE(different, kRounds / 100) << different;
}

TEST(SpmMerges, LeaveOutWhatMayNotMerge) {
  const std::vector<std::string> pieces = {"a", "b", "ab", "aab"};
  const std::vector<float> scores = {0, 0, -1, -2};
  EXPECT_EQ(spm_merges(pieces, scores, {true, true, true, true}),
            (std::vector<MergePair>{{"a", "b"}, {"a", "ab"}}));
  EXPECT_EQ(spm_merges(pieces, scores, {true, true, false, true}), std::vector<MergePair>{});
}

}  // namespace
}  // namespace quire
