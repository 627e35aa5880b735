// Each documented parameter of the endpoints that make vectors, scores and classes of texts, tried
// against a server with a scripted model: it acts, or can change no answer, or is refused by name;
// the tables of docs/compatibility.md.
#include <gtest/gtest.h>

#include <regex>

#include "base/json.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_server.h"

namespace quire {
namespace {

struct Try {
  const char* parameter;
  const char* outcome;
  const char* field;  // the member, "name":value
  const char* how;
};

// What every one of these endpoints reads.
#define QUIRE_SHARED_TRIES                                                                       \
  {"truncate_prompt_tokens", "acts", R"("truncate_prompt_tokens":5)", "-1: what the model takes"}, \
      {"truncation_side", "accepted", R"("truncation_side":"left")",                             \
       "acts where something is cut"},                                                           \
      {"priority", "accepted", R"("priority":3)", "who comes first, not what is answered"},      \
      {"cache_salt", "accepted", R"("cache_salt":"s")", ""},                                     \
      {"user", "accepted", R"("user":"me")", ""},                                                \
      {"request_id", "accepted", R"("request_id":"r1")", ""},                                    \
      {"mm_processor_kwargs", "refused", R"("mm_processor_kwargs":{"a":1})", "texts alone"},     \
      {"any other field", "refused", R"("no_such_field":1)",                                     \
       "named; with `--unknown-fields warn` a warning in the answer"}

const Try kEmbeddings[] = {
    {"input: texts", "acts", R"("input":["ab","abc"])", "at most 2,048"},
    {"input: token ids", "acts", R"("input":[97,98,99])", ""},
    {"encoding_format", "acts", R"("encoding_format":"base64")", "float, base64"},
    {"dimensions", "acts", R"("dimensions":1)",
     "where the model was trained for it, refused elsewhere"},
    {"embed_dtype", "acts", R"("encoding_format":"base64","embed_dtype":"float16")",
     "float16, bfloat16: in base64"},
    {"endianness", "acts", R"("encoding_format":"base64","endianness":"big")", ""},
    {"normalize", "acts", R"("normalize":true)", ""},
    {"add_special_tokens", "accepted", R"("add_special_tokens":false)",
     "acts where the tokenizer adds some"},
    QUIRE_SHARED_TRIES};

const Try kPooling[] = {
    {"input: texts", "acts", R"("input":["ab","abc"])", "at most 2,048"},
    {"task", "accepted", R"("task":"embed")", "what the model is for; refused if it is not"},
    {"task: token_embed", "refused", R"("task":"token_embed")", "one vector of a text"},
    {"encoding_format", "acts", R"("encoding_format":"base64")", "float, base64"},
    {"embed_dtype", "refused", R"("embed_dtype":"float16")", "acts in base64"},
    {"use_activation", "accepted", R"("use_activation":true)",
     "as where nothing is said; false acts"},
    QUIRE_SHARED_TRIES};

const Try kRerank[] = {
    {"documents", "acts", R"("documents":["a","bcd","ef"])", "texts, or objects with one"},
    {"top_n", "acts", R"("top_n":1)", ""},
    {"return_documents", "acts", R"("return_documents":false)", ""},
    {"use_activation", "acts", R"("use_activation":false)", "what the model says, as it is"},
    {"max_chunks_per_doc", "refused", R"("max_chunks_per_doc":2)", ""},
    {"max_tokens_per_doc", "refused", R"("max_tokens_per_doc":2)", ""},
    {"rank_fields", "refused", R"("rank_fields":["title"])", "`[\"text\"]` is taken"},
    QUIRE_SHARED_TRIES};

const Try kScore[] = {
    {"text_2: texts", "acts", R"("text_2":["a","bcd"])", "one and one, one and many, or pairs"},
    {"use_activation", "acts", R"("use_activation":false)", "what the model says, as it is"},
    QUIRE_SHARED_TRIES};

const Try kClassify[] = {
    {"input: texts", "acts", R"("input":["ab","abc"])", "at most 2,048"},
    {"use_activation", "acts", R"("use_activation":false)", "what the model says, as it is"},
    QUIRE_SHARED_TRIES};

#undef QUIRE_SHARED_TRIES

// The body with a further field, which takes the place of one of that name.
std::string with_field(const std::string& body, const std::string& field) {
  Json all = *parse_json("{" + body + "}");
  const Json added = *parse_json("{" + field + "}");
  for (const auto& [name, value] : added.members()) all.set(name, value);
  return dump(all);
}

std::string without_chance(std::string body) {
  body = std::regex_replace(body, std::regex(R"re("id":"[^"]*")re"), "");
  return std::regex_replace(body, std::regex(R"re("created":[0-9]+)re"), "");
}

void settle(const PooledInfo& info, const char* path, const std::string& base,
            std::span<const Try> all, const char* table) {
  TestServer server({}, {.pooled = info});
  const TestResponse plain = server.client().post(path, with_field(base, ""));
  ASSERT_EQ(plain.status, 200) << path << plain.body;
  std::vector<CompatibilityRow> rows;
  for (const Try& it : all) {
    const TestResponse answer = server.client().post(path, with_field(base, it.field));
    std::string found = "refused";
    if (answer.status == 200) {
      found = without_chance(answer.body) == without_chance(plain.body) ? "accepted" : "acts";
    } else {
      const Json refused = *parse_json(answer.body);
      const std::string param = refused.find("error")->find("param")->as_string();
      EXPECT_NE(std::string(it.field).find("\"" + param + "\""), std::string::npos) << answer.body;
    }
    EXPECT_EQ(found, it.outcome) << path << " " << it.parameter << " " << answer.body;
    const bool is_name = std::string(it.parameter) != "any other field";
    rows.push_back({is_name ? "`" + std::string(it.parameter) + "`" : it.parameter, found, it.how});
  }
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, table, rows), "");
}

PooledInfo embedder() {
  PooledInfo info{.width = 2};
  info.words.is_matryoshka = true;
  return info;
}

PooledInfo ranker() {
  PooledInfo info{.width = 2, .labels = 1, .reads_pairs = true, .has_segments = true};
  info.words.activation = "Sigmoid";
  return info;
}

PooledInfo classifier() {
  PooledInfo info{.width = 2, .labels = 2};
  info.words.labels = {"no", "yes"};
  return info;
}

TEST(PooledCompatibility, ThePageSaysWhatEachParameterDoes) {
  settle(embedder(), "/v1/embeddings", R"("model":"m","input":"abcdefgh")", kEmbeddings,
         "openai-embeddings");
  settle(embedder(), "/pooling", R"("model":"m","input":"abcdefgh")", kPooling, "vllm-pooling");
  settle(ranker(), "/rerank", R"("model":"m","query":"abcdef","documents":["abcd","bcde"])",
         kRerank, "vllm-rerank");
  settle(ranker(), "/score", R"("model":"m","text_1":"abcd","text_2":"cdef")", kScore,
         "vllm-score");
  settle(classifier(), "/classify", R"("model":"m","input":"abcdefgh")", kClassify,
         "vllm-classify");
}

}  // namespace
}  // namespace quire
