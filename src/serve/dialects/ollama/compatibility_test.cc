// Each parameter of /api/generate and /api/chat, options included, tried: it acts (a call or its
// answer differs), or it can change no answer, or it is named in a warning, or refused by name.
// What is found is the protocol's table in docs/compatibility.md.
#include <gtest/gtest.h>

#include "base/json.h"
#include "serve/dialects/ollama/generate.h"
#include "serve/testing/compatibility_page.h"
#include "serve/testing/test_model.h"

namespace quire {
namespace {

constexpr const char* kTemplate =
    "{% if tools is defined %}<tool_call>{{ tools | tojson }}{% endif %}"
    "{% if enable_thinking is defined and not enable_thinking %}<nothink>{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content is defined %}<think>({{ m.reasoning_content }})</think>{% endif %}"
    "{{ m.content }}{% for c in m.tool_calls or [] %}!{{ c.function.name }}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

enum class Claim { kActs, kAccepted, kWarned, kRefused };

struct Try {
  const char* parameter;  // as the page names it
  Claim claim;
  std::string fields;     // of a request beside model and prompt
  const char* named;      // in the warning or the refusal
  const char* how;
};

constexpr const char* kOperators = "how a model is loaded is the operator's";

const Try kGenerateTries[] = {
    {"`suffix`", Claim::kRefused, R"("suffix":"s")", "suffix",
     "fills in the middle where the vocabulary has tokens, or a template a place, for it"},
    {"`images`", Claim::kRefused, R"("images":["aGk="])", "images", "models read text"},
    {"`system`", Claim::kActs, R"("system":"s")", "", "in place of the model's own"},
    {"`template`", Claim::kActs, R"("template":"<{{ .Prompt }}>")", "",
     "Go's language, in place of the model's own"},
    {"`context`", Claim::kActs, R"("context":[1,2])", "", "tokens of an answer before"},
    {"`raw`", Claim::kActs, R"("raw":true)", "", "no template"},
    {"`stream`", Claim::kActs, R"("stream":false)", "", "on unless it is false"},
    {"`format` \"json\", a schema", Claim::kActs, R"("format":{"type":"object"})", "",
     "[what is accepted](constrained.md); objects have the listed properties alone"},
    {"`format` anything else", Claim::kRefused, R"("format":"xml")", "format", ""},
    {"`think` true, false, low, medium, high, max", Claim::kActs, R"("think":false)", "",
     "true without thoughts to be had is refused"},
    {"`logprobs`, `top_logprobs`", Claim::kActs, R"("logprobs":true,"top_logprobs":2)", "",
     "at most 20"},
    {"`top_logprobs` alone", Claim::kWarned, R"("top_logprobs":2)", "top_logprobs", ""},
    {"`truncate`", Claim::kAccepted, R"("truncate":true)", "",
     "true: what is too long is cut, with a warning; false: it is refused"},
    {"`shift`", Claim::kWarned, R"("shift":true)", "shift",
     "beyond num_ctx, but not beyond the model's context; false: num_ctx ends the answer"},
    {"any other field", Claim::kWarned, R"("no_such_field":1)", "no_such_field", ""},
};

const Try kOptionTries[] = {
    {"`temperature`", Claim::kActs, R"({"temperature":0.1})", "", "0.8 unless the model says"},
    {"`top_k`", Claim::kActs, R"({"top_k":3})", "", "40 unless the model says"},
    {"`top_p`", Claim::kActs, R"({"top_p":0.5})", "", "0.9 unless the model says"},
    {"`min_p`", Claim::kActs, R"({"min_p":0.5})", "", ""},
    {"`typical_p`", Claim::kActs, R"({"typical_p":0.5})", "", "1 leaves it out"},
    {"`repeat_penalty`", Claim::kActs, R"({"repeat_penalty":1.5})", "", "over the whole text"},
    {"`repeat_last_n`", Claim::kWarned, R"({"repeat_penalty":1.5,"repeat_last_n":32})",
     "options.repeat_last_n", "0 turns penalties off; no window"},
    {"`presence_penalty`, `frequency_penalty`", Claim::kActs, R"({"presence_penalty":1})", "", ""},
    {"`seed`", Claim::kActs, R"({"seed":7})", "", "-1: chance"},
    {"`stop`", Claim::kActs, R"({"stop":["x"]})", "", "in place of the model's own"},
    {"`num_predict`", Claim::kActs, R"({"num_predict":3})", "", "0 and below: as many as fit"},
    {"`num_ctx`", Claim::kActs, R"({"num_ctx":64})", "", "a bound for this request"},
    {"`num_ctx` beyond the model's", Claim::kWarned, R"({"num_ctx":100000})", "options.num_ctx",
     "the model's own holds"},
    {"`num_keep`", Claim::kAccepted, R"({"num_keep":8})", "", "tokens that a cut leaves in front"},
    {"`num_batch`, `num_gpu`, `main_gpu`, `num_thread`", Claim::kWarned, R"({"num_gpu":1})",
     "options.num_gpu", kOperators},
    {"`use_mmap`, `use_mlock`, `numa`, `low_vram`, `f16_kv`", Claim::kWarned,
     R"({"use_mmap":true})", "options.use_mmap", kOperators},
    {"`draft_num_predict`", Claim::kWarned, R"({"draft_num_predict":4})",
     "options.draft_num_predict", ""},
    {"`mirostat`, `mirostat_tau`, `mirostat_eta`, `tfs_z`, `penalize_newline`", Claim::kWarned,
     R"({"mirostat":1})", "options.mirostat", "Ollama has given them up"},
    {"any other option", Claim::kWarned, R"({"no_such":1})", "options.no_such", ""},
    {"an option of another type", Claim::kRefused, R"({"top_k":"many"})", "options.top_k", ""},
};

class OllamaCompatibilityTest : public ::testing::Test {
 protected:
  OllamaCompatibilityTest()
      : host_(make_test_host({.chat_template = kTemplate}, std::make_shared<StepGate>())) {
    context_.models.host = host_.get();
  }

