// The tokenizers of real vocabularies against published vectors: GGUF vocabularies with their
// .inp/.out pairs, ids from Hugging Face for the same vocabularies, Llama 2 from three file
// formats, SmolLM2 from its model file. Needs ../shared (and SmolLM2's GGUF); skips with a line
// without them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/json.h"
#include "formats/config/gguf_config.h"
#include "formats/words/gguf_tokenizer.h"
#include "formats/words/llama2c_tokenizer.h"
#include "formats/words/sentencepiece.h"
#include "text/detokenizer.h"
#include "text/tokenizer.h"

namespace quire {
namespace {

const std::string kTokenizers = QUIRE_SOURCE_DIR "/../shared/tokenizers/";
const std::string kVectors = kTokenizers + "vectors-swift-transformers/";
const std::string kSmollm2References = QUIRE_SOURCE_DIR "/../shared/models/smollm2-135m-refs/";

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

const Json& member(const Json& object, std::string_view name) {
  const Json* found = object.find(name);
  QUIRE_CHECK(found != nullptr, "no '{}'", name);
  return *found;
}

const std::string& text_at(const Json& object, std::string_view name) {
  return member(object, name).as_string();
}

std::vector<TokenId> ids_in(const Json& array) {
  std::vector<TokenId> ids;
  for (const Json& id : array.items()) ids.push_back(static_cast<TokenId>(id.as_int()));
  return ids;
}

std::shared_ptr<const Tokenizer> tokenizer_of_json(const Result<std::string>& json) {
  QUIRE_CHECK(json.is_ok(), "{}", json.status().message());
  Result<std::shared_ptr<const Tokenizer>> tokenizer = Tokenizer::from_json(*json);
  QUIRE_CHECK(tokenizer.is_ok(), "{}", tokenizer.status().message());
  return std::move(tokenizer).value();
}

std::shared_ptr<const Tokenizer> tokenizer_of_gguf(const std::string& path) {
  Result<GgufFile> file = GgufFile::open(path);
  QUIRE_CHECK(file.is_ok(), "{}", file.status().message());
  Result<GgufVocabulary> vocabulary = read_gguf_vocabulary(*file);
  QUIRE_CHECK(vocabulary.is_ok(), "{}", vocabulary.status().message());
  return tokenizer_of_json(gguf_tokenizer_json(*vocabulary));
}

std::string ggml_path(const std::string& name) {
  return kTokenizers + "ggml-vocab/ggml-vocab-" + name + ".gguf";
}

std::vector<TokenId> ids_of(const Tokenizer& tokenizer, std::string_view text,
                            EncodeOptions options) {
  Result<std::vector<TokenId>> ids = tokenizer.encode(text, options);
  EXPECT_TRUE(ids.is_ok()) << ids.status().message();
  return ids.is_ok() ? *ids : std::vector<TokenId>();
}

std::string text_of(const Tokenizer& tokenizer, const std::vector<TokenId>& ids,
                    DetokenizerOptions options) {
  Detokenizer detokenizer(tokenizer, options);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.append(id);
  return text + detokenizer.flush();
}

std::vector<std::string> split(std::string_view text, std::string_view separator) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.emplace_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + separator.size());
  }
}

std::vector<TokenId> parsed_ids(const std::string& line) {
  std::vector<TokenId> ids;
  for (const std::string& number : split(line, " ")) {
    if (!number.empty()) ids.push_back(std::stoi(number));
  }
  return ids;
}

constexpr EncodeOptions kPlain = {.add_special = false, .parse_special = false};
constexpr EncodeOptions kLikeHuggingFace = {.add_special = true, .parse_special = true};

class GgmlVocabulary : public testing::TestWithParam<const char*> {};

TEST_P(GgmlVocabulary, ReproducesItsOutFromItsInp) {
  const std::string path = ggml_path(GetParam());
  SKIP_WITHOUT(path);
  const auto tokenizer = tokenizer_of_gguf(path);
  const auto texts = split(contents_of(path + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split(contents_of(path + ".out"), "\n");
  ASSERT_EQ(texts.size(), lines.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(ids_of(*tokenizer, texts[i], kPlain), parsed_ids(lines[i])) << "text " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgmlVocabulary,
                         testing::Values("llama-spm", "phi-3", "gpt-2", "falcon", "bert-bge"));

// Which vocabulary file stands for which model of the vectors.
struct SharedVocabulary {
  const char* model;
  const char* gguf;
};

TEST(TokenizerVectors, TokenizerTests) {
  SKIP_WITHOUT(kVectors + "tokenizer_tests.json");
  const Json all = json_of(kVectors + "tokenizer_tests.json");
  for (const SharedVocabulary& row : {SharedVocabulary{"bert-base-uncased", "bert-bge"},
                                      {"google-bert/bert-base-uncased", "bert-bge"},
                                      {"distilgpt2", "gpt-2"},
                                      {"coreml-projects/Llama-2-7b-chat-coreml", "llama-spm"},
                                      {"tiiuae/falcon-7b", "falcon"}}) {
    const auto tokenizer = tokenizer_of_gguf(ggml_path(row.gguf));
    for (const Json& entry : member(all, row.model).items()) {
      const std::string& input = text_at(entry, "input");
      EXPECT_EQ(ids_of(*tokenizer, input, kLikeHuggingFace),
                ids_in(member(member(entry, "encoded"), "input_ids")))
          << row.model << ": " << input;
    }
  }
}

TEST(TokenizerVectors, MultilingualConformance) {
  SKIP_WITHOUT(kVectors + "MultilingualConformance__inputs.json");
  const Json inputs = json_of(kVectors + "MultilingualConformance__inputs.json");
  for (const SharedVocabulary& row :
       {SharedVocabulary{"gpt2", "gpt-2"}, {"tinyllama", "llama-spm"}, {"bge_small", "bert-bge"}}) {
    const auto tokenizer = tokenizer_of_gguf(ggml_path(row.gguf));
    const std::string file =
        kVectors + "MultilingualConformance__" + row.model + "_multilingual.json";
    const Json vector = json_of(file);
    std::map<std::string, std::vector<TokenId>> expected;
    for (const Json& entry : member(vector, "entries").items()) {
      expected[text_at(entry, "id")] = ids_in(member(entry, "input_ids"));
    }
    ASSERT_EQ(expected.size(), inputs.items().size());
    for (const Json& input : inputs.items()) {
      EXPECT_EQ(ids_of(*tokenizer, text_at(input, "text"), kLikeHuggingFace),
                expected[text_at(input, "id")])
          << row.model << ": " << text_at(input, "id");
    }
  }
}

TEST(TokenizerVectors, LongTexts) {
  SKIP_WITHOUT(kVectors + "gpt2_encoded_tokens.json");
  struct Row {
    const char* file;
    const char* gguf;
    bool add_special;
  };
  for (const Row& row : {Row{"gpt2_encoded_tokens.json", "gpt-2", false},
                         {"llama_encoded.json", "llama-spm", true},
                         {"falcon_encoded.json", "falcon", false},
                         {"bert_uncased_encoded.json", "bert-bge", true}}) {
    const auto tokenizer = tokenizer_of_gguf(ggml_path(row.gguf));
    const Json vector = json_of(kVectors + row.file);
    const auto ids = ids_of(*tokenizer, text_at(vector, "text"),
                            {.add_special = row.add_special, .parse_special = true});
    EXPECT_EQ(ids, ids_in(member(vector, "token_ids"))) << row.file;
  }
}

TEST(TokenizerVectors, BertQuestions) {
  SKIP_WITHOUT(kVectors + "question_tokens.json");
  const auto tokenizer = tokenizer_of_gguf(ggml_path("bert-bge"));
  const Json questions = json_of(kVectors + "question_tokens.json");
  const Json expected = json_of(kVectors + "tokenized_questions.json");
  ASSERT_EQ(questions.items().size(), expected.items().size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < questions.items().size(); ++i) {
    const auto ids = ids_of(*tokenizer, text_at(questions.items()[i], "original"), kPlain);
    wrong += ids == ids_in(expected.items()[i]) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0u) << "of " << questions.items().size();
}

// Three files hold Llama 2's vocabulary; all must say the same, and what Hugging Face says.
TEST(TokenizerVectors, Llama2FromThreeFormats) {
  SKIP_WITHOUT(kTokenizers + "llama2/tokenizer.model");
  const std::string sentencepiece = contents_of(kTokenizers + "llama2/tokenizer.model");
  const std::string llama2c = contents_of(kTokenizers + "llama2/tokenizer.bin");
  const std::shared_ptr<const Tokenizer> tokenizers[] = {
      tokenizer_of_json(sentencepiece_to_json(std::as_bytes(std::span(sentencepiece)))),
      tokenizer_of_json(llama2c_tokenizer_json(std::as_bytes(std::span(llama2c)), 32000)),
      tokenizer_of_gguf(ggml_path("llama-spm"))};
  const Json vector = json_of(kVectors + "llama_encoded.json");
  const auto expected = ids_in(member(vector, "token_ids"));
  const auto texts = split(contents_of(ggml_path("llama-spm") + ".inp"), "\n__ggml_vocab_test__\n");
  const auto lines = split(contents_of(ggml_path("llama-spm") + ".out"), "\n");
  for (const auto& tokenizer : tokenizers) {
    EXPECT_EQ(ids_of(*tokenizer, text_at(vector, "text"), {}), expected);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(ids_of(*tokenizer, texts[i], kPlain), parsed_ids(lines[i])) << texts[i];
    }
  }
}

TEST(TokenizerVectors, TextsComeBack) {
  for (const char* name : {"llama-spm", "phi-3", "gpt-2", "falcon"}) {
    SKIP_WITHOUT(ggml_path(name));
    const auto tokenizer = tokenizer_of_gguf(ggml_path(name));
    for (const std::string& text :
         split(contents_of(ggml_path(name) + ".inp"), "\n__ggml_vocab_test__\n")) {
      const auto ids = ids_of(*tokenizer, text, kPlain);
      EXPECT_EQ(text_of(*tokenizer, ids, {.is_start_of_text = true}), text) << name;
    }
  }
}

// stories260K: what run.c wrote for the ids that it generated.
TEST(TokenizerVectors, Stories260K) {
  const std::string folder = QUIRE_SOURCE_DIR "/../shared/models/stories260K/";
  SKIP_WITHOUT(folder);
  const std::string file = contents_of(folder + "tok512.bin");
  const auto tokenizer =
      tokenizer_of_json(llama2c_tokenizer_json(std::as_bytes(std::span(file)), 512));
  std::string line = contents_of(folder + "ref_greedy512_tokens.txt");
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::vector<TokenId> ids = parsed_ids(line);
  ASSERT_EQ(ids.front(), 1);
  ids.resize(201);  // run.c prints the text of 200 ids after BOS, and a newline
  EXPECT_EQ(text_of(*tokenizer, ids, {.is_start_of_text = true}) + "\n",
            contents_of(folder + "expected_t0_n200.txt"));
  const std::string prompt = "Once upon a time";
  const auto prompt_ids = ids_of(*tokenizer, prompt, {});
  EXPECT_EQ(prompt_ids, std::vector<TokenId>(ids.begin(), ids.begin() + 5));
}

// TinyStories-656K: a tokenizer.json as published.
TEST(TokenizerVectors, Tinystories656K) {
  const std::string folder = QUIRE_SOURCE_DIR "/../shared/models/tinystories-656K/";
  SKIP_WITHOUT(folder);
  const auto tokenizer = tokenizer_of_json(contents_of(folder + "tokenizer.json"));
  const auto ids = ids_of(*tokenizer, "Once upon a time", {});
  std::string line = contents_of(folder + "ref_greedy_once_upon_a_time.tokens.txt");
  std::replace(line.begin(), line.end(), '\n', ' ');
  const std::vector<TokenId> expected = parsed_ids(line);
  ASSERT_LT(ids.size(), expected.size());
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), expected.begin()));
}