  // A seed that nobody asks for is chance.
  Parsed<Call> parse(std::string fields) {
    const bool has_seed = fields.find("\"seed\"") != std::string::npos;
    const std::size_t options = fields.find("\"options\":{");
    if (!has_seed && options != std::string::npos) {
      fields.insert(options + 11, "\"seed\":1,");
    } else if (!has_seed) {
      fields = R"("options":{"seed":1})" + (fields.empty() ? "" : "," + fields);
    }
    http::Request request;
    request.body = R"({"model":"m","prompt":"q",)" + fields + "}";
    return parse_ollama_generate(context_, request);
  }

  static bool is_same(const Call& a, const Call& b) {
    const SamplingParams &p = a.requests[0].params, &q = b.requests[0].params;
    return a.requests[0].prompt == b.requests[0].prompt && p.temperature == q.temperature &&
           p.top_k == q.top_k && p.top_p == q.top_p && p.min_p == q.min_p &&
           p.typical_p == q.typical_p &&
           p.repetition_penalty == q.repetition_penalty && p.seed == q.seed &&
           p.presence_penalty == q.presence_penalty && p.logprobs == q.logprobs &&
           p.stop_strings == q.stop_strings && p.tokens_max == q.tokens_max &&
           a.is_stream == b.is_stream && a.grammar.has_value() == b.grammar.has_value();
  }

  static bool warns_of(Call& call, const std::string& param) {
    std::string out;
    call.writer->finish(out);
    return out.find("\"param\":" + dump(Json(param))) != std::string::npos;
  }

  // What was found, which must be what is claimed.
  CompatibilityRow row(const Try& it, const std::string& fields) {
    auto without = parse("");
    auto with = parse(fields);
    std::string found = "refused";
    EXPECT_TRUE(without.is_ok());
    if (with.is_ok()) {
      const bool is_warned = *it.named != '\0' && warns_of(*with, it.named);
      found = is_warned ? "warned" : is_same(*with, *without) ? "accepted" : "acts";
    } else {
      EXPECT_TRUE(with.error().param.starts_with(it.named)) << with.error().message;
    }
    constexpr const char* kWords[] = {"acts", "accepted", "warned", "refused"};
    EXPECT_EQ(found, kWords[static_cast<std::size_t>(it.claim)])
        << it.parameter << (with.is_ok() ? "" : ": " + with.error().message);
    return {it.parameter, found, it.how};
  }

  std::unique_ptr<ModelHost> host_;
  DialectContext context_;
};

TEST_F(OllamaCompatibilityTest, ThePageSaysWhatEachParameterDoes) {
  std::vector<CompatibilityRow> rows = {
      {"`model`, `prompt`, `messages`", "acts", "without a prompt the model is loaded"},
      {"`keep_alive`", "acts",
       "how long the model stays behind the answer; 0: it goes, below 0: for ever"},
      {"`tools`", "acts",
       "through the template; where it reads none, in words, which is warned of"}};
  for (const Try& it : kGenerateTries) rows.push_back(row(it, it.fields));
  for (const Try& it : kOptionTries) {
    rows.push_back(row(it, "\"options\":" + it.fields));
    rows.back().parameter = "`options`: " + rows.back().parameter;
  }
  const char* page = QUIRE_SOURCE_DIR "/docs/compatibility.md";
  EXPECT_EQ(settle_compatibility_page(page, "ollama", rows), "");
}

}  // namespace
}  // namespace quire