std::string smollm2_path() {
  if (const char* path = std::getenv("QUIRE_SMOLLM2")) return path;
  const char* store = std::getenv("QUIRE_HOME");
  const char* home = std::getenv("HOME");
  const std::string root =
      store != nullptr ? store : std::string(home ? home : "") + "/.local/share/quire";
  return root + "/models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
}

TEST(TokenizerVectors, Smollm2) {
  SKIP_WITHOUT(smollm2_path());
  SKIP_WITHOUT(kSmollm2References + "index.json");
  const auto tokenizer = tokenizer_of_gguf(smollm2_path());
  for (const std::string name : {"frankenstein", "tinyshakespeare", "tinystories"}) {
    const std::string raw = contents_of(kSmollm2References + name + ".ids.i32");
    std::vector<TokenId> expected(raw.size() / 4);
    std::memcpy(expected.data(), raw.data(), raw.size());
    const std::string text = contents_of(kSmollm2References + name + ".txt");
    EXPECT_EQ(ids_of(*tokenizer, text, kLikeHuggingFace), expected) << name;
    EXPECT_EQ(text_of(*tokenizer, expected, {.shows_special = true}), text) << name;
  }
  const Json index = json_of(kSmollm2References + "index.json");
  for (const Json& chat : member(index, "chat").items()) {
    EXPECT_EQ(text_of(*tokenizer, ids_in(member(chat, "greedy_ids")), {}),
              text_at(chat, "text"));
  }
}

}  // namespace
}  // namespace quire
